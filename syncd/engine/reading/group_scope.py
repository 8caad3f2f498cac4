"""Which groups need what from Okta: whose names are taken, and whose member lists have to be read."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime

from syncd.core.order import NAME_RULES, unique_group_name
from syncd.engine.job import Job
from syncd.model import GroupState, KnownGroup
from syncd.ports import LISTS_LAG, Stage


def linked_names(job: Job, by_hand: Mapping[str, str]) -> Mapping[str, str]:
    """Groups that have what is unique at the target already, or were promised a name by a person, with that."""
    rules = NAME_RULES[job.settings.split.flavor]
    known = {each.okta_id: unique_group_name(each, rules) for each in job.store.groups() if each.pushed}
    return {**by_hand, **known}


def moved(stage: Stage, *, every: bool) -> Mapping[str, str | None]:
    """Groups whose member list must be read, with the stamp that would be stored after a complete read."""
    found = {}
    for case in stage.group_cases():
        wanted, known = case.wanted, case.known
        if wanted is None or wanted.state is not GroupState.PUSHED or (known and known.released):
            continue
        stored = known.members_stamp if known else None
        if every or stored is None or wanted.stamp is None or stored != wanted.stamp:
            found[case.okta_id] = wanted.stamp
    return found


def settled_stamp(stamp: str | None, at: datetime) -> str | None:
    """A stamp that is younger than lists lag may still hide a change."""
    if stamp is None:
        return None
    try:
        at_okta = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return stamp if at_okta.tzinfo and at - at_okta > LISTS_LAG else None


def wants_a_name(known: KnownGroup, named: AbstractSet[str]) -> bool:
    """A group that this cycle does not look at, and that wants a name at the target which it has not got yet."""
    return (
        known.okta_id not in named
        and known.pushed is None
        and not known.released
        and known.wanted.state is not GroupState.GONE
    )


def in_scope_already(known: KnownGroup | None) -> bool:
    """The group was pushed before and is still wanted by the stored rule."""
    return known is not None and known.pushed is not None and known.wanted.state is GroupState.PUSHED
