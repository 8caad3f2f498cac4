"""The "Test connector configuration" button: every probe on its own, so that one failure does not hide the rest.

The probes only read. The last three lines are in the words of the page "SCIM for Okta in Split": create users, update
attributes, push groups.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from syncd.answers.check import hooks, okta, split
from syncd.answers.check.line import Check, Checks
from syncd.answers.check.near import NEAR, check_near
from syncd.answers.left_out import left_out
from syncd.core.counting import counted
from syncd.core.left_out import command
from syncd.core.pausing import said_of, way_out_of
from syncd.core.plan import timestamp
from syncd.engine.facts import HOOKS_HEARD, HookHistory
from syncd.engine.writing.permission import barred_now
from syncd.engine.writing.quarantine import current
from syncd.errors import SyncdError
from syncd.ports import Store, Target
from syncd.settings import starter
from syncd.settings.schema import ConnectionSettings

SCHEMA = "syncd.check/1"
SETTINGS = "settings"
SECRETS = "secrets"
STORE = "store"
QUARANTINE = "quarantine"
LEFT_OUT = "left out"
CLOCK = "clock"
WRITING = "writing"
_WELL_AGAIN = {
    "okta": "Mend the cause at Okta: nothing is written until then. syncd retry asks again at the next cycle.",
    "split": "Mend the cause at Split: nothing is written until then. syncd retry asks again at the next cycle.",
    "relink": "Was SCIM switched off and on in Split? Run syncd relink, which shows its result first.",
}
"""By the side of a quarantine."""
_MOST_APART = timedelta(seconds=60)


@dataclass(frozen=True)
class Bench:
    """How the probes get at what they test. Everything callable here may raise SyncdError.

    `warnings` are the findings about the settings file. `store_place` says where the store is or will be, and
    raises when it could not be made; `store_misgivings` says who else may touch it and what keeps its writers from
    seeing each other, each with what to do about it.
    """

    settings: ConnectionSettings
    warnings: Sequence[str]
    store_place: Callable[[], str]
    store_misgivings: Callable[[], Sequence[tuple[str, str]]]
    open_store: Callable[[], AbstractContextManager[Store]]
    open_source: Callable[[], AbstractContextManager[okta.OktaProbe]]
    open_target: Callable[[], AbstractContextManager[Target]]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Checked:
    """The contract's check document, and the exit code: 0 no failure, 78 settings or secrets, else 1."""

    document: dict[str, Any]
    exit_code: int


def check(bench: Bench) -> Checked:
    """Runs every probe, in order. Never raises SyncdError."""
    checks = Checks()
    _settings(checks, bench)
    broken = _secrets(checks, bench.settings)
    _store(checks, bench)
    on_okta = okta.OktaChecks(checks, bench.settings)
    if broken & {"okta.token", "okta.private_key", "okta.proxy"}:
        checks.skip(okta.REACHABLE, "its secret cannot be read")
    else:
        on_okta.run(bench.open_source)
    on_split = split.SplitChecks(checks, bench.settings)
    if broken & {"split.token", "split.proxy"}:
        checks.skip(split.REACHABLE, "its secret cannot be read")
    else:
        on_split.run(bench.open_target)
    if checks.passed(STORE, okta.APPS, split.USERS):
        check_near(checks, bench.settings, on_okta.people, bench.open_store, bench.open_target)
    else:
        checks.skip(NEAR, "people and accounts cannot be compared while one of both cannot be read")
    now = bench.clock()
    if bench.settings.split.flavor != "harness":
        split.token_age(checks, bench.settings.split.token_year_began, now.date())
    _clock(checks, now, on_okta.offset, on_split.date)
    _prerequisites(checks, bench.settings)
    _features(checks, bench.settings)
    return checked(bench.settings.name, checks)


def settings_failed(connection: str, problems: Sequence[str]) -> Checked:
    """The answer for a settings file that cannot be used: nothing else was asked."""
    checks = Checks()
    for problem in problems:
        checks.fail(SETTINGS, problem, "Correct it and run syncd check again.", exit_code=78)
    return checked(connection, checks)


