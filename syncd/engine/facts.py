"""What the store remembers of a connection beside its objects: each fact with its key, its type and its text.

What notifications remember is their own (`observe/notify.py`): they stand on a lower floor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, overload

from syncd.core import drift_news, pausing
from syncd.core.latency import EventLatency
from syncd.core.pausing import Pause
from syncd.core.sickness import KEY, Quarantine
from syncd.errors import PermanentError, SyncdError
from syncd.ports import Store
from syncd.settings import ConnectionSettings, target_fingerprint

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """`text` and `value` turn it into the text that the store keeps under `key`, and back."""

    key: str
    text: Callable[[T], str]
    value: Callable[[str], T]

    @overload
    def of(self, store: Store) -> T | None: ...
    @overload
    def of(self, store: Store, otherwise: T) -> T: ...
    def of(self, store: Store, otherwise: T | None = None) -> T | None:
        """`otherwise` when nothing is remembered. Raises what the text's reader raises: anybody may have written it."""
        said = store.recall(self.key)
        return otherwise if said is None else self.value(said)

    def entry(self, value: T | None) -> tuple[str, str | None]:
        """For `Store.remember_all`, where several are remembered at once or not at all."""
        return self.key, None if value is None else self.text(value)

    def remember(self, store: Store, value: T | None) -> None:
        """None forgets it."""
        store.remember(*self.entry(value))


def _text(key: str) -> Fact[str]:
    return Fact(key, str, str)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text or "{}")
    return found


def _document_text(found: Quarantine | Pause) -> str:
    return json.dumps(found.document())


@dataclass(frozen=True, slots=True)
class DecidedScope:
    """The scope settings (by their fingerprint) under which a full cycle has seen everything, and of whom ("user:ID",
    "group:ID") a removal waits for a decision since then.
    """

    fingerprint: str
    undecided: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    """Of whom an update, or into which groups members, wait since then; keys like those."""
    attributes: Mapping[str, str] | None = None
    """How they were mapped; None: an older version did not say."""
    rules: frozenset[str] | None = None
    """What the push rules were called."""
    matching: tuple[str, ...] | None = None
    """By what people were matched; None: as by default, before there was anything to say about it."""


def _scope_text(scope: DecidedScope) -> str:
    said: dict[str, Any] = {"scope": scope.fingerprint, "undecided": sorted(scope.undecided)}
    if scope.rewritten:
        said["rewritten"] = sorted(scope.rewritten)
    if scope.attributes is not None:
        said["attributes"] = dict(scope.attributes)
    if scope.rules is not None:
        said["rules"] = sorted(scope.rules)
    if scope.matching is not None:
        said["matching"] = list(scope.matching)
    return json.dumps(said, sort_keys=True)


def _scope_read(text: str) -> DecidedScope:
    """What cannot be read is the fingerprint of no settings: everything is held."""
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        attributes, rules = found.get("attributes"), found.get("rules")
        return DecidedScope(
            str(found["scope"]),
            frozenset(map(str, found["undecided"])),
            frozenset(map(str, found.get("rewritten", ()))),
            None if attributes is None else {str(path): str(said) for path, said in attributes.items()},
            None if rules is None else frozenset(map(str, rules)),
            tuple(map(str, found["matching"])) if "matching" in found else None,
        )
    return DecidedScope(text)


@dataclass(frozen=True, slots=True)
class ScopeSeen:
    """Scope settings (by their fingerprint) that are not decided yet, and when a run first wrote under them."""

    fingerprint: str
    at: datetime


def _seen_text(seen: ScopeSeen) -> str:
    return json.dumps({"scope": seen.fingerprint, "at": seen.at.isoformat()})


def _seen_read(text: str) -> ScopeSeen | None:
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        return ScopeSeen(str(found["scope"]), datetime.fromisoformat(found["at"]))
    return None


@dataclass(frozen=True, slots=True)
class Making:
    """A first sync that has not come to its end, and groups (Okta ids) that are being filled for the first time."""

    first_sync: bool = False
    groups: frozenset[str] = frozenset()


NOTHING_IN_THE_MAKING = Making()


def _making_text(making: Making) -> str:
    return json.dumps({"first_sync": making.first_sync, "groups": sorted(making.groups)})


def _making_read(text: str) -> Making:
    """What cannot be read spares nothing."""
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        return Making(found["first_sync"] is True, frozenset(map(str, found["groups"])))
    return Making()


