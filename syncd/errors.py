"""Errors say what the caller should do, not only what happened.

SyncdError                 exit 1   the root: a message, a hint, an exit code
├── TemporaryError         exit 1   try again later; may say when
│   ├── IncompleteRead     exit 1   a list did not arrive whole: nothing may be concluded from absence
│   └── Stopped            exit 1   a person or the system asked for it
├── PermanentError         exit 1   trying the same again is useless
│   ├── NotFound           exit 1   the object is not there
│   ├── AlreadyExists      exit 1   somebody else holds the name
│   │   └── Disbelieved    exit 1   what is there is not provably what we made
│   ├── AlreadyTied        exit 1   the object at the target belongs to another Okta object
│   ├── AccessDenied       exit 1   the token is wrong, revoked, or too narrow
│   └── ConnectionSick     exit 1   the connection as a whole must be mended first
├── RefusedError           exit 3   a safety rule says no
│   ├── StaleError         exit 3   the world is no longer what the plan saw
│   ├── LockHeld           exit 3   another process has the store's lock, and lives
│   └── LockWatched        exit 3   another process has the store's lock, and may be gone
├── LockLost               exit 1   another process writes with the store now
├── UsageError             exit 64  the command line makes no sense
└── ConfigurationError     exit 78  a setting must change first
    └── StoreMoved         exit 78  the store went elsewhere, and is used there
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, TypeVar

_E = TypeVar("_E", bound=BaseException)


class Scope(StrEnum):
    """Whom a refusal concerns. It is the object's until a harmless read is refused as well."""

    OBJECT = "object"
    """What was asked for alone: one person, one group, one list. Everything else goes on."""
    CONNECTION = "connection"


class SyncdError(Exception):
    """The root. `message` says what happened and to what, `hint` the likely cause and the next step, `status` the HTTP
    status that was answered, None when there was none.
    """

    exit_code: ClassVar[int] = 1
    status: int | None = None

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def kept(error: _E) -> _E:
    """The same error, for a result that outlives its handling: without the frames that it and what led to it passed,
    for these hold whole answers (of megabytes), and what is kept may be many.
    """
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]
    return error


