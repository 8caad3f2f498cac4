"""Okta's JSON to values. A record that cannot be understood costs only itself.

Shapes are those of the Okta API reference (Application Users, Groups, Group Push Mappings, Applications). Unknown
status words are no fault here: they pass through as they are, and the core freezes what it does not know.

The long lists are decoded without what nobody reads, which is most of a record. A page that does not fit is decoded
whole (`answers.Decode`), so that the words about an odd record are always the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypedDict, TypeVar
from urllib.parse import unquote

import msgspec

from syncd.errors import TemporaryError
from syncd.model import Application, AppUser, BadRecord, GroupRule, OktaGroup, PushMapping

T = TypeVar("T")

_ID = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~:@+=!$-]{1,100}")

_HALF = re.compile("[\ud800-\udfff]")


class _Identified(TypedDict, total=False):
    id: Any


class _Named(TypedDict, total=False):
    userName: Any


class _Link(TypedDict, total=False):
    href: Any
    name: Any


class _Links(TypedDict, total=False):
    group: _Link | None


class _Account(_Identified, total=False):
    status: Any


class _Embedded(TypedDict, total=False):
    user: _Account | None


class _Person(_Account, total=False):
    profile: Any


class _WholeEmbedded(TypedDict, total=False):
    user: _Person | None


class _AppUser(_Account, total=False):
    scope: Any
    profile: Any
    credentials: _Named | None
    _links: _Links | None
    _embedded: _Embedded | None


class _WholeAppUser(_AppUser, total=False):
    _embedded: _WholeEmbedded | None  # type: ignore[misc]


class _Profile(TypedDict, total=False):
    name: Any


class _NamedGroup(_Identified, total=False):
    profile: _Profile | None


app_users_page = msgspec.json.Decoder(list[_AppUser]).decode
_whole_app_users_page = msgspec.json.Decoder(list[_WholeAppUser]).decode
ids_page = msgspec.json.Decoder(list[_Identified]).decode
names_page = msgspec.json.Decoder(list[_NamedGroup]).decode

_TELLS = "it repeats a secret of this connection: take it out in Okta, and replace the secret"
_NOTHING: Mapping[str, object] = MappingProxyType({})


class _Odd(Exception):  # noqa: N818  (never leaves this module)
    """What is wrong with a record, without its values."""


def is_id(value: object) -> bool:
    """An id that can stand in a path, a log and a file without harm."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_text(value: str) -> bool:
    """No half of a surrogate pair is in it: JSON can say that, UTF-8 and SQLite cannot."""
    return _HALF.search(value) is None


