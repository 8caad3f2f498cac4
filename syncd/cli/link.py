"""`syncd link`: tie an Okta group to a group in Split by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from syncd.cli.deciding import decider
from syncd.cli.linking import apply_link, linking_options, need_a_name, need_an_answer, plan_ask_apply
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.core.request import LinkRequest

if TYPE_CHECKING:
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned


@click.command(name="link", cls=Command)
@click.argument("group", metavar="GROUP")
@click.argument("target", metavar="TARGET")
@linking_options
@click.pass_context
def command(
    ctx: click.Context,
    group: str,
    target: str,
    allow: Mapping[str, int],
    *,
    yes: bool,
    detailed: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Tie an Okta group to a group in Split, whatever the rules say.

    GROUP is the name or id of the Okta group, TARGET the name or SCIM id of the group in Split. Shows which members
    would be added and removed, asks, and applies it under the usual limits. The group is managed from then on, with or
    without a push rule; its name in Split stays. Also for a group that was released or unlinked.
    """
    need_a_name(group, target)
    need_an_answer(yes=yes)

    def make(job: Job) -> Planned:
        from syncd.engine.cycles.link import plan_link  # noqa: PLC0415  (the engine)

        return plan_link(job, group, target, decider(), allow)

    with Session(globals_of(ctx), as_json=as_json) as session:
        request = LinkRequest(group, target, allow)
        return plan_ask_apply(
            session, "link", make, apply_link, request=request, yes=yes, detailed=detailed, no_wait=no_wait
        )
