"""What people ask of a fleet: whether its database will do, who owns what, and what other settings would change."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.answers.check.check import Checked, checked
from syncd.answers.check.hooks import HOOKS
from syncd.answers.check.line import Checks
from syncd.core.counting import counted
from syncd.core.plan import timestamp
from syncd.errors import ConfigurationError, RefusedError, SyncdError
from syncd.ports.database import FleetDatabase
from syncd.ports.fleet import WORK, ConnectionRecord, Enrolment, Fleet, LivingWorker, Registry
from syncd.settings import ConnectionSettings, Loaded, configuration_error
from syncd.settings.fleet import Database
from syncd.settings.fleet_hooks import FleetHooks
from syncd.settings.load import text_of
from syncd.settings.secrets import SecretRef
from syncd.settings.values import is_loopback

SCHEMA = "syncd.fleet/1"
DATABASE, WAY, PREPARED, SESSIONS, COPIES, WORKERS, CONNECTIONS = (
    "database",
    "encryption",
    "schema",
    "sessions",
    "standbys",
    "workers",
    "connections",
)
_MEND = "Mend the first failure; the others could not be asked."


def fleet_document(fleet: Fleet, *, database: str, now: datetime, done: Sequence[str] = ()) -> dict[str, Any]:
    """A `syncd.fleet/1` document; `done` says what the command did, in words."""
    owned = Counter(each.owner for each in fleet.connections)
    return {
        "schema": SCHEMA,
        "at": timestamp(now),
        "database": database,
        "done": list(done),
        "workers": [_worker(each, owned[each.name]) for each in fleet.workers],
        "connections": [_connection(each) for each in fleet.connections],
    }


def ended_by_restore(stores: int, *, requests: int, approvals: int, expectations: int) -> str:
    """What does not count any more, of so many stores that were put back, in words."""
    numbers = {"request": requests, "approval": approvals, "expectation": expectations}
    said = [counted(number, kind) for kind, number in numbers.items() if number]
    copies = f"of {counted(stores, 'store')} that came back"
    if not said:
        return f"{copies} no request, approval or expectation was open"
    return f"{copies} does not count any more: {', '.join(said)}; ask, approve and expect anew what is still wanted"


def _worker(worker: LivingWorker, owned: int) -> dict[str, Any]:
    return {
        "name": worker.name,
        "host": worker.host,
        "version": worker.version,
        "mode": worker.mode,
        "capacity": worker.capacity,
        "owned": owned,
        "draining": worker.draining,
        "started": timestamp(worker.started),
        "lease_seconds_left": round(worker.left, 1),
    }


def _connection(record: ConnectionRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "state": _state(record),
        "owner": record.owner or None,
        "epoch": record.epoch,
        "since": None if record.since is None else timestamp(record.since),
        "people": record.weight - 1,
        "bound_for": record.bound_for or None,
        "org": record.org,
        "target": record.target,
        "digest": record.digest,
        "updated_at": timestamp(record.updated_at),
        "updated_by": record.updated_by,
    }


def _state(record: ConnectionRecord) -> str:
    if record.paused:
        return "paused"
    if not record.owner:
        return "free"
    return "silent" if record.silent else "owned"


def check_fleet(
    name: str,
    database: Database,
    asked: FleetDatabase,
    registry: Registry,
    hooks: FleetHooks,
) -> Checked:
    """Every probe on its own, in order; a `syncd.check/1` document. Never raises SyncdError."""
    checks = Checks()
    with checks.probing(DATABASE):
        state = asked.state()
        if state.is_standby:
            checks.fail(
                DATABASE,
                f"{asked.shown}: {state.version} follows another server and takes no writes",
                "Have `database` lead to the primary: target_session_attrs=read-write in its URL.",
            )
        elif state.is_read_only:
            checks.fail(
                DATABASE,
                f"{asked.shown}: {state.version} takes no writes: default_transaction_read_only is on",
                "Where a provider did that, its disk may be full. Else turn it off for the role, the database or the"
                " server.",
            )
        else:
            checks.ok(DATABASE, f"{asked.shown}: {state.version}")
        _way(checks, database, encrypted=state.encrypted)
        _copies(checks, state.standbys, state.waits_for)
    if not checks.passed(DATABASE):
        for each in (PREPARED, SESSIONS, WORKERS, CONNECTIONS):
            checks.skip(each, _MEND)
        return checked(name, checks)
    with checks.probing(PREPARED):
        asked.refuse_unprepared()
        checks.ok(PREPARED, "prepared for this version")
    with checks.probing(SESSIONS):
        asked.refuse_pooling()
        checks.ok(SESSIONS, "are our own from statement to statement")
    if checks.passed(PREPARED):
        with checks.probing(WORKERS):
            fleet = registry.look()
            _members(checks, fleet)
            _heard(checks, hooks, fleet)
    else:
        checks.skip(WORKERS, _MEND)
        checks.skip(CONNECTIONS, _MEND)
    return checked(name, checks)


def _way(checks: Checks, database: Database, *, encrypted: bool) -> None:
    if encrypted:
        checks.ok(WAY, "by TLS; the server's certificate is checked")
    elif all(host.startswith("/") or is_loopback(host) for host in database.hosts):
        checks.ok(WAY, "none is needed: the server is on this machine")
    else:
        checks.warn(WAY, "none", "Write sslmode=verify-full into the URL of `database`.")


def _copies(checks: Checks, standbys: int, waits_for: str) -> None:
    if waits_for:
        checks.ok(COPIES, f"a commit waits for {waits_for}: what was promised outlives a failover")
    elif standbys:
        checks.warn(
            COPIES,
            f"{counted(standbys, 'standby')} may lag behind: a failover to one of them loses what was written last, and"
            " the audit trail lacks it",
            "Set synchronous_standby_names on the server.",
        )
    else:
        checks.info(COPIES, "none: the fleet is as available as this one server", "See docs/fleet.md.")


def _members(checks: Checks, fleet: Fleet) -> None:
    working = [each for each in fleet.workers if each.mode == WORK]
    room = sum(each.capacity for each in working if not each.draining)
    wanted = sum(not each.paused for each in fleet.connections)
    if working:
        checks.ok(WORKERS, f"{counted(len(working), 'worker')}, with room for {counted(room, 'connection')}")
    else:
        checks.warn(WORKERS, "none lives", "Start one: syncd worker")
    free = [each.name for each in fleet.connections if _state(each) in ("free", "silent")]
    if wanted > room and working:
        checks.warn(
            CONNECTIONS,
            f"{counted(wanted, 'connection')}, more than there is room for",
            "Raise fleet.capacity, or start another worker.",
        )
    elif free and working:
        checks.warn(CONNECTIONS, f"{', '.join(free[:5])}: nobody has them now", "Look again in a minute.")
    elif not fleet.connections:
        checks.info(CONNECTIONS, "none yet", "Put them in: syncd fleet apply DIR")
    else:
        checks.ok(CONNECTIONS, f"{wanted} of {len(fleet.connections)} are to be served")


def _heard(checks: Checks, hooks: FleetHooks, fleet: Fleet) -> None:
    """One line, where event hooks are to come: whether this machine could tell who posts them, and for whom."""
    if not hooks.org:
        return
    unread = [path for path, secret in hooks.secrets() if _is_unread(secret)]
    known = {each.org for each in fleet.connections}
    idle = [each.org_url for each in hooks.org if each.org_url not in known]
    if unread and hooks.listen:
        checks.fail(
            HOOKS,
            f"{', '.join(unread)} cannot be read: what comes with it is refused",
            "Give this machine the secret: docs/fleet.md.",
        )
    elif idle:
        checks.warn(
            HOOKS,
            f"{', '.join(idle[:5])}: no connection of the fleet is of that org",
            "Write org_url as okta.org_url of its connections says it.",
        )
    elif hooks.listen:
        checks.ok(HOOKS, f"heard at {hooks.listen}, of {counted(len(hooks.org), 'org')}")
    else:
        checks.info(HOOKS, "not heard on this machine", "One worker at least needs hooks.listen.")


def _is_unread(secret: SecretRef) -> bool:
    try:
        secret.read()
    except SyncdError:
        return True
    return False


@dataclass(frozen=True, slots=True)
class Enrolments:
    """What settings files would change in a fleet; by name. `missing`: in the fleet, and in none of the files."""

    added: Sequence[Enrolment]
    changed: Sequence[Enrolment]
    same: Sequence[str]
    missing: Sequence[str]

    @property
    def enrolments(self) -> Sequence[Enrolment]:
        return [*self.added, *self.changed]


def enrolments_of(loaded: Loaded) -> Sequence[Enrolment]:
    """Raises ConfigurationError with every problem of the files, and for secrets that stand in them: what is put into a
    fleet is read by all that may read its database.
    """
    if loaded.problems:
        raise configuration_error(loaded.problems)
    for each in loaded.connections:
        for path, secret in each.secrets():
            if secret.kind == "literal":
                raise ConfigurationError(
                    f"{each.path} {path}: the secret stands in the settings file, and would stand in the database",
                    hint='keep it on the workers, and write { env = "NAME" }, { file = "/PATH" } or'
                    ' { credential = "NAME" }',
                )
    return [_enrolment(each) for each in loaded.connections]


def _enrolment(settings: ConnectionSettings) -> Enrolment:
    text = text_of(settings.path)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Enrolment(settings.name, text, digest, settings.okta.org_url, settings.split.base_url)


def reform(fleet: Fleet, enrolments: Sequence[Enrolment]) -> Enrolments:
    """Raises RefusedError for a Split organisation that two connections would own."""
    known = {each.name: each for each in fleet.connections}
    _refuse_shared_targets(known, enrolments)
    return Enrolments(
        added=[each for each in enrolments if each.name not in known],
        changed=[
            each for each in enrolments if each.name in known and known[each.name].digest != each.digest
        ],
        same=[
            each.name for each in enrolments if each.name in known and known[each.name].digest == each.digest
        ],
        missing=sorted(known.keys() - {each.name for each in enrolments}),
    )


def _refuse_shared_targets(known: Mapping[str, ConnectionRecord], enrolments: Sequence[Enrolment]) -> None:
    targets = {name: record.target for name, record in known.items()}
    targets |= {each.name: each.target for each in enrolments}
    for each in enrolments:
        others = sorted(
            name for name, target in targets.items() if target == each.target and name != each.name
        )
        if others:
            raise RefusedError(
                f"{each.name} and {', '.join(others)} would own the same Split organisation {each.target},"
                " and undo each other's work",
                hint="keep one of them in the fleet",
            )
