"""What administrators and people do in a simulated Okta org, with the stamps and events that follow.

Every act takes users by id or login and groups by id or (unique) name, holds the world's lock while it
runs, and raises WorldError where Okta would refuse. ACTS names those that the control interface offers.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Self

from syncd.simulators import okta_fixture
from syncd.simulators.ids import WorldError, locked
from syncd.simulators.okta_entities import Group, Json, PushMapping, later
from syncd.simulators.okta_past import act
from syncd.simulators.okta_people import OktaPeople
from syncd.simulators.okta_state import utc_now


class OktaWorld(OktaPeople):
    """An Okta org with one app, and everything that can happen to it."""

    ACTS = frozenset({
        "add_user", "delete_user", "set_user_status", "update_profile",
        "assign", "unassign", "set_app_user",
        "create_group", "rename_group", "update_group", "delete_group", "add_member", "remove_member",
        "assign_group", "unassign_group",
        "add_mapping", "set_mapping_status", "remove_mapping",
        "set_app", "late_event", "repeat_event",
    })  # fmt: skip

    # --- groups -------------------------------------------------------------------------------------

    @act
    def create_group(
        self,
        name: str,
        description: str = "",
        *,
        members: Iterable[str] = (),
        assign: bool = False,
        type: str = "OKTA_GROUP",  # noqa: A002 - the name it has in Okta's JSON
    ) -> str:
        """Creates a group, optionally with members and assigned to the app; returns the id."""
        now = self.now()
        profile = {"name": name, "description": description}
        group = Group(self.new_id("00g"), type, profile, now, now, now)
        self.store_group(group)
        self.log("group.lifecycle.create", [self.group_target(group)])
        for user in members:
            self.join(self.user(user), group)
        if assign:
            self.assign_group(group.id)
        return group.id

    @act
    def rename_group(self, group: str, name: str) -> None:
        """Renames a group; its id stays."""
        self.update_group(group, name=name)

    @act
    def update_group(self, group: str, **profile: Any) -> None:
        """Changes a group's profile: `name`, `description`, custom attributes."""
        entity = self.group(group)
        self.forget_group_name(entity)
        self.change_profile(entity, profile)
        self.store_group(entity)
        self.log("group.profile.update", [self.group_target(entity)])

    @act
    def delete_group(self, group: str) -> None:
        """Deletes a group, with its app assignment, its push mappings and everybody's membership."""
        entity = self.group(group)
        for mapping in [m for m in self.mappings.values() if m.target_group_id == entity.id]:
            raise WorldError(f"{entity.name} is the target of push mapping {mapping.id}")
        for mapping in [m for m in self.mappings.values() if m.source_group_id == entity.id]:
            self.remove_mapping(mapping.id)
        people = [self.users[user] for user in entity.members]
        if entity.id in self.app_groups:
            self.unassign_group(entity.id)
        for person in people:
            person.groups.discard(entity.id)
        self.forget_group_name(entity)
        del self.groups[entity.id]
        self.group_ids.discard(entity.id)
        self.log("group.lifecycle.delete", [self.group_target(entity)])

    @act
    def add_member(self, group: str, user: str) -> None:
        """Puts a user into a group; if the group is assigned to the app, so is the user from then on."""
        person = self.user(user)
        if person.status == "DEPROVISIONED":
            raise WorldError(f"{person.login} is DEPROVISIONED")
        self.join(person, self.group(group))

    @act
    def remove_member(self, group: str, user: str) -> None:
        """Takes a user out of a group, and out of the app if nothing else assigns them."""
        self.leave(self.user(user), self.group(group))

    @act
    def unassign_group(self, group: str) -> None:
        """Takes a group from the app; members whom nothing else assigns leave with it."""
        entity = self.group(group)
        if self.app_groups.pop(entity.id, None) is None:
            raise WorldError(f"{entity.name} is not assigned to the app")
        self.app_group_ids.discard(entity.id)
        self.log("group.application_assignment.remove", [self.group_target(entity), self.app_target()])
        for user in entity.members:
            self.settle(self.users[user])

    # --- push mappings, the app, the log ---------------------------------------------------------------

    @act
    def add_mapping(self, group: str, *, target: str | None = None, status: str = "ACTIVE") -> str:
        """Pushes a group to an APP_GROUP called `target` (default: the same name); returns the mapping id."""
        source = self.group(group)
        named = [
            g.id for g in self.groups.values() if g.type == "APP_GROUP" and g.name == (target or source.name)
        ]
        app_group = named[0] if named else self.create_group(target or source.name, type="APP_GROUP")
        now = self.now()
        mapping = PushMapping(self.new_id("gPm"), source.id, app_group, status, now, now, now)
        self.store_mapping(mapping)
        self.log(
            "application.provision.group_push.mapping.created", [self.group_target(source), self.app_target()]
        )
        return mapping.id

    @act
    def set_mapping_status(self, mapping: str, status: str, error: str = "") -> None:
        """ACTIVE, INACTIVE or ERROR (with its summary). Mappings go by id or by source group."""
        entity = self._mapping(mapping)
        entity.status, entity.error_summary = status, error
        entity.last_updated = later(entity.last_updated, self.now())
        verb = "activate_mapping" if status == "ACTIVE" else "deactivate_mapping"
        self._log_mapping(verb, entity)

    @act
    def remove_mapping(self, mapping: str) -> None:
        """Stops pushing a group; the APP_GROUP stays."""
        entity = self._mapping(mapping)
        del self.mappings[entity.id]
        self.mapping_ids.discard(entity.id)
        self._log_mapping("removed", entity)

    @act
    def set_app(
        self, *, status: str | None = None, features: Iterable[str] | None = None, label: str | None = None
    ) -> None:
        """Changes the app: `status` ACTIVE or INACTIVE, `features` such as PUSH_NEW_USERS, `label`."""
        if status is not None and status != self.app.status:
            self.app.status = status
            verb = {"ACTIVE": "activate", "INACTIVE": "deactivate", "DELETED": "delete"}.get(status, "update")
            self.log(f"application.lifecycle.{verb}", [self.app_target()])
        if features is not None:
            self.app.features = tuple(features)
            self.log("application.lifecycle.update", [self.app_target()])
        self.app.label = label or self.app.label
        self.app.last_updated = later(self.app.last_updated, self.now())

    @act
    def late_event(
        self, event_type: str, *, published: str, user: str | None = None, group: str | None = None
    ) -> str:
        """Logs an event now that happened at `published`, as late persistence does; returns its uuid."""
        targets = [self.user_target(self.user(user))] if user else []
        targets += [self.group_target(self.group(group))] if group else []
        return self.log(event_type, [*targets, self.app_target()], published=published)

    @act
    def repeat_event(self, back: int = 1) -> None:
        """Delivers the `back`-th event from the end once more, same uuid."""
        if not 0 < back <= len(self.events):
            raise WorldError(f"the log has {len(self.events)} events")
        self.events.append(type(self.events[0])(self.events[-1].persisted, self.events[-back].body))

    def _mapping(self, reference: str) -> PushMapping:
        found = self.mappings.get(reference)
        if found is None:
            source = self.group(reference).id
            found = next((m for m in self.mappings.values() if m.source_group_id == source), None)
        if found is None:
            raise WorldError(f"no push mapping {reference!r}")
        return found

    def _log_mapping(self, verb: str, mapping: PushMapping) -> None:
        source = self.groups.get(mapping.source_group_id)
        targets = [self.group_target(source)] if source else []
        self.log(f"application.provision.group_push.{verb}", [*targets, self.app_target()])

    # --- fixtures -----------------------------------------------------------------------------------

    @classmethod
    def from_fixture(cls, document: Json, *, clock: Callable[[], datetime] = utc_now) -> Self:
        """The world a fixture describes (docs/simulators.md). Raises WorldError naming what is wrong."""
        world = cls(clock=clock)
        okta_fixture.load(world, document)
        return world

    @locked
    def to_fixture(self) -> Json:
        """The world as a fixture: what `from_fixture` reads, ids and stamps included."""
        return okta_fixture.dump(self)
