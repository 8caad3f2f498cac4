"""`syncd fleet`: several machines that serve the same connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from syncd.cli import exits
from syncd.cli.asking import can_ask
from syncd.cli.choices import json_option
from syncd.cli.deciding import decider
from syncd.cli.fleet_settings import fleet_settings
from syncd.cli.options import Command, globals_of, group_of
from syncd.cli.session import Answer, Session
from syncd.core.counting import counted
from syncd.errors import RefusedError
from syncd.report.fleet_text import fleet_lines
from syncd.report.lines import Line, Span, line, safe
from syncd.report.text import check_lines

if TYPE_CHECKING:
    from syncd.answers.fleet import Enrolments
    from syncd.ports.database import FleetDatabase
    from syncd.ports.fleet import Registry
    from syncd.settings.fleet import Database
    from syncd.settings.fleet_hooks import FleetHooks


command = group_of(
    "fleet",
    {
        "check": "Test the fleet's database; changes nothing.",
        "migrate": "Prepare the database, or bring it up to date.",
        "apply": "Put settings files into the fleet, after showing what changes.",
        "status": "Show workers, connections and who owns them.",
        "pause": "Have no worker serve a connection.",
        "drain": "Have a worker give all its connections back.",
        "move": "Have another worker serve a connection.",
        "restored": "Make a database that was put back from a copy safe to use.",
    },
    description="""Manage several machines that serve the same connections.

    fleet.toml names the PostgreSQL that they share; the workers are syncd worker. See docs/fleet.md.
    """,
)


@dataclass(frozen=True)
class _Opened:
    """The fleet, and who asks."""

    session: Session
    database: Database
    asked: FleetDatabase
    registry: Registry
    hooks: FleetHooks

    def answer(self, *done: str) -> Answer:
        """How the fleet is now, after what was done."""
        from syncd.answers.fleet import fleet_document  # noqa: PLC0415  (the engine)
        from syncd.wiring import utc_now  # noqa: PLC0415

        document = fleet_document(
            self.registry.look(), database=self.database.shown, now=utc_now(), done=done
        )
        return Answer(document, exits.DONE, fleet_lines(document))


@contextmanager
def _opened(ctx: click.Context, *, as_json: bool, prepared: bool = True) -> Iterator[_Opened]:
    """With `prepared` a database that this version may not use is refused. Raises ConfigurationError."""
    said = globals_of(ctx)
    with Session(said, as_json=as_json) as session:
        fleet = fleet_settings(said.fleet)
        from syncd.fleets import fleet_database, open_registry  # noqa: PLC0415  (psycopg)

        database, asked = fleet_database(fleet, session.redactor)
        for warning in fleet.warnings():
            session.note(f"warning: {fleet.path} {warning}", "warn")
        if prepared:
            asked.refuse_unprepared()
        with open_registry(database) as registry:
            yield _Opened(session, database, asked, registry, fleet.hooks)


@click.command(name="check", cls=Command)
@json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> int:
    """Test the fleet's database; changes nothing.

    Whether it answers and is new enough, how the way there is encrypted, whether it is prepared for this version,
    whether a pooler mixes up sessions, what a failover would lose, whether workers have room for all connections, and
    whether event hooks can be heard here.
    """
    with _opened(ctx, as_json=as_json, prepared=False) as fleet:
        from syncd.answers.fleet import check_fleet  # noqa: PLC0415  (the engine)

        found = check_fleet("fleet", fleet.database, fleet.asked, fleet.registry, fleet.hooks)
        answer = Answer(found.document, found.exit_code, check_lines(found.document))
        return fleet.session.one(answer)


@click.command(name="migrate", cls=Command)
@json_option
@click.pass_context
def migrate(ctx: click.Context, *, as_json: bool) -> int:
    """Prepare the database, or bring it up to date.

    Once before the first worker, and after an upgrade that asks for it; workers of the version before go on meanwhile.
    The role of `database` has to be allowed to create a schema. Done twice, the second time does nothing.
    """
    with _opened(ctx, as_json=as_json, prepared=False) as fleet:
        steps = fleet.asked.migrate()
        done = f"steps taken: {', '.join(steps)}" if steps else "nothing was to be done: it is up to date"
        return fleet.session.one(fleet.answer(done))


@click.command(name="status", cls=Command)
@json_option
@click.pass_context
def status(ctx: click.Context, *, as_json: bool) -> int:
    """Show workers, connections and who owns them."""
    with _opened(ctx, as_json=as_json) as fleet:
        return fleet.session.one(fleet.answer())


@click.command(name="apply", cls=Command)
@click.argument("places", metavar="DIR", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--paused", is_flag=True, help="New connections begin paused: until syncd fleet pause NAME --off."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def apply(ctx: click.Context, places: Sequence[Path], *, paused: bool, yes: bool, as_json: bool) -> int:
    """Put settings files into the fleet, after showing what changes.

    DIR is a directory with a *.toml for each connection, or such a file. All are judged first, and all of them are put
    in or none. Workers use them from the next cycle on. Secrets stay references, which each worker resolves; relative
    paths begin beside its fleet.toml. Connections of the fleet that are in none of the files stay as they are.
    """
    if not yes and not can_ask():
        raise click.UsageError("there is no terminal to ask on: give --yes")
    with _opened(ctx, as_json=as_json) as fleet:
        from syncd.answers.fleet import enrolments_of, reform  # noqa: PLC0415  (the engine)
        from syncd.settings import load  # noqa: PLC0415  (pydantic)

        loaded = load(places, environ={})
        found = reform(fleet.registry.look(), enrolments_of(loaded))
        if found.enrolments and not yes:
            fleet.session.show(_reform_lines(found))
            if not fleet.session.confirm("Put these settings into the fleet?"):
                raise RefusedError("the settings were not approved", hint="Nothing was changed.")
        if found.enrolments:
            fleet.registry.enrol(found.enrolments, decider(), paused=paused)
        return fleet.session.one(fleet.answer(*_reformed(found, paused=paused)))


def _reform_lines(found: Enrolments) -> Iterator[Line]:
    for each in found.added:
        yield line(Span(f"+ {safe(each.name)}", "add"), f"  {safe(each.org)} to {safe(each.target)}")
    for each in found.changed:
        yield line(Span(f"~ {safe(each.name)}", "change"), f"  {safe(each.org)} to {safe(each.target)}")
    for name in found.missing:
        yield line(f"  {safe(name)}  is in none of the files, and stays as it is")


def _reformed(found: Enrolments, *, paused: bool) -> Iterator[str]:
    for word, names in (
        ("added, paused" if paused else "added", [each.name for each in found.added]),
        ("changed", [each.name for each in found.changed]),
        ("already so", found.same),
        ("in none of the files, left as it is", found.missing),
    ):
        if names:
            yield f"{word}: {counted(len(names), 'connection')} ({', '.join(names)})"


@click.command(name="pause", cls=Command)
@click.argument("name")
@click.option("--off", is_flag=True, help="Have it served again.")
@json_option
@click.pass_context
def pause(ctx: click.Context, name: str, *, off: bool, as_json: bool) -> int:
    """Have no worker serve a connection.

    Its owner gives it back as soon as no cycle of it runs; nothing is read and nothing written until --off. To go on
    reading and planning and only to write nothing, there is syncd pause.
    """
    with _opened(ctx, as_json=as_json) as fleet:
        fleet.registry.pause(name, decider(), paused=not off)
        return fleet.session.one(fleet.answer(f"{name} {'is served again' if off else 'is paused'}"))


@click.command(name="drain", cls=Command)
@click.argument("worker")
@click.option("--off", is_flag=True, help="Have it take connections again.")
@json_option
@click.pass_context
def drain(ctx: click.Context, worker: str, *, off: bool, as_json: bool) -> int:
    """Have a worker give all its connections back.

    Each as soon as no cycle of it runs, and it takes no others; the process goes on. To end it, SIGTERM is enough: it
    hands over by itself.
    """
    with _opened(ctx, as_json=as_json) as fleet:
        fleet.registry.drain(worker, draining=not off)
        said = "takes connections again" if off else "drains"
        return fleet.session.one(fleet.answer(f"{worker} {said}"))


@click.command(name="move", cls=Command)
@click.argument("name")
@click.argument("worker")
@json_option
@click.pass_context
def move(ctx: click.Context, name: str, worker: str, *, as_json: bool) -> int:
    """Have another worker serve a connection.

    As soon as no cycle of it runs. Should that worker end first, whoever has room takes it.
    """
    with _opened(ctx, as_json=as_json) as fleet:
        fleet.registry.move(name, worker)
        return fleet.session.one(fleet.answer(f"{name} is bound for {worker}"))


@click.command(name="restored", cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_context
def restored(ctx: click.Context, *, yes: bool, as_json: bool) -> int:
    """Make a database that was put back from a copy safe to use.

    Run it once after pg_restore or a recovery to an earlier moment, before any worker is started. What the copy says of
    owners was true then: with this no right to write that was given then or since counts ever again, no worker of then
    lives, and every connection is paused until somebody has looked at syncd plan. Requests, approvals and expectations
    of the copy are ended, as after syncd restore; once interrupted, run it again.
    """
    if not yes and not can_ask():
        raise click.UsageError("there is no terminal to ask on: give --yes")
    with _opened(ctx, as_json=as_json) as fleet:
        if not yes and not fleet.session.confirm("Take all connections from their owners, and pause them?"):
            raise RefusedError("it was not approved", hint="Nothing was changed.")
        from syncd.answers.fleet import ended_by_restore  # noqa: PLC0415  (the engine)
        from syncd.fleets import restored  # noqa: PLC0415  (psycopg)
        from syncd.wiring import utc_now  # noqa: PLC0415

        done = restored(fleet.database, fleet.registry, utc_now, by=decider())
        return fleet.session.one(
            fleet.answer(
                "no owner and no worker of before counts any more",
                ended_by_restore(
                    len(done.ended),
                    requests=sum(each.requests for each in done.ended),
                    approvals=sum(each.approvals for each in done.ended),
                    expectations=sum(each.expectations for each in done.ended),
                ),
                f"paused: {counted(done.paused, 'connection')};"
                " for each: syncd plan, then syncd fleet pause NAME --off",
            )
        )
