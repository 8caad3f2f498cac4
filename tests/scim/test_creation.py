"""Creating: whatever happens to the POST, there is never a second one of anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncd.errors import AlreadyExists, PermanentError, RefusedError, TemporaryError
from syncd.scim.answers import Unanswered
from tests.scim.conftest import PATHS, Bench, MakeTarget, person
from tests.scim.scripted import TOKEN, Reply, Script, ScriptedServer, Seen, listing, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]


class Org:
    """A tiny organisation that keeps what is posted, with faults before or after."""

    def __init__(
        self,
        *faults: Reply | None,
        act: bool = True,
        unique: bool = True,
        keeps_external_id: bool = True,
        searchable: bool = True,
        search_after: int = 0,
    ) -> None:
        self.records: list[dict[str, Any]] = []
        self.faults = list(faults)
        self.act = act
        self.unique = unique
        self.keeps = keeps_external_id
        self.searchable = searchable
        self.hidden_for = search_after
        self.lock = threading.Lock()
        self.posts = 0

    def add(self, **record: Any) -> dict[str, Any]:
        made = {"id": f"id-{len(self.records)}", "active": True, **record}
        self.records.append(made)
        return made

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            if seen.method == "GET":
                return self._get(seen)
            if seen.method == "POST":
                return self._post(seen.body)
            target = next(item for item in self.records if seen.path.endswith(item["id"]))
            for operation in seen.body["Operations"]:
                target.update(operation["value"])
            return Reply(200, target)

    def _post(self, body: dict[str, Any]) -> Reply:
        self.posts += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None and not self.act:
            return fault
        name = next(key for key in ("userName", "displayName") if key in body)
        if self.unique and any(item.get(name) == body[name] for item in self.records):
            return problem(409, "uniqueness")
        kept = body if self.keeps else {key: value for key, value in body.items() if key != "externalId"}
        made = self.add(**kept)
        return fault if fault is not None else Reply(201, made)

    def _get(self, seen: Seen) -> Reply:
        tail = seen.path.rpartition("/")[2]
        if tail not in ("Users", "Groups"):
            found = [item for item in self.records if item["id"] == tail]
            return Reply(200, found[0]) if found else problem(404)
        if "filter" not in seen.query:
            return listing(self.records) if seen.query["startIndex"] == "1" else listing([], 0)
        if self.hidden_for > 0:
            self.hidden_for -= 1
            return listing([])
        attribute, _, value = seen.query["filter"].partition(" eq ")
        if not self.searchable:
            return listing([])
        return listing([item for item in self.records if item.get(attribute) == value.strip('"')])


LOST = [
    Reply(drop=True),
    Reply(500),
    Reply(502, "<html>Bad gateway</html>"),
    Reply(503, headers={"Retry-After": "0"}),
    Reply(504),
    Reply(201, {"id": "id-0", "userName": "ann@example.com"}, cut=True),
    Reply(201),
    Reply(201, {}),
    Reply(201, {"id": None}),
    Reply(200, "created"),
]
NAMES = ["reset", "500", "502", "503", "504", "truncated", "empty", "object", "null-id", "text"]


def test_a_user_is_created_with_one_request(bench: MakeBench) -> None:
    made = bench()

    applied = made.target.create_user("00u1", person("ann"))

    assert made.spent() == ["POST 201"]
    assert (applied.status, applied.verified, applied.note) == (201, True, "")
    (user,) = made.world.users.values()
    assert (user.id, user.user_name, user.external_id, user.active) == (
        applied.scim_id,
        "ann@example.com",
        "00u1",
        True,
    )


@pytest.mark.parametrize("lost", LOST, ids=NAMES)
def test_a_lost_answer_after_acting_is_found_and_never_a_twin(
    lost: Reply, serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(lost)

    applied = make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == "id-0"
    assert "found by search" in applied.note
    assert org.posts == 1
    assert len(org.records) == 1


@pytest.mark.parametrize("lost", LOST[:4], ids=NAMES[:4])
def test_a_lost_post_that_did_nothing_is_sent_once_more(
    lost: Reply, serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(lost, act=False)

    applied = make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == "id-0"
    assert org.posts == 2
    assert len(org.records) == 1


@pytest.mark.parametrize("lost", LOST[4:8], ids=NAMES[4:8])
def test_a_post_that_may_still_run_or_claims_success_is_not_sent_again(
    lost: Reply, serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(lost, act=False)

    with pytest.raises(Unanswered):
        make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert org.posts == 1


def test_a_post_that_timed_out_is_not_sent_again(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(Reply(delay=0.4), act=False)

    with pytest.raises(Unanswered):
        make_target(serve(org).base_url, timeout=0.15).create_user("00u1", person("ann"))

    assert org.posts == 1


def test_two_lost_posts_in_a_row_are_the_end(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(Reply(500), Reply(500), Reply(500), act=False)

    with pytest.raises(TemporaryError):
        make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert org.posts == 2


def test_the_second_post_may_have_worked_too(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(Reply(drop=True), Reply(drop=True), search_after=4)

    applied = make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == "id-0"
    assert len(org.records) == 1


def test_a_server_without_uniqueness_gets_no_twin_when_the_name_is_held(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(Reply(drop=True), unique=False, keeps_external_id=False)

    with pytest.raises(TemporaryError):
        make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert len(org.records) == 1


def test_a_server_that_drops_external_id_is_known_after_one_user(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(None, Reply(drop=True), keeps_external_id=False)
    target = make_target(serve(org).base_url)
    target.create_user("00u1", person("ann"))

    applied = target.create_user("00u2", person("bob"))

    assert applied.scim_id == "id-1"
    assert len(org.records) == 2
    assert target.learned()["hidden:externalId"] == "yes"


@pytest.mark.parametrize("conflict", [problem(409, "uniqueness"), problem(409), problem(400, "uniqueness")])
def test_a_conflict_with_our_own_object_is_a_success(
    conflict: Reply, serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(conflict, act=False)
    ours = org.add(userName="old@example.com", externalId="00u1", displayName="Old", active=False)

    applied = make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == ours["id"]
    assert "existed already" in applied.note
    assert (ours["userName"], ours["active"]) == ("ann@example.com", True)


@pytest.mark.parametrize("holder", [{"externalId": "00uOTHER"}, {}])
@pytest.mark.parametrize("status", [409, 500])
def test_a_conflict_with_a_stranger_is_left_to_the_next_plan(
    status: int, holder: dict[str, str], serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(*[problem(status)] * 3, act=False)
    org.add(userName="ann@example.com", **holder)

    with pytest.raises(AlreadyExists) as caught:
        make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert "id-0" in caught.value.hint
    assert org.posts == 1


def test_a_conflict_that_no_search_explains_looks_through_the_whole_list(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(problem(409), act=False, searchable=False)
    ours = org.add(userName="ANN@example.com", externalId="00u1")

    applied = make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == ours["id"]


def test_a_conflict_with_nobody_is_reported(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(problem(409), act=False)

    with pytest.raises(AlreadyExists, match="409"):
        make_target(serve(org).base_url).create_user("00u1", person("ann"))

    assert org.posts == 1


def test_an_answer_that_shows_somebody_else_is_not_ours(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(Reply(200, {"id": "9", "userName": "ann@example.com", "externalId": "00uOTHER"}))

    with pytest.raises(AlreadyExists, match="00uOTHER"):
        make_target(serve(org).base_url).create_user("00u1", person("ann"))


@pytest.mark.parametrize("location", ["/elsewhere/Users/id-0", "http://10.0.0.9:1/v1/id-0/", "id-0"])
def test_a_location_saves_the_search_whatever_stands_before_the_id(
    location: str, serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(Org(Reply(201, headers={"Location": location})))

    applied = make_target(server.base_url).create_user("00u1", person("ann"))

    assert applied.scim_id == "id-0"
    assert server.lines == ["POST /Users", "GET /Users/id-0"]


def test_a_wrong_location_is_not_believed(serve: Serve, make_target: MakeTarget) -> None:
    org = Org(Reply(201, headers={"Location": "/Users/id-0"}))
    org.add(userName="stranger@example.com", externalId="00uOTHER")

    assert make_target(serve(org).base_url).create_user("00u1", person("ann")).scim_id == "id-1"


def test_a_user_created_inactive_or_otherwise_is_corrected_once(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org()
    server = serve(
        lambda seen: (
            Reply(201, org.add(**{**seen.body, "active": False, "displayName": "Other"}))
            if seen.method == "POST"
            else org(seen)
        )
    )

    applied = make_target(server.base_url).create_user("00u1", person("ann"))

    assert "corrected" in applied.note
    assert org.records[0]["active"] is True
    assert org.records[0]["displayName"] == "Ann Test"
    assert server.lines == ["POST /Users", "PATCH /Users/id-0"]


@pytest.mark.parametrize("status", [400, 413, 501])
def test_a_refused_post_is_permanent(status: int, serve: Serve, make_target: MakeTarget) -> None:
    org = Org(*[problem(status, "invalidValue", "bad\x1b[31m")] * 2, act=False)

    with pytest.raises(PermanentError) as caught:
        make_target(serve(org).base_url, learned={"media_type": "application/scim+json"}).create_user(
            "00u1", person("ann")
        )

    assert caught.value.status == status
    assert "\x1b" not in caught.value.message
    assert org.posts == 1


def test_one_person_is_never_created_twice_at_once(serve: Serve, make_target: MakeTarget) -> None:
    at_once: list[int] = []
    org = Org(unique=False)

    def script(seen: Seen) -> Reply:
        if seen.method == "POST":
            at_once.append(1)
            assert len(at_once) == 1
            threading.Event().wait(0.03)
            reply = org(seen)
            at_once.pop()
            return reply
        return org(seen)

    target = make_target(serve(script).base_url)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: target.create_user("00u1", person(name)), ["ann", "Ann", "ANN"]))

    assert len({applied.scim_id for applied in made}) == 3


def test_people_of_different_names_never_wait_for_each_other(serve: Serve, make_target: MakeTarget) -> None:
    everybody = threading.Barrier(60)
    org = Org()

    def script(seen: Seen) -> Reply:
        everybody.wait(timeout=10)  # broken unless all of them are under way at once
        return org(seen)

    names = [f"person{number}" for number in range(60)]
    target = make_target(serve(script).base_url, concurrency=60)
    with ThreadPoolExecutor(60) as pool:
        made = list(pool.map(lambda name: target.create_user(f"00u{name}", person(name)), names))

    assert len({applied.scim_id for applied in made}) == org.posts == 60


def test_a_group_is_asked_for_by_name_and_created_without_members(bench: MakeBench) -> None:
    made = bench()

    applied = made.target.create_group("00g1", "Engineering")

    # By a filter, and as long as none is known to work also in the list, which is empty here.
    assert made.spent() == ["GET 200", "GET 200", "POST 201"]
    assert applied.scim_id is not None
    assert made.world.groups[applied.scim_id].name == "Engineering"
    made.target.create_group("00g2", "Product")
    made.spent()
    made.target.create_group("00g3", "Sales")
    assert made.spent() == ["GET 200", "POST 201"]


@pytest.mark.parametrize("mode", ["works", "unsupported_404", "unsupported_400", "ignored"])
def test_a_group_whose_name_no_filter_finds_gets_no_twin(mode: str, bench: MakeBench) -> None:
    """The server would make a second one, and answers any filter as if there were none."""
    made = bench(filter_mode=mode, duplicates="twin")
    made.world.create_local_group("Engineering")

    with pytest.raises(AlreadyExists, match="the name is taken"):
        made.target.create_group("00g1", "Engineering")

    assert len(made.world.groups) == 1
    assert made.target.find_groups(okta_id="00g1", name="Engineering")


@pytest.mark.parametrize("lost", LOST, ids=NAMES)
@pytest.mark.parametrize("keeps", [True, False])
def test_a_lost_group_is_found_and_never_a_twin(
    lost: Reply, keeps: bool, serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(None, lost, keeps_external_id=keeps)
    target = make_target(serve(org).base_url)
    target.create_group("00g0", "First")

    applied = target.create_group("00g1", "Eng")

    assert applied.scim_id == "id-1"
    assert [record["displayName"] for record in org.records] == ["First", "Eng"]


def test_a_group_name_that_is_taken_already_exists(bench: MakeBench) -> None:
    made = bench()
    made.world.create_local_group("Eng")

    with pytest.raises(AlreadyExists) as caught:
        made.target.create_group("00g1", "Eng")

    assert "externalId none" in caught.value.hint


@pytest.mark.parametrize(
    ("flavor", "name"),
    [("split", "x" * 25), ("split", "Administrators"), ("harness", "Administrators"), ("scim", " ")],
)
def test_a_name_the_flavor_forbids_is_refused_before_any_request(
    flavor: str, name: str, bench: MakeBench
) -> None:
    made = bench(flavor=flavor)

    with pytest.raises(RefusedError):
        made.target.create_group("00g1", name)
    with pytest.raises(RefusedError):
        made.target.rename_group("g", name)

    assert made.spent() == []


def test_other_flavors_take_long_names(bench: MakeBench) -> None:
    made = bench(flavor="scim")

    assert made.target.create_group("00g1", "x" * 60).scim_id is not None


@pytest.mark.parametrize(
    "knobs", [{"filter_mode": "unsupported_404"}, {"filter_mode": "ignored"}, {}], ids=str
)
def test_a_second_create_of_ours_finds_the_first(knobs: dict[str, Any], bench: MakeBench) -> None:
    made = bench(**knobs)
    people = made.people("ann", "bob")

    applied = made.target.create_user("00uann", person("ann"))

    assert applied.scim_id == people[0]
    assert len(made.world.users) == 2


def test_a_target_shows_no_token(make_target: MakeTarget) -> None:
    target = make_target("http://127.0.0.1:1/scim/v2", attribute_paths=PATHS)

    assert TOKEN not in repr(target)
    with pytest.raises(TemporaryError) as caught:
        target.create_user("00u1", person("ann"))
    assert TOKEN not in repr(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize("mode", ["works", "ignored", "unsupported_400", "unsupported_501"])
def test_what_many_groups_cost_to_make_grows_with_their_number_and_not_with_its_square(
    mode: str, bench: MakeBench
) -> None:
    made = bench(filter_mode=mode)
    spent = []
    for half in range(2):
        for number in range(30):
            made.target.create_group(f"00g{half}{number}", f"Group-{half}-{number}")
        spent.append(len(made.spent()))

    assert spent[1] <= 2 * 30 + 1, "a search and a POST each"
    assert spent[0] <= spent[1] + 20, "what is found out about the server is found out once"


def test_a_name_that_is_taken_is_found_in_the_list_where_no_filter_works(bench: MakeBench) -> None:
    made = bench(filter_mode="ignored")
    for number in range(10):
        made.world.create_local_group(f"Local {number}")
    made.target.create_group("00g1", "Mine")

    with pytest.raises(AlreadyExists, match="the name is taken"):
        made.target.create_group("00g2", "Local 7")


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("filters", ["refused", "blind"])
def test_many_names_that_are_taken_cost_one_list(
    serve: Serve, make_target: MakeTarget, filters: str, marked: bool
) -> None:
    org = Org(searchable=False)
    people = [f"p{number:02}" for number in range(20)]
    for name in people:
        org.add(userName=f"{name}@example.com", **({"externalId": f"other-{name}"} if marked else {}))
    lists = []

    def script(seen: Seen) -> Reply:
        asks = seen.method == "GET" and seen.path.endswith("/Users")
        if asks and "filter" in seen.query and filters == "refused":
            return problem(400, "invalidFilter")
        if asks and "filter" not in seen.query and seen.query["startIndex"] == "1":
            lists.append(seen)
        return org(seen)

    target = make_target(serve(script).base_url)

    def refused(name: str) -> str:
        with pytest.raises(AlreadyExists) as caught:
            target.create_user(f"00u-{name}", person(name))
        return caught.value.hint

    with ThreadPoolExecutor(4) as pool:
        hints = list(pool.map(refused, people))

    assert len(lists) == 1
    assert [hint.count(f"id-{number} ") for number, hint in enumerate(hints)] == [1] * 20


def test_a_list_of_before_hides_nobody_who_came_since(serve: Serve, make_target: MakeTarget) -> None:
    """Neither who has the name by now, nor who has it no more."""
    org = Org(searchable=False)
    first = org.add(userName="ann@example.com", externalId="other")
    target = make_target(serve(org).base_url)
    with pytest.raises(AlreadyExists):
        target.create_user("00u1", person("ann"))
    first["userName"] = "moved@example.com"
    org.add(userName="ann@example.com", externalId="newer")

    with pytest.raises(AlreadyExists) as caught:
        target.create_user("00u1", person("ann"))

    assert "id-1 (externalId newer)" in caught.value.hint


def test_an_account_of_ours_in_the_list_is_ours_though_its_answer_by_id_shows_no_mark(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = Org(searchable=False)
    for name in ("bob", "ann"):
        org.add(userName=f"{name}@example.com", externalId=f"00u-{name}")

    def script(seen: Seen) -> Reply:
        reply = org(seen)
        alone = seen.method == "GET" and not seen.path.endswith("/Users")
        return Reply(200, {**reply.body, "externalId": None}) if alone else reply

    target = make_target(serve(script).base_url)

    notes = [target.create_user(f"00u-{name}", person(name)).note for name in ("bob", "ann")]

    assert [note.partition(";")[0] for note in notes] == ["existed already with our externalId"] * 2
    assert org.posts == len(org.records) == 2
