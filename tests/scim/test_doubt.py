"""A try that may have taken effect, then a refusal; an accepted write, then no look: nobody knows how it ended, and
nobody says so.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.errors import AccessDenied, AlreadyExists, NotFound, PermanentError, SyncdError
from syncd.scim.answers import Unanswered
from syncd.scim.split import ScimTarget
from syncd.simulators.exchange import Call, Reply
from tests.scim.conftest import Bench

MakeBench = Callable[..., Bench]
Act = Callable[[ScimTarget, str, str], object]

ACTS: dict[str, Act] = {
    "update": lambda target, user, _: target.update_user(user, {"displayName": "A"}, {"displayName": "B"}),
    "deactivate": lambda target, user, _: target.deactivate_user(user),
    "rename": lambda target, _, group: target.rename_group(group, "Renamed"),
    "delete": lambda target, _, group: target.delete_group(group),
}
METHODS = ("PATCH", "PUT", "DELETE")


def refuse(made: Bench, status: int, *, nth: int) -> None:
    """From the `nth` write on: this status, without any effect."""
    for method in METHODS:
        first = nth if method != "PUT" else 1
        made.simulator.faults.add("status", status=status, method=method, nth=first, count=-1)


def act_without_an_answer(made: Bench) -> None:
    for method in ("PATCH", "DELETE"):
        made.simulator.faults.add("status", status=502, method=method, after_effect=True)


PROVEN_GONE = [("delete", 400), ("delete", 403), ("delete", 422)]


def in_doubt(bench: MakeBench, status: int) -> tuple[Bench, str, str]:
    """A target whose first write gets no answer and whose second is refused; a user, and a group with them."""
    made = bench(flavor="scim")
    [user] = made.people("ann")
    group = made.group_of(user)
    act_without_an_answer(made)
    refuse(made, status, nth=2)
    return made, user, group


@pytest.mark.parametrize(
    ("act", "status"),
    [
        (act, status)
        for act in ACTS
        for status in (400, 403, 409, 422, 429, 501)
        if (act, status) not in PROVEN_GONE
    ],
)
def test_a_refusal_after_a_try_without_an_answer_leaves_the_outcome_unknown(
    act: str, status: int, bench: MakeBench
) -> None:
    made, user, group = in_doubt(bench, status)

    with pytest.raises(Unanswered) as caught:
        ACTS[act](made.target, user, group)

    assert caught.value.may_have_acted
    assert "502" in caught.value.message


@pytest.mark.parametrize(("act", "status"), PROVEN_GONE)
def test_a_refusal_after_a_delete_without_an_answer_is_settled_by_looking(
    act: str, status: int, bench: MakeBench
) -> None:
    made, user, group = in_doubt(bench, status)

    ACTS[act](made.target, user, group)

    assert group not in made.simulator.world.groups


@pytest.mark.parametrize("status", [400, 403, 409, 422, 429])
@pytest.mark.parametrize("add", [True, False])
def test_members_of_a_batch_that_may_have_acted_are_unknown(
    status: int, bench: MakeBench, *, add: bool
) -> None:
    made = bench()
    [ann, bob] = made.people("ann", "bob")
    group = made.group_of(ann)
    act_without_an_answer(made)
    refuse(made, status, nth=2)

    found: list[Exception] = []
    try:
        done = made.target.change_members(group, add=[bob] if add else [], remove=[] if add else [ann])
        found += done.failed.values()
    except SyncdError as raised:
        found.append(raised)

    assert all(isinstance(error, Unanswered) and error.may_have_acted for error in found)


@pytest.mark.parametrize(
    ("status", "error"), [(400, PermanentError), (403, AccessDenied), (409, AlreadyExists)]
)
def test_a_refusal_alone_is_what_it_says(status: int, error: type[SyncdError], bench: MakeBench) -> None:
    made = bench()
    [user] = made.people("ann")
    refuse(made, status, nth=1)

    with pytest.raises(error):
        made.target.update_user(user, {"displayName": "A"}, {"displayName": "B"})


def test_the_doubt_about_one_write_is_not_that_of_the_next(bench: MakeBench) -> None:
    made = bench()
    [ann, bob] = made.people("ann", "bob")
    act_without_an_answer(made)
    made.target.update_user(ann, {"displayName": "A"}, {"displayName": "B"})
    refuse(made, 403, nth=1)

    with pytest.raises(AccessDenied):
        made.target.update_user(bob, {"displayName": "A"}, {"displayName": "B"})


def test_an_account_that_is_gone_is_gone_whatever_went_before(bench: MakeBench) -> None:
    made = bench()
    [user] = made.people("ann")
    made.simulator.faults.add("status", status=502, method="PATCH")
    made.world.delete_user(user)

    with pytest.raises(NotFound):
        made.target.update_user(user, {"displayName": "A"}, {"displayName": "B"})


def look_at_nothing(made: Bench, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Once a write was accepted, no single object can be read; lists can."""
    answer, accepted = made.simulator.answer, False

    def answers(call: Call) -> Reply:
        nonlocal accepted
        if call.method == "GET":
            return Reply(status, {"detail": "no"}) if accepted and call.segments[3:] else answer(call)
        reply = answer(call)
        accepted |= reply.status < 300
        return reply

    monkeypatch.setattr(made.simulator, "answer", answers)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("patch", [True, False])
@pytest.mark.parametrize("act", ["update", "deactivate", "rename"])
def test_a_write_that_was_accepted_and_cannot_be_looked_at_is_not_known_to_have_failed(
    act: str, status: int, bench: MakeBench, monkeypatch: pytest.MonkeyPatch, *, patch: bool
) -> None:
    made = bench(flavor="scim", patch_users=patch, patch_groups=patch, patch_204=True)
    [user] = made.people("ann")
    group = made.group_of(user)
    look_at_nothing(made, monkeypatch, status)

    errors: list[SyncdError] = []
    try:
        ACTS[act](made.target, user, group)
    except SyncdError as error:
        errors.append(error)

    assert all(isinstance(error, Unanswered) and error.may_have_acted for error in errors), errors


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("patch", [True, False])
@pytest.mark.parametrize("add", [True, False])
def test_members_of_a_batch_that_was_accepted_and_cannot_be_looked_at_are_unknown(
    status: int, bench: MakeBench, monkeypatch: pytest.MonkeyPatch, *, add: bool, patch: bool
) -> None:
    made = bench(patch_groups=patch, patch_204=True)
    [ann, bob] = made.people("ann", "bob")
    group = made.group_of()
    made.world.add_member(group, ann)
    look_at_nothing(made, monkeypatch, status)

    done = made.target.change_members(group, add=[bob] if add else [], remove=[] if add else [ann])

    assert made.members(group) == ({ann, bob} if add else set())
    assert done.failed
    assert all(isinstance(error, Unanswered) and error.may_have_acted for error in done.failed.values())


def test_what_was_refused_to_a_look_before_anything_was_sent_is_what_it_says(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(patch_groups=False)
    [ann, bob] = made.people("ann", "bob")
    group = made.group_of(ann)
    made.simulator.faults.add("status", status=403, method="GET", path="/Groups/", count=-1)

    with pytest.raises(AccessDenied):
        made.target.rename_group(group, "Renamed")
    assert made.members(group) == {ann}
    assert bob not in made.members(group)
