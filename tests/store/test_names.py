"""Looking people up by name: letter case does not matter, whatever is more than that does."""

from __future__ import annotations

import json
import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.names import letter_case_key, look_alike_key
from syncd.model import RemoteUser, Standing
from syncd.ports import Store
from tests.store.making import Place, absorb, push_user, wanted

SHARP = wanted("00u-sharp", name="Straße@example.com")
DOUBLE = wanted("00u-double", name="strasse@example.com")


def test_a_name_finds_letter_case_and_nothing_more(store: Store) -> None:
    absorb(store, users=[SHARP, DOUBLE])

    assert [found.okta_id for found in store.find_users("straße@EXAMPLE.com")] == [SHARP.okta_id]
    assert [found.okta_id for found in store.find_users("STRASSE@example.com")] == [DOUBLE.okta_id]
    assert store.find_users(" strasse@example.com") == []


def test_who_is_alike_is_a_rival_and_is_named(store: Store) -> None:
    absorb(store, users=[SHARP])
    stage = store.stage()
    stage.put_users(
        [
            DOUBLE,
            wanted("00u-left", Standing.INACTIVE, name="\N{LATIN SMALL LETTER LONG S}trasse@example.com"),
        ]
    )

    assert stage.rivals(DOUBLE.name_key, DOUBLE.okta_id) == {SHARP.okta_id: SHARP.user_name}
    assert stage.rivals(SHARP.name_key, SHARP.okta_id) == {DOUBLE.okta_id: DOUBLE.user_name}


def test_a_case_tells_whether_its_name_may_be_shared_with_somebody_staged_or_stored(store: Store) -> None:
    absorb(store, users=[SHARP])
    stage = store.stage()
    twins = [wanted("00u1", name="Ann@x.com", key="Ann@x.com"), wanted("00u2", name="ann@x.com")]
    left = wanted("00u3", Standing.INACTIVE, name="cy@x.com")
    alone = [wanted("00u4", name="cy@x.com"), wanted("00u5", name="bob@x.com")]
    stage.put_users([DOUBLE, *twins, left, *alone])

    shared = {case.okta_id for case in stage.user_cases() if case.shares_name}

    assert shared == {SHARP.okta_id, DOUBLE.okta_id, "00u1", "00u2", "00u3"}


@given(st.text())
def test_who_has_the_same_name_key_looks_alike_too(name: str) -> None:
    """So one search by what looks alike finds either kind of rival."""
    assert look_alike_key(letter_case_key(name)) == look_alike_key(name)


def test_where_letter_case_tells_two_people_apart_they_are_no_rivals(store: Store) -> None:
    stage = store.stage()
    stage.put_users([wanted("00u1", name="Ann@x.com", key="Ann@x.com"), wanted("00u2", name="ann@x.com")])

    assert stage.rivals("Ann@x.com", "00u1") == {}


def test_a_listing_offers_who_is_alike(store: Store) -> None:
    stage = store.stage()
    sharp, double = (
        RemoteUser("1", None, SHARP.user_name, True),
        RemoteUser("2", None, DOUBLE.user_name, True),
    )
    stage.put_remote_users([sharp, double])

    assert stage.remote_candidates(okta_id="00u9", user_name=DOUBLE.user_name) == [sharp, double]


def test_a_store_that_compared_by_case_folding_is_set_right(place: Place) -> None:
    with place.open() as store:
        absorb(store, users=[SHARP, DOUBLE])
        push_user(store, SHARP)
    with sqlite3.connect(place.path) as conn:
        wish = json.dumps([SHARP.user_name, DOUBLE.user_name, "assigned directly", False])
        conn.execute(
            "UPDATE users SET wish = ?, name_key = ?, folded_name = 'x', pushed_folded_name = 'x' WHERE okta_id = ?",
            (wish, DOUBLE.user_name, SHARP.okta_id),
        )
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm003_letter_case'")
    conn.close()

    with place.open() as store:
        (found,) = store.find_users("straße@example.com")
        assert found.wanted.name_key == "straße@example.com"
        assert [known.okta_id for known in store.find_users(DOUBLE.user_name)] == [DOUBLE.okta_id]
