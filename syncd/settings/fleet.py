"""`fleet.toml`: several machines that serve the same connections, and the database that they share.

Beside it a connection's own settings stay as they are; its `state` means nothing in a fleet.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from syncd.core.lease import RENEWALS_THAT_MAY_FAIL, LeaseTerms
from syncd.errors import ConfigurationError
from syncd.settings.explain import findings_of, located
from syncd.settings.fleet_hooks import FleetHooks, OrgHooks
from syncd.settings.lines import index_lines
from syncd.settings.load import configuration_error, parsed, text_of
from syncd.settings.problem import Finding, Problem
from syncd.settings.schema import ConnectionSettings, Table
from syncd.settings.secrets import SecretRef
from syncd.settings.suggest import nearest
from syncd.settings.values import Listen, Origin, SecretUrl, is_loopback, text, within, wrong

_SCHEMES = ("postgresql", "postgres")
_STRICT = "verify-full"
_NAME_AT_MOST = 100


def _worker(raw: object) -> str:
    if raw == "":
        return ""
    name = text(raw)
    if len(name) > _NAME_AT_MOST:
        raise wrong(f"is longer than {_NAME_AT_MOST} characters")
    return name


class FleetTable(Table):
    """`[fleet]`: the database, and what this machine does for the fleet."""

    database: SecretUrl
    worker: Annotated[str, BeforeValidator(_worker)] = ""
    mode: Literal["work", "watch"] = "work"
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 400
    cycles: Annotated[int, Field(ge=1, le=256)] = 32
    lease: Annotated[timedelta, BeforeValidator(within("5s", "10m"))] = timedelta(seconds=15)
    renew: Annotated[timedelta, BeforeValidator(within("1s", "1m"))] = timedelta(seconds=3)
    margin: Annotated[timedelta, BeforeValidator(within("1s", "5m"))] = timedelta(seconds=5)
    listen: Listen = "127.0.0.1:9464"

    @property
    def terms(self) -> LeaseTerms:
        """Of the worker's lease."""
        return LeaseTerms(*(each.total_seconds() for each in (self.lease, self.renew, self.margin)))


class FleetFile(Table):
    """All that stands in `fleet.toml`."""

    fleet: FleetTable
    hooks: FleetHooks = FleetHooks()


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """`path` is absolute."""

    path: Path
    fleet: FleetTable
    hooks: FleetHooks = field(default_factory=FleetHooks)

    def rule(self, settings: ConnectionSettings) -> ConnectionSettings:
        """The settings of a connection as they count in this fleet."""
        hooks = self.hooks.of_org(settings.okta.org_url)
        return settings.model_copy(update={"hooks": hooks}).of_fleet(self.path)

    def warnings(self) -> Iterator[str]:
        """What is better otherwise, each with its setting."""
        yield from (f"fleet.database: {each}" for each in self.fleet.database.warnings())
        yield from self.hooks.warnings()


@dataclass(frozen=True, slots=True)
class Database:
    """Where the fleet's PostgreSQL is. `url` holds the password, `shown` does not; `hosts`: names, addresses or
    directories of sockets.
    """

    url: str = field(repr=False)
    shown: str
    hosts: tuple[str, ...]


def load_fleet(path: Path, *, environ: Mapping[str, str]) -> FleetSettings:
    """Raises ConfigurationError with every problem of the file."""
    if not os.path.lexists(path):
        raise _wrong([Problem(path, "there is no such file; check the path")])
    try:
        said = text_of(path)
    except ConfigurationError as error:
        raise _wrong([Problem(path, error.message)]) from None
    raw = parsed(said, path)
    if isinstance(raw, Problem):
        raise _wrong([raw])
    origin = Origin(Path(os.path.abspath(path)), environ)  # noqa: PTH100  (resolve() would follow links)
    try:
        found = FleetFile.model_validate(raw, context=origin)
        findings = [*_contradictions(found.fleet), *found.hooks.contradictions(found.fleet.listen)]
    except ValidationError as error:
        findings = [_of_this_file(each) for each in error.errors(include_url=False) if _is_a_key(each)]
        findings += [each for each in findings_of(error) if not each.message.startswith("is an unknown key")]
        found = None
    if findings or found is None:
        raise _wrong(located(findings, path, index_lines(said)))
    return FleetSettings(origin.file, found.fleet, found.hooks)


