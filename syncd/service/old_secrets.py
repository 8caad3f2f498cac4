"""Notices that a secret was rotated where this process cannot see it: systemd's copy of a credential is as old as the
service.
"""

from __future__ import annotations

from syncd.service.board import ConnectionBoard
from syncd.service.telling import Voice
from syncd.settings import ConnectionSettings
from syncd.settings.secrets import Copied, SecretRef

_TOPIC = "credentials"


class OldSecrets:
    """Of one connection. Once a copy was looked at, its file is compared with what it was then: clocks may be set back,
    and a link may be turned to a file that is older than the copy.
    """

    def __init__(self) -> None:
        self._first: dict[str, Copied] = {}

    def look(self, settings: ConnectionSettings, board: ConnectionBoard, voice: Voice, cycle: str) -> None:
        """Says it once, in the log and on the board, until it is over."""
        old = "; ".join(f"{path}: {said}" for path, ref in settings.secrets() if (said := self.said_of(ref)))
        board.warn(_TOPIC, old)
        if old:
            voice.once(_TOPIC, "warning", "an old credential is used", cycle, error=old)
        elif voice.over(_TOPIC):
            voice.say("info", "the credentials are those of their files", cycle)

    def said_of(self, ref: SecretRef) -> str:
        """A sentence when the file changed after systemd copied it; "" also when nobody can tell."""
        now = ref.copied()
        if now is None:
            return ""
        first = self._first.get(ref.place)
        if first is None or first.copy != now.copy:
            first = self._first[ref.place] = _as_copied(now)
        for file, stamp in now.files.items():
            if first.files.get(file) != stamp:
                return (
                    f"{ref} was copied before {file} changed: restart the service "
                    "(a reload copies it anew only where the unit has RefreshOnReload=credentials)"
                )
        return ""


def _as_copied(now: Copied) -> Copied:
    """Of the files those that did not change since the copy was made."""
    made = now.copy.modified_at
    return Copied(now.copy, {file: stamp for file, stamp in now.files.items() if stamp.changed_at <= made})
