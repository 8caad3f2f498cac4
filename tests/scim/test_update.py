"""Changing users: one request where that can be, and never a success that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncd.errors import AlreadyExists, NotFound, PermanentError, TemporaryError
from syncd.scim import wire
from tests.scim.conftest import PATHS, Bench, MakeTarget, person
from tests.scim.scripted import Reply, Script, ScriptedServer, Seen, problem

Serve = Callable[[Script], ScriptedServer]
MakeBench = Callable[..., Bench]
DEPARTMENT = f"{wire.ENTERPRISE}:department"
MEDIA = {"media_type": "application/scim+json"}


class OneUser:
    """A server with one user. `refuses` names the forms it answers with `status`, `ignores` those without effect.

    Forms: combined (several families in one path-less value), pathless, path, filter (a path with a filter),
    remove, patch, put.
    """

    def __init__(
        self,
        *,
        refuses: Sequence[str] = (),
        ignores: Sequence[str] = (),
        status: int = 400,
        hides: Sequence[str] = (),
        silent: bool = False,
        version: str | None = None,
    ) -> None:
        self.user: dict[str, Any] = {
            "id": "u1",
            "schemas": [wire.USER],
            "userName": "ann@example.com",
            "name": {"givenName": "Ann", "familyName": "Test", "middleName": "Foreign"},
            "displayName": "Ann Test",
            "nickName": "Annie",
            "active": True,
            "emails": [
                {"type": "home", "value": "home@example.com"},
                {"type": "work", "value": "ann@example.com", "primary": True},
            ],
        }
        self.refuses, self.ignores, self.status = refuses, ignores, status
        self.hides, self.silent, self.version = hides, silent, version
        self.patches: list[Any] = []
        self.puts: list[Seen] = []
        self.conflicts = 0

    def shown(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.user.items() if key not in self.hides}
        return {**shown, "meta": {"version": self.version}} if self.version else shown

    def __call__(self, seen: Seen) -> Reply:
        if seen.path.endswith("/ServiceProviderConfig"):
            return Reply(200, {"etag": {"supported": True}, "patch": {"supported": True}})
        if not seen.path.endswith("/u1"):
            return problem(404)
        if seen.method == "GET":
            return Reply(200, self.shown())
        if seen.method == "PUT":
            return self._put(seen)
        return self._patch(seen)

    def _put(self, seen: Seen) -> Reply:
        self.puts.append(seen)
        if "put" in self.refuses:
            return problem(405)
        if self.conflicts:
            self.conflicts -= 1
            return problem(412)
        if "put" not in self.ignores:
            self.user = {**seen.body, "id": "u1"}
        return Reply(204) if self.silent else Reply(200, self.shown())

    def _patch(self, seen: Seen) -> Reply:
        if "patch" in self.refuses:
            return problem(self.status)
        self.patches.append(seen.body)
        for operation in seen.body["Operations"]:
            forms = self._forms(operation)
            if forms & set(self.refuses):
                return problem(self.status, "invalidPath")
            if not forms & set(self.ignores):
                self._apply(operation)
        return Reply(204) if self.silent else Reply(200, self.shown())

    def _forms(self, operation: dict[str, Any]) -> set[str]:
        path = operation.get("path")
        if operation["op"] == "remove":
            return {"remove"}
        if path is None:
            return {"pathless"} | ({"combined"} if len(operation["value"]) > 1 else set())
        return {"path"} | ({"filter"} if "[" in path else set())

    def _apply(self, operation: dict[str, Any]) -> None:
        values = (
            operation.get("value") if "path" not in operation else {operation["path"]: operation.get("value")}
        )
        assert isinstance(values, dict)
        for path, value in values.items():
            if operation["op"] == "remove":
                self.user.pop(path, None)
            elif path == 'emails[type eq "work"].value':
                next(entry for entry in self.user["emails"] if entry["type"] == "work")["value"] = value
            elif "." in path and not path.startswith("urn"):
                holder, _, name = path.partition(".")
                self.user[holder][name] = value
            elif path.startswith(f"{wire.ENTERPRISE}:"):
                self.user.setdefault(wire.ENTERPRISE, {})[path.rpartition(":")[2]] = value
            elif operation["op"] == "add" and isinstance(value, list):
                self.user[path] = [*self.user.get(path, []), *value]
            else:
                self.user[path] = value


def update(
    org: OneUser, serve: Serve, make_target: MakeTarget, after: dict[str, Any], **options: Any
) -> tuple[Any, ScriptedServer]:
    before = {text: wire.read(org.user, wire.parse_path(text)) for text in after}
    whole = {**person("ann"), **{text: value for text, value in after.items() if value is not None}}
    server = serve(org)
    target = make_target(
        server.base_url, **{"learned": MEDIA, "attribute_paths": (*PATHS, "title", DEPARTMENT), **options}
    )
    return target.update_user("u1", before, after, whole), server


EVERYTHING: dict[str, Any] = {
    "userName": "bea@example.com",
    "name.givenName": "Bea",
    "displayName": "Bea Test",
    "emails[work].value": "bea@example.com",
    "active": False,
}


def assert_is_everything(user: dict[str, Any]) -> None:
    assert {text: wire.read(user, wire.parse_path(text)) for text in EVERYTHING} == EVERYTHING
    assert user["nickName"] == "Annie"
    assert {"type": "home", "value": "home@example.com"} in user["emails"]
    assert user["name"]["familyName"] == "Test"


def test_a_whole_change_is_one_request(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser()

    applied, server = update(org, serve, make_target, EVERYTHING)

    assert server.lines == ["PATCH /Users/u1"]
    assert (applied.scim_id, applied.status, applied.verified) == ("u1", 200, True)
    assert_is_everything(org.user)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("status", [400, 501, 500])
@pytest.mark.parametrize(
    "refuses",
    [("combined",), ("pathless",), ("filter",), ("path",), ("pathless", "filter"), ("pathless", "path")],
    ids=",".join,
)
def test_a_refused_form_falls_back_until_one_works(
    refuses: tuple[str, ...], status: int, silent: bool, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(refuses=refuses, status=status, silent=silent)

    applied, _ = update(org, serve, make_target, EVERYTHING)

    assert applied.verified
    assert_is_everything(org.user)
    assert refuses == ("pathless", "path") or not org.puts


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize(
    "ignores", [("combined",), ("pathless",), ("filter",), ("pathless", "path")], ids=",".join
)
def test_an_accepted_form_without_effect_falls_back_until_one_works(
    ignores: tuple[str, ...], silent: bool, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(ignores=ignores, silent=silent)

    applied, _ = update(org, serve, make_target, EVERYTHING)

    assert applied.verified
    assert_is_everything(org.user)


def test_what_worked_is_remembered_so_that_the_next_change_is_one_request(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(ignores=("pathless",), silent=True)
    server = serve(org)
    target = make_target(server.base_url)
    target.update_user("u1", {"displayName": "Ann Test"}, {"displayName": "B"})
    server.forget()

    target.update_user("u1", {"displayName": "B"}, {"displayName": "C"})
    later = make_target(server.base_url, learned=target.learned())
    later.update_user("u1", {"displayName": "C"}, {"displayName": "D"})

    assert server.lines == ["PATCH /Users/u1", "PATCH /Users/u1"]
    assert org.user["displayName"] == "D"


def test_an_answer_without_body_is_read_back_once_and_then_trusted(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(OneUser(silent=True))
    target = make_target(server.base_url)

    for name in ("B", "C"):
        assert target.update_user("u1", {"displayName": "A"}, {"displayName": name}).verified

    assert server.lines == ["PATCH /Users/u1", "GET /Users/u1", "PATCH /Users/u1"]


@pytest.mark.parametrize("method", ["auto", "patch", "put"])
def test_what_the_server_never_stores_is_an_error_and_no_success(
    method: str, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(ignores=("pathless", "path", "put"))

    with pytest.raises(PermanentError, match="accepts but does not store displayName"):
        update(org, serve, make_target, {"displayName": "B"}, update_method=method)

    assert len(org.patches) == (0 if method == "put" else 3)
    assert len(org.puts) == (0 if method == "patch" else 1)


def test_what_the_server_never_shows_is_accepted_as_unverified_and_asked_only_once(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(hides=("title",))
    server = serve(org)
    target = make_target(server.base_url)

    first = target.update_user("u1", {"title": None}, {"title": "T"})
    server.forget()
    second = target.update_user("u1", {"title": "T"}, {"title": "U", "displayName": "B"})

    assert (first.verified, second.verified) == (False, False)
    assert "title" in first.note
    assert server.lines == ["PATCH /Users/u1"]
    assert org.user["title"] == "U"


def test_an_extension_is_set_by_whichever_form_works(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(ignores=("pathless",))

    applied, _ = update(org, serve, make_target, {DEPARTMENT: "HR"})

    assert applied.verified
    assert org.user[wire.ENTERPRISE] == {"department": "HR"}


@pytest.mark.parametrize("refuses", [(), ("remove",)])
def test_a_dropped_attribute_is_removed(
    refuses: tuple[str, ...], serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(refuses=refuses)

    applied, _ = update(org, serve, make_target, {"displayName": None})

    assert applied.verified
    assert "displayName" not in org.user


def test_without_the_whole_the_siblings_are_read_first(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser()
    server = serve(org)

    make_target(server.base_url).update_user("u1", {"name.givenName": "Ann"}, {"name.givenName": "Bea"})

    assert server.lines == ["GET /Users/u1", "PATCH /Users/u1"]
    value = org.patches[0]["Operations"][0]["value"]
    assert value == {"name": {"givenName": "Bea", "familyName": "Test"}}


def test_an_unknown_before_reads_the_list_instead_of_adding_a_second_entry(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()

    make_target(serve(org).base_url).update_user("u1", {}, {"emails[work].value": "b@example.com"})

    assert [entry["value"] for entry in org.user["emails"]] == ["home@example.com", "b@example.com"]


def test_a_server_with_put_only_is_known_after_one_refusal(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(refuses=("patch",), status=405)
    server = serve(org)
    target = make_target(server.base_url)

    target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})
    target.update_user("u1", {"displayName": "B"}, {"displayName": "C"})

    assert [line.split()[0] for line in server.lines] == ["PATCH", "GET", "PUT", "GET", "PUT"]
    assert target.learned()["update_method"] == "put"
    assert all(seen.body["active"] is True for seen in org.puts)
    assert org.user["nickName"] == "Annie"


def test_a_server_without_a_route_for_patch_is_not_taken_for_a_missing_user(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(refuses=("patch",), status=404)

    applied, _ = update(org, serve, make_target, {"displayName": "B"})

    assert applied.verified
    assert org.user["displayName"] == "B"


def test_an_added_entry_is_not_added_again_when_the_answer_is_lost(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    lost = [Reply(drop=True)]

    def script(seen: Seen) -> Reply:
        reply = org(seen)
        return lost.pop() if lost and seen.method == "PATCH" else reply

    target = make_target(serve(script).base_url, attribute_paths=("phoneNumbers[mobile].value",))
    applied = target.update_user(
        "u1", {"phoneNumbers[mobile].value": None}, {"phoneNumbers[mobile].value": "+1-201-555-0123"}
    )

    assert applied.verified
    assert org.user["phoneNumbers"] == [{"type": "mobile", "value": "+1-201-555-0123"}]


def test_configuration_overrules_what_was_learned(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(refuses=("patch",), status=405)

    with pytest.raises(PermanentError, match="405"):
        update(
            org,
            serve,
            make_target,
            {"displayName": "B"},
            update_method="patch",
            learned={"update_method": "put"},
        )

    assert not org.puts


def test_a_server_whose_patch_answers_404_for_a_user_that_is_there_is_put_only(
    serve: Serve, make_target: MakeTarget
) -> None:
    site = OneUser(refuses=["patch"], status=404)
    target = make_target(serve(site).base_url)

    applied = target.update_user("u1", {"name.givenName": "Ann"}, {"name.givenName": "Anna"})

    assert applied.scim_id == "u1"
    assert site.user["name"]["givenName"] == "Anna"
    assert target.learned()["update_method"] == "put"


class Gateway:
    """In front of a server: answers `method` with 404 as long as it is `astray`, whatever is behind it."""

    def __init__(self, site: Callable[[Seen], Reply], *methods: str, status: int = 404) -> None:
        self.site, self.methods, self.status, self.astray = site, methods, status, True

    def __call__(self, seen: Seen) -> Reply:
        if self.astray and seen.method in self.methods:
            return Reply(self.status, "<html>404 page not found</html>")
        return self.site(seen)


@pytest.mark.parametrize("status", [404, 410])
def test_a_patch_that_goes_astray_once_is_sent_as_put_and_patch_stays_what_works(
    status: int, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    gate = Gateway(org, "PATCH", status=status)
    gate.astray = False
    server = serve(gate)
    target = make_target(server.base_url)
    target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})
    gate.astray = True
    server.forget()

    applied = target.update_user("u1", {"displayName": "B"}, {"displayName": "C"})

    assert (applied.scim_id, org.user["displayName"]) == ("u1", "C")
    assert [line.split()[0] for line in server.lines] == ["PATCH", "GET", "GET", "PUT"]
    gate.astray = False
    server.forget()
    target.update_user("u1", {"displayName": "C"}, {"displayName": "D"})
    assert server.lines == ["PATCH /Users/u1"]


@pytest.mark.parametrize(
    ("method", "astray"),
    [("patch", ["PATCH"]), ("put", ["PUT"]), ("auto", ["PATCH", "PUT"])],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize("learned", [{}, {"update_method": "patch"}, {"update_method": "put"}], ids=str)
def test_a_user_who_can_be_read_is_never_called_gone_whatever_a_write_answers(
    method: str, astray: list[str], learned: dict[str, str], serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    target = make_target(serve(Gateway(org, *astray)).base_url, update_method=method, learned=learned)

    with pytest.raises(TemporaryError, match="but the user is there") as caught:
        target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})
    with pytest.raises(TemporaryError, match="but the user is there"):
        target.deactivate_user("u1")

    assert caught.value.status == 404
    assert org.user["active"] is True


def test_a_put_that_is_not_there_any_more_sends_the_next_change_as_patch(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    target = make_target(serve(Gateway(org, "PUT")).base_url, learned={"update_method": "put"})
    with pytest.raises(TemporaryError):
        target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})

    target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})

    assert org.user["displayName"] == "B"


@pytest.mark.parametrize("astray", ["GET", "PUT"])
def test_a_put_or_its_read_that_goes_astray_once_is_asked_again(
    astray: str, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    lost = [Reply(404)]
    server = serve(lambda seen: lost.pop() if lost and seen.method == astray else org(seen))
    target = make_target(server.base_url, update_method="put")

    assert target.deactivate_user("u1").scim_id == "u1"
    assert org.user["active"] is False


def test_a_first_patch_that_goes_astray_teaches_put_only_once_put_worked(
    serve: Serve, make_target: MakeTarget
) -> None:
    gate = Gateway(OneUser(), "PATCH", "PUT")
    target = make_target(serve(gate).base_url)
    with pytest.raises(TemporaryError):
        target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})

    assert "update_method" not in target.learned()


def test_a_user_who_cannot_be_read_is_not_called_gone(serve: Serve, make_target: MakeTarget) -> None:
    server = serve(lambda seen: Reply(503) if seen.method == "GET" else problem(404))

    with pytest.raises(TemporaryError):
        make_target(server.base_url).update_user("u1", {"displayName": "A"}, {"displayName": "B"})


def test_a_user_who_seems_gone_right_after_taking_a_change_is_asked_again_later(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(lambda seen: problem(404) if seen.method == "GET" else Reply(204))

    with pytest.raises(TemporaryError, match="just after"):
        make_target(server.base_url).update_user("u1", {"displayName": "A"}, {"displayName": "B"})


def test_a_put_of_an_inactive_user_keeps_it_inactive(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser()
    org.user["active"] = False

    update(org, serve, make_target, {"displayName": "B"}, update_method="put")

    assert org.puts[0].body["active"] is False


@pytest.mark.parametrize("version", ['"v1"', 'W/"v1"'])
def test_a_version_is_sent_with_if_match_as_it_came_and_412_reads_again(
    version: str, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(version=version)
    org.conflicts = 1

    applied, server = update(org, serve, make_target, {"displayName": "B"}, update_method="put")

    assert applied.verified
    assert [seen.headers.get("If-Match") for seen in org.puts] == [version, version]
    assert server.lines.count("GET /Users/u1") == 2


@pytest.mark.parametrize("version", ["v1", 'w/"v1"', '"v 1"', None])
def test_a_version_that_is_no_entity_tag_is_not_sent(
    version: str | None, serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser(version=version)

    update(org, serve, make_target, {"displayName": "B"}, update_method="put")

    assert "If-Match" not in org.puts[0].headers


def test_a_412_that_stays_is_an_error(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(version='"v1"')
    org.conflicts = 5

    with pytest.raises(PermanentError, match="412"):
        update(org, serve, make_target, {"displayName": "B"}, update_method="put")

    assert [seen.headers.get("If-Match") for seen in org.puts] == ['"v1"', '"v1"', None, None]


def test_a_user_who_is_gone_is_not_found(bench: MakeBench) -> None:
    with pytest.raises(NotFound):
        bench().target.update_user("nobody", {"displayName": "A"}, {"displayName": "B"})


def test_a_name_that_is_taken_is_a_conflict_without_fallback(bench: MakeBench) -> None:
    made = bench()
    ann, _ = made.people("ann", "bob")

    with pytest.raises(AlreadyExists):
        made.target.update_user(ann, {"userName": "ann@example.com"}, {"userName": "bob@example.com"})

    assert made.spent() == ["PATCH 409"]


def test_a_value_that_is_refused_is_a_permanent_error_with_the_servers_words(
    serve: Serve, make_target: MakeTarget
) -> None:
    server = serve(lambda _seen: problem(400, "invalidValue", "title is too long"))

    with pytest.raises(PermanentError, match="title is too long"):
        make_target(server.base_url, update_method="patch").update_user("u1", {"title": "a"}, {"title": "b"})


def test_a_server_in_trouble_is_temporary_once_the_form_is_known(
    serve: Serve, make_target: MakeTarget
) -> None:
    org = OneUser()
    trouble = False
    server = serve(lambda seen: Reply(500) if trouble else org(seen))
    target = make_target(server.base_url)
    target.update_user("u1", {"displayName": "A"}, {"displayName": "B"})
    trouble = True
    server.forget()

    with pytest.raises(TemporaryError):
        target.update_user("u1", {"displayName": "B"}, {"displayName": "C"})

    assert server.lines == ["PATCH /Users/u1"] * 3 + ["GET /Users/u1"] * 3, "the last 500 is looked into"


def test_a_server_that_lowers_names_is_told_and_not_fought(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser()
    server = serve(
        lambda seen: (
            Reply(200, {**org.user, "userName": "bea@example.com"}) if seen.method == "PATCH" else org(seen)
        )
    )

    applied = make_target(server.base_url).update_user(
        "u1", {"userName": "a"}, {"userName": "Bea@Example.com"}
    )

    assert "letter case" in applied.note
    assert server.lines == ["PATCH /Users/u1"]


@pytest.mark.parametrize("method", ["auto", "put"])
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"patch_204": True},
        {"patch_users": False},
        {"pathless_ignored": True},
        {"put_without_active_drops": True},
    ],
    ids=str,
)
def test_deactivation_and_return_work_on_every_kind_of_server(
    method: str, knobs: dict[str, Any], bench: MakeBench
) -> None:
    made = bench({"update_method": method}, **knobs)
    (ann,) = made.people("ann")

    gone = made.target.deactivate_user(ann)
    inactive = made.world.users[ann].active
    back = made.target.update_user(ann, {"active": False}, {"active": True})

    assert (gone.scim_id, inactive) == (ann, False)
    assert back.verified
    assert made.world.users[ann].active


def test_deactivation_sends_a_json_boolean_without_a_path(bench: MakeBench) -> None:
    made = bench()
    (ann,) = made.people("ann")

    made.target.deactivate_user(ann)

    (request,) = made.simulator.requests
    assert request.method == "PATCH"
    assert '"Operations": [{"op": "replace", "value": {"active": false}}]' in str(request.body) or (
        isinstance(request.body, dict)
        and request.body["Operations"] == [{"op": "replace", "value": {"active": False}}]
    )


def test_on_harness_a_deactivated_user_is_gone(bench: MakeBench) -> None:
    made = bench(flavor="harness")
    (ann,) = made.people("ann")

    applied = made.target.deactivate_user(ann)

    assert applied.scim_id is None
    assert ann not in made.world.users


def test_a_user_who_is_already_gone_is_deactivated(bench: MakeBench) -> None:
    applied = bench().target.deactivate_user("nobody")

    assert (applied.scim_id, applied.note) == (None, "the user was already gone")


def test_a_server_that_keeps_the_user_active_is_an_error(serve: Serve, make_target: MakeTarget) -> None:
    org = OneUser(ignores=("pathless", "path", "put"))

    with pytest.raises(PermanentError, match="does not store active"):
        make_target(serve(org).base_url).deactivate_user("u1")


def test_nothing_to_change_is_no_request(bench: MakeBench) -> None:
    made = bench()

    assert made.target.update_user("u1", {}, {}).scim_id == "u1"
    assert made.spent() == []


def test_one_user_whose_patch_is_answered_405_does_not_take_patch_from_everybody(bench: MakeBench) -> None:
    made = bench()
    ann, bob = made.people("ann", "bob")
    made.target.update_user(ann, {"displayName": "Ann Test"}, {"displayName": "A"})
    made.simulator.faults.add("status", method="PATCH", path=f"/Users/{bob}", count=-1, status=405)

    made.target.update_user(bob, {"displayName": "Bob Test"}, {"displayName": "B"})
    made.spent()
    made.target.update_user(ann, {"displayName": "A"}, {"displayName": "AA"})

    assert made.world.users[bob].attributes["displayName"] == "B"
    assert made.spent() == ["PATCH 200"]