def _wrong(problems: Sequence[Problem]) -> ConfigurationError:
    found = configuration_error(problems)
    return ConfigurationError(
        found.message,
        hint="Correct it, as docs/fleet.md says, and run: syncd fleet check",
        problems=found.problems,
    )


def _is_a_key(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden"


def _of_this_file(detail: ErrorDetails) -> Finding:
    """An unknown key: the keys that are known are those of this file, not of a connection's."""
    loc = detail["loc"]
    tables: dict[object, type[Table]] = {
        ("fleet",): FleetTable,
        ("hooks",): FleetHooks,
        ("hooks", "org"): OrgHooks,
    }
    around = tuple(part for part in loc[:-1] if isinstance(part, str))
    known = tuple(tables.get(around, FleetFile).model_fields)
    meant = nearest(str(loc[-1]), known)
    if meant:
        return Finding(loc, f'is an unknown key; did you mean "{meant}"?')
    if around == ("hooks",) and loc[-1] in OrgHooks.model_fields:
        return Finding(
            loc, "is an unknown key here; it belongs under [[hooks.org]], with the org_url it is of"
        )
    return Finding(loc, f"is an unknown key; known here: {', '.join(known)}", nameless=True)


def _contradictions(fleet: FleetTable) -> Iterator[Finding]:
    if not fleet.terms.leaves_room:
        yield Finding(
            ("fleet", "renew"),
            f"is too seldom: {RENEWALS_THAT_MAY_FAIL} times `renew` have to be less than `lease` without `margin`, so"
            " that some renewals may fail before the worker stops",
        )


def database_of(ref: SecretRef) -> Database:
    """What the reference leads to. Raises ConfigurationError, which never holds the value, for what is no URL of
    PostgreSQL, and for one that lets the password go to a server whose certificate nobody checked.
    """
    value = ref.read()
    scheme, separator, rest = value.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise _unusable(ref, "is not the URL of a PostgreSQL database")
    authority, slash, tail = rest.partition("/")
    path, _, query = tail.partition("?") if slash else ("", "", authority.partition("?")[2])
    authority = authority.partition("?")[0]
    credentials, _, places = authority.rpartition("@")
    options = dict(parse_qsl(query, keep_blank_values=True))
    hosts = tuple(_hosts(",".join(filter(None, (options.get("host") or places, options.get("hostaddr"))))))
    if "service" in options:
        raise _unusable(ref, "names a service, of which nobody here sees where it leads")
    local = all(host.startswith("/") or is_loopback(host) for host in hosts)
    mode = options.get("sslmode", "prefer" if local else _STRICT)
    if mode != _STRICT and not local:
        raise _unusable(ref, f"says sslmode={quote(mode)}, and the server is on another machine")
    said = {**options, "sslmode": mode}
    user = unquote(credentials.partition(":")[0])
    return Database(
        url=f"{scheme}://{authority}/{path}?{urlencode(said, quote_via=quote)}",
        shown=f"{unquote(path) or user or 'the default database'} on {', '.join(hosts) or 'this machine'}",
        hosts=hosts,
    )


def _hosts(places: str) -> Iterator[str]:
    """Of `host:port,host:port`, each of which may be missing."""
    for place in filter(None, places.split(",")):
        if place.startswith("["):
            yield place[1:].partition("]")[0]
        else:
            yield unquote(place).rpartition(":")[0] if ":" in place else unquote(place)


def _unusable(ref: SecretRef, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"fleet.database {ref} {why}",
        hint="write postgresql://<user>:<password>@<host>/<database>?sslmode=verify-full&sslrootcert=system there; only"
        " on the same machine may sslmode be weaker",
    )
