"""Okta worlds as JSON documents: hand-written fixtures in, complete ones out. Format: docs/simulators.md."""

from typing import TYPE_CHECKING, Any

from syncd.simulators.ids import WorldError, check_fixture, fixture_entries, fixture_entry
from syncd.simulators.okta_entities import App, AppGroup, AppUser, Group, Json, PushMapping, User

if TYPE_CHECKING:
    from syncd.simulators.okta_state import OktaState

SCHEMA = "syncd.simulators.okta/1"
LONG_AGO = "2026-01-05T08:00:00.000Z"
_PERSON = ("email", "firstName", "lastName", "login", "displayName")


def load(world: "OktaState", document: Json) -> None:
    """Fills an empty world. Only what matters need be there: ids, stamps and status have defaults.

    Raises WorldError for an unknown schema or section, and for a reference to nobody.
    """
    check_fixture(
        document, "an Okta", SCHEMA, {"schema", "app", "users", "groups", "assignments", "mappings"}
    )
    with fixture_entry("app"):
        _load_app(world, document.get("app", {}))
    for section, load_entry in (
        ("users", _load_user),
        ("groups", _load_group),
        ("assignments", _load_assignment),
        ("mappings", _load_mapping),
    ):
        for place, entry in fixture_entries(document, section):
            with fixture_entry(place):
                load_entry(world, entry)
        if section == "groups":
            for user in list(world.users.values()):
                world.settle(user)
    world.events.clear()


def _load_app(world: "OktaState", entry: Json) -> None:
    world.app = App(
        id=entry.get("id", world.app.id),
        label=entry.get("label", "Split"),
        name=entry.get("name", "myorg_split_1"),
        status=entry.get("status", "ACTIVE"),
        features=tuple(entry.get("features", ())),
        created=entry.get("created", LONG_AGO),
        last_updated=entry.get("lastUpdated", LONG_AGO),
    )


def _load_user(world: "OktaState", entry: Json) -> None:
    given: Json = {key: entry[key] for key in _PERSON if key in entry}
    profile: Json = {"login": entry.get("email"), **given, **entry.get("profile", {})}
    if not profile["login"]:
        raise WorldError(f"a user needs an email or a login: {entry}")
    if world.find_user(profile["login"]) is not None:
        raise WorldError(f"two users have the login {profile['login']}")
    created: str = entry.get("created", LONG_AGO)
    world.store_user(
        User(
            id=entry.get("id") or world.new_id("00u"),
            status=entry.get("status", "ACTIVE"),
            profile=profile,
            created=created,
            last_updated=entry.get("lastUpdated", created),
            status_changed=entry.get("statusChanged"),
        )
    )


def _load_group(world: "OktaState", entry: Json) -> None:
    created: str = entry.get("created", LONG_AGO)
    group = Group(
        id=entry.get("id") or world.new_id("00g"),
        type=entry.get("type", "OKTA_GROUP"),
        profile={"name": entry["name"], "description": entry.get("description"), **entry.get("profile", {})},
        created=created,
        last_updated=entry.get("lastUpdated", created),
        last_membership_updated=entry.get("lastMembershipUpdated", created),
    )
    world.store_group(group)
    for reference in entry.get("members", []):
        user = world.user(reference)
        group.members.add(user.id)
        user.groups.add(group.id)
    if entry.get("assigned"):
        rank = entry.get("priority", len(world.app_groups))
        world.store_app_group(AppGroup(group.id, rank, entry.get("assignedAt", created)))


def _load_assignment(world: "OktaState", entry: Json) -> None:
    user = world.user(entry["user"])
    created: str = entry.get("created", LONG_AGO)
    row = AppUser(
        id=user.id,
        user_name=entry.get("userName") or str(user.profile.get("email") or user.login),
        profile=entry["profile"] if "profile" in entry else world.app_profile(user),
        direct=entry.get("scope", "USER") == "USER",
        status=entry.get("status", "ACTIVE"),
        created=created,
        last_updated=entry.get("lastUpdated", created),
        status_changed=entry.get("statusChanged", created),
        sync_state=entry.get("syncState", "DISABLED"),
        external_id=entry.get("externalId"),
        group_id=world.assigning_group(user),
    )
    world.store_app_user(row)


def _load_mapping(world: "OktaState", entry: Json) -> None:
    created: str = entry.get("created", LONG_AGO)
    world.store_mapping(
        PushMapping(
            id=entry.get("id") or world.new_id("gPm"),
            source_group_id=world.group(entry["group"]).id,
            target_group_id=world.group(entry["target"]).id,
            status=entry.get("status", "ACTIVE"),
            created=created,
            last_updated=entry.get("lastUpdated", created),
            last_push=entry.get("lastPush"),
            error_summary=entry.get("errorSummary", ""),
        )
    )


def dump(world: "OktaState") -> Json:
    """The complete fixture of a world: everything but the System Log."""
    app = world.app
    return {
        "schema": SCHEMA,
        "app": {
            **_identified(app),
            "label": app.label,
            "name": app.name,
            "features": list(app.features),
        },
        "users": [_dump_user(world.users[user]) for user in world.user_ids],
        "groups": [_dump_group(world, world.groups[group]) for group in world.group_ids],
        "assignments": [_dump_assignment(world.app_users[row]) for row in world.app_user_ids],
        "mappings": [_dump_mapping(world.mappings[mapping]) for mapping in world.mapping_ids],
    }


def _stamps(entity: User | Group | AppUser | PushMapping | App) -> Json:
    """When it was made and changed."""
    return {"created": entity.created, "lastUpdated": entity.last_updated}


def _identified(entity: User | PushMapping | App) -> Json:
    """What each of these has."""
    return {"id": entity.id, "status": entity.status, **_stamps(entity)}


def _dump_user(user: User) -> Json:
    return {
        **_identified(user),
        "profile": user.profile,
        "statusChanged": user.status_changed,
    }


def _dump_mapping(mapping: PushMapping) -> Json:
    return {
        **_identified(mapping),
        "group": mapping.source_group_id,
        "target": mapping.target_group_id,
        "errorSummary": mapping.error_summary,
        "lastPush": mapping.last_push,
    }


def _dump_group(world: "OktaState", group: Group) -> Json:
    row = world.app_groups.get(group.id)
    assigned: dict[str, Any] = (
        {} if row is None else {"assigned": True, "priority": row.priority, "assignedAt": row.last_updated}
    )
    return {
        "id": group.id,
        "name": group.name,
        "type": group.type,
        "profile": group.profile,
        "members": list(group.members),
        **_stamps(group),
        "lastMembershipUpdated": group.last_membership_updated,
        **assigned,
    }


def _dump_assignment(row: AppUser) -> Json:
    return {
        "user": row.id,
        **_stamps(row),
        "scope": row.scope,
        "status": row.status,
        "userName": row.user_name,
        "profile": row.profile,
        "externalId": row.external_id,
        "syncState": row.sync_state,
        "statusChanged": row.status_changed,
    }
