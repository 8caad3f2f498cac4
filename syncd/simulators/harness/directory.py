"""People as Harness's first-generation back end keeps them, and how they come into and out of an account."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from syncd.simulators.harness.wire import Service, text_of
from syncd.simulators.split_entities import Json, ScimUser
from syncd.simulators.split_store import SplitStore

_NAME = re.compile("[^:<>=/]{1,255}", re.DOTALL)
LAST_ADMIN = "Cannot remove the last Account Admin of the account"


class MissingPartError(Exception):
    """Harness runs into a null pointer."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a person is to be called; None: as before."""

    display: str | None = None
    given: str | None = None
    family: str | None = None

    @property
    def problem(self) -> str | None:
        """Why Harness does not take them."""
        for text in (self.display, self.given, self.family):
            if text is not None and not is_name(text):
                return f"Name {text!r} is not valid: 1 to 255 characters, none of : < > = /"
        return None


def is_name(text: str) -> bool:
    """Whether Harness takes this as a name of a person."""
    return _NAME.fullmatch(text) is not None


def names_of(body: Json) -> Names:
    """What a body calls a person: `displayName`, else "given family". Raises MissingPartError."""
    display, parts = text_of(body, "displayName"), _parts(body)
    given, family = text_of(parts or {}, "givenName"), text_of(parts or {}, "familyName")
    if not display and parts is not None:
        if given is None or family is None:
            raise MissingPartError
        display = f"{given} {family}"
    return Names((display or "").strip() or None, given or None, family or None)


def first_names_of(body: Json) -> Names:
    """The same for somebody new: without a given name both parts are the display name. Raises MissingPartError."""
    names, parts = names_of(body), _parts(body) or {}
    if text_of(parts, "givenName") is None:
        return Names(names.display, names.display, names.display)
    if text_of(parts, "familyName") is None:
        raise MissingPartError
    return names


def _parts(body: Json) -> Json | None:
    name = body.get("name")
    return name if isinstance(name, dict) else None


def write(world: SplitStore, user: ScimUser, names: Names, *, email: str | None = None) -> bool:
    """Stores what differs, in the directory and in the platform's copy. Whether anything did."""
    attributes = {**user.attributes, "userName": email or user.user_name}
    parts = {"givenName": names.given, "familyName": names.family}
    stored = {part: text for part, text in parts.items() if text is not None}
    if stored:
        attributes["name"] = {**user.attributes.get("name", {}), **stored}
    if names.display is not None:
        attributes["displayName"] = names.display
        world.account.copied_names.pop(user.id, None)
    return world.replace_user(user, attributes, active=user.active)


def enter(world: SplitStore, email: str, names: Names, external_id: str | None) -> ScimUser:
    """Makes somebody a member of the account, under the id they have if another account knows them."""
    known = world.account.known(email)
    display = names.display or email
    if known is None:
        parts = {"givenName": names.given, "familyName": names.family}
        stored = {part: text for part, text in parts.items() if text is not None}
        attributes: Json = {"userName": email, "displayName": display}
        attributes |= {"name": stored} if stored else {}
        attributes |= {"externalId": external_id} if external_id else {}
        identity = secrets.token_urlsafe(16).replace("-", "_")
        return world.insert_user(attributes, active=True, managed=True, identity=identity)
    attributes = {**known.attributes, "displayName": display}
    entered = world.insert_user(attributes, active=known.active, managed=True, identity=known.id)
    world.account.elsewhere[known.id] = entered
    return entered


def come_back(world: SplitStore, record: ScimUser) -> ScimUser:
    """Makes somebody whom the directory still counts to the account a member of it again, as they are."""
    del world.account.half_removed[record.id]
    return world.insert_user(
        record.attributes, active=record.active, managed=record.managed, identity=record.id
    )


def remove(service: Service, user: ScimUser) -> None:
    """Takes somebody out of the account. Their groups hear of it at once, or later."""
    world, lag = service.world, service.knobs.group_removal_lag_seconds
    world.drop_user(user, keep_memberships=lag != 0)
    if lag:
        due = world.clock() + timedelta(seconds=lag) if lag > 0 else None
        world.account.forgetting.append((due, user.id))
    world.account.admins.discard(user.id)
    world.account.copied_names.pop(user.id, None)


def deliver_due_events(world: SplitStore) -> None:
    """Lets groups forget whom they were to forget by now."""
    if not world.account.forgetting:
        return
    now = world.clock()
    due = [identity for moment, identity in world.account.forgetting if moment is not None and moment <= now]
    world.account.forgetting = [each for each in world.account.forgetting if each[1] not in due]
    for identity in due:
        world.forget_member(identity)


def is_last_admin(world: SplitStore, user: str) -> bool:
    """Whether nobody would have the role Account Admin without them."""
    return account_admins(world) == {user}


def account_admins(world: SplitStore, *, without_group: str | None = None) -> set[str]:
    """Who has the role Account Admin, by themselves or by a group."""
    holders = set(world.account.admins)
    for identity in world.account.admin_groups - {without_group}:
        if identity in world.groups:
            holders |= world.groups[identity].members.keys()
    return holders & world.users.keys()


def somebody_has(world: SplitStore, email: str, own: str) -> bool:
    """Whether an e-mail is somebody else's, in any account."""
    outside = (world.account.known(email), world.account.half_known(email))
    ids = {*world.by_name.find(email), *(record.id for record in outside if record is not None)}
    return bool(ids - {own})
