"""From an Okta assignment to the SCIM user that is wanted: templates, standing, digest.

Which states count as active follows Okta's API reference (application user `status`, user `status`) and Okta's own
SCIM client: a suspended user is not deprovisioned, an unknown word changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.core.attribute_mapping import AttributeMapping
from syncd.core.flavors import exact_user_names, with_names
from syncd.core.functions import OddValueError
from syncd.core.names import letter_case_key
from syncd.core.terms import as_text
from syncd.model import NO_ATTRIBUTES, AppUser, Attributes, BadRecord, Scalar, Standing, WantedUser

ASSIGNED = frozenset({"ACTIVE", "PROVISIONED", "STAGED", "APPROVED", "PENDING", "IMPLICIT"})
NOT_ASSIGNED = frozenset(
    {"IMPORTED", "MATCHED", "UNASSIGNED", "INACTIVE", "SUSPENDED", "REVOKED", "DEPROVISIONED"}
)
LIVING = frozenset({"ACTIVE", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "PROVISIONED"})
NOT_YET = frozenset({"STAGED", "ACTIVATING"})


_STRINGS_ONLY = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:"


def is_string(path: str) -> bool:
    """Whether this SCIM attribute is a string whatever Okta holds: all of RFC 7643 sections 4.1 and 4.3 that can be
    mapped are. What an extension of somebody's own takes is not known: there a plain name keeps the type of its value.
    """
    return not path.lower().startswith("urn:") or path.lower().startswith(_STRINGS_ONLY)


@dataclass(frozen=True, slots=True)
class _Step:
    """How one path is filled, worked out once. `plain`: the app-profile attribute that is all of it, in most."""

    path: str
    plain: str | None
    read: Callable[[AppUser], Scalar | None]
    as_string: bool


@dataclass(frozen=True, slots=True)
class MappingPolicy:
    """How assignments of one connection are read, for a target of this flavor."""

    attributes: Sequence[tuple[str, AttributeMapping]]
    keep_suspended: bool
    flavor: str
    steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    paths: frozenset[str] = field(init=False, repr=False, compare=False)
    """What is mapped, and compared ever after."""
    initial: frozenset[str] = field(init=False, repr=False, compare=False)
    """What is sent only when an account is made or first adopted."""

    def __post_init__(self) -> None:
        steps = tuple(
            _Step(path, each.plain, each.reader(), is_string(path)) for path, each in self.attributes
        )
        initial = frozenset(path for path, each in self.attributes if each.on_create)
        object.__setattr__(self, "steps", steps)
        object.__setattr__(self, "paths", frozenset(path for path, _ in self.attributes) - initial)
        object.__setattr__(self, "initial", initial)

    @staticmethod
    def of(attributes: Mapping[str, AttributeMapping], *, suspended_users: str, flavor: str) -> MappingPolicy:
        """From the settings: attribute path to what it is made of, `suspended_users` keep or deactivate."""
        return MappingPolicy(
            attributes=tuple(sorted(attributes.items(), key=lambda item: item[0])),
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
        for step in policy.steps:
            plain = profile.get(step.plain) if step.plain is not None else None
            value = plain if type(plain) is str and plain else step.read(record)
            if type(value) is not str:
                if value is None:
                    continue
                if step.as_string:
                    value = as_text(value)
            mapped[step.path] = value
    except OddValueError as problem:
        if standing is Standing.ACTIVE:  # who leaves needs no attributes for it
            standing, reason = Standing.FROZEN, str(problem)
    initial = {path: mapped.pop(path) for path in policy.initial if path in mapped} if policy.initial else {}
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
        initial=initial,
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
    initial: Attributes = NO_ATTRIBUTES,
) -> WantedUser:
    text = f"{standing} {name_key!r} {attributes!r} {reason!r} {deprovisioned}"
    if initial:
        text = f"{text} {sorted(initial.items())!r}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return WantedUser(
        okta_id, standing, user_name, attributes, reason, digest, deprovisioned, name_key, initial
    )
