"""The endpoints a reader of an Okta org uses, with the limits of the Okta Management API specification."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.simulators.exchange import Call, Reply
from syncd.simulators.filters import Predicate
from syncd.simulators.ids import OrderedIds
from syncd.simulators.okta_entities import AppUser, Group, Json, User
from syncd.simulators.okta_logs import logs
from syncd.simulators.okta_state import OktaState
from syncd.simulators.okta_wire import (
    OWN_GROUPS,
    OktaError,
    OktaKnobs,
    filter_of,
    invalid,
    limit_of,
    not_found,
    page,
)

Handler = Callable[[OktaState, Call, OktaKnobs], Reply]

_APPS = "okta.apps.read"
_GROUPS = "okta.groups.read"
_USERS = "okta.users.read"
_GROUP_FILTERS = frozenset({"id", "type", "lastUpdated", "lastMembershipUpdated"})
_SEARCHED = (*_GROUP_FILTERS, "created", "profile")
_USER_FILTERS = frozenset({
    "id", "status", "lastUpdated", "profile.login", "profile.email", "profile.firstName", "profile.lastName",
})  # fmt: skip
_FILTER_OPERATORS = frozenset({"eq", "gt", "ge", "lt", "le"})
_MAPPING_STATES = frozenset({"ACTIVE", "INACTIVE", "ERROR"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers a path, the scopes it takes, and which of LISTS it is, if any; `of_object`: it is asked by id."""

    handler: Handler
    scopes: tuple[str, ...]
    listed: str | None = None
    of_object: bool = False


def endpoint_for(segments: tuple[str, ...]) -> Endpoint | None:
    """The endpoint of a path below the origin, or None where Okta has none that we simulate."""
    if segments[:2] != ("api", "v1"):
        return None
    match segments[2:]:
        case ("apps",):
            return Endpoint(applications, (_APPS,))
        case ("apps", _):
            return Endpoint(application, (_APPS,))
        case ("apps", _, "users"):
            return Endpoint(app_users, (_APPS,), "app_users")
        case ("apps", _, "users", _):
            return Endpoint(app_user, (_APPS,), of_object=True)
        case ("apps", _, "groups"):
            return Endpoint(app_groups, (_APPS,), "app_groups")
        case ("apps", _, "groups", _):
            return Endpoint(app_group, (_APPS,), of_object=True)
        case ("apps", _, "group-push", "mappings"):
            return Endpoint(mappings, (_APPS, _GROUPS), "mappings")
        case ("apps", _, "group-push", "mappings", _):
            return Endpoint(mapping, (_APPS, _GROUPS))
        case ("groups",):
            return Endpoint(groups, (_GROUPS,), "groups")
        case ("groups", "rules"):
            return Endpoint(group_rules, (_GROUPS,))
        case ("groups", _):
            return Endpoint(group, (_GROUPS,), of_object=True)
        case ("groups", _, "users"):
            return Endpoint(group_users, (_GROUPS,), "members")
        case ("users",):
            return Endpoint(users, (_USERS,), "users")
        case ("users", _):
            return Endpoint(user, (_USERS,), of_object=True)
        case ("users", _, "groups"):
            return Endpoint(user_groups, (_USERS,), OWN_GROUPS)
        case ("logs",):
            return Endpoint(logs, ("okta.logs.read",))
        case _:
            return None


# --- the app ----------------------------------------------------------------------------------------


def _check_app(world: OktaState, call: Call) -> str:
    identity = call.segments[3]
    if identity != world.app.id or world.app.status == "DELETED":
        raise not_found(identity, "AppInstance")
    return identity


