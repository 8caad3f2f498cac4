"""Notices that a secret was rotated where this process cannot see it: systemd's copy of a credential is as old as the
service.
"""

from __future__ import annotations

from syncd.service.board import ConnectionBoard
from syncd.service.telling import Voice
from syncd.settings import ConnectionSettings

_TOPIC = "credentials"


def look_for_old_secrets(
    settings: ConnectionSettings, board: ConnectionBoard, voice: Voice, cycle: str
) -> None:
    """Says it once, in the log and on the board, until it is over."""
    old = "; ".join(f"{path}: {said}" for path, ref in settings.secrets() if (said := ref.outdated()))
    board.warn(_TOPIC, old)
    if old:
        voice.once(_TOPIC, "warning", "an old credential is used", cycle, error=old)
    elif voice.over(_TOPIC):
        voice.say("info", "the credentials are those of their files", cycle)
