"""The settings that deciding needs, as values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.names import look_alike_key
from syncd.model import PushedGroup


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that deciding needs, and the time of this cycle."""

    flavor: str
    now: datetime
    create_users: bool = True
    update_users: bool = True
    deactivate_users: bool = True
    grace: timedelta = timedelta(0)
    protected_users: Collection[str] = ()
    protected_groups: Collection[str] = ()
    initial: Collection[str] = ()
    """Attributes that are sent when an account is made or first adopted, and neither compared nor written after."""

    def protects_user(self, okta_id: str, *names: str | None) -> bool:
        """Also under a name that is only alike: protecting one too many costs nothing."""
        protected = {look_alike_key(each) for each in self.protected_users}
        return okta_id in self.protected_users or any(
            look_alike_key(name) in protected for name in names if name
        )

    def protects_group(self, pushed: PushedGroup) -> bool:
        """By its name, or by its id (Harness calls `_fme_admins` "All FME Admins")."""
        return bool({pushed.name, pushed.scim_id} & set(self.protected_groups))
