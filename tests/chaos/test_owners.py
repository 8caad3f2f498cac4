"""The oracle's own knowledge of whose a Harness group is: a mistake in it would let harm pass."""

from __future__ import annotations

import pytest

from syncd.simulators.world import OktaWorld, SplitWorld
from tests.chaos.oracle import holdings
from tests.chaos.owners import Owners


@pytest.fixture
def okta() -> OktaWorld:
    return OktaWorld()


@pytest.fixture
def there() -> SplitWorld:
    return SplitWorld(flavor="harness")


def made_by_scim(there: SplitWorld, name: str, identifier: str) -> None:
    there.insert_group(name, external_id=None, managed=True, identity=identifier)


def test_a_group_stays_whose_it_is_when_its_name_changes(okta: OktaWorld, there: SplitWorld) -> None:
    crew = okta.create_group("push-crew")
    owners = Owners(okta)
    okta.rename_group("push-crew", "push-band")
    other = okta.create_group("push-crew")
    made_by_scim(there, "push-crew", "push_crew")

    assert holdings(there, owners).groups.keys() == {other}

    okta.delete_group(other)
    there.delete_group("push_crew")
    made_by_scim(there, "push-band", "push_band")
    assert holdings(there, owners).groups.keys() == {crew}


def test_a_group_that_was_made_by_hand_is_nobodys_until_scim_manages_it(
    okta: OktaWorld, there: SplitWorld
) -> None:
    crew = okta.create_group("push-crew")
    owners = Owners(okta)
    there.create_local_group("push-crew")
    assert "push_crew" in holdings(there, owners).strangers
    assert owners.is_taken(crew, there)

    there.set_externally_managed("push_crew")

    assert holdings(there, owners).groups.keys() == {crew}


def test_a_group_whose_name_two_want_must_not_be_made(okta: OktaWorld, there: SplitWorld) -> None:
    okta.create_group("push-crew")
    okta.create_group("push-crew!")
    made_by_scim(there, "push-crew", "push_crew")

    with pytest.raises(AssertionError, match="want it"):
        holdings(there, Owners(okta))


def test_people_go_by_externalid_and_else_by_the_email_with_which_they_began(
    okta: OktaWorld, there: SplitWorld
) -> None:
    ann = okta.add_user("Ann@Example.com", "Ann", "A", assign=True)
    bea = okta.add_user("bea@example.com", "Bea", "B", assign=True)
    there.create_local_user("ann@example.com", "Ann", "A")
    there.insert_user({"userName": "old@example.com", "externalId": bea}, active=True, managed=True)
    stranger = there.create_local_user("who@example.com")

    found = holdings(there, Owners(okta))

    assert {owner: account.person[0] for owner, account in found.people.items()} == {
        ann: "ann@example.com",
        bea: "old@example.com",
    }
    assert found.strangers.keys() == {stranger}


def test_a_group_that_its_rule_let_go_of_is_nobodys_and_its_owner_may_have_another(
    okta: OktaWorld, there: SplitWorld
) -> None:
    crew = okta.create_group("push-crew")
    owners = Owners(okta)
    made_by_scim(there, "push-crew", "push_crew")
    holdings(there, owners)
    okta.rename_group("push-crew", "push-band")
    owners.look()
    made_by_scim(there, "push-band", "push_band")
    with pytest.raises(AssertionError, match="twins"):
        holdings(there, owners)

    owners.let_go.add(crew)

    assert {"push_crew", "push_band"} <= holdings(there, owners).strangers.keys()
