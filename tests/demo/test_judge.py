"""The demo's last word: an independent comparison that must see every way in which Split can be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.demo.judge import Before, differences, look_at, wanted_groups, wanted_people
from syncd.simulators.world import OktaWorld, SplitWorld, default_split, generate_okta

NAMED = ["Product"]


def _exact(okta: OktaWorld) -> tuple[SplitWorld, Before]:
    """Split as it should be after a sync, made by hand, and as it was before."""
    split = default_split()
    before = look_at(split)
    ids = {}
    for name, row in wanted_people(okta).items():
        given, family = row.profile["givenName"], row.profile["familyName"]
        attributes = {
            "userName": name,
            "externalId": row.id,
            "name": {"givenName": given, "familyName": family},
            "displayName": f"{given} {family}",
            "emails": [{"value": name, "type": "work"}],
        }
        ids[name] = split.insert_user(attributes, active=True, managed=True).id
    for name, members in wanted_groups(okta, named=NAMED, kept={}).items():
        group = split.insert_group(name, external_id=okta.group(name).id, managed=True)
        split.set_members(group, [ids[member] for member in sorted(members)])
    return split, before


@pytest.fixture
def okta() -> OktaWorld:
    return generate_okta(users=30, groups=4, seed=3, mappings=0)


def _found(okta: OktaWorld, split: SplitWorld, before: Before) -> list[str]:
    return differences(okta, split, before, named=NAMED, kept={})


def test_a_world_made_exactly_as_wanted_has_no_difference(okta: OktaWorld) -> None:
    split, before = _exact(okta)

    assert _found(okta, split, before) == []
    assert len(wanted_groups(okta, named=NAMED, kept={})) == 3


def _somebody(okta: OktaWorld) -> str:
    return min(wanted_people(okta))


def _stranger_in(split: SplitWorld, group: str) -> None:
    names = {user.user_name for user in split.users.values()} - set(split.members(group))
    split.add_member(group, min(names))


TAMPERING: dict[str, tuple[Callable[[OktaWorld, SplitWorld], object], str]] = {
    "an inactive account": (
        lambda okta, split: split.set_active(_somebody(okta), active=False),
        "is inactive in Split",
    ),
    "a deleted account": (lambda okta, split: split.delete_user(_somebody(okta)), "has 0 accounts in Split"),
    "a twin": (
        lambda okta, split: split.create_local_user(_somebody(okta)),
        "has 2 accounts in Split",
    ),
    "another first name": (
        lambda okta, split: split.edit_user(_somebody(okta), name={"givenName": "X", "familyName": "Y"}),
        "has the givenName 'X'",
    ),
    "another e-mail": (lambda okta, split: split.edit_user(_somebody(okta), emails=[]), "has the e-mail []"),
    "a forgotten externalId": (
        lambda okta, split: split.edit_user(_somebody(okta), externalId=None),
        "has the externalId None",
    ),
    "somebody nobody wants": (
        lambda _okta, split: split.create_local_user("ghost@example.com"),
        "ghost@example.com is active in Split, and Okta does not want that",
    ),
    "Split's own account changed": (
        lambda _okta, split: split.edit_user("admin@example.com", displayName="Changed"),
        "admin@example.com is Split's own account, and was changed",
    ),
    "Split's own account gone": (
        lambda _okta, split: split.delete_user("admin@example.com"),
        "admin@example.com had an account in Split before, which is gone",
    ),
    "a missing group": (
        lambda _okta, split: split.delete_group("Product"),
        "the group Product is missing in Split",
    ),
    "a group nobody wants": (
        lambda _okta, split: split.create_local_group("Surprise"),
        "the group Surprise is in Split, and Okta does not want it there",
    ),
    "a member too many": (
        lambda _okta, split: _stranger_in(split, "Product"),
        "the group Product should not have",
    ),
    "a member too few": (
        lambda _okta, split: split.remove_member("Product", split.members("Product")[0]),
        "the group Product lacks",
    ),
    "the administrator out of Administrators": (
        lambda _okta, split: split.remove_member("Administrators", "admin@example.com"),
        "the group Administrators lacks admin@example.com",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_every_tampering_is_found_and_named(okta: OktaWorld, what: str) -> None:
    split, before = _exact(okta)
    tamper, sentence = TAMPERING[what]
    tamper(okta, split)

    assert any(sentence in found for found in _found(okta, split, before))


def test_a_leaver_who_is_still_active_is_found(okta: OktaWorld) -> None:
    split, before = _exact(okta)
    name = _somebody(okta)
    okta.unassign(wanted_people(okta)[name].id, everywhere=True)

    assert f"{name} is active in Split, and Okta does not want that" in _found(okta, split, before)


def test_a_leaver_who_is_inactive_is_fine(okta: OktaWorld) -> None:
    split, before = _exact(okta)
    name = _somebody(okta)
    okta.unassign(wanted_people(okta)[name].id, everywhere=True)
    split.set_active(name, active=False)
    for group in split.groups_of(split.user(name).id):
        split.remove_member(group.id, name)

    assert _found(okta, split, before) == []


def test_a_name_of_25_characters_is_not_wanted_in_split(okta: OktaWorld) -> None:
    okta.create_group("x" * 25, assign=True)
    okta.create_group("y" * 24, assign=True)

    wanted = wanted_groups(okta, named=(), kept={})

    assert "y" * 24 in wanted
    assert "x" * 25 not in wanted


def test_a_renamed_group_keeps_its_name(okta: OktaWorld) -> None:
    split, before = _exact(okta)
    group = okta.group("Engineering").id
    okta.rename_group("Engineering", "Builders")

    assert differences(okta, split, before, named=NAMED, kept={group: "Engineering"}) == []
    assert "the group Builders is missing in Split" in _found(okta, split, before)
