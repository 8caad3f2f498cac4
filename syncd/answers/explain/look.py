"""Explains one user or one group from what both sides and the store say now. Reads only, adopts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from syncd.answers.audit import entry_document
from syncd.answers.explain.explanation import STATES_OF_SKIPS, Step
from syncd.answers.failing import failing_documents, unread
from syncd.core.change import Change, change_document
from syncd.core.counting import counted
from syncd.core.diff import Skipped
from syncd.core.left_alone import skipped_document
from syncd.core.plan import Hold, timestamp
from syncd.core.waiting import Waiting
from syncd.engine.job import Job
from syncd.engine.planning.plan import planned_from
from syncd.engine.planning.planned import Planned
from syncd.engine.reading.learned import NamedReading
from syncd.engine.reading.named import read_selected
from syncd.engine.writing.quarantine import current
from syncd.errors import NotFound, SyncdError
from syncd.model import RemoteGroup, RemoteUser
from syncd.ports import Failure, HoldRecord, Stage
from syncd.ports.deciding import Release

LAST_CHANGES = 5
T = TypeVar("T")
R = TypeVar("R", RemoteUser, RemoteGroup)


@dataclass
class ObjectLook:
    """What was found out about one object. `reading` and `planned` are None when the plan could not be made."""

    job: Job
    okta_id: str
    problems: list[SyncdError] = field(default_factory=list)
    reading: NamedReading | None = None
    changes: Sequence[Change] = ()
    """What the next cycle would send."""
    holds: Sequence[tuple[Hold | HoldRecord, Sequence[Change]]] = ()
    skipped: Sequence[Skipped] = ()
    failures: Sequence[Failure] = ()
    waiting: Sequence[Waiting] = ()
    """What is remembered of its being left alone."""
    release: Release | None = None
    """A person took it out of syncd's hands."""

    def ask(self, question: Callable[[], T]) -> T | None:
        """The answer, or None and the problem noted: one side that cannot be asked leaves the other's answers."""
        try:
            return question()
        except SyncdError as problem:
            if all(str(problem) != str(known) for known in self.problems):
                self.problems.append(problem)
            return None

    @property
    def was_read(self) -> bool:
        """Okta showed everything about it: a list that did not arrive says nothing."""
        return self.reading is not None and all(key[1] != self.okta_id for key in self.reading.unread)

    @property
    def blocked(self) -> Skipped | None:
        """Why the object itself (not a membership of it) is left alone."""
        found = [s for s in self.skipped if s.kind in STATES_OF_SKIPS and s.okta_id == self.okta_id]
        return found[0] if found else None

    def why_blocked(self, skip: Skipped) -> str:
        """The reason, and since when that is remembered, and when it is looked at again."""
        for each in self.waiting:
            if each.kind == skip.kind:
                again = f", looked at again {_minute(each.next_look)}" if each.next_look else ""
                return f"{skip.reason} (since {_minute(each.since)}{again})"
        return skip.reason

    @property
    def stopped(self) -> list[str]:
        """Why nothing of this connection is written now."""
        reasons = []
        sick = current(self.job.store)
        if sick is not None:
            reasons.append(f"the connection is quarantined since {_minute(sick.since)}: {sick.reason}")
        app = self.reading.app if self.reading else None
        if app is not None and app.pushes_itself and not self.job.settings.okta.coexist:
            reasons.append(
                f"Okta provisions the app {app.label} itself; syncd writes beside it only with okta.coexist"
            )
        return reasons


@dataclass(kw_only=True)
class AtTarget(Generic[R]):
    """What the target shows of one object: None where it does not know it, or could not be asked."""

    remote: R | None = None
    gone: bool = False
    """There is nothing under the stored id any more."""
    how: str = ""
    """By what it was found."""
    conflict: str = ""
    asked_target: bool = False

    def ask_by_id(self, look: ObjectLook, read: Callable[[], R], how: str) -> None:
        """Reads the object under its stored id; a target that cannot be asked leaves a problem in `look`."""

        def found() -> R | None:
            try:
                return read()
            except NotFound:
                self.gone = True
                return None

        self.remote, self.how = look.ask(found), how
        self.asked_target = self.remote is not None or self.gone

    def document(self, fields: Callable[[R], dict[str, Any]], *, managed: bool) -> dict[str, Any] | None:
        """What was found: the `fields` of an object of its kind, by what it was found, and whose it is."""
        if self.remote is None:
            return None
        return {**fields(self.remote), "how": self.how or None, "managed": managed}


def matched_step(found: AtTarget[R], *, gone: str, nobody: str, shown: str) -> Step:
    """`gone`, `nobody` and `shown` say that there is nothing under the stored id, that nothing was found, and what."""
    question = "Known at the target?"
    if found.conflict:
        return Step("matched", question, "no", found.conflict)
    if found.gone:
        return Step("matched", question, "no", gone)
    if found.remote is None:
        if not found.asked_target:
            return Step("matched", question, "unknown", "the target could not be asked")
        return Step("matched", question, "no", nobody)
    return Step("matched", question, "yes", shown)


