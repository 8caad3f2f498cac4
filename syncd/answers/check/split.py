"""The probes of the Split side: the requests of Okta's own "Test connector configuration" button, and the token's age.

"The access token is valid for one year from the time it's created" (page "SCIM for Okta in Split").
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from syncd.answers.check.line import Checks
from syncd.core.counting import counted
from syncd.core.token_age import token_days_left, warning_mark
from syncd.errors import AccessDenied, ConfigurationError, SyncdError
from syncd.ports import Target, TargetProbe
from syncd.settings.schema import ConnectionSettings

REACHABLE = "Split reachable"
TOKEN = "Split token"  # noqa: S105  (the name of a line)
USERS = "Split users"
GROUPS = "Split groups"
METHOD = "PATCH or PUT"
AGE = "Split token age"
RIGHTS_ON_USERS = ("right to view users", "right to manage users")
RIGHTS_ON_GROUPS = ("right to view groups", "right to manage groups")
_RENEW = (
    "Regenerate it in Split (Admin settings, Security, SCIM) and put the new one where split.token points."
)
_AFTER = (TOKEN, USERS, GROUPS, METHOD)


@dataclass
class SplitChecks:
    """`date` is what the target's answers say the time is, None when they do not."""

    checks: Checks
    settings: ConnectionSettings
    date: datetime | None = None

    def run(self, open_target: Callable[[], AbstractContextManager[Target]]) -> None:
        """Asks the target everything that a cycle would; raises nothing that it answers."""
        try:
            with open_target() as target:
                probe = target.probe()
        except AccessDenied as error:
            self.checks.ok(REACHABLE, self.settings.split.base_url)
            self.checks.fail(TOKEN, error.message, error.hint or _RENEW)
            self._skip_rest("Split refuses the token", TOKEN)
        except ConfigurationError as error:
            self.checks.failed(REACHABLE, error)
            self._skip_rest("Split cannot be asked")
        except SyncdError as error:
            hint = error.hint or 'Check split.base_url: it is the "SCIM connector base URL" that Split shows.'
            self.checks.fail(REACHABLE, error.message, hint)
            self._skip_rest("Split does not answer")
        else:
            self.date = probe.date
            self._answered(probe)

    def _skip_rest(self, because: str, but: str = "") -> None:
        for name in _AFTER:
            if name != but:
                self.checks.skip(name, because)

    def _answered(self, probe: TargetProbe) -> None:
        self.checks.ok(REACHABLE, self.settings.split.base_url)
        self.checks.ok(TOKEN, "accepted")
        detail = f": {probe.detail}" if probe.detail else ""
        for name, listed, path in (
            (USERS, probe.users_listed, "/Users"),
            (GROUPS, probe.groups_listed, "/Groups"),
        ):
            if listed:
                self.checks.ok(name, "can be listed")
            else:
                self.checks.fail(
                    name, f"{path} does not answer with a SCIM list{detail}", self._not_listed(name, probe)
                )
        for right, has in probe.rights.items():
            self._right(right, has)
        self._method(probe)

    def _not_listed(self, name: str, probe: TargetProbe) -> str:
        base = self.settings.split.base_url
        if name == GROUPS and probe.users_listed:
            return "Has this target groups at all? If not, set provisioning.push_groups = false."
        if not probe.users_listed and not probe.groups_listed:
            return (
                f"Somebody answers at {base}, and has neither users nor groups there: is SCIM switched on in Split, and"
                ' is this, to its end, the "SCIM connector base URL" that Split shows?'
            )
        return "Is SCIM switched on in Split, and does split.base_url end where Split's page says?"

    def _right(self, right: str, has: bool | None) -> None:  # noqa: FBT001  (what was found out)
        name = f"right to {right}"
        if has:
            self.checks.ok(name, "the token has it")
        elif has is None:
            self.checks.warn(
                name, "cannot be told: the target does not answer that", "Run syncd check again."
            )
        else:
            hint = "Give it to the token's service account in Harness; docs/scim.md names the rights."
            self.checks.fail(name, "the token lacks it", hint)

    def _method(self, probe: TargetProbe) -> None:
        if self.settings.split.flavor == "harness":
            self.checks.ok(METHOD, "PUT for users, PATCH for groups and for removals, as Harness takes them")
            return
        chosen = self.settings.split.update_method
        if chosen == "auto":
            announced = {
                True: "PATCH, as the target announces",
                False: "PUT, because the target announces no PATCH",
            }
            unknown = "the target does not say; PATCH is tried first, then PUT, and what works is remembered"
            self.checks.ok(METHOD, announced[probe.patch] if probe.patch is not None else unknown)
        elif chosen == "patch" and probe.patch is False:
            self.checks.warn(
                METHOD,
                "PATCH, by setting, but the target announces no PATCH",
                'Set split.update_method = "auto".',
            )
        else:
            self.checks.ok(METHOD, f"{chosen.upper()}, by setting")


def token_age(checks: Checks, created: date | None, today: date) -> None:
    """Warns 30, 14, 7 and 1 days before the token's year is over."""
    if created is None:
        checks.warn(
            AGE,
            "unknown: split.token_created is not set",
            "Set it, and syncd warns before the token's year is over.",
        )
        return
    days = token_days_left(created, today)
    if created > today + timedelta(days=1):
        checks.warn(
            AGE, f"unknown: {created} lies in the future", "Set split.token_created to the day it was made."
        )
    elif days <= 0:
        since = "today" if days == 0 else f"{counted(-days, 'day')} ago"
        checks.fail(AGE, f"made on {created}: it expired {since}", _RENEW)
    elif (mark := warning_mark(days)) is None:
        checks.ok(AGE, f"made on {created}, valid for {days:,} more days")
    else:
        soon = f"expires in {counted(days, 'day')}"
        checks.warn(AGE, f"made on {created}: it {soon} (warning mark: {mark})", _RENEW)
