"""A person's pushed groups, one row each: in it, on the way, waiting, or left alone, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from syncd.answers.explain.look import ObjectLook, failure_text
from syncd.core.change import ChangeKind
from syncd.core.flavors import group_name_problem
from syncd.core.groups import claim
from syncd.engine.facts import COMPLETE_READ
from syncd.engine.reading.selection import BY_ID_AT_MOST
from syncd.errors import SyncdError
from syncd.model import GroupRule, GroupState, KnownGroup, OktaGroup, WantedGroup
from syncd.ports import Failure

_IN_OKTA = frozenset({"in", "to_add", "waiting", "held", "quarantined"})
"""States of rows whose person is in the group in Okta."""


def memberships(look: ObjectLook, *, active: bool) -> list[dict[str, Any]]:
    """Rows sorted by group. `state`: in, to_add, to_remove, waiting (for the group), held, quarantined, released,
    left_alone, unknown. `active`: the account is wanted, so that its memberships are.
    """
    job = look.job
    if not job.settings.provisioning.push_groups:
        return []
    own = look.reading.own_list(look.okta_id) if look.reading else None
    pushed = set(job.store.groups_with(look.okta_id))
    listed = own if own is not None else frozenset(pushed)
    failures = {failure.object_key: failure for failure in job.store.failures()}
    rows = []
    for known in job.store.groups():
        if known.okta_id not in listed and known.okta_id not in pushed:
            continue
        if known.okta_id not in pushed and not active:
            continue
        state, detail = _state(
            look, known, failures, listed=known.okta_id in listed, pushed=known.okta_id in pushed
        )
        rows.append(_row(known.okta_id, known.wanted.name, state, detail))
    if active and COMPLETE_READ.of(job.store) is None:
        stored = {row["group_id"] for row in rows}
        rows += [_row(*found) for found in _never_read(look, sorted(listed - stored))]
    return sorted(rows, key=lambda row: (row["group"], row["group_id"]))


def with_rules(look: ObjectLook, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of groups that the person is in, the active Okta group rules that assign people to them and do not exclude this
    one. Okta does not show by which of them, or by whom else, somebody got in. Nothing where it does not show rules.
    """
    asked = {row["group_id"] for row in rows if row["state"] in _IN_OKTA}
    rules = [rule for rule in _rules(look) if look.okta_id not in rule.excluded] if asked else []
    found = []
    for row in rows:
        names = [
            f'"{rule.name}" ({rule.okta_id})' for rule in rules if row["group_id"] in rule.group_ids & asked
        ]
        rule = "rule" if len(names) == 1 else "rules"
        told = f"; people get into it by Okta's group {rule} {', '.join(names)}" if names else ""
        found.append({**row, "detail": f"{row['detail']}{told}"})
    return found


def _rules(look: ObjectLook) -> list[GroupRule]:
    """The active ones, by name; none where Okta does not let them be read."""
    found = []
    with suppress(SyncdError):
        for page in look.job.source.group_rules():
            found += [rule for rule in page.records if rule.active]
    return sorted(found, key=lambda rule: (rule.name, rule.okta_id))


def _row(group_id: str, name: str, state: str, detail: str) -> dict[str, Any]:
    return {"group_id": group_id, "group": name, "state": state, "detail": detail}


def _state(
    look: ObjectLook, known: KnownGroup, failures: Mapping[str, Failure], *, listed: bool, pushed: bool
) -> tuple[str, str]:
    held = [hold for hold, changes in look.holds for each in changes if each.group_id == known.okta_id]
    failure = failures.get(f"member:{known.okta_id}:{look.okta_id}")
    if known.released:
        return "released", "the group is released"
    if held:
        return "held", f"held in {held[0].id}: {held[0].reason}"
    if failure is not None:
        return "quarantined", failure_text(failure)
    leaving = any(
        each.group_id == known.okta_id and each.kind is ChangeKind.REMOVE_MEMBER for each in look.changes
    )
    if leaving:
        reason = "the account is not wanted any more" if listed else "no member in Okta any more"
        return "to_remove", reason
    if pushed and not look.was_read:
        return "unknown", "pushed; Okta could not be asked"
    if pushed and look.reading and look.okta_id not in look.reading.own_lists:
        return "left_alone", "pushed; the person is not assigned any more"
    if listed and pushed:
        there = (
            f' as "{known.pushed.name}"' if known.pushed and known.pushed.name != known.wanted.name else ""
        )
        return "in", f"member of {known.wanted.name} ({known.okta_id}) in Okta, and put in by syncd{there}"
    if not listed:
        return "left_alone", "no member in Okta any more"
    if known.wanted.state is not GroupState.PUSHED:
        return "waiting", f"the group is left alone: {known.wanted.reason}"
    if known.pushed is None:
        return "waiting", _why_no_group(look, known.wanted, failures.get(f"group:{known.okta_id}"))
    coming = any(each.group_id == known.okta_id for each in look.changes)
    return (
        ("to_add", "member in Okta")
        if coming
        else ("left_alone", "member in Okta; its account is left alone")
    )


def _why_no_group(look: ObjectLook, wanted: WantedGroup, failure: Failure | None) -> str:
    if failure is not None:
        return failure_text(failure)
    policy = look.job.policy
    problem = None
    if wanted.action != "link":
        problem = group_name_problem(policy.flavor, wanted.target_name, policy.protected_groups)
    return problem or f"the group is not at the target yet (see syncd explain {wanted.okta_id})"


def _never_read(look: ObjectLook, group_ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Before the first full cycle the store knows no groups: those of the person are asked for one by one."""
    job, book = look.job, look.job.rules
    if not group_ids or not book.rules:
        return []
    asked = group_ids[:BY_ID_AT_MOST]

    def ask() -> list[tuple[str, str, str, str]]:
        assigned = (
            frozenset(each for page in job.source.app_groups() for each in page.records)
            if book.needs_assigned
            else frozenset()
        )
        mappings = (
            {each.source_group_id: each for page in job.source.mappings() for each in page.records}
            if book.needs_mappings
            else {}
        )
        groups = [group for group in map(job.source.group, asked) if isinstance(group, OktaGroup)]
        claims = [claim(group, book, assigned, mappings) for group in groups]
        return [
            (found.wanted.okta_id, found.wanted.name, "waiting", _why_no_group(look, found.wanted, None))
            for found in claims
            if found is not None
        ]

    return look.ask(ask) or []