SCOPE: Fact[DecidedScope] = Fact("scope", _scope_text, _scope_read)
"""What a change of the scope settings is told by."""
SCOPE_SEEN: Fact[ScopeSeen | None] = Fact(
    "scope_seen", lambda seen: _seen_text(seen) if seen else "", _seen_read
)
MAKING: Fact[Making] = Fact("in_the_making", _making_text, _making_read)
RESTORED = _text("restored")
"""When a copy took the store's place, until a full cycle came to its end with it: what was done after the copy was made
is not remembered.
"""
COMPLETE_READ = _text("last_complete_read")
"""When the last full cycle began that read everything."""
ASSIGNMENTS: Fact[int | None] = Fact("assignments", str, _number)
"""How many records the last complete list of assignments had, to reckon with."""
CURSOR = _text("log_cursor")
"""The place in the System Log: the `next` link of the last poll, as it came."""
PENDING = _text("log_pending")
"""What the log named before that place and nobody has read yet (`Seen.kept`)."""
ORG_URLS = _text("org_urls")
"""`okta.org_url` as it was when the org was asked, and the addresses that it said it has; with blanks between."""
HOOKED = _text("hooks_pending")
"""What event hooks named and nobody has looked at yet (`Hooked.keep`)."""


@dataclass(frozen=True, slots=True)
class HookHistory:
    """When an event hook came last (aware), to a minute, and the kind of an event that none brought; "" without."""

    last: datetime | None = None
    missed: str = ""


def _heard_text(heard: HookHistory) -> str:
    return json.dumps({"last": heard.last.isoformat() if heard.last else None, "missed": heard.missed})


def _heard_read(text: str) -> HookHistory:
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        last = None if found["last"] is None else datetime.fromisoformat(found["last"])
        return HookHistory(last, str(found["missed"]))
    return HookHistory()


LATENCIES_KEPT = 100
"""Days of which it is remembered how long changes took."""


def _latencies_text(days: Mapping[str, Mapping[str, EventLatency]]) -> str:
    kept = sorted(days)[-LATENCIES_KEPT:]
    found = {
        day: {kind: [*one.counts, round(one.total, 3)] for kind, one in days[day].items()} for day in kept
    }
    return json.dumps(found, sort_keys=True)


def _latencies_read(text: str) -> dict[str, dict[str, EventLatency]]:
    """What cannot be read is counted anew."""
    with suppress(ValueError, TypeError, LookupError, RecursionError, AttributeError):
        return {
            str(day): {
                str(kind): EventLatency(tuple(map(int, said[:-1])), float(said[-1]))
                for kind, said in kinds.items()
                if len(said) == len(EventLatency().counts) + 1
            }
            for day, kinds in json.loads(text).items()
        }
    return {}


EVENT_LATENCIES: Fact[Mapping[str, Mapping[str, EventLatency]]] = Fact(
    "event_latencies", _latencies_text, _latencies_read
)
"""By day (UTC) and kind of change, how long changes took from the event in Okta to the target's answer."""
HOOKS_HEARD: Fact[HookHistory] = Fact("hooks_heard", _heard_text, _heard_read)
LOG_ASKED = _text("log_asked")
"""What kinds of events that place was asked with."""
LAST_DRIFT: Fact[dict[str, Any]] = Fact(drift_news.KEY, json.dumps, _document)
"""The last drift document, with at most `ITEMS_KEPT` items; with `REPAIRED_BY` once all of it was repaired."""
NEXT_RUNS: Fact[dict[str, Any]] = Fact("next_runs", json.dumps, _document)
"""When the running daemon's next full and drift cycles come, by kind; forgotten when it ends."""
QUARANTINE: Fact[Quarantine] = Fact(KEY, _document_text, Quarantine.read)
PAUSE: Fact[Pause] = Fact(pausing.KEY, _document_text, Pause.read)
"""A person's; over once its time has come, also where it is still remembered."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What people gave back: `runs` by the run that undid them, and `wishes` (`core.undo`) that would do it again."""

    runs: Mapping[str, str] = field(default_factory=dict)
    wishes: frozenset[str] = frozenset()

    def with_wishes(self, some: Iterable[Iterable[str]]) -> Undone:
        """And these."""
        return replace(self, wishes=self.wishes.union(*some))

    def with_run(self, run_id: str, by: str) -> Undone:
        """`run_id` was undone by the run `by`."""
        return replace(self, runs={**self.runs, run_id: by})


def _undone_text(undone: Undone) -> str:
    return json.dumps({"runs": dict(undone.runs), "wishes": sorted(undone.wishes)})


