"""`syncd link`: tie an Okta group to a group in Split, or a person to an account, by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from syncd.cli.deciding import decider
from syncd.cli.linking import (
    Manner,
    apply_link,
    apply_link_user,
    linking_options,
    need_a_name,
    need_an_answer,
    plan_ask_apply,
)
from syncd.cli.options import Command, globals_of
from syncd.cli.session import Session
from syncd.core.request import LinkRequest, LinkUserRequest
from syncd.report.pair_text import pair_lines

if TYPE_CHECKING:
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned


@click.command(name="link", cls=Command)
@click.argument("names", nargs=-1, metavar="GROUP TARGET | [ACCOUNT]")
@click.option(
    "--user", metavar="USER", help="Tie this person to ACCOUNT, or to the only one that looks like theirs."
)
@linking_options
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    user: str | None,
    *,
    manner: Manner,
) -> int:
    """Tie an Okta group to a group in Split, or a person to an account.

    GROUP is the name or id of the Okta group, TARGET the name or SCIM id of the group in Split. Shows which members
    would be added and removed, asks, and applies it under the usual limits. The group is managed from then on, with or
    without a push rule; its name in Split stays. Also for a group that was released or unlinked.

    --user ties one person (e-mail, also a former one, or Okta id) to one account (its userName or SCIM id): one in
    other letters, under another address, or of somebody who was released. Shows both sides and what would change, asks,
    and adopts it. syncd unlink --user forgets it again.
    """
    _need_these(names, user)
    need_an_answer(yes=manner.yes)
    account = names[0] if names else None

    with Session(globals_of(ctx), as_json=manner.as_json) as session:

        def make(job: Job, *, writing: bool) -> Planned:
            from syncd.engine.cycles.link import plan_link  # noqa: PLC0415  (the engine)
            from syncd.engine.cycles.link_user import plan_link_user  # noqa: PLC0415

            if user is None:
                return plan_link(job, names[0], names[1], decider(), manner.allow, writing=writing)
            planned, pair = plan_link_user(job, user, account, decider(), manner.allow, writing=writing)
            if not manner.yes or not manner.as_json:
                session.show(pair_lines(pair))
            return planned

        apply = partial(apply_link if user is None else apply_link_user, reason=manner.reason)
        request = (
            LinkRequest(names[0], names[1], allow=manner.allow)
            if user is None
            else LinkUserRequest(user, account, allow=manner.allow)
        )
        return plan_ask_apply(
            session,
            session.only_connection("link"),
            "link",
            make,
            apply,
            request=request,
            manner=manner,
        )


def _need_these(names: tuple[str, ...], user: str | None) -> None:
    need_a_name(*names, *([] if user is None else [user]))
    if len(names) > 1 if user is not None else len(names) != 2:
        raise click.UsageError("link takes GROUP and TARGET, or --user USER and at most one ACCOUNT")
