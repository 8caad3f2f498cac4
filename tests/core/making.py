"""Short ways to make the values that the core speaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec

from hypothesis import HealthCheck, settings

from syncd.core.attribute_mapping import AttributeMapping, mapping_of
from syncd.core.change import Change, ChangeKind, Removal
from syncd.core.diff import Decision, NeedsMatch
from syncd.core.evidence import AbsentById, Evidence, SaidByOkta, Witnessed
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import PlanHeader, digest_of, plan_document
from syncd.core.policy import Policy
from syncd.model import (
    Absent,
    Application,
    AppUser,
    GroupState,
    KnownGroup,
    KnownUser,
    OktaGroup,
    PushedGroup,
    PushedUser,
    ReadProof,
    RemoteGroup,
    RemoteUser,
    Scalar,
    Standing,
    WantedGroup,
    WantedUser,
)

quick = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
"""For properties: the same examples in every run, and no complaint about a busy machine."""

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANN = "ann@example.com"
APP = Application("0oa1", "Split", "ACTIVE", frozenset({"SCIM_PROVISIONING"}))
GONE = AbsentById(Absent("app user 00u1", "Not found: Resource not found: 00u1 (AppUser)"), APP)
SAID = SaidByOkta("the Okta user is DEPROVISIONED")


P = ParamSpec("P")


def without_matching(decide: Callable[P, Decision | NeedsMatch]) -> Callable[P, Decision]:
    """The same where nobody is to be looked for at the target first."""

    def decided(*args: P.args, **kwargs: P.kwargs) -> Decision:
        decision = decide(*args, **kwargs)
        assert isinstance(decision, Decision)
        return decision

    return decided


def policy(flavor: str = "split", **changed: Any) -> Policy:
    return Policy(flavor=flavor, now=changed.pop("now", NOW), **changed)


def mapped(attributes: Mapping[str, str]) -> dict[str, AttributeMapping]:
    """As [attributes] in the settings."""
    return {path: mapping_of(text) for path, text in attributes.items()}


def record(
    profile: Mapping[str, object] | None = None,
    *,
    status: str = "ACTIVE",
    user_status: str | None = "ACTIVE",
    via_group: tuple[str, str] | None = None,
) -> AppUser:
    return AppUser(
        okta_id="00u1",
        status=status,
        user_status=user_status,
        user_name=ANN,
        profile={"email": ANN} if profile is None else profile,
        via_group=via_group,
    )


def wish(
    attributes: Mapping[str, Scalar] | None = None,
    *,
    standing: Standing = Standing.ACTIVE,
    okta_id: str = "00u1",
    reason: str = "assigned directly",
    deprovisioned: bool = False,
) -> WantedUser:
    mapped = {"userName": ANN} if attributes is None else attributes
    name = str(mapped.get("userName", ""))
    return WantedUser(okta_id, standing, name, mapped, reason, b"", deprovisioned, name)


def pushed(
    attributes: Mapping[str, Scalar] | None = None, *, active: bool = True, scim_id: str = "s1"
) -> PushedUser:
    return PushedUser(scim_id, {"userName": ANN} if attributes is None else attributes, active)


def known(
    wanted: WantedUser | None = None,
    last: PushedUser | None = None,
    *,
    released: bool = False,
    left_at: datetime | None = None,
) -> KnownUser:
    wanted = wanted or wish()
    return KnownUser(wanted.okta_id, wanted, last, released, left_at)


def remote(
    scim_id: str = "s1",
    name: str = ANN,
    external_id: str | None = None,
    *,
    active: bool | None = True,
    attributes: Mapping[str, Scalar] | None = None,
) -> RemoteUser:
    return RemoteUser(
        scim_id, external_id, name, active, {"userName": name} if attributes is None else attributes
    )


def remote_group(scim_id: str = "t1", name: str = "Eng", external_id: str | None = None) -> RemoteGroup:
    return RemoteGroup(scim_id, external_id, name)


def okta_group(
    okta_id: str = "00g1", name: str = "Eng", *, kind: str = "OKTA_GROUP", description: str = ""
) -> OktaGroup:
    return OktaGroup(okta_id, name, description, kind, "2026-11-01T00:00:00.000Z")


def group_wish(
    name: str = "Eng",
    *,
    okta_id: str = "00g1",
    state: GroupState = GroupState.PUSHED,
    target: str | None = None,
    action: str = "create",
    rename: bool = False,
    on_removal: str = "keep",
    reason: str = 'push rule name = "Eng"',
) -> WantedGroup:
    return WantedGroup(
        okta_id, state, name, target or name, action, rename, on_removal, f'name = "{name}"', reason
    )


def known_group(
    wanted: WantedGroup | None = None, at_target: str | None = "Eng", *, released: bool = False
) -> KnownGroup:
    wanted = wanted or group_wish()
    last = PushedGroup("t1", at_target) if at_target is not None else None
    return KnownGroup(wanted.okta_id, wanted, last, released)


def proof(what: str = "the app's users", *, at: datetime = NOW) -> ReadProof:
    return ReadProof(what, 2, 300, at)


def update(**changed: Any) -> Change:
    fields: dict[str, Any] = {
        "kind": ChangeKind.UPDATE_USER,
        "okta_id": "00u1",
        "scim_id": "s1",
        "name": ANN,
        "before": {"displayName": "Ann"},
        "after": {"displayName": "Ann Lee"},
        "reason": "display name changed",
    }
    return Change(**{**fields, **changed})


def addition(**changed: Any) -> Change:
    fields: dict[str, Any] = {
        "kind": ChangeKind.ADD_MEMBER,
        "before": {"member": False},
        "after": {"member": True},
        "reason": "member of Eng in Okta",
        "group_id": "00g1",
        "group": "Eng",
        "user": ANN,
    }
    return update(**{**fields, **changed})


def deactivation(*, evidence: Evidence | Witnessed = GONE, **changed: Any) -> Removal:
    fields: dict[str, Any] = {
        "kind": ChangeKind.DEACTIVATE_USER,
        "okta_id": "00u1",
        "scim_id": "s1",
        "name": ANN,
        "before": {"active": True},
        "after": {"active": False},
        "reason": "left the app",
    }
    return Removal(**{**fields, **changed}, evidence=evidence)


def header(**changed: Any) -> PlanHeader:
    fields: dict[str, Any] = {
        "connection": "split-prod",
        "kind": "full",
        "created_at": NOW,
        "state_revision": 7,
        "scope": "scope-fingerprint",
        "target": "target-fingerprint",
        "summary": {ChangeKind.UPDATE_USER: 1, ChangeKind.DEACTIVATE_USER: 1},
        "holds": (),
        "skipped": LeftAlone(),
    }
    return PlanHeader(**{**fields, **changed})


def plan(changes: Sequence[Change] | None = None) -> dict[str, Any]:
    """A plan document as JSON would carry it."""
    given = [update(), addition(), deactivation()] if changes is None else changes
    document: dict[str, Any] = json.loads(json.dumps(plan_document(header(), given, {})))
    return document


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with a digest that fits: what somebody who edits a plan on purpose would do."""
    document["digest"] = digest_of(document)
    return document


def kinds(decision: object) -> list[ChangeKind]:
    """The kinds of the planned changes; fails for anything that is no decision."""
    assert isinstance(decision, Decision)
    return [change.kind for change in decision.changes]


def skips(decision: object) -> list[str]:
    assert isinstance(decision, Decision)
    return [skip.kind for skip in decision.skipped]


def hours(count: float) -> timedelta:
    return timedelta(hours=count)
