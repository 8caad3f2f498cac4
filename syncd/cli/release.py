"""`syncd release`: stop managing an object, leave it at the target as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import decider
from syncd.cli.options import Command, globals_of
from syncd.cli.released import let_go
from syncd.cli.requesting import no_wait_option
from syncd.cli.session import Session
from syncd.core.request import ReleaseRequest

if TYPE_CHECKING:
    from syncd.ports import Store


@click.command(name="release", cls=Command)
@click.argument("name", metavar="USER|GROUP")
@reason_option
@json_option
@no_wait_option
@click.pass_context
def command(ctx: click.Context, name: str, reason: str | None, *, as_json: bool, no_wait: bool) -> int:
    """Stop managing a user or group; leave it at the target.

    USER|GROUP is an e-mail, a group name, an Okta id or a SCIM id. Neither Okta nor Split is asked. A user is managed
    again once they have left the app, a sync has seen that, and they have come back, or syncd link --user takes them
    back. A group stays released until syncd link does.
    """
    if not name.strip():
        raise click.UsageError("release needs the name or id of a user or group")

    def release(store: Store, connection: str) -> dict[str, Any]:
        from syncd.answers import decisions  # noqa: PLC0415  (the engine)

        return decisions.release(store, connection, name, decider(), reason)

    with Session(globals_of(ctx), as_json=as_json) as session:
        return let_go(session, name, release, ReleaseRequest(name), no_wait=no_wait, reason=reason)