def checked(connection: str, checks: Checks) -> Checked:
    """The `syncd.check/1` document and the exit code of these lines."""
    document = {
        "schema": SCHEMA,
        "connection": connection,
        "checks": [_line_document(line) for line in checks.lines],
        "ok": not checks.worst_code,
    }
    return Checked(document, checks.worst_code)


def _line_document(line: Check) -> dict[str, str]:
    return {"name": line.name, "state": line.state, "detail": line.detail, "hint": line.hint}


def _settings(checks: Checks, bench: Bench) -> None:
    settings = bench.settings
    rules = len(settings.push_groups)
    named = (
        f'{settings.path}: flavor "{settings.split.flavor}", {rules} push {"rule" if rules == 1 else "rules"}'
    )
    left = _left_from_the_example(settings)
    if left:
        checks.fail(
            SETTINGS,
            f"{settings.path}: {', '.join(left)} {'is' if len(left) == 1 else 'are'} still what the example says",
            "Put your own there: docs/configuration.md says where each is found.",
            exit_code=78,
        )
    else:
        checks.ok(SETTINGS, named)
    for warning in bench.warnings:
        checks.warn(SETTINGS, warning, "It works as it is; see docs/configuration.md.")


def _left_from_the_example(settings: ConnectionSettings) -> list[str]:
    """Keys that nobody filled in after `syncd init`."""
    example = tomllib.loads(starter())
    mine = {
        "okta.org_url": settings.okta.org_url,
        "okta.app_id": settings.okta.app_id,
        "split.base_url": settings.split.base_url,
    }
    left = [
        key
        for key, value in mine.items()
        if value == example.get(key.split(".")[0], {}).get(key.split(".")[1])
    ]
    return left if "okta.org_url" in left else [key for key in left if key != "okta.app_id"]  # of another org


def _secrets(checks: Checks, settings: ConnectionSettings) -> set[str]:
    """Reads every secret once; returns the settings whose secret cannot be read."""
    broken: set[str] = set()
    fine: list[str] = []
    hidden: set[str] = set()
    for path, secret in settings.secrets():
        try:
            secret.read()
        except SyncdError as error:
            broken.add(path)
            checks.fail(SECRETS, f"{path}: {error.message}", error.hint, exit_code=78)
        else:
            fine.append(path)
            copied = secret.copied()
            if copied is not None and copied.hidden:
                hidden.add(copied.hidden)
    for directory in sorted(hidden):
        unseen = f"{directory} is closed to syncd, which could tell from it that a credential is older than its file"
        checks.info(
            SECRETS, unseen, f"chmod 711 {directory} (the files stay 0600), or install syncd.tmpfiles anew"
        )
    if fine:
        checks.ok(SECRETS, f"{', '.join(fine)} can be read")
    return broken


def _store(checks: Checks, bench: Bench) -> None:
    with checks.probing(STORE):
        place = bench.store_place()
        with bench.open_store() as store:
            population = store.population()
            runs = store.runs(limit=1)
            bar = barred_now(store, bench.settings, bench.clock())
            sick, left = current(store), left_out(store)
            heard = HOOKS_HEARD.of(store, HookHistory())
        managed = f"{counted(population.users, 'user')}, {counted(population.groups, 'group')} managed"
        checks.ok(STORE, f"{place}: {managed}")
        if bar is not None:
            checks.warn(WRITING, f"nothing is written: {said_of(bar)}", way_out_of(bar))
        for misgiving, way_out in bench.store_misgivings():
            checks.warn(STORE, misgiving, way_out)
        if sick is not None:
            checks.fail(QUARANTINE, f"since {timestamp(sick.since)}: {sick.reason}", _WELL_AGAIN[sick.side])
        if left:
            first = ", ".join(each.name or each.okta_id for each in left[:3])
            more = f" and {len(left) - 3:,} more" if len(left) > 3 else ""
            checks.info(LEFT_OUT, f"{first}{more}", command(bench.settings.named, "skipped"))
        hooks.arrive(checks, bench.settings, heard, bench.clock())
        if runs and runs[0].finished is None:
            began = f"a {runs[0].kind} run began at {timestamp(runs[0].started)} and has not ended"
            checks.info(
                STORE, began, "It is still going on, or was cut off: the next sync settles what it left open."
            )


