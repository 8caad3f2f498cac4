"""Inputs that stand for answers of a server, and what must hold for whatever is made of one.

An input is one or more messages with `NEXT` between them: a status, header lines, an empty line, a body. They answer
one request after the other, the last one all further ones. What does not look so is a body.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from syncd.errors import SyncdError

NEXT = b"\n\x1e\n"


@dataclass(frozen=True)
class Message:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def message(body: bytes, *headers: tuple[str, str], status: int = 200) -> bytes:
    """The input that stands for this answer."""
    head = [str(status), *(f"{name}: {value}" for name, value in headers)]
    return "\n".join(head).encode("utf-8", "surrogateescape") + b"\n\n" + body


def split(data: bytes) -> Sequence[Message]:
    return [_message(part) for part in data.split(NEXT)]


def _message(part: bytes) -> Message:
    head, _, body = part.partition(b"\n\n")
    status, *lines = head.decode("utf-8", "surrogateescape").split("\n")
    if not (status.isascii() and status.isdigit() and len(status) == 3 and status >= "200"):
        return Message(200, (), part)
    return Message(int(status), [_header(line) for line in lines if ":" in line], body)


def _header(line: str) -> tuple[str, str]:
    """As HTTP libraries hand it over: no line breaks, no NUL."""
    name, _, value = line.partition(":")
    return name.strip() or "X", value.strip().replace("\r", "").replace("\0", "")


def storable(value: object) -> None:
    """Whether the store and every document can hold it: UTF-8 text, finite numbers, nesting that is no trap. Raises
    AssertionError.
    """
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        assert depth < 200, "nested without end"
        if isinstance(each, str):
            assert not any("\ud800" <= letter <= "\udfff" for letter in each), "half a surrogate pair"
        elif isinstance(each, float):
            assert math.isfinite(each), "no finite number"
        elif isinstance(each, Mapping):
            waiting += [(one, depth + 1) for pair in each.items() for one in pair]
        elif isinstance(each, list | tuple | set | frozenset):
            waiting += [(one, depth + 1) for one in each]
        elif dataclasses.is_dataclass(each):
            waiting += [(getattr(each, field.name), depth + 1) for field in dataclasses.fields(each)]


def attempts(*acts: Callable[[], object]) -> Iterator[object]:
    """What each comes to: the documented errors are results too, with their words."""
    for act in acts:
        try:
            yield act()
        except SyncdError as error:
            yield error.message, error.hint
