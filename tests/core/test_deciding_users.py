"""What one user needs: the table at the head of the diff, line by line, and the settings that say no."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from syncd.core.change import ChangeKind, Removal
from syncd.core.diff import (
    Decision,
    NeedsMatch,
    adopt_user,
    adopts_inactive,
    create_user,
    decide_user,
    differing,
)
from syncd.core.evidence import Evidence, SaidByOkta, TwoCompleteReads
from syncd.core.match import MatchedUser
from syncd.model import KnownUser, PushedUser, Scalar, Standing, UserCase, WantedUser
from tests.core.making import (
    ANN,
    GONE,
    NOW,
    hours,
    kinds,
    known,
    policy,
    proof,
    pushed,
    remote,
    skips,
    wish,
    without_matching,
)

INACTIVE = wish(standing=Standing.INACTIVE, reason="the assignment is INACTIVE")
FROZEN = wish(standing=Standing.FROZEN, reason="the Okta user is STAGED: not activated yet")
ABSENT = wish(standing=Standing.ABSENT)
LONGER = {"userName": ANN, "displayName": "Ann Lee"}
READ_TWICE = TwoCompleteReads(proof(), proof(at=NOW + hours(0.1)))


def decide(
    was: KnownUser | None, wanted: WantedUser | None, evidence: Evidence | None = None, **settings: Any
) -> Decision | NeedsMatch:
    return decide_user(UserCase("00u1", was, wanted), policy(**settings), evidence)


decided = without_matching(decide)


@pytest.mark.parametrize("was", [None, known(), known(INACTIVE), known(ABSENT)])
def test_an_active_wish_that_was_never_pushed_looks_for_a_match(was: KnownUser | None) -> None:
    assert decide(was, wish()) == NeedsMatch()


def test_an_active_wish_that_equals_what_was_pushed_needs_nothing() -> None:
    assert decide(known(last=pushed()), wish()) == Decision()


def test_an_active_wish_that_differs_is_an_update_in_place_with_only_what_differs() -> None:
    changes = decided(known(last=pushed()), wish(LONGER)).changes
    assert [(c.kind, c.scim_id, c.before, c.after) for c in changes] == [
        (ChangeKind.UPDATE_USER, "s1", {"displayName": None}, {"displayName": "Ann Lee"})
    ]


def test_a_new_e_mail_is_an_update_of_the_same_account() -> None:
    moved = {"userName": "ann.lee@example.com", "emails[work].value": "ann.lee@example.com"}
    before = {"userName": ANN, "emails[work].value": ANN}
    (change,) = decided(known(last=pushed(before)), wish(moved)).changes
    assert (change.kind, change.scim_id, change.before, change.after) == (
        ChangeKind.UPDATE_USER,
        "s1",
        before,
        moved,
    )
    assert change.reason == "e-mail changed"


def test_a_user_name_that_differs_only_in_case_is_an_update() -> None:
    assert kinds(decide(known(last=pushed()), wish({"userName": "Ann@example.com"}))) == [
        ChangeKind.UPDATE_USER
    ]


def test_a_dropped_attribute_is_a_change_and_the_reason_says_removed() -> None:
    (change,) = decided(known(last=pushed(LONGER)), wish()).changes
    assert (change.before, change.after) == ({"displayName": "Ann Lee"}, {"displayName": None})
    assert change.reason == "display name removed"


def test_a_removed_list_item_is_a_change() -> None:
    two = {"userName": ANN, "emails[work].value": ANN, "emails[home].value": "ann@home.example"}
    one = {"userName": ANN, "emails[work].value": ANN}
    (change,) = decided(known(last=pushed(two)), wish(one)).changes
    assert change.after == {"emails[home].value": None}
    assert change.reason == "e-mail removed"


def test_a_value_that_only_looks_empty_is_not_a_dropped_one() -> None:
    (change,) = decided(known(last=pushed({"userName": ANN})), wish({"userName": ANN, "title": 0})).changes
    assert (change.before, change.after) == ({"title": None}, {"title": 0})


@pytest.mark.parametrize(("old", "new"), [(1, True), (True, 1), (0, False), (False, 0)])
def test_a_number_that_becomes_a_boolean_is_a_change(old: int, new: int) -> None:
    before, after = differing({"title": old}, {"title": new})
    assert (before, after) == ({"title": old}, {"title": new})


def test_a_returning_user_is_woken_with_what_changed_meanwhile() -> None:
    (change,) = decided(known(INACTIVE, pushed(active=False)), wish(LONGER)).changes
    assert change.kind is ChangeKind.REACTIVATE_USER
    assert change.before == {"active": False, "displayName": None}
    assert change.after == {"active": True, "displayName": "Ann Lee"}


@pytest.mark.parametrize("evidence", [None, GONE])
def test_what_okta_itself_calls_inactive_is_deactivated_on_its_word(evidence: Evidence | None) -> None:
    (change,) = decided(known(last=pushed()), INACTIVE, evidence).changes
    assert isinstance(change, Removal)
    assert (change.kind, change.before, change.after) == (
        ChangeKind.DEACTIVATE_USER,
        {"active": True},
        {"active": False},
    )
    assert change.evidence == SaidByOkta(INACTIVE.reason)


@pytest.mark.parametrize("last", [None, pushed(active=False)])
def test_an_inactive_wish_for_nobody_or_a_sleeper_needs_nothing(last: PushedUser | None) -> None:
    assert decide(known(last=last), INACTIVE) == Decision()


def test_an_inactive_stranger_is_never_created() -> None:
    assert decide(None, INACTIVE) == Decision()


def test_a_deactivation_is_not_lost_because_the_profile_changed_too() -> None:
    leaving = wish(LONGER, standing=Standing.INACTIVE, reason="the assignment is REVOKED")
    assert kinds(decide(known(last=pushed()), leaving, update_users=False)) == [ChangeKind.DEACTIVATE_USER]


@pytest.mark.parametrize(
    "was",
    [None, known(), known(last=pushed()), known(last=pushed(LONGER)), known(last=pushed(active=False))],
)
@pytest.mark.parametrize("evidence", [None, GONE])
def test_a_frozen_user_is_left_exactly_as_it_is_and_reported(
    was: KnownUser | None, evidence: Evidence | None
) -> None:
    decision = decided(was, FROZEN, evidence)
    assert (kinds(decision), skips(decision), decision.still, decision.left) == ([], ["frozen"], True, False)
    assert decision.skipped[0].reason == FROZEN.reason


@pytest.mark.parametrize("wanted", [None, ABSENT])
@pytest.mark.parametrize("evidence", [GONE, READ_TWICE])
def test_a_witnessed_departure_is_a_deactivation_that_carries_its_witness(
    wanted: WantedUser | None, evidence: Evidence
) -> None:
    decision = decided(known(last=pushed()), wanted, evidence)
    (change,) = decision.changes
    assert isinstance(change, Removal)
    assert (change.kind, change.evidence, change.name) == (ChangeKind.DEACTIVATE_USER, evidence, ANN)
    assert decision.left


@pytest.mark.parametrize("wanted", [None, ABSENT])
@pytest.mark.parametrize("last", [None, pushed(), pushed(active=False)])
def test_absence_without_a_witness_removes_nothing(
    wanted: WantedUser | None, last: PushedUser | None
) -> None:
    decision = decided(known(last=last, left_at=NOW - hours(999)), wanted)
    assert (kinds(decision), skips(decision)) == ([], ["unconfirmed"])
    assert decision.still
    assert not decision.left


@pytest.mark.parametrize("last", [None, pushed(active=False)])
def test_a_departure_of_somebody_who_is_not_at_the_target_is_only_remembered(last: PushedUser | None) -> None:
    assert decide(known(last=last), None, GONE) == Decision(left=True)


@pytest.mark.parametrize("wanted", [None, ABSENT])
def test_nobody_knows_a_stranger_who_is_absent(wanted: WantedUser | None) -> None:
    assert decide(None, wanted, GONE) == Decision()


@pytest.mark.parametrize("wanted", [None, wish(), wish(LONGER), INACTIVE, FROZEN, ABSENT])
@pytest.mark.parametrize("last", [None, pushed(), pushed(active=False)])
@pytest.mark.parametrize("evidence", [None, GONE])
def test_a_released_user_is_left_exactly_as_it_is(
    wanted: WantedUser | None, last: PushedUser | None, evidence: Evidence | None
) -> None:
    decision = decided(known(last=last, released=True), wanted, evidence)
    assert (kinds(decision), skips(decision), decision.still) == ([], ["released"], True)


@pytest.mark.parametrize(
    ("left_at", "now"),
    [(None, NOW), (NOW, NOW), (NOW - hours(23.99), NOW)],
)
def test_within_the_grace_period_a_leaver_keeps_everything(left_at: datetime | None, now: datetime) -> None:
    decision = decided(known(last=pushed(), left_at=left_at), None, GONE, grace=hours(24), now=now)
    assert (kinds(decision), skips(decision)) == ([], ["grace"])
    assert decision.still
    assert decision.left


def test_the_grace_period_says_when_it_ends() -> None:
    decision = decided(known(last=pushed(), left_at=NOW), None, GONE, grace=hours(24))
    assert "2026-11-24 12:00 UTC" in decision.skipped[0].reason


@pytest.mark.parametrize("past", [24, 25, 9999])
def test_once_the_grace_period_is_over_a_leaver_is_deactivated(past: int) -> None:
    decision = decided(known(last=pushed(), left_at=NOW - hours(past)), None, GONE, grace=hours(24))
    assert kinds(decision) == [ChangeKind.DEACTIVATE_USER]
    assert not decision.still
    assert decision.left


def test_a_grace_period_that_is_over_still_needs_the_witness() -> None:
    long_gone = known(last=pushed(), left_at=NOW - hours(9999))
    assert skips(decide(long_gone, None, None, grace=hours(24))) == ["unconfirmed"]


@pytest.mark.parametrize(
    ("was", "evidence"),
    [
        (known(wish(deprovisioned=True), pushed()), GONE),
        (known(last=pushed()), SaidByOkta("the Okta user is DEPROVISIONED and not assigned any more")),
    ],
)
def test_a_deprovisioned_user_gets_no_grace(was: KnownUser, evidence: Evidence) -> None:
    assert kinds(decide(was, None, evidence, grace=hours(24))) == [ChangeKind.DEACTIVATE_USER]


@pytest.mark.parametrize("listed", ["00u1", ANN, ANN.upper(), "New@Example.com", "new@example.com"])
def test_a_protected_user_is_never_deactivated_under_id_old_or_new_name(listed: str) -> None:
    renamed = wish(
        {"userName": "new@example.com"}, standing=Standing.INACTIVE, reason="the assignment is REVOKED"
    )
    decision = decided(known(last=pushed()), renamed, protected_users={listed})
    assert (kinds(decision), skips(decision)) == ([], ["protected"])
    assert "the assignment is REVOKED" in decision.skipped[0].reason


@pytest.mark.parametrize("listed", ["00u1", ANN])
def test_a_protected_user_who_left_the_app_is_not_deactivated(listed: str) -> None:
    decision = decided(known(last=pushed()), None, GONE, protected_users={listed})
    assert (kinds(decision), skips(decision), decision.left) == ([], ["protected"], True)


@pytest.mark.parametrize("wanted", [None, INACTIVE])
def test_a_protected_leaver_stays_in_the_groups_too(wanted: WantedUser | None) -> None:
    assert decided(known(last=pushed()), wanted, GONE, protected_users={ANN}).still


def test_protection_is_not_a_matter_of_substrings() -> None:
    decision = decide(known(last=pushed()), None, GONE, protected_users={"00u11", "xann@example.com", ""})
    assert kinds(decision) == [ChangeKind.DEACTIVATE_USER]


def test_a_leaver_without_any_name_is_called_by_what_was_pushed() -> None:
    nameless = wish({}, standing=Standing.INACTIVE, reason="the assignment is REVOKED")
    (change,) = decided(known(last=pushed()), nameless).changes
    assert change.name == ANN


@pytest.mark.parametrize(("wanted", "evidence"), [(INACTIVE, None), (None, GONE)])
def test_with_deactivation_off_a_leaver_is_reported_and_kept(
    wanted: WantedUser | None, evidence: Evidence | None
) -> None:
    decision = decide(known(last=pushed()), wanted, evidence, deactivate_users=False)
    assert (kinds(decision), skips(decision)) == ([], ["deactivate_off"])


def test_with_updates_off_a_difference_is_reported_and_not_written() -> None:
    decision = decided(known(last=pushed()), wish(LONGER), update_users=False)
    assert (kinds(decision), skips(decision), decision.still) == ([], ["update_off"], False)
    assert "display name changed" in decision.skipped[0].reason


def test_with_updates_off_a_returning_user_is_only_woken() -> None:
    (change,) = decided(known(last=pushed(active=False)), wish(LONGER), update_users=False).changes
    assert (change.before, change.after) == ({"active": False}, {"active": True})


def test_only_harness_warns_that_a_deactivation_removes_the_user() -> None:
    notes = {
        flavor: decided(known(last=pushed()), None, GONE, flavor=flavor).changes[0].note
        for flavor in ("split", "harness", "scim")
    }
    assert "removes" in notes["harness"]
    assert notes["split"] == notes["scim"] == ""


def test_a_created_user_is_active_and_carries_the_okta_id() -> None:
    (change,) = create_user(wish(LONGER), policy()).changes
    assert (change.kind, change.scim_id, change.before) == (ChangeKind.CREATE_USER, None, {})
    assert change.after == {**LONGER, "externalId": "00u1", "active": True}


def test_with_creation_off_nobody_is_created_and_the_memberships_wait() -> None:
    decision = create_user(wish(), policy(create_users=False))
    assert (kinds(decision), skips(decision), decision.still) == ([], ["create_off"], True)


def _adoption(
    target: dict[str, Any], wanted: WantedUser, **settings: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    there = remote("s9", **target)
    (change,) = adopt_user(wanted, MatchedUser(there, "userName"), policy(**settings)).changes
    assert (change.kind, change.scim_id) == (ChangeKind.ADOPT_USER, "s9")
    return dict(change.before), dict(change.after)


def test_adopting_an_account_that_is_right_already_writes_nothing() -> None:
    assert _adoption({"external_id": "00u1"}, wish()) == ({}, {})


def test_adopting_mends_the_external_id_and_what_differs() -> None:
    before, after = _adoption({"attributes": {"userName": ANN, "displayName": "A."}}, wish(LONGER))
    assert before == {"displayName": "A.", "externalId": None}
    assert after == {"displayName": "Ann Lee", "externalId": "00u1"}


def test_adopting_with_updates_off_ties_the_account_and_leaves_its_profile() -> None:
    stale = {"attributes": {"userName": ANN, "displayName": "A."}, "active": False}
    before, after = _adoption(stale, wish(LONGER), update_users=False)
    assert before == {"externalId": None, "active": False}
    assert after == {"externalId": "00u1", "active": True}


def test_waking_a_managed_user_is_not_taken_for_adopting_a_sleeper() -> None:
    (change,) = decided(known(last=pushed(active=False)), wish()).changes
    assert not adopts_inactive(change)


def _once(locale: str) -> WantedUser:
    return replace(wish({"userName": ANN}), initial={"locale": locale})


ONCE = policy(initial={"locale"})


def test_what_is_sent_once_is_in_a_creation() -> None:
    [change] = create_user(_once("de"), ONCE).changes

    assert change.after["locale"] == "de"


@pytest.mark.parametrize(
    ("shown", "sent"),
    [
        ({}, {"locale": "de"}),
        ({"locale": " "}, {"locale": "de"}),
        ({"locale": "it"}, {}),
        ({"locale": "de"}, {}),
    ],
)
def test_an_adoption_sends_it_only_where_the_account_has_nothing(
    shown: dict[str, Scalar], sent: dict[str, Scalar]
) -> None:
    account = remote(attributes={"userName": ANN, **shown}, external_id="00u1")
    [change] = adopt_user(_once("de"), MatchedUser(account, "externalId"), ONCE).changes
    off = policy(initial={"locale"}, update_users=False)

    assert change.after == sent
    assert adopt_user(_once("de"), MatchedUser(account, "externalId"), off).changes[0].after == {}


@pytest.mark.parametrize("written", [{}, {"locale": "it"}])
def test_for_an_account_that_is_ours_it_is_no_difference_whatever_was_written_before(
    written: dict[str, Scalar],
) -> None:
    case = UserCase("00u1", known(_once("de"), pushed({"userName": ANN, **written})), _once("fr"))

    assert decide_user(case, ONCE, None) == Decision()