def _kind(value: object) -> str:
    names = {type(None): "null", dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return names.get(type(value), "a number")


def _object(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = record.get(name)
    if not isinstance(value, dict):
        raise _Odd(f"{name} is {_kind(value)}, not an object")
    return value


def _optional_object(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    return {} if record.get(name) is None else _object(record, name)


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise _Odd(f"{name} is {'empty' if value == '' else _kind(value)}, not a text")
    return value


def _optional_text(record: Mapping[str, object], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise _Odd(f"{name} is {_kind(value)}, not a text")
    return value


def _id(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not is_id(value):
        raise _Odd(f"{name} is missing or not an Okta id")
    return value


def _read(record: object, build: Callable[[Mapping[str, object], str], T]) -> T | BadRecord:
    if not isinstance(record, dict):
        return BadRecord(None, f"it is {_kind(record)}, not an object")
    okta_id = record.get("id")
    if not isinstance(okta_id, str) or _ID.fullmatch(okta_id) is None:
        return BadRecord(None, "id is missing or not an Okta id")
    try:
        return build(record, okta_id)
    except _Odd as problem:
        return BadRecord(okta_id, str(problem))


def checked(
    record: object, read: Callable[[object], T | BadRecord], reveals: Callable[[str], bool] | None = None
) -> T | BadRecord:
    """`read(record)`, unless a text in it holds half a surrogate pair (`is_text`), or `reveals` a secret: that would go
    to the other side, and into the store.
    """
    known = _id_if_any(record)
    try:
        text = json.dumps(record, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return BadRecord(known, "it holds half a surrogate pair, which no text may")
    except RecursionError:
        return BadRecord(known, "it is nested too deeply")
    if reveals is not None and reveals(text):
        return BadRecord(None if known is None or reveals(known) else known, _TELLS)
    return read(record)


def _id_if_any(record: object) -> str | None:
    okta_id = record.get("id") if isinstance(record, dict) else None
    return okta_id if isinstance(okta_id, str) and is_id(okta_id) else None


def app_user(record: object) -> AppUser | BadRecord:
    """A record of GET /api/v1/apps/{id}/users?expand=user."""
    return _read(record, _app_user)


Reading = tuple[Callable[[object], AppUser | BadRecord], Callable[[bytes], object]]
"""How one record is read, and a page of them decoded."""


def reading_app_users(*, user_profiles: bool) -> Reading:
    """With the users' own profiles, which are most of a page, only where something is mapped from them."""
    if user_profiles:
        return _app_user_with_profile, _whole_app_users_page
    return app_user, app_users_page


def _app_user_with_profile(record: object) -> AppUser | BadRecord:
    return _read(record, _app_user_and_profile)


def _app_user_and_profile(record: Mapping[str, object], okta_id: str) -> AppUser:
    user = _optional_object(_optional_object(record, "_embedded"), "user")
    profile = user.get("profile")
    if profile is not None and not isinstance(profile, dict):
        raise _Odd(f"profile of _embedded.user is {_kind(profile)}, not an object")
    return replace(_app_user(record, okta_id), user_profile=profile)


def _app_user(record: Mapping[str, object], okta_id: str) -> AppUser:
    # Runs for every user of every full read: the usual shape is checked in place, the helpers find the words.
    status = record.get("status")
    profile = record.get("profile")
    credentials = record.get("credentials")
    embedded = record.get("_embedded")
    user_name: object = credentials.get("userName") if isinstance(credentials, dict) else None
    if not isinstance(status, str) or not status:
        status = _text(record, "status")
    if not isinstance(profile, dict):
        profile = _object(record, "profile")
    if not isinstance(user_name, str):
        user_name = _optional_text(_optional_object(record, "credentials"), "userName") or ""
    user = None if embedded is None else _object(record, "_embedded").get("user")
    user_status = _embedded_status(user, okta_id)
    via_group = None if record.get("scope") == "USER" else _via_group(record.get("_links"))
    return AppUser(okta_id, status, user_status, user_name, profile, via_group)


def _embedded_status(user: object, okta_id: str) -> str | None:
    if user is None:
        return None
    if not isinstance(user, dict):
        raise _Odd(f"_embedded.user is {_kind(user)}, not an object")
    if user.get("id") != okta_id:
        raise _Odd("_embedded.user is another user")
    status = user.get("status")
    return status if isinstance(status, str) and status else _text(user, "status")


def _via_group(links: object) -> tuple[str, str] | None:
    """Only for people to read: oddities here are no reason to distrust the record."""
    link = links.get("group") if isinstance(links, dict) else None
    if not isinstance(link, dict):
        return None
    href, name = link.get("href"), link.get("name")
    known = _last_id(href) if isinstance(href, str) and len(href) <= _LONGEST_KEPT else ""
    return (known, name if isinstance(name, str) else "")


_LONGEST_KEPT = 1000
"""Characters of an address that is remembered with its id."""


@lru_cache(maxsize=1024)  # a few groups assign everybody
def _last_id(href: str) -> str:
    """The id that an address ends with; empty when there is none."""
    found = unquote(href.rstrip("/").rpartition("/")[2])
    return found if is_id(found) else ""


def group(record: object) -> OktaGroup | BadRecord:
    """A record of GET /api/v1/groups."""
    return _read(record, _group)


def _group(record: Mapping[str, object], okta_id: str) -> OktaGroup:
    profile = _object(record, "profile")
    return OktaGroup(
        okta_id=okta_id,
        name=_text(profile, "name"),
        description=_optional_text(profile, "description") or "",
        type=_optional_text(record, "type") or "",
        stamp=_optional_text(record, "lastMembershipUpdated") or None,
    )


def group_name(record: object, reveals: Callable[[str], bool] | None = None) -> str:
    """Of a record that is read for its id: "" where it has none that is a text, or one that `reveals` a secret."""
    profile = record.get("profile") if isinstance(record, dict) else None
    name = profile.get("name") if isinstance(profile, dict) else None
    usable = isinstance(name, str) and is_text(name) and not (reveals is not None and reveals(name))
    return str(name) if usable else ""


def push_mapping(record: object) -> PushMapping | BadRecord:
    """A record of GET /api/v1/apps/{id}/group-push/mappings, without the target's name."""
    return _read(record, _push_mapping)


def _push_mapping(record: Mapping[str, object], _: str) -> PushMapping:
    return PushMapping(
        source_group_id=_id(record, "sourceGroupId"),
        target_group_id=None if record.get("targetGroupId") is None else _id(record, "targetGroupId"),
        target_name=None,
        status=_text(record, "status"),
    )


def group_rule(record: object) -> GroupRule | BadRecord:
    """A record of GET /api/v1/groups/rules."""
    return _read(record, _group_rule)


def _group_rule(record: Mapping[str, object], okta_id: str) -> GroupRule:
    assigned = _optional_object(_optional_object(record, "actions"), "assignUserToGroups")
    people = _optional_object(_optional_object(_optional_object(record, "conditions"), "people"), "users")
    return GroupRule(
        okta_id,
        _text(record, "name"),
        _text(record, "status") == "ACTIVE",
        _texts(assigned.get("groupIds")),
        _texts(people.get("exclude")),
    )


def _texts(value: object) -> frozenset[str]:
    return (
        frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()
    )


def application(record: object) -> Application | BadRecord:
    """GET /api/v1/apps/{id}."""
    return _read(record, _application)


def _application(record: Mapping[str, object], okta_id: str) -> Application:
    features = record.get("features")
    if features is not None and not isinstance(features, list):
        raise _Odd(f"features is {_kind(features)}, not a list")
    return Application(
        app_id=okta_id,
        label=_optional_text(record, "label") or _optional_text(record, "name") or "",
        status=_text(record, "status"),
        features=frozenset(feature for feature in features or [] if isinstance(feature, str)),
    )


def record_id(record: object, reveals: Callable[[str], bool] | None = None) -> str | BadRecord:
    """Only the id of a record (app groups, members)."""
    found = _read(record, lambda _record, okta_id: okta_id)
    return (
        BadRecord(None, _TELLS)
        if isinstance(found, str) and reveals is not None and reveals(found)
        else found
    )


def ids(found: Sequence[object], reveals: Callable[[str], bool] | None) -> tuple[list[str], list[BadRecord]]:
    """Of a page of records: their ids, and what has none."""
    values = [record_id(record, reveals) for record in found]
    return (
        [value for value in values if isinstance(value, str)],
        [value for value in values if isinstance(value, BadRecord)],
    )


def ids_with_email(body: object, email: str, reveals: Callable[[str], bool] | None) -> Sequence[str]:
    """Of an answer to GET /api/v1/users: a server that cannot filter lists everybody."""
    people = [each for each in body if isinstance(each, dict)] if isinstance(body, list) else []
    return ids([each for each in people if _email(each) == email.lower()], reveals)[0]


def _email(record: Mapping[str, object]) -> str | None:
    profile = record.get("profile")
    email = profile.get("email") if isinstance(profile, dict) else None
    return email.lower() if isinstance(email, str) else None


def understood(value: T | BadRecord, what: str) -> T:
    """Raises TemporaryError for what Okta answered about `what` and cannot be read."""
    if isinstance(value, BadRecord):
        raise TemporaryError(f"Okta's answer about {what} cannot be understood: {value.problem}")
    return value
