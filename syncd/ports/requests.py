"""What people ask of whoever holds the writer's lock, and who that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from syncd.core.request import RequestRecord, RequestResult


@dataclass(frozen=True, slots=True)
class StoreWriter:
    """Who has the writer's lock. `named` and `since` are for people; `serves`: it carries requests out; `ended`: its
    process certainly has. `mark` differs after each renewal of the lock; `expires` is when it ends without another one,
    by the holder's wall clock.
    """

    named: str
    since: str
    expires: str
    serves: bool
    ended: bool
    mark: object


class RequestRecords(Protocol):
    """The rows are the truth: nothing but the store has to be shared by who asks and who carries out."""

    def writer(self) -> StoreWriter | None:
        """None when nobody has the lock."""
        ...

    def ask(
        self, kind: str, arguments: str, *, settings: str, by: str, reason: str, version: int = ...
    ) -> RequestRecord:
        """Puts a request, in a short transaction beside whoever holds the lock; the audit trail tells of it. What
        ended a week ago goes.
        """
        ...

    def request(self, request_id: str) -> RequestRecord | None:
        """None when there is none, or no more."""
        ...

    def request_result(self, request_id: str) -> RequestResult | None:
        """What came of it; None while it is open, or when it was withdrawn. Raises RefusedError when it is
        unreadable.
        """
        ...

    def open_requests(self) -> Sequence[RequestRecord]:
        """Those that wait or are taken, the oldest first."""
        ...

    def requests_to_take(self) -> Sequence[RequestRecord]:
        """By the holder of the lock: those that wait, or that another holder had taken and left."""
        ...

    def last_requests(self, *, limit: int) -> Sequence[RequestRecord]:
        """Whatever became of them, the youngest first."""
        ...

    def requests_moved(self) -> bool:
        """Whether another process wrote to the store since this was asked last; True the first time. Never waits: while
        this process is busy with the store it is False, and asked again it tells all the same.
        """
        ...

    def altered_requests(self) -> bool:
        """Whether somebody else changed what requests say."""
        ...

    def take_request(self, request_id: str) -> RequestRecord | None:
        """By the holder of the lock, in one transaction with the look whether it still is: from then on the request is
        this one's. None when it is not to be had any more. Raises LockLost.
        """
        ...

    def left_at(self, request: RequestRecord) -> datetime | None:
        """When the lock under which it was taken last went to another process; None when it did not, or nobody
        knows.
        """
        ...

    def put_back_request(self, request_id: str) -> None:
        """By who took it: it goes on waiting, as if it had not been taken."""
        ...

    def tell_progress(self, request_id: str, *, phase: str, total: int | None, done: int) -> bool:
        """By who took it. Whether who asked for it wants it to end early."""
        ...

    def end_request(self, request_id: str, outcome: RequestResult) -> None:
        """By who took it, and holds the lock. Raises LockLost."""
        ...

    def withdraw_request(self, request_id: str, *, stop: bool) -> bool:
        """Whether it was withdrawn: that it only can be as long as nobody has taken it. Of one that is taken, with
        `stop`, it is wished that it ends early.
        """
        ...
