"""The organisation that is measured with: users, groups and members by number, the same at every run.

Records have the shape and about the size of Okta's own (1.6 kB for an app user with `expand=user`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

APP = "0oa1benchbenchbench0"
USER_PAGE, GROUP_PAGE, MEMBER_PAGE = 500, 1_000, 1_000
_OLD, _MOVED = "2025-01-01T00:00:00.000Z", "2025-02-01T{:02d}:{:02d}:00.000Z"


@dataclass(frozen=True, slots=True)
class Size:
    """`members` is the number of members of each group."""

    users: int
    groups: int = 0
    members: int = 200

    @classmethod
    def of(cls, users: int) -> Size:
        """One group for 100 users, 1,000 at the most: 200,000 memberships."""
        return cls(users, min(1_000, users // 100), 200)


def key(number: int) -> str:
    """17 digits of a user: the page and the place on it, so that a page is made from a template."""
    page, place = divmod(number, USER_PAGE)
    return f"{page:014d}{place:03d}"


def user_id(number: int) -> str:
    return f"00u{key(number)}"


def user_number(okta_id: str) -> int:
    return int(okta_id[3:17]) * USER_PAGE + int(okta_id[17:])


def group_id(number: int) -> str:
    return f"00g{number:017d}"


def group_number(okta_id: str) -> int:
    return int(okta_id[3:])


def email(digits: str) -> str:
    return f"person.{digits[-9:]}@example.com"


def app_user(digits: str, *, surname: str = "Example") -> dict[str, object]:
    """`digits` is the user's key, or 17 marks to be replaced in a template."""
    okta_id, login = f"00u{digits}", email(digits)
    return {
        "id": okta_id,
        "externalId": None,
        "created": _OLD,
        "lastUpdated": _OLD,
        "scope": "GROUP",
        "status": "ACTIVE",
        "statusChanged": _OLD,
        "passwordChanged": None,
        "syncState": "DISABLED",
        "credentials": {"userName": login},
        "profile": {
            "givenName": f"Given{digits[-9:]}",
            "familyName": surname,
            "email": login,
            "displayName": f"Given{digits[-9:]} {surname}",
            "title": "Engineer",
            "department": "Research",
            "locale": "en_US",
            "timezone": "Europe/Berlin",
        },
        "_links": {
            "app": {"href": f"https://example.okta.com/api/v1/apps/{APP}"},
            "user": {"href": f"https://example.okta.com/api/v1/users/{okta_id}"},
            "group": {"name": "Everyone", "href": f"https://example.okta.com/api/v1/groups/{group_id(0)}"},
        },
        "_embedded": {"user": _account(digits, surname)},
    }


def account(number: int) -> dict[str, object]:
    """A user as member lists show it."""
    return _account(key(number), "Example")


def _account(digits: str, surname: str) -> dict[str, object]:
    okta_id, login = f"00u{digits}", email(digits)
    return {
        "id": okta_id,
        "status": "ACTIVE",
        "created": _OLD,
        "activated": _OLD,
        "statusChanged": _OLD,
        "lastLogin": _OLD,
        "lastUpdated": _OLD,
        "passwordChanged": _OLD,
        "type": {"id": "otyfnjfba4ye7pgjB0g4"},
        "profile": {
            "firstName": f"Given{digits[-9:]}",
            "lastName": surname,
            "mobilePhone": None,
            "secondEmail": None,
            "login": login,
            "email": login,
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": f"https://example.okta.com/api/v1/users/{okta_id}"}},
    }


def group(number: int, *, moved: int = 0) -> dict[str, object]:
    """`moved`: how often its members changed since the store was filled."""
    return {
        "id": group_id(number),
        "created": _OLD,
        "lastUpdated": _OLD,
        "lastMembershipUpdated": _MOVED.format(*divmod(moved, 60)) if moved else _OLD,
        "objectClass": ["okta:user_group"],
        "type": "OKTA_GROUP",
        "profile": {"name": f"Team {number:05d}", "description": "A team of the benchmark"},
        "_links": {"users": {"href": f"https://example.okta.com/api/v1/groups/{group_id(number)}/users"}},
    }


def members(size: Size, number: int) -> list[int]:
    """Numbers of the members of a group; a user is in several."""
    return sorted({(number * 97 + step * 31) % size.users for step in range(size.members)})


def groups_of(size: Size, number: int) -> list[int]:
    return [group for group in range(size.groups) if number in _member_set(size, group)]


@lru_cache(maxsize=2_000)
def _member_set(size: Size, number: int) -> frozenset[int]:
    return frozenset(members(size, number))


def scim_user(number: int) -> dict[str, object]:
    """What syncd sends to create this user."""
    digits = key(number)
    given = f"Given{digits[-9:]}"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "externalId": user_id(number),
        "userName": email(digits),
        "active": True,
        "name": {"givenName": given, "familyName": "Example"},
        "displayName": f"{given} Example",
        "emails": [{"type": "work", "value": email(digits), "primary": True}],
    }


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
