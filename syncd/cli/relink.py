"""`syncd relink`: after SCIM was switched off and on again, everybody matched afresh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from syncd.cli import exits
from syncd.cli.asking import can_ask
from syncd.cli.choices import json_option, reason_option
from syncd.cli.deciding import decider
from syncd.cli.interrupts import Stop
from syncd.cli.options import Command, globals_of
from syncd.cli.requesting import carried_out, no_wait_option, shown_answer
from syncd.cli.session import Answer, Session
from syncd.core.change import Change, ChangeKind, change_document
from syncd.core.diff import Skipped
from syncd.core.plan import digest_of, plan_document
from syncd.core.request import RelinkRequest, RequestResult
from syncd.errors import RefusedError
from syncd.report import jsondoc
from syncd.report.lines import BLANK, Line, Span, columns, faint, line, safe, strong

if TYPE_CHECKING:
    from syncd.cli.progress import Watcher
    from syncd.engine.cycles.relink import Relinking
    from syncd.engine.cycles.rematch import Sides
    from syncd.settings import ConnectionSettings

SHOWN = 50
"""Rows of each table."""


@click.command(name="relink", cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask before storing.")
@reason_option
@json_option
@no_wait_option
@click.pass_context
def command(ctx: click.Context, reason: str | None, *, yes: bool, as_json: bool, no_wait: bool) -> int:
    """Match everybody afresh after SCIM was switched off and on.

    Looks for every known user and group in Split by id, externalId and name, shows who is where, asks, and stores it.
    Nothing is written to Split, and Okta is not asked. Who is not there any more is forgotten: the next sync creates
    them if they are still wanted. With --json and without --yes it only shows.
    """
    if not yes and not as_json and not can_ask():
        raise click.UsageError("there is no terminal to ask on: give --yes, or --json to only look")
    with (
        Session(globals_of(ctx), as_json=as_json) as session,
        Stop(session.note) as stop,
        ExitStack() as stack,
    ):
        session.listen()
        asked = _Asked(session, stop, session.only_connection("relink"), stack, reason, yes=yes)
        if as_json and not yes:
            asked.look(reading=True)
            return session.one(asked.answer())
        return session.one(
            carried_out(
                session,
                asked.settings,
                stop,
                asked.request,
                asked.alone,
                asked.shown,
                no_wait=no_wait,
                reason=reason,
            )
        )


class _Asked:
    """One relink: looked for, shown, asked about. What was found stays open as long as `stack`."""

    def __init__(
        self,
        session: Session,
        stop: Stop,
        settings: ConnectionSettings,
        stack: ExitStack,
        reason: str | None,
        *,
        yes: bool,
    ) -> None:
        self.settings, self._reason = settings, reason
        self._session, self._stop, self._stack, self._yes = session, stop, stack, yes
        self._found: Relinking | None = None
        self._watcher: Watcher | None = None

    def look(self, *, reading: bool) -> tuple[Sides, Relinking]:
        """Raises RefusedError when a person said no."""
        from syncd.engine.cycles.relink import relink  # noqa: PLC0415  (the engine)
        from syncd.wiring import utc_now  # noqa: PLC0415

        session = self._session
        sides, watcher = _open(self._stack, session, self._stop, self.settings, reading=reading)
        self._watcher = watcher
        found = self._found = self._stack.enter_context(relink(sides, utc_now()))
        watcher.rest()
        if not session.as_json:
            session.show(_lines(found))
            asks = not self._yes and not found.nothing_to_store
            if asks and not session.confirm("Store this?"):
                raise RefusedError("the result was not approved", hint="Nothing was stored.")
        return sides, found

    def alone(self) -> Answer:
        from syncd.engine.cycles.relink import store_relinking  # noqa: PLC0415  (the engine)

        sides, found = self.look(reading=False)
        store_relinking(sides, found, decider(), self._reason)
        return self.answer()

    def request(self) -> RelinkRequest:
        from syncd.answers.requests import what_was_found  # noqa: PLC0415  (the engine)

        _, found = self.look(reading=True)
        return RelinkRequest(what_was_found(found))

    def shown(self, result: RequestResult) -> Answer:
        shown_answer(self._session, self.settings, result)
        return self.answer()

    def answer(self) -> Answer:
        """What was found, as a document, or in a line that it is stored."""
        if self._found is None or self._watcher is None:
            raise ValueError("nobody has looked yet")
        self._watcher.close()
        if self._session.as_json:
            self._session.console.data(jsondoc.pieces(_document(self._found)))
            return Answer({}, exits.DONE, said=True)
        return Answer({}, exits.DONE, [_done(self._found)])


def _open(
    stack: ExitStack, session: Session, stop: Stop, settings: ConnectionSettings, *, reading: bool
) -> tuple[Sides, Watcher]:
    """The store (with its writer's lock unless only `reading`) and the target; nothing of Okta, not even its token."""
    from syncd.engine.cycles.rematch import Sides  # noqa: PLC0415  (the engine)
    from syncd.engine.facts import learned_of  # noqa: PLC0415
    from syncd.settings import target_fingerprint  # noqa: PLC0415
    from syncd.wiring import open_for_status, open_for_writing, open_target  # noqa: PLC0415

    watcher = stack.enter_context(session.watcher(settings))
    stop.during(watcher)
    store = stack.enter_context(
        open_for_status(settings, redactor=session.redactor)
        if reading
        else open_for_writing(settings, redactor=session.redactor, event=watcher.event)
    )
    learned = learned_of(store, target_fingerprint(settings))
    target = stack.enter_context(open_target(settings, watcher, session.redactor, learned=learned))
    return Sides(settings, store, target, watcher, stop.asked), watcher


def _document(found: Relinking) -> dict[str, Any]:
    """The contract's plan document with its changes as an iterator: they stay on disk."""
    whole = plan_document(found.header, (), {})
    digest = digest_of({**whole, "changes": map(change_document, found.changes())})
    return {**whole, "changes": map(change_document, found.changes()), "digest": digest}


# for people


def _lines(found: Relinking) -> Iterator[Line]:
    summary, skipped = found.header.summary, found.header.skipped
    conflicts = sorted((skip for skip in skipped if skip.kind == "conflict"), key=lambda skip: skip.about)
    missing_ones = [skip for skip in skipped if skip.kind == "missing"]
    yield from _table("Conflicts", len(conflicts), map(_skipped_row, conflicts))  # groups first
    yield from _table("Moved", sum(summary.values()), map(_moved_row, found.changes()))
    yield from _table("Missing", len(missing_ones), map(_skipped_row, missing_ones))
    users, groups = set(found.lost_users), set(found.lost_groups)
    for title, unchanged, moved, lost in (
        ("Users: ", found.unchanged_users, summary.get(ChangeKind.ADOPT_USER, 0), users),
        ("Groups: ", found.unchanged_groups, summary.get(ChangeKind.LINK_GROUP, 0), groups),
    ):
        missing = sum(skip.kind == "missing" and skip.okta_id in lost for skip in skipped)
        numbers = f"{unchanged:,} unchanged, {moved:,} moved, {missing:,} missing"
        yield line(strong(title), f"{numbers}, {len(lost) - missing:,} in conflict.")


def _table(title: str, count: int, rows: Iterable[tuple[Span, ...]]) -> Iterator[Line]:
    if not count:
        return
    yield line(strong(title), f" ({count:,})")
    shown = [row for row, _ in zip(rows, range(SHOWN), strict=False)]
    yield from columns(shown)
    if count > len(shown):
        yield line(f"  … and {count - len(shown):,} more ", faint("(use --json to see all)"))
    yield BLANK


def _moved_row(change: Change) -> tuple[Span, ...]:
    what = "user" if change.kind is ChangeKind.ADOPT_USER else "group"
    where = f"{safe(change.before['scim_id'])} → {safe(change.after['scim_id'])}"
    return faint(what), Span(safe(change.name), "change"), Span(where), faint(change.reason)


def _skipped_row(skip: Skipped) -> tuple[Span, ...]:
    return Span(safe(skip.name or skip.okta_id), "remove"), faint(skip.reason)


def _done(found: Relinking) -> Line:
    if found.nothing_to_store:
        return line("Everything is where it was: there was nothing to store.")
    text = "Stored. Nothing was written to Split; "
    return line(text, "see what is left to do with ", Span("syncd plan", "strong"), ".")
