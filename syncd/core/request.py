"""What people ask of whoever holds a store's writer's lock: a request, what it orders, and what came of it.

A request is a row that outlives the command that put it and the process that took it. It is read strictly: what this
version does not know of it was meant otherwise than it could do it, so nothing of it is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from syncd.core.plan import raised_limits
from syncd.errors import RefusedError

VERSION = 1
"""Of the rows that this version writes and reads."""
GOOD_FOR = timedelta(days=1)
"""What nobody took for so long is not done any more: whoever asked for it has seen to it otherwise."""
TAKEN_AT_MOST = 3
"""So often a request may end with whoever took it before it is refused."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads who is named, without names everything. `full`, `allow`: as of the command."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    full: bool = False
    allow: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyncRequest(_Reading):
    """`syncd sync`."""


@dataclass(frozen=True, slots=True)
class DriftRequest(_Reading):
    """`syncd drift --fix`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """`seen` are the ids of the changes that a person saw and agreed to; None: nobody was shown any."""

    allow: Mapping[str, int] = field(default_factory=dict)
    seen: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """`syncd apply`: the text of a saved plan, applied exactly."""

    plan: str


@dataclass(frozen=True, slots=True)
class LinkRequest(_Shown):
    """`syncd link`."""

    group: str
    target: str


@dataclass(frozen=True, slots=True)
class LinkUserRequest(_Shown):
    """`syncd link --user`; `account` None: the only one that looks like theirs."""

    user: str
    account: str | None


@dataclass(frozen=True, slots=True)
class UnlinkRequest(_Shown):
    """`syncd unlink`."""

    group: str
    delete: bool


@dataclass(frozen=True, slots=True)
class UnlinkUserRequest:
    """`syncd unlink --user`."""

    user: str


@dataclass(frozen=True, slots=True)
class UndoRequest(_Shown):
    """`syncd undo`."""

    run: str


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """`syncd release`."""

    name: str


@dataclass(frozen=True, slots=True)
class RelinkRequest:
    """`syncd relink`; `digest` is that of what a person saw and agreed to, None: nobody was shown anything."""

    digest: str | None = None


@dataclass(frozen=True, slots=True)
class ApproveRequest:
    """`syncd approve --now`: documents of the changes that were approved just now."""

    changes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """`syncd retry --now`: Okta ids of what failed and is due now."""

    users: tuple[str, ...]
    groups: tuple[str, ...]


Request = (
    SyncRequest
    | DriftRequest
    | ApplyRequest
    | LinkRequest
    | LinkUserRequest
    | UnlinkRequest
    | UnlinkUserRequest
    | UndoRequest
    | ReleaseRequest
    | RelinkRequest
    | ApproveRequest
    | RetryRequest
)
_REQUESTS: Mapping[str, type[Request]] = {
    "sync": SyncRequest,
    "drift": DriftRequest,
    "apply": ApplyRequest,
    "link": LinkRequest,
    "link_user": LinkUserRequest,
    "unlink": UnlinkRequest,
    "unlink_user": UnlinkUserRequest,
    "undo": UndoRequest,
    "release": ReleaseRequest,
    "relink": RelinkRequest,
    "approve": ApproveRequest,
    "retry": RetryRequest,
}
_KINDS = {made: kind for kind, made in _REQUESTS.items()}


def kind_of(request: Request) -> str:
    """The name of the command."""
    return _KINDS[type(request)]


def reads_everything(request: Request) -> bool:
    """Whether it reads complete lists: it takes as long as a full cycle, and whoever asks for one person waits for no
    such thing.
    """
    return isinstance(request, _Reading) and not request.users and not request.groups


def arguments_of(request: Request) -> str:
    """As `read_request` takes it back."""
    return json.dumps(asdict(request), sort_keys=True)


def read_request(version: int, kind: str, arguments: str) -> Request:
    """Raises RefusedError for what this version would not do as it was meant."""
    if version > VERSION:
        raise RefusedError(
            f"the request was put by a newer syncd (requests of version {version}, this one reads {VERSION}):"
            " nothing of it was done",
            hint="run one version everywhere: restart `syncd run` after an upgrade",
        )
    try:
        return _made(_REQUESTS[kind], json.loads(arguments))
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise RefusedError(
            f"the request ({kind}) cannot be understood: {problem}; nothing of it was done",
            hint="run one version of syncd everywhere, and ask again",
        ) from problem


def _made(request: type[Request], given: object) -> Request:
    if not isinstance(given, dict) or given.keys() != {each.name for each in fields(request)}:
        raise ValueError("arguments that it cannot have")
    return request(**{name: _READERS[name](value) for name, value in given.items()})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is none")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("a list is none")
    return tuple(map(_text, value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a yes or no is neither")
    return value


def _documents(value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise TypeError("changes are none")
    return tuple(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "users": _texts,
    "groups": _texts,
    "full": _flag,
    "allow": raised_limits,
    "plan": _text,
    "group": _text,
    "user": _text,
    "account": lambda value: None if value is None else _text(value),
    "target": _text,
    "delete": _flag,
    "run": _text,
    "name": _text,
    "changes": _documents,
    "seen": lambda value: None if value is None else _texts(value),
    "digest": lambda value: None if value is None else _text(value),
}
"""By the name of the argument, which means the same in every request."""


@dataclass(frozen=True, slots=True)
class ErrorText:
    """An error that was said on the way, or ended it."""

    message: str
    hint: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What a command answers: its document (None: the last of `said` is why there is none) and its exit code."""

    document: Mapping[str, Any] | None
    exit_code: int
    said: Sequence[ErrorText] = ()


def result_text(outcome: RequestResult) -> str:
    """As `read_result` takes it back."""
    return json.dumps({**asdict(outcome), "said": [asdict(each) for each in outcome.said]})


def read_result(text: str) -> RequestResult:
    """Raises RefusedError for what no `result_text` was."""
    try:
        return _result(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise RefusedError(
            f"what came of the request cannot be read: {problem}", hint="`syncd status` shows the last runs"
        ) from problem


def _result(read: Mapping[str, Any]) -> RequestResult:
    said = tuple(
        ErrorText(str(one["message"]), str(one["hint"]), int(one["exit_code"])) for one in read["said"]
    )
    document = read["document"]
    if not isinstance(document, dict | None) or (document is None and not said):
        raise TypeError("it tells nothing")
    return RequestResult(document, int(read["exit_code"]), said)


@dataclass(frozen=True, slots=True)
class WaitingState:
    """Nobody has taken it yet."""


@dataclass(frozen=True, slots=True)
class TakenState:
    """`owner` is carrying it out, or died doing so: `by` is the token of its lock. The rest is how far it has come:
    the phase, and `done` of `total` in it (None: nobody knows).
    """

    by: str
    owner: str
    at: datetime
    phase: str = ""
    total: int | None = None
    done: int = 0
    stop_asked: bool = False
    """Whoever asked for it wants it to end early."""


@dataclass(frozen=True, slots=True)
class EndedState:
    """Over since `at`, with the exit code of its command."""

    at: datetime
    exit_code: int


@dataclass(frozen=True, slots=True)
class WithdrawnState:
    """Before anybody took it."""

    at: datetime


RequestState = WaitingState | TakenState | EndedState | WithdrawnState


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One row. `settings` is the fingerprint of the scope settings that the command read; `takings` counts who took it
    until now.
    """

    id: str
    version: int
    kind: str
    arguments: str
    settings: str
    by: str
    reason: str
    asked_at: datetime
    takings: int
    state: RequestState

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something about it."""
        return isinstance(self.state, WaitingState | TakenState)
