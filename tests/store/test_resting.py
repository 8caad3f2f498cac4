"""A store that rests between cycles keeps little, and forgets no duty."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.store import SqliteStore
from tests.store.lived import CAL, live
from tests.store.making import Place, push_user


def triggers(store: SqliteStore) -> int:
    [(count,)] = store._conn.execute("SELECT count(*) FROM sqlite_temp_master WHERE type = 'trigger'")
    return int(count)


def test_what_is_written_after_a_rest_is_sealed_too(place: Place) -> None:
    with place.open() as store:
        live(store)
        watched = triggers(store)
        store.rest()
        resting = triggers(store)
        push_user(store, CAL)

        assert (watched > 0, resting, triggers(store)) == (True, 0, watched)
        assert store.verify_journal().intact
        assert store.altered() == set()


def test_a_resting_store_keeps_its_lock_alive_and_goes_on_resting(place: Place) -> None:
    with place.open() as store:
        store.lock("syncd run", expires_in=timedelta(seconds=60))
        store.rest()
        before = store.writer()
        store.renew_lock()
        after = store.writer()

        assert before is not None
        assert after is not None
        assert before.mark != after.mark
        assert triggers(store) == 0


def test_a_transaction_that_failed_after_a_rest_seals_nothing(place: Place) -> None:
    with place.open() as store:
        live(store)
        store.rest()
        with pytest.raises(ValueError, match="not what was wanted"):
            fail_at_the_end(store)
        store.rest()
        assert store.verify_journal().intact
        assert store.altered() == set()


def fail_at_the_end(store: SqliteStore) -> None:
    with store._transaction() as conn:
        conn.execute("DELETE FROM failures")
        conn.execute("UPDATE users SET scim_id = 'other' WHERE okta_id = '00u-ann'")
        raise ValueError("not what was wanted")
