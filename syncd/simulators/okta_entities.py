"""What an Okta org is made of, and how each thing looks on the wire.

Shapes follow the Okta Management API pages Applications, Application Users, Application Groups,
Group Push Mappings, Groups, Users and System Log. Entities are mutable: they are the state of a world
that changes while it is served. Profiles are replaced, never changed in place, so that a reply can
be serialised after the lock is released.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.simulators.ids import OrderedIds

Json = dict[str, Any]

USER_STATUSES = frozenset({
    "STAGED", "PROVISIONED", "ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED",
    "DEPROVISIONED",
})  # fmt: skip


def stamp(moment: datetime) -> str:
    """An Okta timestamp: UTC, milliseconds, `Z`. Stamps compare as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def moment(text: str) -> datetime:
    """The moment a stamp names. Raises ValueError if it is none."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def later(previous: str | None, now: str) -> str:
    """`now`, or the first millisecond after `previous` if the clock has not moved since."""
    if previous is None or now > previous:
        return now
    return stamp(moment(previous) + timedelta(milliseconds=1))


@dataclass(slots=True)
class User:
    """A person of the org. `groups` holds the ids of the groups they are in."""

    id: str
    status: str
    profile: Json
    created: str
    last_updated: str
    status_changed: str | None = None
    groups: set[str] = field(default_factory=set)

    @property
    def login(self) -> str:
        """The login, which Okta keeps unique whatever the case."""
        return str(self.profile["login"])

    @property
    def display_name(self) -> str:
        """First and last name, as the System Log writes them."""
        return f"{self.profile.get('firstName') or ''} {self.profile.get('lastName') or ''}".strip()

    def as_json(self, origin: str) -> Json:
        """The User object of the Users API."""
        return {
            "id": self.id,
            "status": self.status,
            "created": self.created,
            "activated": None if self.status == "STAGED" else self.created,
            "statusChanged": self.status_changed,
            "lastLogin": None,
            "lastUpdated": self.last_updated,
            "passwordChanged": None,
            "type": {"id": "oty1gjh63g214q0Hq0g4"},
            "profile": self.profile,
            "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
            "_links": {"self": {"href": f"{origin}/api/v1/users/{self.id}"}},
        }


@dataclass(slots=True)
class Group:
    """A group of the org: OKTA_GROUP, APP_GROUP or BUILT_IN."""

    id: str
    type: str
    profile: Json
    created: str
    last_updated: str
    last_membership_updated: str
    members: OrderedIds = field(default_factory=OrderedIds)

    @property
    def name(self) -> str:
        """The name people see."""
        return str(self.profile["name"])

    def as_json(self, origin: str, *, stats: Json | None = None, app_id: str | None = None) -> Json:
        """The Group object of the Groups API; with `stats` as `expand=stats` embeds them."""
        base = f"{origin}/api/v1/groups/{self.id}"
        links: Json = {"users": {"href": f"{base}/users"}, "apps": {"href": f"{base}/apps"}}
        if self.type == "APP_GROUP" and app_id is not None:
            links["source"] = {"href": f"{origin}/api/v1/apps/{app_id}"}
        record: Json = {
            "id": self.id,
            "created": self.created,
            "lastUpdated": self.last_updated,
            "lastMembershipUpdated": self.last_membership_updated,
            "objectClass": ["okta:user_group"],
            "type": self.type,
            "profile": self.profile,
            "_links": links,
        }
        if stats is not None:
            record["_embedded"] = {"stats": stats}
        return record


@dataclass(slots=True)
class AppUser:
    """One row of the app's user list. `direct` says whether an administrator assigned the person."""

    id: str
    user_name: str
    profile: Json
    direct: bool
    status: str
    created: str
    last_updated: str
    status_changed: str
    sync_state: str = "DISABLED"
    external_id: str | None = None
    group_id: str | None = None

    @property
    def scope(self) -> str:
        """USER for a direct assignment, even where a group assigns as well; GROUP otherwise."""
        return "USER" if self.direct else "GROUP"

    def as_json(self, origin: str, app_id: str, *, group: Group | None, user: User | None) -> Json:
        """The AppUser object; `group` is linked for scope GROUP, `user` is what `expand=user` embeds."""
        links: Json = {
            "app": {"href": f"{origin}/api/v1/apps/{app_id}"},
            "user": {"href": f"{origin}/api/v1/users/{self.id}"},
        }
        if group is not None and not self.direct:
            links["group"] = {"href": f"{origin}/api/v1/groups/{group.id}", "name": group.name}
        record: Json = {
            "id": self.id,
            "externalId": self.external_id,
            "created": self.created,
            "lastUpdated": self.last_updated,
            "scope": self.scope,
            "status": self.status,
            "statusChanged": self.status_changed,
            "passwordChanged": None,
            "syncState": self.sync_state,
            "lastSync": self.last_updated if self.external_id else None,
            "credentials": {"userName": self.user_name},
            "profile": self.profile,
            "_links": links,
        }
        if user is not None:
            record["_embedded"] = {"user": user.as_json(origin)}
        return record