def as_left_step(found: AtTarget[R], behind: str, *, written: bool) -> Step:
    """`behind`: what became of it at the target behind syncd, in words; `written` whether syncd ever wrote to it."""
    question = "As syncd left it?"
    if behind:
        return Step("as_left", question, "no", f"{behind} (see syncd drift)")
    if not written:
        return Step("as_left", question, "unknown", "it is tied to nothing that syncd wrote")
    if found.remote is None:
        return Step("as_left", question, "unknown", "the target does not show it")
    return Step("as_left", question, "yes", "the target shows what was last written")


def look_at(job: Job, okta_id: str, *, group: bool, inspect: Callable[[Stage], None]) -> ObjectLook:
    """Plans this one object as the next cycle would, without a write anywhere. `inspect` sees what was staged first."""
    look = ObjectLook(job, okta_id)
    stage = job.store.stage()
    try:
        users, groups = ([], [okta_id]) if group else ([okta_id], [])
        reading = look.ask(lambda: read_selected(job, stage, users, groups))
        if reading is not None:
            look.reading = reading
            inspect(stage)
            planned = look.ask(lambda: planned_from(job, "targeted", stage, reading, {}))
            if planned is not None:
                _take_over(look, planned)
    finally:
        stage.close()
    _add_what_is_remembered(look, group=group)
    return look


def _take_over(look: ObjectLook, planned: Planned) -> None:
    look.problems += [problem for problem in planned.problems if problem not in look.problems]
    look.changes = list(planned.changes())
    look.holds = [(hold, list(planned.held(hold.id))) for hold in planned.header.holds]
    look.skipped = list(planned.header.skipped)


def _add_what_is_remembered(look: ObjectLook, *, group: bool) -> None:
    """Open holds and failures: a hold over many is not seen in the plan of one, and the next full cycle raises it."""
    store = look.job.store

    def concerns(change: Change) -> bool:
        return (
            (change.group_id or change.okta_id) == look.okta_id if group else change.okta_id == look.okta_id
        )

    remembered = [(hold, [change for change in hold.changes if concerns(change)]) for hold in store.holds()]
    remembered = [(hold, changes) for hold, changes in remembered if changes]
    ids = {change.id for _, changes in remembered for change in changes}
    planned = [(hold, [each for each in changes if each.id not in ids]) for hold, changes in look.holds]
    look.holds = [*remembered, *((hold, changes) for hold, changes in planned if changes)]
    look.changes = [change for change in look.changes if change.id not in ids]
    kind = "group" if group else "user"
    key = f"{kind}:{look.okta_id}"
    look.release = next((each for each in store.releases() if each.object_key == key), None)
    look.waiting = [each for each in store.waiting() if _is_about(each.object_key, kind, look.okta_id)]
    look.failures = [each for each in store.failures() if _is_about(each.object_key, kind, look.okta_id)]


def _is_about(object_key: str, kind: str, okta_id: str) -> bool:
    """Also a membership, by either end."""
    of_kind, _, ids = object_key.partition(":")
    group_id, _, user_id = ids.rpartition(":")
    return object_key == f"{kind}:{okta_id}" or (
        of_kind == "member" and okta_id == (group_id if kind == "group" else user_id)
    )


# steps that users and groups share


def shared_steps(look: ObjectLook, *, kind: str) -> list[Step]:
    """The questions that are the same about people and groups."""
    return [
        _free_of_holds(look),
        _free_of_failures(look, kind),
        *_unproven(look, kind),
        _may_be_changed(look),
    ]


def _free_of_holds(look: ObjectLook) -> Step:
    question = "Free of holds?"
    if not look.holds:
        return Step("not_held", question, "yes", "no safety check holds a change of it")
    parts = [f"{hold.id}: {hold.reason}{_until(hold)}" for hold, _ in look.holds]
    return Step("not_held", question, "no", "; ".join(parts))


def _until(hold: Hold | HoldRecord) -> str:
    if isinstance(hold, HoldRecord):
        return f" (until {_minute(hold.expires_at)}; decide with syncd approve or syncd reject)"
    return " (the next cycle would hold it)"


def _free_of_failures(look: ObjectLook, kind: str) -> Step:
    question = "Free of failures?"
    told = [failure_text(failure) for failure in look.failures]
    for each in unread(look.waiting):
        again = f"; next try {_minute(each.next_look)}" if each.next_look else ""
        told.append(f"could not be read {counted(each.looks, 'time')} ({each.reason}){again}")
    if not told:
        return Step("not_failed", question, "yes", f"nothing that was sent for this {kind} failed")
    return Step("not_failed", question, "no", "; ".join(told))


