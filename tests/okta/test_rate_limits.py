"""syncd leaves the others their share of every bucket, by the numbers that come with the answers."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from syncd.errors import TemporaryError
from syncd.okta.pace import Clock, OrgRates, RateGovernor, RetryPolicy, bucket_of
from tests.okta.fakes import APP, FakeOkta, FakeTime, Reply, Seen, okta_error, reader

GROUP = {"id": "00g1", "type": "OKTA_GROUP", "profile": {"name": "Engineering"}}


class Bucket:
    """Enforces a limit as Okta does, on a clock that jumps with the reader's."""

    def __init__(self, clock: FakeTime, limit: int, *, others: int = 0, window: int = 60) -> None:
        self._clock = clock.clock()
        self._limit = limit
        self._others = others
        self._window = window
        self._lock = threading.Lock()
        self._ends = 0.0
        self._used = 0
        self.least_left = limit
        self.refused = 0

    def __call__(self, seen: Seen, before: int) -> Reply:
        with self._lock:
            now = self._clock.wall()
            if now >= self._ends:
                self._ends, self._used = float(int(now) + self._window), self._others
            self._used += 1
            left = self._limit - self._used
            headers = [
                ("X-Rate-Limit-Limit", str(self._limit)),
                ("X-Rate-Limit-Remaining", str(max(left, 0))),
                ("X-Rate-Limit-Reset", str(int(self._ends))),
                # The server's clock must jump too.
                ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))),
            ]
            if left < 0:
                self.refused += 1
                return Reply(okta_error("E0000047", "too many requests"), 429, headers, date=False)
            self.least_left = min(self.least_left, left)
            return Reply({**GROUP, "id": seen.path.rpartition("/")[2]}, headers=headers, date=False)


def read_groups(bucket: Bucket, clock: FakeTime, count: int, *, share: float, threads: int = 8) -> float:
    """Reads so many groups from several threads; returns the seconds waited."""
    todo = iter([f"00g{number}" for number in range(count)])
    lock = threading.Lock()
    failures: list[Exception] = []

    with FakeOkta(bucket) as okta, reader(okta, fake_time=clock, share=share) as source:

        def work() -> None:
            while True:
                with lock:
                    group_id = next(todo, None)
                if group_id is None:
                    return
                try:
                    source.group(group_id)
                except Exception as error:  # noqa: BLE001  (looked at below)
                    failures.append(error)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert failures == []
        assert source.requests()["GET 200"] == count
        return source.waited_seconds()


@pytest.mark.parametrize(
    ("limit", "share", "floor"), [(20, 0.5, 10), (100, 0.8, 20), (10, 0.25, 8), (30, 1.0, 0), (2, 0.5, 1)]
)
def test_the_rest_of_a_bucket_is_left_to_others(limit: int, share: float, floor: int) -> None:
    clock = FakeTime()
    bucket = Bucket(clock, limit)

    waited = read_groups(bucket, clock, int(limit * share) * 2 + 2, share=share)

    assert bucket.refused == 0
    assert bucket.least_left >= floor
    assert waited >= 60


def test_a_limit_of_one_is_slow_but_gets_there() -> None:
    clock = FakeTime()
    bucket = Bucket(clock, 1)

    read_groups(bucket, clock, 3, share=0.1)

    assert bucket.refused == 0


def test_when_others_use_up_the_bucket_every_window_still_lets_one_request_through() -> None:
    clock = FakeTime()
    bucket = Bucket(clock, 20, others=15)

    read_groups(bucket, clock, 4, share=0.5)

    assert bucket.refused == 0
    assert bucket.least_left == 4