@dataclass(slots=True)
class AppGroup:
    """A group assigned to the app; priority 0 wins."""

    id: str
    priority: int
    last_updated: str
    profile: Json = field(default_factory=dict)

    def as_json(self, origin: str, app_id: str, *, group: Json | None) -> Json:
        """The ApplicationGroupAssignment object; `group` is what `expand=group` embeds."""
        app = f"{origin}/api/v1/apps/{app_id}"
        record: Json = {
            "id": self.id,
            "priority": self.priority,
            "lastUpdated": self.last_updated,
            "profile": self.profile,
            "_links": {
                "app": {"href": app},
                "self": {"href": f"{app}/groups/{self.id}"},
                "group": {"href": f"{origin}/api/v1/groups/{self.id}"},
            },
        }
        if group is not None:
            record["_embedded"] = {"group": group}
        return record


@dataclass(slots=True)
class PushMapping:
    """A group push mapping; its target is an APP_GROUP of the org, not the group at the far end."""

    id: str
    source_group_id: str
    target_group_id: str
    status: str
    created: str
    last_updated: str
    last_push: str | None = None
    error_summary: str = ""

    def as_json(self, origin: str, app_id: str) -> Json:
        """The GroupPushMapping object. Its stamps carry no milliseconds."""
        return {
            "id": self.id,
            "sourceGroupId": self.source_group_id,
            "targetGroupId": self.target_group_id,
            "status": self.status,
            "errorSummary": self.error_summary,
            "lastPush": _seconds(self.last_push),
            "created": _seconds(self.created),
            "lastUpdated": _seconds(self.last_updated),
            "_links": {
                "app": {"href": f"{origin}/api/v1/apps/{app_id}"},
                "sourceGroup": {"href": f"{origin}/api/v1/groups/{self.source_group_id}"},
                "targetGroup": {"href": f"{origin}/api/v1/groups/{self.target_group_id}"},
            },
        }


@dataclass(slots=True)
class App:
    """The application that is provisioned. No features means Okta's own provisioning is off."""

    id: str
    label: str
    name: str
    status: str
    features: tuple[str, ...]
    created: str
    last_updated: str

    def as_json(self, origin: str) -> Json:
        """The Application object, as a custom SAML app shows it."""
        base = f"{origin}/api/v1/apps/{self.id}"
        return {
            "id": self.id,
            "name": self.name,
            "label": self.label,
            "status": self.status,
            "created": self.created,
            "lastUpdated": self.last_updated,
            "features": list(self.features),
            "signOnMode": "SAML_2_0",
            "accessibility": {"selfService": False, "errorRedirectUrl": None, "loginRedirectUrl": None},
            "visibility": {"autoSubmitToolbar": False, "hide": {"iOS": False, "web": False}},
            "credentials": {
                "userNameTemplate": {"template": "${source.email}", "type": "BUILT_IN"},
                "signing": {},
            },
            "settings": {"app": {}, "signOn": {"defaultRelayState": None, "honorForceAuthn": False}},
            "_links": {"users": {"href": f"{base}/users"}, "groups": {"href": f"{base}/groups"}},
        }


def _seconds(text: str | None) -> str | None:
    return None if text is None else text[:19] + "Z"


def target(kind: str, identity: str, alternate: str, display: str) -> Json:
    """One target (or the actor) of a System Log event."""
    return {
        "id": identity,
        "type": kind,
        "alternateId": alternate,
        "displayName": display,
        "detailEntry": None,
    }


def merged(profile: Json, changes: Json) -> Json:
    """A new profile with the changes in it; a None takes the attribute away."""
    return {key: value for key, value in {**profile, **changes}.items() if value is not None}