class TemporaryError(SyncdError):
    """A retry may help. `retry_after` is in seconds, None when the other side did not say."""

    def __init__(
        self, message: str, *, hint: str = "", status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after

    @property
    def may_have_acted(self) -> bool:
        """For a write: no answer came, or one that servers also give after they acted (a broken 2xx, 408, 5xx)."""
        return self.status is None or self.status == 408 or not 300 <= self.status < 500


class IncompleteRead(TemporaryError):  # noqa: N818  (the field's word for it, and it reads as one)
    """A list did not arrive whole; `what` names the list and `page` the page (1-based) that failed."""

    def __init__(
        self, what: str, page: int, cause: str, *, hint: str = "", status: int | None = None
    ) -> None:
        super().__init__(f"incomplete read of {what}: page {page}: {cause}", hint=hint, status=status)
        self.what = what
        self.page = page
        self.cause = cause


class Stopped(TemporaryError):  # noqa: N818  (nothing went wrong)
    """Whoever started it asked it to end; the next one goes on."""


def status_after(error: BaseException) -> str:
    """How a run is written down that this ended."""
    return "interrupted" if isinstance(error, Stopped | KeyboardInterrupt) else "failed"


def words_after(error: BaseException) -> str:
    """What a run that this ended is written down with."""
    if isinstance(error, KeyboardInterrupt):
        return "stopped on request; what was not written is still wanted"
    return str(error) or type(error).__name__


class PermanentError(SyncdError):
    """Trying the same again is useless."""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class NotFound(PermanentError):  # noqa: N818  (HTTP's own words)
    """The object (or the whole service behind the URL) is not there."""


class AlreadyExists(PermanentError):  # noqa: N818  (HTTP's own words)
    """The target refuses a create because the name is taken and no object that is ours was found."""


class Disbelieved(AlreadyExists):
    """A create was answered with success, or refused, and an object is at the target that is not provably the result.

    `scim_id` and `name` are the object's; `stranger`: it is somebody else's, else nobody can tell.
    """

    def __init__(
        self,
        message: str,
        *,
        scim_id: str,
        name: str,
        stranger: bool,
        hint: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.scim_id = scim_id
        self.name = name
        self.stranger = stranger


class AlreadyTied(PermanentError):  # noqa: N818  (as AlreadyExists)
    """The target's id is tied to another Okta object: it is never tied twice. `owner` is that one's Okta id."""

    def __init__(self, message: str, *, okta_id: str, scim_id: str, owner: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.okta_id = okta_id
        self.scim_id = scim_id
        self.owner = owner


class AccessDenied(PermanentError):  # noqa: N818  (HTTP's own words)
    """401 or 403: `side` is "okta" or "split". Whose refusal it is is decided where the answer is judged."""

    def __init__(
        self,
        message: str,
        *,
        side: str,
        scope: Scope = Scope.OBJECT,
        hint: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, status=status)
        self.side = side
        self.scope = scope

    def of_the_object(self, well: str) -> AccessDenied:
        """The same refusal, which says whose it is; `well`: what the other side answers all the same."""
        return AccessDenied(
            f"{self.message} (of this alone: {well})", side=self.side, hint=self.hint, status=self.status
        )

    def of_the_connection(self) -> AccessDenied:
        """The same refusal, once it is known that the other side refuses harmless reads too."""
        return AccessDenied(
            self.message, side=self.side, scope=Scope.CONNECTION, hint=self.hint, status=self.status
        )


class ConnectionSick(PermanentError):  # noqa: N818  (a state of the connection, noticed while working)
    """The connection as a whole must be mended first, not one object: `side` is "okta" or "split"."""

    def __init__(self, message: str, *, side: str, hint: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint, status=status)
        self.side = side


class RefusedError(SyncdError):
    """A safety rule refuses; nothing was written."""

    exit_code = 3


class StaleError(RefusedError):
    """The world moved since the plan was made; nothing was written."""


class WritingWaits(RefusedError):  # noqa: N818  (nothing went wrong)
    """A person paused the connection, or it is outside the windows of its schedule: what is wanted waits."""


class LockHeld(RefusedError):  # noqa: N818  (what is done about it)
    """Another process has the store's lock, and lives: it is asked to do it, or waited for. `stands_still`: somebody
    stopped it (SIGSTOP), and nobody knows for how long.
    """

    def __init__(self, message: str, *, hint: str = "", stands_still: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.stands_still = stands_still


class LockWatched(RefusedError):  # noqa: N818  (what is done about it)
    """Another process has the store's lock, and only its silence could tell that it is gone: `left` is for how long it
    has to be looked at on.
    """

    def __init__(self, message: str, *, left: timedelta, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.left = left


class LockLost(SyncdError):  # noqa: N818  (what happened to the store's lock)
    """Another process writes with this store now: nothing more is sent and nothing more is stored by this one. What it
    had sent without storing the answer is an open intent, which the other one settles by asking the target.
    """


def concerns_the_connection(error: BaseException | None) -> bool:
    """Whether it is not one object that failed: a refusal of everything, or a connection that is sick."""
    return isinstance(error, ConnectionSick) or (
        isinstance(error, AccessDenied) and error.scope is Scope.CONNECTION
    )


class UsageError(SyncdError):
    """The command line makes no sense."""

    exit_code = 64


class ConfigurationError(SyncdError):
    """A setting, a secret reference or a file named in the settings must be mended first.

    `problems` holds every finding, one sentence each, when there are several.
    """

    exit_code = 78

    def __init__(self, message: str, *, hint: str = "", problems: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class StoreMoved(ConfigurationError):  # noqa: N818  (nothing went wrong)
    """A store was left behind; `place` says in words where it is now."""

    def __init__(self, message: str, *, place: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.place = place