def test_a_server_without_rate_limit_headers_is_read_in_parallel() -> None:
    def script(seen: Seen, before: int) -> Reply:
        return Reply({**GROUP, "id": seen.path.rpartition("/")[2]}, delay=0.05)

    with FakeOkta(script) as okta, reader(okta, parallel=4) as source:
        source.group("00g0")
        workers = [threading.Thread(target=source.group, args=(f"00g{n}",)) for n in range(12)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert source.waited_seconds() == 0
    assert 1 < okta.most_at_once <= 4


def limited(seconds: int | None, *, limit: str = "600", remaining: str = "0") -> Reply:
    """A 429 whose reset is so many seconds after its Date."""
    headers = [("X-Rate-Limit-Limit", limit), ("X-Rate-Limit-Remaining", remaining)]
    if seconds is not None:
        # Both by the server's clock, which is far from ours.
        headers += [
            ("Date", "Tue, 10 Sep 2024 01:49:39 GMT"),
            ("X-Rate-Limit-Reset", str(1725932979 + seconds)),
        ]
    return Reply(okta_error("E0000047", "too many requests"), 429, headers, date=False)


@pytest.mark.parametrize(
    ("refusal", "least", "most"),
    [
        (limited(40), 40, 44),
        (Reply(okta_error("E0000006", "not now"), 403, headers=[("Retry-After", "25")]), 24.9, 27),
    ],
    ids=["429", "403"],
)
def test_a_429_and_a_403_that_say_when_to_come_back_are_waited_out_and_are_no_failure(
    refusal: Reply, least: float, most: float
) -> None:
    clock = FakeTime()

    def script(seen: Seen, before: int) -> Reply:
        return refusal if before == 0 else Reply(GROUP)

    # One attempt only: the wait must not count as a failed try.
    policy = RetryPolicy(attempts=1)
    with FakeOkta(script) as okta, reader(okta, fake_time=clock, retry=policy) as source:
        source.group("00g1")

    assert least <= sum(clock.slept) <= most


def test_one_429_pauses_everybody_who_uses_the_bucket() -> None:
    clock = FakeTime()
    asked: list[float] = []

    def script(seen: Seen, before: int) -> Reply:
        asked.append(clock.offset)
        return limited(30) if len(asked) == 1 else Reply({**GROUP, "id": seen.path.rpartition("/")[2]})

    with FakeOkta(script) as okta, reader(okta, fake_time=clock) as source:
        workers = [threading.Thread(target=source.group, args=(f"00g{n}",)) for n in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert all(moment >= 30 for moment in asked[1:])


def test_a_429_without_end_is_given_up() -> None:
    clock = FakeTime()
    with (
        FakeOkta(lambda seen, before: limited(5)) as okta,
        reader(okta, fake_time=clock) as source,
        pytest.raises(TemporaryError, match="429") as caught,
    ):
        source.group("00g1")

    assert caught.value.status == 429
    assert 2 < len(okta.seen) < 12


@pytest.mark.parametrize("reply", [limited(None), limited(-30), limited(10, limit="0", remaining="0")])
def test_a_429_that_tells_no_time_is_backed_off_and_not_hammered(reply: Reply) -> None:
    clock = FakeTime()
    with (
        FakeOkta(lambda seen, before: reply) as okta,
        reader(okta, fake_time=clock) as source,
        pytest.raises(TemporaryError),
    ):
        source.group("00g1")

    assert len(okta.seen) == 5
    assert len(clock.slept) == 4
    assert sum(clock.slept) < 20, "and no longer than any other fault"


def test_an_absurd_reset_does_not_stop_the_reader_for_years() -> None:
    clock = FakeTime()

    def script(seen: Seen, before: int) -> Reply:
        return limited(10**9) if before == 0 else Reply(GROUP)

    with FakeOkta(script) as okta, reader(okta, fake_time=clock) as source:
        source.group("00g1")

    assert sum(clock.slept) < 300


def test_too_many_at_once_lowers_the_parallelism() -> None:
    clock = FakeTime().clock()
    governor = RateGovernor(share=0.5, parallel=8, clock=clock)

    governor.crowded()
    halved = governor.ceiling
    for _ in range(5):
        governor.crowded()

    assert halved == 4
    assert governor.ceiling == 1
    for _ in range(500):
        governor.learn("x", {})
    assert governor.ceiling == 8, "and it recovers"


def test_the_buckets_are_reported_as_the_last_answer_showed_them() -> None:
    headers = [
        ("X-Rate-Limit-Limit", "600"),
        ("X-Rate-Limit-Remaining", "599"),
        ("X-Rate-Limit-Reset", str(int(time.time()) + 60)),
    ]
    with FakeOkta(lambda seen, before: Reply(GROUP, headers=headers)) as okta, reader(okta) as source:
        source.group("00g1")
        limits = source.limits()

    assert set(limits) == {"/api/v1/groups/{id}"}
    found = limits["/api/v1/groups/{id}"]
    assert (found.limit, found.remaining) == (600, 599)
    assert 0 < found.reset.timestamp() - time.time() <= 61


@pytest.mark.parametrize("headers", [[("X-Rate-Limit-Limit", "many"), ("X-Rate-Limit-Remaining", "-1")], []])
def test_odd_headers_are_as_good_as_none(headers: list[tuple[str, str]]) -> None:
    with FakeOkta(lambda seen, before: Reply(GROUP, headers=headers)) as okta, reader(okta) as source:
        source.group("00g1")
        source.group("00g1")

        assert source.limits() == {}
        assert source.waited_seconds() == 0


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        (f"/api/v1/apps/{APP}", "/api/v1/apps/{id}"),
        (f"/api/v1/apps/{APP}/users", "/api/v1/apps"),
        (f"/api/v1/apps/{APP}/users/00u1", "/api/v1/apps"),
        (f"/api/v1/apps/{APP}/group-push/mappings", "/api/v1/apps"),
        ("/api/v1/groups", "/api/v1/groups"),
        ("/api/v1/groups/00g1", "/api/v1/groups/{id}"),
        ("/api/v1/groups/00g1/users", "/api/v1/groups"),
        ("/api/v1/users", "/api/v1/users"),
        ("/api/v1/users/00u1", "/api/v1/users/{id}"),
        ("/api/v1/users/00u1/groups", "/api/v1/users"),
        ("/api/v1/policies", "/api/v1"),
        ("/api/v1/logs", "/api/v1/logs"),
    ],
)
def test_requests_share_a_bucket_as_okta_says(path: str, bucket: str) -> None:
    assert bucket_of(path) == bucket


