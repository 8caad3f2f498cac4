"""The state of a simulated Okta org: entities, look-ups, System Log, and who is assigned why."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from syncd.simulators.ids import OrderedIds, WorldError, locked, okta_id
from syncd.simulators.okta_entities import (
    App,
    AppGroup,
    AppUser,
    Group,
    Json,
    PushMapping,
    User,
    later,
    merged,
    moment,
    stamp,
    target,
)
from syncd.simulators.okta_events import LogEvent, display_message

PROVISIONING = "PUSH_NEW_USERS"
_FIRST_NUMBER = 7 * 62**5
APP_KEYS = {
    "email": "email",
    "firstName": "givenName",
    "lastName": "familyName",
    "displayName": "displayName",
}


def utc_now() -> datetime:
    """The default clock of a world."""
    return datetime.now(UTC)


class OktaState:
    """Entities by id, with the indexes the endpoints need. Take `lock` to read several at once.

    `users`, `groups`, `app_users`, `app_groups`, `mappings` are dicts by id; `events` is the System
    Log in the order in which events became visible.
    """

    def __init__(self, *, app_id: str | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.app_users: dict[str, AppUser] = {}
        self.app_groups: dict[str, AppGroup] = {}
        self.mappings: dict[str, PushMapping] = {}
        self.events: list[LogEvent] = []
        self.heard: Callable[[LogEvent], None] | None = None
        """Hears of each event as it happens, under the lock."""
        self.user_ids = OrderedIds()
        self.group_ids = OrderedIds()
        self.app_user_ids = OrderedIds()
        self.app_group_ids = OrderedIds()
        self.mapping_ids = OrderedIds()
        self._by_login: dict[str, str] = {}
        self._by_group_name: dict[str, list[str]] = {}
        self._next = 1
        self._given: set[str] = set()
        """Ids of users, groups and mappings, also of those that went."""
        now = self.now()
        self.app = App(app_id or self.new_id("0oa"), "Split", "myorg_split_1", "ACTIVE", (), now, now)
        self.other_apps: list[App] = []

    # --- ids and time -------------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """The next id with that prefix; ids of one prefix sort by age. None is given twice, nor is one that a
        fixture gave, whatever became of its object.
        """
        while True:
            self._next += 1
            identity = okta_id(prefix, _FIRST_NUMBER + self._next)
            if identity not in self._given:
                return identity

    def now(self) -> str:
        """The stamp of this moment."""
        return stamp(self.clock())

    # --- look-ups -----------------------------------------------------------------------------------

    def find_user(self, reference: str) -> User | None:
        """A user by id or login (in any case), or None."""
        user = self.users.get(reference)
        if user is None:
            user = self.users.get(self._by_login.get(reference.lower(), ""))
        return user

    @locked
    def user(self, reference: str) -> User:
        """A user by id or login. Raises WorldError if there is none."""
        user = self.find_user(reference)
        if user is None:
            raise WorldError(f"no user {reference!r}")
        return user

    @locked
    def group(self, reference: str) -> Group:
        """A group by id or name, where an APP_GROUP steps back behind an org group of the same name.

        Raises WorldError if there is none, or several.
        """
        group = self.groups.get(reference)
        if group is not None:
            return group
        named = [self.groups[identity] for identity in self._by_group_name.get(reference, [])]
        chosen = [entity for entity in named if entity.type != "APP_GROUP"] or named
        if len(chosen) != 1:
            raise WorldError(f"{len(chosen)} groups are called {reference!r}; use an id")
        return chosen[0]

    def group_stats(self, group: Group) -> Json:
        """What `expand=stats` embeds for one group."""
        pushes = sum(1 for mapping in self.mappings.values() if mapping.source_group_id == group.id)
        return {
            "usersCount": len(group.members),
            "appsCount": int(group.id in self.app_groups),
            "groupPushMappingsCount": pushes,
            "hasAdminPrivilege": False,
        }

    # --- raw storage, used by acts, generator and fixtures --------------------------------------------

    def store_user(self, user: User) -> None:
        """Adds or replaces a user and indexes their login."""
        self.users[user.id] = user
        self._given.add(user.id)
        self.user_ids.add(user.id)
        self._by_login[user.login.lower()] = user.id

    def forget_login(self, user: User) -> None:
        """Takes a login out of the index, before it changes or its user goes."""
        self._by_login.pop(user.login.lower(), None)

    def store_group(self, group: Group) -> None:
        """Adds or replaces a group and indexes its name."""
        self.groups[group.id] = group
        self._given.add(group.id)
        self.group_ids.add(group.id)
        named = self._by_group_name.setdefault(group.name, [])
        if group.id not in named:
            named.append(group.id)

    def forget_group_name(self, group: Group) -> None:
        """Takes a name out of the index, before it changes or its group goes."""
        named = self._by_group_name.get(group.name, [])
        if group.id in named:
            named.remove(group.id)

    def store_app_user(self, row: AppUser) -> None:
        """Adds or replaces a row of the app's user list."""
        self.app_users[row.id] = row
        self.app_user_ids.add(row.id)

    def store_app_group(self, row: AppGroup) -> None:
        """Adds or replaces a row of the app's group list."""
        self.app_groups[row.id] = row
        self.app_group_ids.add(row.id)

    def store_mapping(self, mapping: PushMapping) -> None:
        """Adds or replaces a push mapping."""
        self.mappings[mapping.id] = mapping
        self._given.add(mapping.id)
        self.mapping_ids.add(mapping.id)

    # --- System Log -----------------------------------------------------------------------------------

    @locked
    def log(self, event_type: str, targets: list[Json], *, published: str | None = None) -> str:
        """Appends an event; its uuid is returned.

        A `published` in the past is an event that Okta persisted late: polling shows it where it was
        persisted, a bounded query sorts it where it happened.
        """
        persisted = self.now()
        if self.events:
            persisted = max(persisted, self.events[-1].persisted)
        event: Json = {
            "uuid": str(uuid.uuid4()),
            "published": published or persisted,
            "eventType": event_type,
            "version": "0",
            "severity": "INFO",
            "legacyEventType": None,
            "displayMessage": display_message(event_type),
            "actor": target("User", "00uadmin000000000000", "admin@example.com", "Org Admin"),
            "client": None,
            "authenticationContext": {"externalSessionId": "unknown"},
            "outcome": {"result": "SUCCESS", "reason": None},
            "target": targets,
            "transaction": {"type": "JOB", "id": f"Wij-{len(self.events):016d}", "detail": {}},
            "debugContext": {"debugData": {}},
        }
        self.events.append(LogEvent(persisted, event))
        if self.heard is not None:
            self.heard(self.events[-1])
        return str(event["uuid"])

    def user_target(self, user: User) -> Json:
        """A user as the target of an event."""
        return target("User", user.id, user.login, user.display_name)

    def group_target(self, group: Group) -> Json:
        """A group as the target of an event."""
        return target("UserGroup", group.id, "unknown", group.name)

    def app_target(self) -> Json:
        """The app as the target of an event."""
        return target("AppInstance", self.app.id, self.app.label, self.app.label)

    def log_assignment(self, verb: str, user: User) -> None:
        """`application.user_membership.<verb>` with its three targets: AppUser, AppInstance, User."""
        row = target("AppUser", "0ua" + user.id[3:], user.login, user.display_name)
        self.log(f"application.user_membership.{verb}", [row, self.app_target(), self.user_target(user)])

    # --- who is assigned, and why ---------------------------------------------------------------------

    def app_profile(self, user: User) -> Json:
        """The app profile Okta maps from a user's own profile."""
        profile = {mapped: user.profile.get(key) for key, mapped in APP_KEYS.items()}
        profile["displayName"] = profile["displayName"] or user.display_name
        return profile

    def assigning_group(self, user: User) -> str | None:
        """The assigned group of highest priority that the user is in, or None."""
        if user.status in {"STAGED", "DEPROVISIONED"}:
            return None
        rows = [self.app_groups[group] for group in user.groups if group in self.app_groups]
        return min(rows, key=lambda row: (row.priority, row.id)).id if rows else None

    def settle(self, user: User) -> None:
        """Gives or takes the app after the user's groups, status or the app's groups moved."""
        row = self.app_users.get(user.id)
        group = self.assigning_group(user)
        now = self.now()
        if row is None:
            if group is not None:
                self.assign_row(user, direct=False, group=group)
        elif not row.direct and group is None:
            self.drop_row(user)
        elif row.group_id != group:
            was = row.scope, row.group_id
            row.group_id = group
            if (row.scope, None if row.direct else row.group_id) != (was[0], None if row.direct else was[1]):
                row.last_updated = later(row.last_updated, now)
                self.log_assignment("update", user)

    def assign_row(self, user: User, *, direct: bool, group: str | None, profile: Json | None = None) -> None:
        """Adds a row to the app's user list and says so in the log."""
        now = self.now()
        status = "PROVISIONED" if PROVISIONING in self.app.features else "ACTIVE"
        mapped = {**self.app_profile(user), **(profile or {})}
        name = str(user.profile.get("email") or user.login)
        row = AppUser(user.id, name, mapped, direct, status, now, now, now, group_id=group)
        self.store_app_user(row)
        self.log_assignment("add", user)

    def drop_row(self, user: User) -> None:
        """Takes a row from the app's user list and says so in the log."""
        if self.app_users.pop(user.id, None) is not None:
            self.app_user_ids.discard(user.id)
            self.log_assignment("remove", user)

    def change_profile(self, entity: User | Group | AppUser, changes: Json) -> None:
        """Merges the changes into its profile, and stamps it."""
        entity.profile = merged(entity.profile, changes)
        entity.last_updated = later(entity.last_updated, self.now())

    def join(self, user: User, group: Group) -> bool:
        """Puts a user into a group; False if they were in it."""
        if not group.members.add(user.id):
            return False
        user.groups.add(group.id)
        return self._membership_changed("add", user, group)

    def leave(self, user: User, group: Group) -> bool:
        """Takes a user out of a group; False if they were not in it."""
        if not group.members.discard(user.id):
            return False
        user.groups.discard(group.id)
        return self._membership_changed("remove", user, group)

    def _membership_changed(self, how: str, user: User, group: Group) -> bool:
        """Stamps and logs what happened; True, for it did."""
        group.last_membership_updated = later(group.last_membership_updated, self.now())
        if group.type != "BUILT_IN":
            self.log(f"group.user_membership.{how}", [self.user_target(user), self.group_target(group)])
        self.settle(user)
        return True

    def events_since(self, since: str) -> int:
        """The position of the first event persisted at or after `since`. Raises ValueError for no stamp."""
        wanted = stamp(moment(since))
        low, high = 0, len(self.events)
        while low < high:
            middle = (low + high) // 2
            if self.events[middle].persisted < wanted:
                low = middle + 1
            else:
                high = middle
        return low
