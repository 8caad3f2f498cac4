"""People of a simulated Okta org: what happens to users and to their assignments."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from syncd.simulators.ids import WorldError
from syncd.simulators.okta_entities import USER_STATUSES, AppGroup, Group, Json, User, later
from syncd.simulators.okta_past import Past, act
from syncd.simulators.okta_state import APP_KEYS, OktaState, utc_now

_STATUS_EVENTS = {
    "SUSPENDED": "user.lifecycle.suspend",
    "DEPROVISIONED": "user.lifecycle.deactivate",
    "LOCKED_OUT": "user.account.lock",
    "PASSWORD_EXPIRED": "user.account.expire_password",
    "RECOVERY": "user.account.reset_password",
    "PROVISIONED": "user.lifecycle.activate",
    "STAGED": "user.lifecycle.create",
}
_ACTIVE_EVENTS = {"SUSPENDED": "user.lifecycle.unsuspend", "LOCKED_OUT": "user.account.unlock"}


class OktaPeople(OktaState):
    """The acts on users and on their rows in the app's user list. `past` is how the world was before them."""

    def __init__(self, *, app_id: str | None = None, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(app_id=app_id, clock=clock)
        self.past = Past()

    @act
    def assign_group(self, group: str, *, priority: int | None = None) -> None:
        """Assigns a group to the app; its members follow. Assigning again changes nothing."""
        entity = self.group(group)
        if entity.id in self.app_groups:
            return
        rank = len(self.app_groups) if priority is None else priority
        self.store_app_group(AppGroup(entity.id, rank, self.now()))
        self.log("group.application_assignment.add", [self.group_target(entity), self.app_target()])
        for user in entity.members:
            self.settle(self.users[user])

    # --- people -------------------------------------------------------------------------------------

    @act
    def add_user(
        self,
        email: str,
        first_name: str = "",
        last_name: str = "",
        *,
        login: str | None = None,
        status: str = "ACTIVE",
        assign: bool = False,
        groups: Iterable[str] = (),
        **profile: Any,
    ) -> str:
        """Creates a user, optionally assigned and in groups; returns the id. A taken login is refused."""
        _known_status(status)
        login = login or email
        if self.find_user(login) is not None:
            raise WorldError(f"login: An object with this field already exists: {login}")
        now = self.now()
        whole: Json = {"firstName": first_name, "lastName": last_name, "email": email, "login": login}
        user = User(self.new_id("00u"), status, {**whole, **profile}, now, now, now)
        self.store_user(user)
        self.log("user.lifecycle.create", [self.user_target(user)])
        for everyone in self._built_in():
            self.join(user, everyone)
        for group in groups:
            self.join(user, self.group(group))
        if assign:
            self.assign(user.id)
        return user.id

    @act
    def delete_user(self, user: str) -> None:
        """Deactivates a user, then deletes them for good."""
        person = self.user(user)
        if person.status != "DEPROVISIONED":
            self.set_user_status(person.id, "DEPROVISIONED")
        self.forget_login(person)
        del self.users[person.id]
        self.user_ids.discard(person.id)
        self.log("user.lifecycle.delete.initiated", [self.user_target(person)])
        self.log("user.lifecycle.delete.completed", [self.user_target(person)])

    @act
    def set_user_status(self, user: str, status: str) -> None:
        """Moves a user to a status. DEPROVISIONED takes every assignment and membership with it;
        coming back from there gives none of them back, as in Okta.
        """
        _known_status(status)
        person = self.user(user)
        was = person.status
        if status == was:
            return
        person.status = status
        person.status_changed = person.last_updated = later(person.last_updated, self.now())
        event = _STATUS_EVENTS.get(status) or _ACTIVE_EVENTS.get(was, "user.lifecycle.activate")
        self.log(event, [self.user_target(person)])
        if status == "DEPROVISIONED":
            self.drop_row(person)
            for group in sorted(person.groups):
                self.leave(person, self.groups[group])
        elif was == "DEPROVISIONED":
            for everyone in self._built_in():
                self.join(person, everyone)
        else:
            self.settle(person)

    @act
    def update_profile(self, user: str, *, app: bool = True, directory: bool = True, **profile: Any) -> None:
        """Changes attributes (`firstName`, `lastName`, `email`, `login`, `displayName`, custom ones).

        `directory` changes the user's own profile; `app` the app profile, through Okta's mapping, and
        the app user name when the e-mail moves. App-only attributes (`givenName`...) are app attributes.
        A None takes the attribute away.
        """
        person = self.user(user)
        if directory:
            self._update_directory(person, profile)
        row = self.app_users.get(person.id)
        if not app or row is None:
            return
        mapped = {APP_KEYS.get(key, key): value for key, value in profile.items() if key != "login"}
        if {"firstName", "lastName"} & set(profile) and "displayName" not in profile and directory:
            mapped["displayName"] = self.app_profile(person)["displayName"]
        self.change_profile(row, mapped)
        self.log_assignment("update", person)
        email = profile.get("email")
        if email is not None and email != row.user_name:
            row.user_name = str(email)
            self.log_assignment("change_username", person)

    def _update_directory(self, person: User, profile: Json) -> None:
        login = profile.get("login")
        other = self.find_user(str(login)) if login else None
        if other is not None and other.id != person.id:
            raise WorldError(f"login: An object with this field already exists: {login}")
        self.forget_login(person)
        self.change_profile(person, profile)
        self.store_user(person)
        self.log("user.account.update_profile", [self.user_target(person)])

    # --- assignments --------------------------------------------------------------------------------

    @act
    def assign(self, user: str, *, group: str | None = None, profile: Json | None = None) -> None:
        """Assigns a user directly (`profile` overrides mapped app attributes), or by group: the user
        joins the group, which is assigned to the app first if it was not.
        """
        person = self.user(user)
        if person.status == "DEPROVISIONED":
            raise WorldError(f"{person.login} is DEPROVISIONED: activate first")
        if group is not None:
            through = self.group(group)
            self.assign_group(through.id)
            self.join(person, through)
            return
        row = self.app_users.get(person.id)
        if row is None:
            self.assign_row(person, direct=True, group=self.assigning_group(person), profile=profile)
        elif not row.direct:
            row.direct = True
            row.profile = {**row.profile, **(profile or {})}
            row.last_updated = later(row.last_updated, self.now())
            self.log_assignment("update", person)

    @act
    def unassign(self, user: str, *, everywhere: bool = False) -> None:
        """Takes away a direct assignment; if a group assigns the user too, the row becomes scope GROUP.

        Somebody assigned by groups alone is refused, as in Okta, unless `everywhere`: then they also
        leave the assigned groups.
        """
        person = self.user(user)
        row = self.app_users.get(person.id)
        if row is None:
            raise WorldError(f"{person.login} is not assigned")
        if not row.direct and not everywhere:
            raise WorldError(f"{person.login} is assigned by group: remove_member, or everywhere=true")
        if row.direct:
            row.direct = False
            row.group_id = self.assigning_group(person)
            if row.group_id is None:
                self.drop_row(person)
            else:
                row.last_updated = later(row.last_updated, self.now())
                self.log_assignment("update", person)
        if everywhere:
            for group in sorted(person.groups & set(self.app_groups)):
                self.leave(person, self.groups[group])

    @act
    def set_app_user(self, user: str, **fields: Any) -> None:
        """Sets `status`, `sync_state`, `external_id` or `user_name` of a row to any value at all."""
        unknown = set(fields) - {"status", "sync_state", "external_id", "user_name"}
        row = self.app_users.get(self.user(user).id)
        if row is None or unknown:
            raise WorldError(
                f"{user} is not assigned" if row is None else f"unknown fields {sorted(unknown)}"
            )
        for key, value in fields.items():
            setattr(row, key, value)
        row.last_updated = row.status_changed = later(row.last_updated, self.now())
        self.log_assignment("update", self.user(user))

    def _built_in(self) -> list[Group]:
        return [group for group in self.groups.values() if group.type == "BUILT_IN"]


def _known_status(status: str) -> None:
    if status not in USER_STATUSES:
        raise WorldError(f"unknown user status {status!r}; known: {', '.join(sorted(USER_STATUSES))}")
