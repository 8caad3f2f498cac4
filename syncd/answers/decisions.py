"""What people decide: approve or reject held changes, retry what failed, release. Works on the store alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from syncd.answers.named import changes_named, objects_named, retriable
from syncd.core.change import Change, ChangeKind, change_document
from syncd.core.expectation import Expectation
from syncd.core.pausing import Pause
from syncd.core.plan import timestamp
from syncd.core.sickness import Quarantine
from syncd.core.waiting import Waiting
from syncd.engine.facts import PAUSE, QUARANTINE, TIES, AskedTie
from syncd.engine.writing.permission import paused
from syncd.engine.writing.quarantine import ask_now, current
from syncd.errors import RefusedError, UsageError
from syncd.model import KnownUser
from syncd.ports import Failure, HoldRecord, Store
from syncd.ports.deciding import Approval, Rejection

ALTERED = (
    "the holds in the store were changed behind syncd's back: they may show other things than would be done"
)
_ALTERED_HINT = (
    "`syncd audit verify` names what was changed; keep a copy of the store and go back to a backup of it"
)


def held(store: Store, connection: str, *, decided: bool = False) -> dict[str, Any]:
    """The contract's held document: open holds, oldest first, with the changes that wait for a decision; with `decided`
    also what was decided on and counts, the youngest first.
    """
    document = {
        "schema": "syncd.held/1",
        "connection": connection,
        "holds": [_hold(record) for record in store.holds()],
        "expected": [_expected(each) for each in store.expectations()],
    }
    return document | ({"decided": _decided(store)} if decided else {})


def _decided(store: Store) -> list[dict[str, Any]]:
    found = store.decided()
    words: dict[str, Rejection | Approval] = {**found.rejections, **found.approvals}
    known = store.known_changes(sorted(words)) if words else {}
    rows = [_decision(change_id, word, known.get(change_id, {})) for change_id, word in words.items()]
    return sorted(rows, key=lambda row: (row["at"], row["id"]), reverse=True)


def _decision(change_id: str, word: Rejection | Approval, change: Mapping[str, Any]) -> dict[str, Any]:
    expires = word.expires_at if isinstance(word, Approval) else None
    return {
        **decided_on(word.object_key, str(change.get("name") or word.object_key.rpartition(":")[2])),
        "id": change_id,
        "kind": change.get("kind"),
        "group": change.get("group"),
        "decision": "approve" if isinstance(word, Approval) else "reject",
        "by": word.by,
        "at": timestamp(word.at),
        "reason": word.reason,
        "expires_at": timestamp(expires) if expires else None,
    }


def _hold(record: HoldRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "check": record.check,
        "reason": record.reason,
        "way_out": record.way_out,
        "numbers": dict(record.numbers),
        "raised_at": timestamp(record.raised_at),
        "expires_at": timestamp(record.expires_at),
        "changes": [change_document(change) for change in record.changes],
    }


def decide(
    store: Store, connection: str, names: Sequence[str], decision: str, by: str, reason: str | None = None
) -> tuple[dict[str, Any], Sequence[Change]]:
    """`decision` is "approve" or "reject"; `names` as in `changes_named`, none means every open hold. Raises UsageError
    for what is not known, RefusedError for an approval of what somebody wrote into the store.
    """
    if decision == "approve" and store.altered_holds():
        raise RefusedError(f"nothing is approved: {ALTERED}", hint=_ALTERED_HINT)
    asked = changes_named(store, names, decision) if names else [record.id for record in store.holds()]
    changes = store.decide(asked, decision, by, reason) if asked else ()
    items = [
        decided_on(change.object_key, change.name, change_id=change.id, kind=change.kind)
        for change in changes
    ]
    return decision_document(connection, decision, by, items, reason), changes


def expect(store: Store, connection: str, expectation: Expectation) -> dict[str, Any]:
    """Raises one limit for a window ahead."""
    made = store.expect(expectation)
    return {
        **decision_document(connection, "expect", made.by, [], made.reason),
        "expected": [_expected(made)],
    }


def revoke(
    store: Store, connection: str, expectation_id: str, by: str, reason: str | None = None
) -> dict[str, Any]:
    """Raises UsageError for one that is unknown or over."""
    revoked = store.revoke(expectation_id, by, reason)
    return {**decision_document(connection, "revoke", by, [], reason), "expected": [_expected(revoked)]}


def pause(store: Store, connection: str, made: Pause) -> dict[str, Any]:
    """Nothing is written from now on; in the place of an earlier pause, if there is one."""
    said = made.document()
    body = {"decision": "pause", "by": made.by, "asked": [_asked_for(made)], "pause": said}
    store.note(body, facts=dict([PAUSE.entry(made)]))
    return {**decision_document(connection, "pause", made.by, [], made.reason or None), "pause": said}


def resume(store: Store, connection: str, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """Ends the pause; `pause` of the document is the one that ended, None when there was none to end."""
    ended = paused(store, now)
    if ended is not None:
        body = {
            "decision": "resume",
            "by": by,
            "asked": [reason] if reason else [],
            "pause": ended.document(),
        }
        store.note(body, facts=dict([PAUSE.entry(None)]))
    said = None if ended is None else ended.document()
    return {**decision_document(connection, "resume", by, [], reason or None), "pause": said}


def _asked_for(pause: Pause) -> str:
    until = "until resumed" if pause.until is None else f"until {timestamp(pause.until)}"
    return f"{until}: {pause.reason}" if pause.reason else until


def _expected(expectation: Expectation) -> dict[str, Any]:
    return {
        "id": expectation.id,
        "limit": expectation.limit,
        "number": expectation.number,
        "on": expectation.begins.date().isoformat(),
        "until": expectation.last_day.isoformat(),
        "by": expectation.by,
        "at": timestamp(expectation.at),
        "reason": expectation.reason,
    }


def retry(
    store: Store, connection: str, wanted: str | None, by: str, now: datetime, reason: str | None = None
) -> dict[str, Any]:
    """Makes what failed due at once: one object, by its key or as in `objects_named`, or all; with all of them the next
    probe of a quarantine of the whole connection, which the document then shows. Raises UsageError.
    """
    if wanted is None:
        failures: Sequence[Failure] = store.failures()
        waiting: Sequence[Waiting] = ()
        store.retry_now(None)
    else:
        failures, waiting = retriable(store, wanted)
        if not failures and not waiting and objects_named(store, wanted):
            raise UsageError(
                f"nothing of {wanted} fails or waits for another look now",
                hint="what failed before is done meanwhile, or just being done: `syncd explain` says how it is",
            )
        if not failures and not waiting:
            raise UsageError(
                f"nothing that failed is called {wanted}",
                hint="`syncd skipped` lists what fails and what waits",
            )
        keys = {each.object_key for each in failures} | {each.object_key for each in waiting}
        for key in sorted(keys):
            store.retry_now(key)
    items = [
        decided_on(failure.object_key, failure.name, change_id=failure.change_id, kind=failure.kind)
        for failure in failures
    ]
    failing = {each.object_key for each in failures}
    items += [decided_on(each.object_key, each.name) for each in waiting if each.object_key not in failing]
    if items:
        store.note({"decision": "retry", "by": by, "asked": [wanted] if wanted else []}, reason=reason)
    sick = _probe_now(store, by, now, reason) if wanted is None else None
    quarantine = {} if sick is None else {"quarantine": sick.document()}
    return {**decision_document(connection, "retry", by, items, reason), **quarantine}


def _probe_now(store: Store, by: str, now: datetime, reason: str | None) -> Quarantine | None:
    sick = current(store)
    if sick is None:
        return None
    due = ask_now(sick, now)
    if due != sick:
        body = {"decision": "retry", "by": by, "asked": [f"the quarantine of {sick.side}"]}
        store.note(body, facts=dict([QUARANTINE.entry(due)]), reason=reason)
    return due


def release(store: Store, connection: str, text: str, by: str, reason: str | None = None) -> dict[str, Any]:
    """Stops managing an object and leaves it at the target as it is; whoever has no account, and fails to get one, is
    tried no more.

    `text`: Okta id, SCIM id, e-mail or group name. Raises UsageError when the store manages no such object, or several.
    """
    ties = TIES.of(store, {})
    sought = {failure.object_key for failure in store.failures()} | {f"user:{okta_id}" for okta_id in ties}
    users = [each for each in store.find_users(text) if each.pushed or f"user:{each.okta_id}" in sought]
    groups = [each for each in store.find_groups(text) if each.pushed or f"group:{each.okta_id}" in sought]
    if not users and not groups:
        users = [user for user in store.find_former_users(text) if user.pushed is not None]
    if not users and not groups:
        _refuse_released(store, text)
    if len(users) + len(groups) != 1:
        found = "several managed objects" if users or groups else "no managed user or group"
        raise UsageError(f"{text} is {found}", hint="give the Okta id (00u... or 00g...)")
    if users:
        _forget_tie(store, ties, users[0].okta_id)
        store.release_user(users[0].okta_id, by, reason)
        item = decided_on(f"user:{users[0].okta_id}", users[0].wanted.user_name)
    else:
        store.release_group(groups[0].okta_id, by, reason)
        item = decided_on(f"group:{groups[0].okta_id}", groups[0].wanted.name)
    return decision_document(connection, "release", by, [item], reason)


def _refuse_released(store: Store, text: str) -> None:
    named = set(objects_named(store, text))
    for each in store.releases():
        if each.object_key in named:
            raise UsageError(f"{text} is out of syncd's hands already", hint=each.sentence)


def unlink_user(
    store: Store, connection: str, text: str, by: str, now: datetime, reason: str | None = None
) -> dict[str, Any]:
    """Forgets the tie of one person, or the one that was asked for, and keeps the account as it is. `text` as in
    `release`. Raises UsageError for somebody who is not tied.
    """
    ties = TIES.of(store, {})
    found = {user.okta_id: user for user in store.find_users(text) or store.find_former_users(text)}
    tied = [user for user in found.values() if user.pushed is not None or user.okta_id in ties]
    if len(tied) != 1:
        ids = ", ".join(sorted(found))
        raise UsageError(
            f"{text} means several: {ids}"
            if len(tied) > 1
            else f"{text} is nobody who is tied to an account",
            hint="give the Okta id (00u...)",
        )
    [user] = tied
    _forget_tie(store, ties, user.okta_id)
    if user.pushed is not None:
        store.release_user(user.okta_id, by, reason, unlinked=True)
    else:
        store.note({"decision": "unlink", "by": by, "okta_id": user.okta_id}, reason=reason)
        _look_for_another(store, user, ties[user.okta_id], by, now)
    item = decided_on(f"user:{user.okta_id}", user.wanted.user_name)
    return decision_document(connection, "unlink", by, [item], reason)


def _forget_tie(store: Store, ties: Mapping[str, AskedTie], okta_id: str) -> None:
    if okta_id in ties:
        TIES.remember(store, {each: tie for each, tie in ties.items() if each != okta_id} or None)


def _look_for_another(store: Store, user: KnownUser, tie: AskedTie, by: str, now: datetime) -> None:
    """That the account did not become theirs is over; the next cycle looks at them by the ordinary rules."""
    key = f"user:{user.okta_id}"
    if all(failure.object_key != key for failure in store.failures()):
        return
    reason = f"the tie to {tie.name} ({tie.scim_id}) was taken back by {by}; the next cycle looks for their account"
    waiting = Waiting(key, "conflict", user.wanted.user_name, reason, now, next_look=now)
    store.wait([waiting], failures_over=[key])


def decision_document(
    connection: str, decision: str, by: str, items: Sequence[Mapping[str, Any]], reason: str | None = None
) -> dict[str, Any]:
    """The contract's decision document, one shape for every decision; `items` are those of `decided_on`."""
    return {
        "schema": "syncd.decision/1",
        "connection": connection,
        "decision": decision,
        "decided_by": by,
        "reason": reason,
        "items": list(items),
    }


def decided_on(
    object_key: str, name: str, *, change_id: str | None = None, kind: ChangeKind | None = None
) -> dict[str, Any]:
    """One object of a decision; `id` and `kind` are those of the change that it is about, None without one."""
    what, *ids = object_key.split(":")
    return {
        "object": what,
        "okta_id": ids[-1],
        "group_id": ids[0] if len(ids) > 1 else None,
        "name": name,
        "id": change_id,
        "kind": None if kind is None else kind.value,
    }
