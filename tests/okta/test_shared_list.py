"""A list that several connections of one org ask for at once is read once, after they asked, or by each of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from syncd.errors import IncompleteRead
from syncd.model import ReadProof
from syncd.okta.shared_list import SharedList
from syncd.ports import Listing, Page
from tests.service.supervisor import eventually


@dataclass
class Okta:
    """Its list grows by one with each read that begins; a read waits at its second page for `go_on`, and fails there
    with `fault`.
    """

    reads: int = 0
    fault: IncompleteRead | None = None
    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def listing(self) -> Listing[str]:
        return Walk(self)


class Walk:
    def __init__(self, okta: Okta) -> None:
        self._okta = okta
        self._number = 0

    @property
    def proof(self) -> ReadProof:
        return ReadProof("groups", 2, self._number + 1, datetime(2026, 1, self._number, tzinfo=UTC))

    def __iter__(self) -> Iterator[Page[str]]:
        okta = self._okta
        okta.reads += 1
        self._number = okta.reads
        okta.begun.set()
        yield Page([f"group {number}" for number in range(self._number)])
        assert okta.go_on.wait(30)
        if okta.fault is not None:
            raise okta.fault
        yield Page([f"last of {self._number}"])


def whole(shared: SharedList[str], okta: Okta) -> tuple[Sequence[str], ReadProof]:
    listing = shared.listing(okta.listing())
    return [record for page in listing for record in page.records], listing.proof


@contextmanager
def one_reads_and_three_wait(
    shared: SharedList[str], okta: Okta
) -> Iterator[Sequence[Future[tuple[Sequence[str], ReadProof]]]]:
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(whole, shared, okta)
        assert okta.begun.wait(30)
        others = [pool.submit(whole, shared, okta) for _ in range(3)]
        eventually(lambda: shared.waiting == 3, "three wait")
        try:
            yield [first, *others]
        finally:
            okta.go_on.set()


def test_who_asks_while_a_list_is_read_is_handed_one_that_began_later_and_was_read_once_for_all() -> None:
    shared: SharedList[str] = SharedList()
    okta = Okta()
    with one_reads_and_three_wait(shared, okta) as answers:
        okta.go_on.set()
        first, *others = [each.result(30) for each in answers]
    assert okta.reads == 2
    assert first == (["group 0", "last of 1"], ReadProof("groups", 2, 2, datetime(2026, 1, 1, tzinfo=UTC)))
    later = (["group 0", "group 1", "last of 2"], ReadProof("groups", 2, 3, datetime(2026, 1, 2, tzinfo=UTC)))
    assert others == [later] * 3


def test_nothing_is_handed_of_a_read_that_ended_before_somebody_asked() -> None:
    shared: SharedList[str] = SharedList()
    okta = Okta()
    okta.go_on.set()
    assert [whole(shared, okta)[1].records for _ in range(3)] == [2, 3, 4]


def test_a_read_that_failed_has_failed_for_all_whom_it_was_for_and_the_next_one_reads_anew() -> None:
    shared: SharedList[str] = SharedList()
    okta = Okta(fault=IncompleteRead("groups", 2, "HTTP 500"))
    with one_reads_and_three_wait(shared, okta) as answers:
        okta.go_on.set()
        for each in answers:
            with pytest.raises(IncompleteRead, match="HTTP 500"):
                each.result(30)
    assert okta.reads == 2
    okta.fault = None
    assert whole(shared, okta)[1].records == 4


def test_a_read_that_is_broken_off_is_handed_to_nobody_and_keeps_nobody_waiting() -> None:
    shared: SharedList[str] = SharedList()
    okta = Okta()
    mine = iter(shared.listing(okta.listing()))
    next(mine)
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(whole, shared, okta) for _ in range(2)]
        eventually(lambda: shared.waiting == 2, "two wait")
        mine.close()  # type: ignore[attr-defined]  # a generator
        okta.go_on.set()
        found = [each.result(30)[1].records for each in others]
    assert found == [3, 3]


def test_what_is_too_long_to_be_kept_each_reads_by_itself() -> None:
    shared: SharedList[str] = SharedList(kept_at_most=2)
    okta = Okta()
    with one_reads_and_three_wait(shared, okta) as answers:
        okta.go_on.set()
        assert sorted(each.result(30)[1].records for each in answers) == [2, 3, 4, 5]


def test_nobody_waits_longer_than_patience_for_a_read_that_does_not_end() -> None:
    shared: SharedList[str] = SharedList(patience=0.2)
    okta = Okta()
    stuck = iter(shared.listing(okta.listing()))
    next(stuck)
    okta.go_on.set()
    assert whole(shared, okta)[1].records == 3
    assert [page.records for page in stuck] == [["last of 1"]]
