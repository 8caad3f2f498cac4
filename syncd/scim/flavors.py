"""The target's own rules about groups, kept as the last line of defence: planning has judged the names before."""

from __future__ import annotations

from syncd.core.flavors import RESERVED, group_name_problem
from syncd.errors import RefusedError

HARNESS_RESERVED = "_fme_admins"
_RESERVED = {"split": (RESERVED,), "harness": (RESERVED, HARNESS_RESERVED)}


def is_reserved(flavor: str, name: str) -> bool:
    """Groups that exist by themselves and must stay: `Administrators` (SCIM for Okta in Split), `_fme_admins`."""
    return name in _RESERVED.get(flavor, ())


def refuse_name(flavor: str, name: str, what: str) -> None:
    """Raises RefusedError when a group may not be called this at such a target."""
    reserved = _RESERVED["split"] if flavor == "harness" else _RESERVED.get(flavor, ())
    found = group_name_problem(flavor, name, reserved)
    if found is not None:
        raise RefusedError(f'{what} "{name}": {found}')