def applications(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps: all on one page; of the other apps nothing but this answers"""
    del knobs
    return Reply(payload=[app.as_json(call.origin) for app in (world.app, *world.other_apps)])


def application(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}"""
    del knobs
    _check_app(world, call)
    return Reply(payload=world.app.as_json(call.origin))


def _app_user_json(world: OktaState, call: Call, row: AppUser) -> Json:
    group = world.groups.get(row.group_id) if row.group_id else None
    embedded = world.users.get(row.id) if call.query.get("expand") == "user" else None
    return row.as_json(call.origin, world.app.id, group=group, user=embedded)


def app_users(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/users: limit 1..500 (50), after, q, expand=user"""
    _check_app(world, call)
    limit = limit_of(call, 50, 1, 500)
    q = call.query.get("q", "").lower()
    wanted = (lambda identity: _starts(world, identity, q)) if q else None
    found = page(world.app_user_ids, call, limit, knobs, wanted)
    return found.reply([_app_user_json(world, call, world.app_users[i]) for i in found.ids], call, knobs)


def _starts(world: OktaState, identity: str, q: str) -> bool:
    row, person = world.app_users[identity], world.users.get(identity)
    names = [
        row.user_name,
        *(str(row.profile.get(key) or "") for key in ("givenName", "familyName", "email")),
    ]
    if person is not None:
        names += [str(person.profile.get(key) or "") for key in ("firstName", "lastName", "email")]
    return any(name.lower().startswith(q) for name in names)


def app_user(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/users/{userId}: 404 names the AppInstance, the User or the AppUser"""
    del knobs
    _check_app(world, call)
    identity = call.segments[5]
    if identity not in world.users:
        raise not_found(identity, "User")
    if identity not in world.app_users:
        raise not_found(identity, "AppUser")
    return Reply(payload=_app_user_json(world, call, world.app_users[identity]))


def _app_group_json(world: OktaState, call: Call, identity: str) -> Json:
    embedded = None
    if call.query.get("expand") == "group":
        embedded = world.groups[identity].as_json(call.origin, app_id=world.app.id)
    return world.app_groups[identity].as_json(call.origin, world.app.id, group=embedded)


def app_groups(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/groups: limit 20..200 (20), after, q, expand=group"""
    _check_app(world, call)
    limit = limit_of(call, 20, 20, 200)
    q = call.query.get("q", "").lower()
    wanted = (lambda identity: world.groups[identity].name.lower().startswith(q)) if q else None
    found = page(world.app_group_ids, call, limit, knobs, wanted)
    return found.reply([_app_group_json(world, call, i) for i in found.ids], call, knobs)


def app_group(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/groups/{groupId}"""
    del knobs
    _check_app(world, call)
    identity = call.segments[5]
    if identity not in world.app_groups:
        raise not_found(identity, "ApplicationGroupAssignment" if identity in world.groups else "UserGroup")
    return Reply(payload=_app_group_json(world, call, identity))


def mappings(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/group-push/mappings: limit 1..1000 (100), status, sourceGroupId, lastUpdated"""
    _check_app(world, call)
    limit = limit_of(call, 100, 1, 1000)
    query = call.query
    status, source, since = query.get("status"), query.get("sourceGroupId"), query.get("lastUpdated")
    if status is not None and status not in _MAPPING_STATES:
        raise invalid("status", "The value is not valid.")

    def wanted(identity: str) -> bool:
        row = world.mappings[identity]
        return (
            status in (None, row.status)
            and source in (None, row.source_group_id)
            and (since is None or row.last_updated >= since)
        )

    found = page(world.mapping_ids, call, limit, knobs, wanted)
    return found.reply([world.mappings[i].as_json(call.origin, world.app.id) for i in found.ids], call, knobs)


def mapping(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/apps/{appId}/group-push/mappings/{mappingId}"""
    del knobs
    _check_app(world, call)
    found = world.mappings.get(call.segments[6])
    if found is None:
        raise not_found(call.segments[6], "GroupPushMapping")
    return Reply(payload=found.as_json(call.origin, world.app.id))


# --- groups -----------------------------------------------------------------------------------------


def group_rules(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/groups/rules: limit 1..200 (50), after"""
    limit = limit_of(call, 50, 1, 200)
    if knobs.group_rules is None:
        raise OktaError(403, "E0000006", "You do not have permission to perform the requested action")
    rules = {str(rule["id"]): rule for rule in knobs.group_rules}
    found = page(OrderedIds(rules), call, limit, knobs)
    return found.reply([_rule_json(rules[each], world) for each in found.ids], call, knobs)


def _rule_json(rule: Mapping[str, Any], world: OktaState) -> Json:
    stamp = world.app.created
    return {
        "type": "group_rule",
        "id": rule["id"],
        "status": rule.get("status", "ACTIVE"),
        "name": rule["name"],
        "created": stamp,
        "lastUpdated": stamp,
        "conditions": {
            "people": {"users": {"exclude": list(rule.get("exclude", ()))}, "groups": {"exclude": []}},
            "expression": {"value": rule.get("expression", "true"), "type": "urn:okta:expression:1.0"},
        },
        "actions": {"assignUserToGroups": {"groupIds": list(rule.get("groups", ()))}},
    }


def _group_json(world: OktaState, call: Call, entity: Group) -> Json:
    stats = world.group_stats(entity) if "stats" in call.query.get("expand", "").split(",") else None
    return entity.as_json(call.origin, stats=stats, app_id=world.app.id)


def _group(world: OktaState, identity: str) -> Group:
    entity = world.groups.get(identity)
    if entity is None:
        raise not_found(identity, "UserGroup")
    return entity


def _predicates(query: Mapping[str, str], attributes: frozenset[str]) -> list[Predicate]:
    """What `filter` (by these attributes) and `search` ask for."""
    found = []
    if "filter" in query:
        found.append(filter_of(query["filter"], attributes=attributes, operators=_FILTER_OPERATORS))
    if "search" in query:
        found.append(filter_of(query["search"]))
    return found


def groups(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/groups: limit 1..10000 (10000), after, q (at most 300, no paging), search, filter, expand"""
    query = call.query
    limit = limit_of(call, 10_000, 1, 10_000)
    if q := query.get("q"):
        named = [i for i in world.group_ids if world.groups[i].name.lower().startswith(q.lower())]
        return Reply(payload=[_group_json(world, call, world.groups[i]) for i in named[: min(limit, 300)]])
    predicates = _predicates(query, _GROUP_FILTERS)

    def wanted(identity: str) -> bool:
        record = _searchable_group(world.groups[identity])
        return all(predicate(record) for predicate in predicates)

    found = page(world.group_ids, call, limit, knobs, wanted if predicates else None)
    return found.reply([_group_json(world, call, world.groups[i]) for i in found.ids], call, knobs)


def _searchable_group(entity: Group) -> Json:
    record = entity.as_json("")
    return {key: record[key] for key in _SEARCHED}


def group(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/groups/{groupId}"""
    del knobs
    return Reply(payload=_group_json(world, call, _group(world, call.segments[3])))


def group_users(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/groups/{groupId}/users: limit 1..1000 (1000, or the knob), after"""
    entity = _group(world, call.segments[3])
    found = page(entity.members, call, limit_of(call, knobs.members_limit, 1, knobs.members_limit), knobs)
    return found.reply([world.users[i].as_json(call.origin) for i in found.ids], call, knobs)


# --- users ------------------------------------------------------------------------------------------


def _user(world: OktaState, reference: str) -> User:
    person = world.find_user(reference)
    if person is None:
        raise not_found(reference, "User")
    return person


def users(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/users: limit 1..200 (200; 10 with q), after, q, search, filter.

    Without `search` and `filter`, DEPROVISIONED users are left out.
    """
    query = call.query
    q = query.get("q", "").lower()
    limit = limit_of(call, 10 if q else 200, 1, 200)
    predicates = _predicates(query, _USER_FILTERS)

    def wanted(identity: str) -> bool:
        person = world.users[identity]
        if predicates:
            record = {"id": person.id, "status": person.status, "created": person.created,
                      "lastUpdated": person.last_updated, "profile": person.profile}  # fmt: skip
            return all(predicate(record) for predicate in predicates)
        names = (str(person.profile.get(key) or "") for key in ("firstName", "lastName", "email", "login"))
        return person.status != "DEPROVISIONED" and any(name.lower().startswith(q) for name in names)

    found = page(world.user_ids, call, limit, knobs, wanted)
    return found.reply([world.users[i].as_json(call.origin) for i in found.ids], call, knobs)


def user(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/users/{id or login}"""
    del knobs
    return Reply(payload=_user(world, call.segments[3]).as_json(call.origin))


def user_groups(world: OktaState, call: Call, knobs: OktaKnobs) -> Reply:
    """GET /api/v1/users/{id or login}/groups: every group, on one page"""
    del knobs
    person = _user(world, call.segments[3])
    return Reply(payload=[_group_json(world, call, world.groups[i]) for i in sorted(person.groups)])


def no_endpoint(method: str) -> OktaError:
    """404 for a path Okta lacks, 405 for a method it does not take."""
    return OktaError(404, "E0000008") if method == "GET" else OktaError(405, "E0000022")
