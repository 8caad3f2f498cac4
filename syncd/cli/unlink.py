"""`syncd unlink`: stop managing a group by hand, and keep or delete it in Split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from syncd.cli.deciding import decider
from syncd.cli.linking import apply_link, linking_options, need_a_name, need_an_answer, plan_ask_apply
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.core.request import UnlinkRequest

if TYPE_CHECKING:
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned


@click.command(name="unlink", cls=Command)
@click.argument("group", metavar="GROUP")
@click.option("--keep", is_flag=True, help="Leave the group in Split as it is, members too.")
@click.option("--delete", is_flag=True, help="Delete the group in Split; see safety.max_group_deletions.")
@linking_options
@click.pass_context
def command(
    ctx: click.Context,
    group: str,
    allow: Mapping[str, int],
    *,
    keep: bool,
    delete: bool,
    yes: bool,
    detailed: bool,
    as_json: bool,
    no_wait: bool,
) -> int:
    """Stop managing a group: keep it in Split, or delete it there.

    GROUP is its name or id on either side. No sync links or creates it again, whatever its push rule says, until syncd
    link does. A deletion over the limit is held (exit 3); once approved, the next sync does it.
    """
    need_a_name(group)
    if keep is delete:
        raise click.UsageError("say what becomes of the group in Split: either --keep or --delete")
    need_an_answer(yes=yes)

    def make(job: Job) -> Planned:
        from syncd.engine.cycles.link import plan_unlink  # noqa: PLC0415  (the engine)

        return plan_unlink(job, group, decider(), allow, delete=delete)

    with Session(globals_of(ctx), as_json=as_json) as session:
        request = UnlinkRequest(group, delete, allow)
        return plan_ask_apply(
            session, "unlink", make, apply_link, request=request, yes=yes, detailed=detailed, no_wait=no_wait
        )
