"""What is tried, and what may come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Shape = Literal["text", "json", "message"]
"""How inputs are spoiled: as bytes alone; as a JSON text too; as heads and JSON bodies (see `messages`) too."""


@dataclass(frozen=True)
class Target:
    """`open` makes what takes one input: production's own entry point, with whatever it needs around it.

    `documented` are the exceptions that the entry point promises; any other is a finding, as is a value that could not
    be stored (`messages.storable`). `words` are spliced into inputs.
    """

    name: str
    open: Callable[[], Callable[[bytes], object]]
    documented: tuple[type[Exception], ...]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    shape: Shape = "text"
    room: int = 192 * 1024 * 1024
    """Bytes of address space that one input may take beside those in proportion to it."""
