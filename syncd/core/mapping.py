"""From an Okta assignment to the SCIM user that is wanted: templates, standing, digest.

Which states count as active follows Okta's API reference (application user `status`, user `status`) and Okta's own
SCIM client: a suspended user is not deprovisioned, an unknown word changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.flavors import exact_user_names, with_names
from syncd.core.names import letter_case_key
from syncd.model import AppUser, BadRecord, Scalar, Standing, WantedUser

_FIELD = re.compile(r"\{([^{}]*)\}")
_REFERENCE = re.compile(r"[A-Za-z_][\w.-]*\Z")

ASSIGNED = frozenset({"ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT"})
NOT_ASSIGNED = frozenset(
    {"IMPORTED", "MATCHED", "UNASSIGNED", "INACTIVE", "SUSPENDED", "REVOKED", "DEPROVISIONED"}
)
LIVING = frozenset({"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED"})
NOT_YET = frozenset({"STAGED", "ACTIVATING"})


_STRINGS_ONLY = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:"


class Unmappable(ValueError):  # noqa: N818  (a finding about a value, not a failure of ours)
    """The record cannot be mapped; the message says which attribute and why."""


@dataclass(frozen=True, slots=True)
class Template:
    """One right-hand side of `[attributes]`: an attribute name, or text with `{attribute}` in it.

    A plain name (`email`) keeps the type of the value. In a template missing attributes are empty, every value is
    text (`as_text`), and an all-empty result is not set.
    """

    text: str
    references: tuple[str, ...] = field(init=False, repr=False, compare=False)
    frame: str | None = field(init=False, repr=False, compare=False)
    """The text with %s for each attribute; None for a plain name. Both are worked out once: every user is mapped."""

    def __post_init__(self) -> None:
        names = tuple(_FIELD.findall(self.text)) if "{" in self.text or "}" in self.text else (self.text,)
        frame = _FIELD.sub("%s", self.text.replace("%", "%%")) if "{" in self.text else None
        object.__setattr__(self, "references", names)
        object.__setattr__(self, "frame", frame)
        if not names:
            raise ValueError(f"{self.text!r} names no attribute")
        for name in names:
            if not _REFERENCE.match(name):
                raise ValueError(f"{name!r} in {self.text!r} is no attribute name")
        if re.search(r"[{}]", _FIELD.sub("", self.text)):
            raise ValueError(f"{self.text!r} has a brace without a partner")

    def value(self, record: AppUser) -> Scalar | None:
        """The mapped value, None when not set. Raises Unmappable for lists and objects."""
        if self.frame is None:
            return _lookup(record.profile, self.text)
        profile = record.profile
        values = [_lookup(profile, name) for name in self.references]
        if all(value is None for value in values):
            return None
        filled = self.frame % tuple(["" if value is None else as_text(value) for value in values])
        return " ".join(filled.split()) or None


def _lookup(profile: Mapping[str, object], name: str) -> Scalar | None:
    value = profile.get(name)
    if type(value) is str:
        return value or None
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise Unmappable(f"the attribute {name} is no finite number")
    if isinstance(value, str | bool | int | float):
        return value
    raise Unmappable(f"the attribute {name} is a list or an object")


def is_string(path: str) -> bool:
    """Whether this SCIM attribute is a string whatever Okta holds: all of RFC 7643 sections 4.1 and 4.3 that can be
    mapped are. What an extension of somebody's own takes is not known: there a plain name keeps the type of its value.
    """
    return not path.lower().startswith("urn:") or path.lower().startswith(_STRINGS_ONLY)


def as_text(value: Scalar) -> str:
    """A scalar of a profile as text, as JSON writes it; a whole number without a fraction (Okta shows 1.0 and 1)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class MappingPolicy:
    """How assignments of one connection are read, for a target of this flavor."""

    attributes: Sequence[tuple[str, Template]]
    keep_suspended: bool
    flavor: str
    paths: frozenset[str] = field(init=False, repr=False, compare=False)
    """What is mapped."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", frozenset(path for path, _ in self.attributes))

    @staticmethod
    def of(attributes: Mapping[str, str], *, suspended_users: str, flavor: str) -> MappingPolicy:
        """From the settings: attribute path to template, `suspended_users` keep or deactivate."""
        return MappingPolicy(
            attributes=tuple((path, Template(text)) for path, text in sorted(attributes.items())),
            keep_suspended=suspended_users == "keep",
            flavor=flavor,
        )

    def name_key(self, user_name: str) -> str:
        """Two people with one key want one userName."""
        return user_name if exact_user_names(self.flavor) else letter_case_key(user_name)


def standing_of(status: str, user_status: str | None, *, keep_suspended: bool) -> tuple[Standing, str]:
    """The decision table; the second value says why, and is empty for a living assignment.

    | user status               | app user status              | standing                     |
    | DEPROVISIONED             | any                          | inactive                     |
    | SUSPENDED                 | assigned or SUSPENDED        | active, or inactive by policy |
    | STAGED, ACTIVATING        | any                          | frozen (not yet activated)   |
    | not embedded              | as if living, unless whether the user is SUSPENDED decides: |
    |     policy "deactivate"   | assigned                     | frozen                       |
    |     policy "keep"         | SUSPENDED                    | frozen                       |
    | living                    | assigned                     | active                       |
    | living                    | not assigned                 | inactive                     |
    | any other word in either  |                              | frozen                       |
    """
    if user_status in LIVING and status in ASSIGNED:  # nearly everybody
        return Standing.ACTIVE, ""
    if user_status == "DEPROVISIONED":
        return Standing.INACTIVE, "the Okta user is DEPROVISIONED"
    if status not in ASSIGNED and status not in NOT_ASSIGNED:
        return Standing.FROZEN, f"the assignment has the unknown status {status}"
    if user_status == "SUSPENDED" and (status in ASSIGNED or status == "SUSPENDED"):
        if keep_suspended:
            return Standing.ACTIVE, ""
        return Standing.INACTIVE, "the Okta user is SUSPENDED"
    if user_status is None and (status == "SUSPENDED" if keep_suspended else status in ASSIGNED):
        policy = "keep" if keep_suspended else "deactivate"
        return Standing.FROZEN, (
            f'Okta did not show the status of the user, which suspended_users = "{policy}" needs'
            f" (the assignment is {status})"
        )
    if user_status in NOT_YET:
        return Standing.FROZEN, f"the Okta user is {user_status}: not activated yet"
    if user_status is not None and user_status not in LIVING and user_status != "SUSPENDED":
        return Standing.FROZEN, f"the Okta user has the unknown status {user_status}"
    if status in NOT_ASSIGNED:
        return Standing.INACTIVE, f"the assignment is {status}"
    return Standing.ACTIVE, ""


def wanted_user(record: AppUser, policy: MappingPolicy) -> WantedUser:
    """What Okta wants of this user; FROZEN when the record cannot be mapped."""
    standing, reason = standing_of(record.status, record.user_status, keep_suspended=policy.keep_suspended)
    mapped: dict[str, Scalar] = {}
    profile = record.profile
    try:
        for path, template in policy.attributes:
            plain = profile.get(template.text) if template.frame is None else None
            value = plain if type(plain) is str and plain else template.value(record)
            if value is not None:
                mapped[path] = as_text(value) if type(value) is not str and is_string(path) else value
    except Unmappable as problem:
        if standing is Standing.ACTIVE:  # who leaves needs no attributes for it
            standing, reason = Standing.FROZEN, str(problem)
    attributes = with_names(policy.flavor, mapped, policy.paths)
    user_name = str(attributes.get("userName", ""))
    if not user_name.strip() and standing is Standing.ACTIVE:
        standing, reason = Standing.FROZEN, "the attribute mapped to userName is empty"
    if not reason:
        reason = _through(record.via_group) if record.via_group else "assigned directly"
    return _stamped(
        record.okta_id,
        standing,
        user_name,
        attributes,
        reason,
        deprovisioned=record.user_status == "DEPROVISIONED",
        name_key=policy.name_key(user_name),
    )


def _through(group: tuple[str, str]) -> str:
    group_id, name = group
    return f"assigned through group {name or group_id}" if name or group_id else "assigned through a group"


def frozen_user(record: BadRecord) -> WantedUser | None:
    """A record that could not be read freezes its user; None when it does not even say whose it is."""
    if record.okta_id is None:
        return None
    return _stamped(record.okta_id, Standing.FROZEN, "", {}, record.problem)


def _stamped(
    okta_id: str,
    standing: Standing,
    user_name: str,
    attributes: Mapping[str, Scalar],
    reason: str,
    *,
    deprovisioned: bool = False,
    name_key: str = "",
) -> WantedUser:
    text = f"{standing} {name_key!r} {attributes!r} {reason!r} {deprovisioned}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return WantedUser(okta_id, standing, user_name, attributes, reason, digest, deprovisioned, name_key)
