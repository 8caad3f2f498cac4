"""`syncd demo`: both simulators up, a story told through the ordinary engine."""

from __future__ import annotations

import click

from syncd.cli.options import Command


@click.command(name="demo", cls=Command)
@click.option("--keep", is_flag=True, help="Leave both simulators and the state running for a look around.")
def command(*, keep: bool) -> int:
    """Tell the whole story against both simulators.

    Starts an Okta and a Split simulator on loopback, syncs some 250 people and a dozen groups, lets Okta change
    and shows what each cycle plans and does. Needs no configuration and reaches no other machine.
    """
    from syncd.demo import main  # noqa: PLC0415  (aiohttp, the engine)

    return main(keep)
