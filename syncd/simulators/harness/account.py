"""What a Harness account knows that no SCIM resource shows: the directory behind it, its admins, what is under way."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from syncd.simulators.split_entities import Json, ScimUser

EVERYONE = "_account_all_users"
FME_ADMINS = "_fme_admins"
DEFAULT_GROUPS = {EVERYONE: "All Account Users", FME_ADMINS: "All FME Admins"}


@dataclass(slots=True)
class HarnessAccount:
    """People are records of one directory for all of Harness; the world's users are those who are in this account.

    `elsewhere`: records of people who are (also) in another account, by id. `half_removed`: people whom the
    directory still counts to this account, and who are not in it: they take a place on the pages of lists.
    `copied_names`: display names of the platform's own copy where they differ from the directory's.
    `admins` and `admin_groups` hold the role Account Admin. `harness_managed` groups belong to Harness itself.
    `invites`: addresses with an approved invite left over from an attempt that broke. `scoped_groups`: identifiers
    of groups in organisations and projects. `forgetting`: who was removed and is still in the groups' lists, with
    the moment at which the event comes, None for when it is delivered by hand.
    """

    elsewhere: dict[str, ScimUser] = field(default_factory=dict)
    half_removed: dict[str, ScimUser] = field(default_factory=dict)
    copied_names: dict[str, str] = field(default_factory=dict)
    admins: set[str] = field(default_factory=set)
    admin_groups: set[str] = field(default_factory=set)
    harness_managed: set[str] = field(default_factory=lambda: {EVERYONE})
    sso_linked: set[str] = field(default_factory=set)
    invites: set[str] = field(default_factory=set)
    scoped_groups: set[str] = field(default_factory=set)
    forgetting: list[tuple[datetime | None, str]] = field(default_factory=list)

    def known(self, email: str) -> ScimUser | None:
        """The record of somebody in another account, by e-mail in small letters."""
        return next((record for record in self.elsewhere.values() if record.user_name == email), None)

    def half_known(self, email: str) -> ScimUser | None:
        """The record of somebody who is half removed."""
        return next((record for record in self.half_removed.values() if record.user_name == email), None)

    def record(self, identity: str) -> ScimUser | None:
        """The record of somebody who may not be in this account, by id."""
        return self.elsewhere.get(identity) or self.half_removed.get(identity)

    def to_fixture(self) -> Json:
        """What a fixture says of it; what is under way is not part of one."""
        return {
            "elsewhere": [_entry(record) for record in self.elsewhere.values()],
            "half_removed": [_entry(record) for record in self.half_removed.values()],
            "copied_names": dict(self.copied_names),
            **{name: sorted(getattr(self, name)) for name in _SETS},
        }

    def fill(self, document: Json, users: dict[str, ScimUser], now: str) -> None:
        """Takes over what a fixture says. Raises KeyError, TypeError, ValueError for what it cannot hold."""
        unknown = set(document) - {"elsewhere", "half_removed", "copied_names", *_SETS}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name in ("elsewhere", "half_removed"):
            for entry in document.get(name, ()):
                record = users.get(entry["id"]) or _record(entry, now)
                getattr(self, name)[record.id] = record
        self.copied_names = dict(document.get("copied_names", {}))
        for name in _SETS:
            if name in document:
                setattr(self, name, set(_texts(document[name])))


_SETS = ("admins", "admin_groups", "harness_managed", "sso_linked", "invites", "scoped_groups")


def _texts(value: Iterable[str]) -> list[str]:
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise TypeError("a list of texts is wanted")
    return list(value)


def _entry(record: ScimUser) -> Json:
    return {"id": record.id, **record.attributes, "active": record.active, "managed": record.managed}


def _record(entry: Json, now: str) -> ScimUser:
    attributes = {key: value for key, value in entry.items() if key not in ("id", "active", "managed")}
    active, managed = entry.get("active", True), entry.get("managed", False)
    return ScimUser(entry["id"], attributes, active, managed, now, now)
