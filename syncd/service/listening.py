"""One server of the daemon, whose address a reload may change: it is served on as before where the new one cannot be
had.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress

from syncd.errors import SyncdError

Address = tuple[str, int]
ANOTHER_PORT = (
    'give server.listen another port, or "" to do without the status page;'
    " another `syncd run` may have this one"
)
ANOTHER_HOOK_PORT = "give hooks.listen another port; another `syncd run` may have this one"


class Listening:
    """`setting` names its address; `serve` opens it, None where nobody serves there."""

    def __init__(
        self, setting: str, serve: Callable[[Address], AbstractContextManager[object]] | None, hint: str
    ) -> None:
        self.address: Address | None = None
        self._setting = setting
        self._serve = serve
        self._hint = hint
        self._open = ExitStack()

    def move_to(self, wanted: Address | None, said: str) -> None:
        """Raises SyncdError when the port cannot be had; what was served before is then served on. `said` is the
        address as the settings have it.
        """
        before = self.address
        if before == wanted:
            return
        self.close()  # the same port, perhaps, on another address
        try:
            self._enter(wanted)
        except (OSError, SyncdError) as error:
            with suppress(OSError, SyncdError):
                self._enter(before)
            if isinstance(error, SyncdError):
                raise
            raise SyncdError(
                f'cannot listen on {self._setting} = "{said}": {error.strerror or error}', hint=self._hint
            ) from error

    def close(self) -> None:
        """Nobody is served any more."""
        self._open.close()

    def _enter(self, address: Address | None) -> None:
        if address is not None and self._serve is not None:
            self._open.enter_context(self._serve(address))
        self.address = address