def test_a_window_that_ends_before_the_one_that_is_known_is_watched_too() -> None:
    """Two of Okta's buckets behind one of ours, with windows of their own: neither is used beyond the share."""
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = Clock(monotonic=lambda: now, wall=lambda: 1_700_000_000 + now, sleep=sleep)
    governor = RateGovernor(share=0.5, parallel=8, clock=clock)

    def answer(limit: int, remaining: int, reset: int) -> dict[str, str]:
        return {
            "X-Rate-Limit-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(remaining),
            "X-Rate-Limit-Reset": str(1_700_000_000 + reset),
        }

    async def one_request(headers: dict[str, str]) -> None:
        async with governor.slot("/api/v1"):
            governor.learn("/api/v1", headers)

    async def requests() -> list[float]:
        moments = []
        for number in range(12):
            await one_request(answer(500, 499 - number, 55))
            await one_request(answer(20, 19 - number, 30))
            moments.append(now)
        return moments

    moments = asyncio.run(requests())

    assert moments[8] == 0
    assert moments[10] >= 30, "ten of twenty are ours; the eleventh waits for the window that ends first"
    assert moments[10] < 40, "and not for the other one"


def test_people_and_their_groups_leave_the_others_half_of_the_users_bucket() -> None:
    """As recorded: GET /users/{id}/groups counts in the bucket of /users, whose window ends before that of /groups."""
    clock = FakeTime()
    groups, users = Bucket(clock, 500, window=55), Bucket(clock, 20, window=30)

    def script(seen: Seen, before: int) -> Reply:
        reply = (users if seen.path.startswith("/api/v1/users/") else groups)(seen, before)
        return replace(reply, body=[])

    with FakeOkta(script) as okta, reader(okta, fake_time=clock) as source:
        list(source.members(["00g1"]))
        for number in range(12):
            source.groups_of(f"00u{number}")
        waited = source.waited_seconds()

    assert users.least_left == 10
    assert 25 < waited < 40


def test_connections_of_one_org_leave_the_others_their_share_together() -> None:
    """Each opens a governor of its own in each cycle; what Okta counts together they use together."""
    now, rates = 0.0, OrgRates()

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = Clock(monotonic=lambda: now, wall=lambda: 1_700_000_000 + now, sleep=sleep)

    async def requests() -> list[float]:
        moments = []
        for number in range(6):
            governor = RateGovernor(share=0.5, parallel=8, clock=clock, rates=rates)
            async with governor.slot("/api/v1/logs"):
                left, ends = 7 - number % 4, 30 if number < 4 else 90
                headers = {
                    "X-Rate-Limit-Limit": "8",
                    "X-Rate-Limit-Remaining": str(left),
                    "X-Rate-Limit-Reset": str(1_700_000_000 + ends),
                }
                governor.learn("/api/v1/logs", headers)
            moments.append(now)
        return moments

    moments = asyncio.run(requests())

    assert moments[:4] == [0, 0, 0, 0]
    assert moments[4] >= 30, "four of eight are theirs, whoever asks"
