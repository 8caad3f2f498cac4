"""The lease of a worker: until when it may write, by its own clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncd.core.lease import REQUEST_LASTS, HeldLease, LeaseTerms

SECONDS = st.floats(min_value=0.0, max_value=1e6, allow_nan=False)
TERMS = st.builds(
    LeaseTerms,
    lasts=st.floats(min_value=5.0, max_value=600.0),
    renewed_every=st.floats(min_value=0.5, max_value=60.0),
    margin=st.floats(min_value=0.5, max_value=60.0),
).filter(lambda terms: terms.leaves_room)


def test_a_lease_of_fifteen_seconds_permits_ten_and_others_are_quiet_for_fifteen() -> None:
    terms = LeaseTerms()
    assert (terms.usable, terms.quiet, terms.leaves_room) == (10.0, 15.0, True)
    lease = HeldLease(terms, sent=100.0)
    assert lease.left(100.0) > 0
    assert lease.left(109.9) > 0
    assert lease.left(110.0) == 0
    assert lease.left(104.0) == 6.0


def test_terms_of_which_no_renewal_may_fail_leave_no_room() -> None:
    assert not LeaseTerms(lasts=15.0, renewed_every=5.0, margin=5.0).leaves_room
    assert not LeaseTerms(lasts=5.0, renewed_every=1.0, margin=5.0).leaves_room
    assert not LeaseTerms(renewed_every=0.0).leaves_room


def test_a_clock_that_went_backwards_permits_nothing() -> None:
    assert HeldLease(LeaseTerms(), sent=100.0).left(99.0) == 0


@given(terms=TERMS, sent=SECONDS, arrives=st.floats(0.0, 60.0), stood_still=SECONDS)
def test_whoever_is_permitted_is_so_before_the_database_gives_the_lease_to_another(
    terms: LeaseTerms, sent: float, arrives: float, stood_still: float
) -> None:
    """However long a renewal took to arrive, and however long the worker stood still after it."""
    runs_out = sent + arrives + terms.lasts
    reading = sent + stood_still
    if HeldLease(terms, sent).left(reading) > 0:
        assert reading < runs_out
        assert reading + REQUEST_LASTS <= runs_out + terms.quiet + 1e-6


@given(terms=TERMS, sent=SECONDS, failed=st.integers(0, 3))
def test_it_permits_on_though_three_renewals_in_a_row_fail(
    terms: LeaseTerms, sent: float, failed: int
) -> None:
    reading = sent + failed * terms.renewed_every
    assert HeldLease(terms, sent).left(reading) > 0


@given(sent=st.lists(SECONDS, min_size=1, max_size=6))
def test_answers_of_renewals_in_any_order_leave_the_one_that_was_sent_last(sent: list[float]) -> None:
    lease = HeldLease(LeaseTerms(), sent[0])
    for each in sent[1:]:
        lease = lease.renewed(each)
    assert lease.sent == max(sent)
