"""`syncd unlink`: stop managing a group by hand, and keep or delete it in Split; or forget a person's tie."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from syncd.cli.deciding import decider
from syncd.cli.linking import Manner, apply_link, linking_options, need_a_name, need_an_answer, plan_ask_apply
from syncd.cli.options import Command, globals_of
from syncd.cli.released import let_go
from syncd.cli.session import Session
from syncd.core.request import UnlinkRequest, UnlinkUserRequest

if TYPE_CHECKING:
    from syncd.engine.job import Job
    from syncd.engine.planning.planned import Planned
    from syncd.ports import Store


@click.command(name="unlink", cls=Command)
@click.argument("group", required=False, metavar="GROUP")
@click.option("--user", metavar="USER", help="Forget the tie of this person; their account stays as it is.")
@click.option("--keep", is_flag=True, help="Leave the group in Split as it is, members too.")
@click.option("--delete", is_flag=True, help="Delete the group in Split; see safety.max_group_deletions.")
@linking_options
@click.pass_context
def command(
    ctx: click.Context,
    group: str | None,
    user: str | None,
    *,
    keep: bool,
    delete: bool,
    manner: Manner,
) -> int:
    """Stop managing a group, kept in Split or deleted; or forget a person's tie.

    GROUP is its name or id on either side. No sync links or creates it again, whatever its push rule says, until syncd
    link does. A deletion over the limit is held (exit 3); once approved, the next sync does it.

    --user forgets which account is this person's. Neither Okta nor Split is asked, and the account stays as it is; no
    sync takes it back until syncd link --user does, or the person has left the app and come back.
    """
    if (group is None) == (user is None):
        raise click.UsageError("unlink takes a GROUP, or --user USER")
    if user is not None:
        need_a_name(user)
        if keep or delete or manner.allow or manner.detailed:
            raise click.UsageError("--user keeps the account: leave the other options out")
        return _unlink_user(ctx, user, manner)
    assert group is not None  # noqa: S101  (one of the two is given)
    need_a_name(group)
    if keep is delete:
        raise click.UsageError("say what becomes of the group in Split: either --keep or --delete")
    need_an_answer(yes=manner.yes)

    def make(job: Job, *, writing: bool) -> Planned:
        from syncd.engine.cycles.link import plan_unlink  # noqa: PLC0415  (the engine)

        return plan_unlink(job, group, decider(), manner.allow, delete=delete, writing=writing)

    with Session(globals_of(ctx), as_json=manner.as_json) as session:
        return plan_ask_apply(
            session,
            session.only_connection("unlink"),
            "unlink",
            make,
            partial(apply_link, reason=manner.reason),
            request=UnlinkRequest(group, delete, allow=manner.allow),
            manner=manner,
        )


def _unlink_user(ctx: click.Context, user: str, manner: Manner) -> int:
    def forget(store: Store, connection: str) -> dict[str, Any]:
        from syncd.answers.decisions import unlink_user  # noqa: PLC0415  (the engine)

        return unlink_user(store, connection, user, decider(), datetime.now(UTC), manner.reason)

    with Session(globals_of(ctx), as_json=manner.as_json) as session:
        return let_go(
            session, user, forget, UnlinkUserRequest(user), no_wait=manner.no_wait, reason=manner.reason
        )
