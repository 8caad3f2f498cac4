"""Whether the System Log of one connection is followed, and what is said of it."""

from __future__ import annotations

from syncd.engine.cycles.delta import follow
from syncd.engine.job import Job
from syncd.errors import SyncdError, TemporaryError
from syncd.redact import Redactor
from syncd.service.board import ConnectionBoard
from syncd.service.connection_state import SystemLog
from syncd.service.telling import Voice, log_lost, log_read


class FollowedLog:
    """`state` begins as NOT_FOLLOWED, and does so anew with other Okta settings."""

    def __init__(self, board: ConnectionBoard, voice: Voice, redactor: Redactor) -> None:
        self.state = SystemLog.NOT_FOLLOWED
        self._board, self._voice, self._redactor = board, voice, redactor

    @property
    def is_followed(self) -> bool:
        return self.state is SystemLog.FOLLOWED

    def follow(self, job: Job) -> bool:
        """Begins to; whether it was not followed before. Where that is forbidden the board says so, and full cycles
        see to it all.
        """
        try:
            begun = follow(job)
        except SyncdError as error:
            self.lost(error, job)
            return False
        self.state = SystemLog.FOLLOWED
        if begun:
            self.was_read()
        return begun

    def lost(self, error: SyncdError, job: Job) -> None:
        """It could not be read."""
        self.state = SystemLog.NOT_FOLLOWED if isinstance(error, TemporaryError) else SystemLog.DENIED
        said, hooks = self._redactor.text(error.message), job.settings.hooks.come
        log_lost(self._board, self._voice, said, error.hint, hooks=hooks)

    def was_read(self) -> None:
        """It is well."""
        if self.is_followed:
            log_read(self._board, self._voice)

    def ask_again(self, *, anew: bool) -> None:
        """A person reloaded the settings: where it was denied that is asked once more. `anew`: of another org."""
        if anew or self.state is SystemLog.DENIED:
            self.state = SystemLog.NOT_FOLLOWED
