"""`syncd simulate`: one simulator alone, to try a real configuration against."""

from __future__ import annotations

from pathlib import Path

import click

from syncd.cli.exits import DONE
from syncd.cli.options import Command
from syncd.errors import PermanentError, UsageError


@click.command(name="simulate", cls=Command)
@click.argument("kind", type=click.Choice(["okta", "split"]))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 takes a free one."
)
@click.option(
    "--fixture",
    type=click.Path(path_type=Path),
    help="World to serve, as JSON (docs/simulators.md). Without it one is generated.",
)
@click.option("--token", help="The token it accepts; shown at the start.")
@click.option("--users", type=click.IntRange(0), default=250, show_default=True, help="okta: people.")
@click.option("--groups", type=click.IntRange(0), default=12, show_default=True, help="okta: groups.")
@click.option("--seed", type=int, default=1, show_default=True, help="okta: the same seed, the same world.")
@click.option(
    "--flavor",
    type=click.Choice(["split", "harness", "scim"]),
    default="split",
    show_default=True,
    help="split: whose rules it follows.",
)
@click.pass_context
def command(
    ctx: click.Context,
    kind: str,
    port: int,
    fixture: Path | None,
    token: str | None,
    users: int,
    groups: int,
    seed: int,
    flavor: str,
) -> int:
    """Serve a simulated Okta org or Split organisation.

    On loopback, until Ctrl-C. Prints its address, its token and how to change its world while it runs.
    """
    _refuse_the_others(ctx, kind)
    from syncd.simulators.server import build, run  # noqa: PLC0415  (aiohttp)

    try:
        simulator = build(
            kind,
            port,
            str(fixture) if fixture else None,
            token=token,
            users=users,
            groups=groups,
            seed=seed,
            flavor=flavor,
        )
        run(simulator)
    except OSError as error:
        raise PermanentError(
            f"the {kind} simulator cannot start: {error.strerror or error}",
            hint="Choose another --port, or 0 for a free one.",
        ) from error
    except ValueError as error:
        raise UsageError(
            f"the {kind} simulator has no such world: {error}", hint="See docs/simulators.md."
        ) from error
    return DONE


def _refuse_the_others(ctx: click.Context, kind: str) -> None:
    """Raises click.UsageError for an option that says nothing about this kind of world."""
    others = ("flavor",) if kind == "okta" else ("users", "groups", "seed")
    for name in others:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name} says nothing about {kind}: leave it out")