def _unproven(look: ObjectLook, kind: str) -> list[Step]:
    """Nothing is asked where no create is in doubt: hardly ever is one."""
    of_kind = "group" if kind == "group" else "user"
    return [
        Step(
            "proven",
            "Every create proven?",
            "no",
            f"one since {_minute(doubt.since)} may have left something at the target: {doubt.reason}",
        )
        for doubt in look.job.store.unproven()
        if (doubt.kind, doubt.okta_id) == (of_kind, look.okta_id)
    ]


def failure_text(failure: Failure) -> str:
    """What failed, how often, and when it is tried again."""
    return (
        f"{failure.kind} failed {counted(failure.attempts, 'time')} ({failure.message});"
        f" next try {_minute(failure.next_attempt)}"
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _may_be_changed(look: ObjectLook) -> Step:
    question = "May syncd change it?"
    reasons = [look.release.sentence] if look.release else []
    reasons += [skip.reason for skip in look.skipped if _forbids(skip) and not look.release]
    reasons += look.stopped
    if reasons:
        return Step("may_change", question, "no", "; ".join(dict.fromkeys(reasons)))
    if look.reading is None:
        return Step("may_change", question, "unknown", "no plan could be made")
    return Step("may_change", question, "yes", "no setting, protection or release is in the way")


def _forbids(skip: Skipped) -> bool:
    return STATES_OF_SKIPS.get(skip.kind) in ("released", "protected", "left_alone")


def pending_reason(behind: str) -> str:
    return f"the next cycle sends something, and mends nothing of this: {behind}" if behind else ""


def left_behind(behind: str) -> str:
    """Only what is new to syncd is looked at, and what it writes."""
    return f"{behind}; no sync mends that: syncd drift compares, syncd drift --fix repairs"


def next_step(
    look: ObjectLook, changes: Sequence[Change], waiting: Sequence[str] = (), *, behind: str = ""
) -> Step:
    """`waiting`: names of groups that the account waits for. `behind`: what became of it at the target behind syncd."""
    question = "Up to date at the target?"
    if look.reading is None:
        return Step("up_to_date", question, "unknown", "no plan could be made")
    if changes:
        kinds: dict[str, int] = {}
        for change in changes:
            kinds[change.kind.value] = kinds.get(change.kind.value, 0) + 1
        sent = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in kinds.items())
        return Step("up_to_date", question, "no", f"the next cycle would send: {sent}")
    if waiting:
        return Step("up_to_date", question, "no", f"it waits for: {', '.join(waiting)}")
    if not look.was_read:
        return Step("up_to_date", question, "unknown", "Okta did not show everything that is wanted of it")
    if look.blocked or look.holds or look.failures:
        return Step(
            "up_to_date", question, "unknown", "the next cycle would send nothing, because of the above"
        )
    if behind:
        return Step("up_to_date", question, "no", f"{behind}; the next cycle would send nothing")
    return Step("up_to_date", question, "yes", "the next cycle would send nothing")


def shared_facts(look: ObjectLook, changes: Sequence[Change]) -> dict[str, Any]:
    """What stands in every document: holds, failures, what was skipped, what comes next, the last changes, problems."""
    entries = look.ask(lambda: look.job.store.last_changes(look.okta_id, limit=LAST_CHANGES))
    return {
        "holds": [_hold_document(hold, held) for hold, held in look.holds],
        "failures": failing_documents(look.failures, look.waiting, look.job.clock()),
        "skipped": [skipped_document(skip) for skip in look.skipped],
        "waiting": [
            {
                "kind": each.kind,
                "reason": each.reason,
                "since": timestamp(each.since),
                "looks": each.looks,
                "next_look": timestamp(each.next_look) if each.next_look else None,
                "waits_for": list(each.waits_for),
            }
            for each in look.waiting
        ],
        "next": [change_document(change) for change in changes],
        "last_changes": [_last_change(entry_document(entry)) for entry in entries or ()],
        "problems": problem_documents(look.problems),
    }


def nothing_to_tell() -> dict[str, Any]:
    """The keys of `shared_facts`, for what only the target knows."""
    keys = ("holds", "failures", "skipped", "waiting", "next", "last_changes", "problems")
    return {key: [] for key in keys}


def problem_documents(problems: Sequence[SyncdError]) -> list[dict[str, str]]:
    return [{"message": problem.message, "hint": problem.hint} for problem in problems]


def _hold_document(hold: Hold | HoldRecord, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "id": hold.id,
        "check": hold.check,
        "reason": hold.reason,
        "way_out": hold.way_out,
        "expires_at": timestamp(hold.expires_at) if isinstance(hold, HoldRecord) else None,
        "changes": [change_document(change) for change in changes],
    }


def _last_change(entry: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "at",
        "run_id",
        "kind",
        "object",
        "applied",
        "before",
        "after",
        "reason",
        "status",
        "note",
        "error",
    )
    return {key: entry[key] for key in keys}