def _clock(checks: Checks, now: datetime, okta_offset: timedelta | None, split_date: datetime | None) -> None:
    offsets = {"Okta": okta_offset, "Split": None if split_date is None else split_date - now}
    known = {side: offset for side, offset in offsets.items() if offset is not None}
    if not known:
        checks.skip(CLOCK, "no answer told the time")
        return
    far = {side: offset for side, offset in known.items() if abs(offset) > _MOST_APART}
    if far:
        text = ", ".join(_apart(side, offset) for side, offset in far.items())
        checks.warn(CLOCK, text, "Set this machine's clock by NTP: tokens and waiting times depend on it.")
    else:
        checks.ok(CLOCK, f"within {_MOST_APART.total_seconds():.0f} s of {' and '.join(known)}")


def _apart(side: str, offset: timedelta) -> str:
    direction = "ahead of" if offset > timedelta(0) else "behind"
    return f"{side}'s clock is {abs(offset).total_seconds():.0f} s {direction} ours"


def _prerequisites(checks: Checks, settings: ConnectionSettings) -> None:
    """What no request can find out."""
    if settings.split.flavor == "scim":
        return
    if settings.split.flavor == "harness":
        checks.info(
            "right to invite",
            "Harness asks for it when a person is created, and shows a missing one as a refusal (409) only then",
            "The token's service account needs it besides the right to manage users; see docs/scim.md.",
        )
        checks.info(
            "SSO",
            "people sign in through SAML, which is set up in Harness apart from SCIM, under the same e-mails",
            "See for yourself: nothing of it can be asked here.",
        )
        return
    checks.info(
        "SSO Strict",
        "Split needs SAML in SSO Strict mode before SCIM can be switched on",
        "See for yourself.",
    )
    checks.info("open invites", "switching SCIM on revokes open invites; new users come from Okta only")
    checks.info(
        "unique identifier", "the e-mail, letter case included, as in the app's provisioning settings"
    )
    if settings.split.flavor == "split":
        checks.info("group rename", "keep it off: Split asks not to rename app groups")


def _features(checks: Checks, settings: ConnectionSettings) -> None:
    """The seed of every later question: would it work?"""
    asks_rights = settings.split.flavor == "harness"  # other targets have none to ask for
    of_split = (split.TOKEN, split.USERS, *(split.RIGHTS_ON_USERS if asks_rights else ()))
    sick = (QUARANTINE,) if any(line.name == QUARANTINE for line in checks.lines) else ()
    writing = (STORE, *sick, okta.APP, okta.APPS, okta.USERS, okta.WRITERS, *of_split)
    provisioning = settings.provisioning
    _feature(checks, "create users", "provisioning.create_users", writing, on=provisioning.create_users)
    _feature(checks, "update attributes", "provisioning.update_users", writing, on=provisioning.update_users)
    of_groups = (split.GROUPS, *(split.RIGHTS_ON_GROUPS if asks_rights else ()))
    pushing = (*writing, okta.GROUPS, *of_groups)
    _feature(checks, "push groups", "provisioning.push_groups", pushing, on=provisioning.push_groups)


def _feature(checks: Checks, name: str, setting: str, needs: Sequence[str], *, on: bool) -> None:
    if not on:
        checks.info(name, f"off: {setting} = false")
        return
    blocking = checks.blocking(*needs)
    if blocking:
        checks.fail(name, f"not possible yet: {', '.join(blocking)}", "Mend what failed above.")
    else:
        checks.ok(name, "ready")