def _undone_read(text: str) -> Undone:
    found = _document(text)
    return Undone(dict(found["runs"]), frozenset(map(str, found["wishes"])))


@dataclass(frozen=True, slots=True)
class AskedTie:
    """A person ties one user to this account at the target; it counts until the account is adopted, the tie is taken
    back, its adoption is rejected, or as long as a hold of it would be open. `at`: when, in ISO 8601; "": an older
    version did not say.
    """

    scim_id: str
    name: str
    by: str
    at: str = ""


def _ties_text(ties: Mapping[str, AskedTie]) -> str:
    said = {okta_id: [tie.scim_id, tie.name, tie.by, tie.at] for okta_id, tie in ties.items()}
    return json.dumps(said, sort_keys=True)


def _ties_read(text: str) -> Mapping[str, AskedTie]:
    """What cannot be read ties nobody."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):
        return {okta_id: AskedTie(*map(str, said)) for okta_id, said in json.loads(text).items()}
    return {}


TIES: Fact[Mapping[str, AskedTie]] = Fact("ties_asked", _ties_text, _ties_read)
"""By Okta id, the accounts that people chose and that are not adopted yet."""
UNDONE: Fact[Undone] = Fact("undone", _undone_text, _undone_read)
"""What an undo gave back, and Okta may still want."""
TARGET = _text("target")
"""Which target (by its fingerprint) the known SCIM ids are of."""
LEARNED: Fact[dict[str, Any]] = Fact("learned", lambda found: json.dumps(found, sort_keys=True), _document)
"""What was learned of a target, and of which one."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose a store is: the app that is read, and the target that is written."""

    org_url: str
    app_id: str
    base_url: str

    @classmethod
    def of(cls, settings: ConnectionSettings) -> Belonging:
        """As the settings say."""
        return cls(settings.okta.org_url, settings.okta.app_id, settings.split.base_url)

    def __str__(self) -> str:
        return f"the app {self.app_id} of {self.org_url} and the target {self.base_url}"


def _belonging_read(text: str) -> Belonging | None:
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        found = json.loads(text)
        return Belonging(*(str(found[key]) for key in ("org_url", "app_id", "base_url")))
    return None


BELONGING: Fact[Belonging | None] = Fact(
    "belongs_to", lambda mine: json.dumps(asdict(mine), sort_keys=True) if mine else "", _belonging_read
)
"""Of which app and target the store is; an older version did not say."""


def belongs_elsewhere(recall: Callable[[str], str | None], settings: ConnectionSettings) -> str:
    """Whose else a store is that remembers so, in words; "" when it is of these settings, or does not say."""
    said = recall(BELONGING.key)
    if said is not None and (theirs := BELONGING.value(said)) is not None:
        return "" if theirs == Belonging.of(settings) else str(theirs)
    target = recall(TARGET.key)
    return "another target" if target not in (None, target_fingerprint(settings)) else ""


def belongs_here(recall: Callable[[str], str | None], settings: ConnectionSettings) -> bool:
    """Whether a store that remembers so says that it is of these settings."""
    told = recall(BELONGING.key) is not None or recall(TARGET.key) is not None
    return told and not belongs_elsewhere(recall, settings)


def learned_of(store: Store, target: str) -> Mapping[str, str]:
    """What was learned about this very target; nothing when the settings now name another one."""
    try:
        kept = LEARNED.of(store, {})
    except ValueError:
        return {}
    if (
        not isinstance(kept, dict)
        or kept.get("target") != target
        or not isinstance(kept.get("learned"), dict)
    ):
        return {}
    return {str(key): str(value) for key, value in kept["learned"].items()}


def remember_learned(store: Store, settings: ConnectionSettings, learned: Mapping[str, str]) -> None:
    """What the target taught, and whose the store is; not stored anew when it is the same, nor when the store fails."""
    taught = {"target": target_fingerprint(settings), "learned": dict(learned)}
    entries = dict([LEARNED.entry(taught), BELONGING.entry(Belonging.of(settings))])
    with suppress(SyncdError):  # it is learned again; how the run ended is what matters
        store.remember_all(entries)


@contextmanager
def readable(what: str) -> Iterator[None]:
    """`what` names in words what the store keeps as text. Raises PermanentError when it is no longer what was put
    there.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise PermanentError(
            f"{what}, as the store keeps it, cannot be read ({type(error).__name__})",
            hint="somebody else wrote into the store: restore a backup of it, or move the file away; a new store finds "
            "whoever is assigned again by externalId and userName without writing anything to the target; whoever left "
            "is named by syncd drift alone",
        ) from error
