"""What the events of the System Log make worth a look, kind by kind, against Okta's published event types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.core.nomination import ASKED, KINDS, Known, Nominations, Reads, nominate, reads
from syncd.model import LogEvent
from tests.core.okta_event_types import PUBLISHED

PAGE = Path(__file__).parents[2] / "docs" / "okta.md"
APP, OURS, OTHER, CREW, FOREIGN = "0oa1", "00u1", "00u2", "00g1", "00g2"
ONLY_KNOWN = Known(APP, user=lambda each: each == OURS, group=lambda each: each == CREW, any_group=False)
BY_NAME = Known(APP, user=lambda each: each == OURS, group=lambda each: each == CREW, any_group=True)


def asked_for(kind: str) -> bool:
    return kind.startswith(ASKED)


@pytest.mark.parametrize("kind", PUBLISHED)
def test_every_published_kind_is_spoken_of_and_asked_for_when_it_names_something(kind: str) -> None:
    reading = reads(kind)

    assert reading is not None
    assert reading is Reads.NOTHING or asked_for(kind)


@pytest.mark.parametrize("kind", [kind for kind, reading in KINDS.items() if reading is not Reads.NOTHING])
def test_okta_is_asked_for_whatever_nominates(kind: str) -> None:
    assert asked_for(kind.removesuffix("*"))


def test_okta_is_asked_for_nothing_that_never_nominates() -> None:
    useful = [kind for kind, reading in KINDS.items() if reading is not Reads.NOTHING]

    assert [each for each in ASKED if not any(kind.startswith(each) for kind in useful)] == []


def test_the_page_shows_the_table() -> None:
    row = re.compile(r"\| `([a-z_.*]+)` \| [^|]+ \| ([^|]+) \| [^|]*\|")
    shown = {found[1]: found[2] for line in PAGE.read_text().splitlines() if (found := row.fullmatch(line))}

    assert shown == {kind: reading.value for kind, reading in KINDS.items()}


def named(kind: str, *targets: tuple[str, str], known: Known = ONLY_KNOWN) -> Nominations:
    return nominate([LogEvent("e1", kind, targets)], known)


PERSON, STRANGER = ("User", OURS), ("User", OTHER)
OUR_APP, OTHER_APP = ("AppInstance", APP), ("AppInstance", "0oa2")
PUSHED, UNKNOWN = ("UserGroup", CREW), ("UserGroup", FOREIGN)


@pytest.mark.parametrize(
    "kind",
    [
        "user.account.update_profile", "user.account.update_primary_email", "user.account.update_user_type",
        "user.lifecycle.suspend", "user.lifecycle.a_kind_of_tomorrow", "system.import.user.update",
        "system.import.user.suspend", "system.import.user.update_user_lifecycle_from_master",
        "master_application.user_membership.add", "scheduled_action.user_suspension.completed",
        "app.realtimesync.import.details.update_user",
    ],
)  # fmt: skip
def test_a_person_who_is_known_is_read_again(kind: str) -> None:
    assert named(kind, PERSON, OTHER_APP) == Nominations(users=frozenset({OURS}))
    assert not named(kind, STRANGER)


@pytest.mark.parametrize(
    "kind",
    [
        "group.user_membership.add",
        "app.user_management",
        "app.user_management.app_group_member_import.insert_success",
    ],
)
@pytest.mark.parametrize("group_type", ["UserGroup", "AppGroup"])
def test_a_member_of_any_kind_of_group_is_read_again_when_they_or_the_group_concern_us(
    kind: str, group_type: str
) -> None:
    pushed, unknown = (group_type, CREW), (group_type, FOREIGN)
    assert named(kind, STRANGER, pushed).users == {OTHER}
    assert named(kind, PERSON, unknown).users == {OURS}
    assert not named(kind, STRANGER, unknown)
    assert named(kind, pushed).everything == kind, "somebody moved, and only the list can tell who"
    assert not named(kind, unknown)


def test_only_who_parted_by_the_word_itself_is_announced() -> None:
    assert named("group.user_membership.remove", PERSON, PUSHED).left == {(CREW, OURS)}
    for kind in ("group.user_membership.add", "app.user_management"):
        assert not named(kind, PERSON, PUSHED).left


@pytest.mark.parametrize(
    "kind",
    ["group.profile.update", "group.lifecycle.delete", "app.user_management.user_group_import.upsert_success",
     "app.user_management.user_group_import.delete_success", "system.import.group.update"],
)  # fmt: skip
def test_a_group_is_read_again_when_it_is_known_or_a_rule_may_name_it(kind: str) -> None:
    assert named(kind, PUSHED).groups == {CREW}
    assert not named(kind, UNKNOWN)
    assert named(kind, UNKNOWN, known=BY_NAME).groups == {FOREIGN}


@pytest.mark.parametrize("kind", ["application.user_membership.add", "application.user_membership.revoke"])
def test_an_assignment_counts_for_our_app_alone_and_without_a_name_for_everybody(kind: str) -> None:
    assert named(kind, STRANGER, OUR_APP, ("AppUser", "0ua1")).users == {OTHER}
    assert named(kind, OUR_APP).everything == kind
    assert not named(kind, PERSON, OTHER_APP)


@pytest.mark.parametrize("kind", ["system.import.complete", "system.import.user_csv.complete"])
def test_the_end_of_an_import_asks_for_everything_before_long(kind: str) -> None:
    assert named(kind, OTHER_APP) == Nominations(before_long=kind)


@pytest.mark.parametrize("kind", ["directory.mapping.update", "directory.app_user_profile.update"])
def test_profiles_and_mappings_ask_for_everything_unless_they_are_another_apps(kind: str) -> None:
    assert named(kind) == named(kind, OUR_APP) == Nominations(before_long=kind)
    assert not named(kind, OTHER_APP)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in PUBLISHED if reads(kind) is Reads.NOTHING] + ["pam.user.create", "user.session.start"],
)
def test_what_names_nothing_of_ours_costs_nothing(kind: str) -> None:
    assert not named(kind, PERSON, PUSHED, OUR_APP, known=BY_NAME)
