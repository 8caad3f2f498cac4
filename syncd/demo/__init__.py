"""`syncd demo`: an Okta org and a Split organisation on this machine, and the ordinary engine between them."""

from __future__ import annotations

import secrets
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from syncd.demo.connection import Connection
from syncd.demo.folder import output_folder, write_private
from syncd.demo.org import cast_of, okta_org, split_organisation
from syncd.demo.story import Story, prepare, tell, tell_the_end
from syncd.demo.telling import Narrator
from syncd.redact import Redactor
from syncd.report.html import StoryView, story_html
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator


def main(keep: bool = False) -> int:  # noqa: FBT001, FBT002  (one switch, called by its name)
    """Tells the story and returns the exit code: 0 when Split ended exactly as Okta wants it, else 1.

    Writes to ./demo-output, or to a temporary directory. With `keep` both servers stay up until Ctrl-C or SIGTERM.
    Raises SyncdError when a cycle of the story fails altogether.
    """
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with output_folder(Path.cwd()) as folder:
        return perform(console, folder, keep=keep)


def perform(console: Console, folder: Path, *, keep: bool = False) -> int:
    """The demo on this console, with this empty directory for its files."""
    redactor = Redactor()
    narrator = Narrator(console, redactor)
    world = okta_org()
    cast = cast_of(world)
    split_world = split_organisation(world, cast)
    with (
        OktaSimulator(world, token=f"00{secrets.token_urlsafe(24)}") as okta,
        SplitSimulator(split_world, token=secrets.token_urlsafe(24)) as split,
    ):
        story = prepare(Connection(folder, okta, split, narrator, redactor), narrator, cast)
        tell(story)
        code = finish(story)
        narrator.say("")
        narrator.say("Now your own org: syncd init")
        if keep:
            _stay(story)
    return code


def finish(story: Story) -> int:
    """Compares both worlds, writes the report, says how it ended; returns the exit code."""
    connection = story.connection
    found = story.differences()
    story.broken += found
    report, audit = connection.folder / "report.html", connection.folder / "audit.html"
    now = datetime.now(UTC)
    write_private(audit, connection.audit_report(now))
    places = [
        ("settings", str(connection.config)),
        ("store", str(connection.store)),
        ("saved plan", f"{connection.plan_file} (of act 5; by now syncd apply refuses it as stale)"),
        ("HTML report", str(report)),
        ("audit report", f"{audit} (syncd report)"),
    ]
    summary = story.summary()
    view = StoryView(
        title="syncd demo: from Okta to Split",
        made_at=f"{now:%Y-%m-%d %H:%M} UTC, on two simulated servers",
        cycles=connection.cycles,
        summary=summary,
        places=places,
        differences=story.broken,
    )
    write_private(report, story_html(view))
    tell_the_end(story, places, summary)
    return 1 if story.broken else 0


def _stay(story: Story) -> None:
    """Leaves the servers up and says how to play with them."""
    connection, say = story.connection, story.narrator.say
    config = connection.config
    sys.stdout.write(
        f"""
Both servers stay up until Ctrl-C.
  Okta   {connection.okta.url}   token {connection.okta.token}   app {connection.okta.world.app.id}
  Split  {connection.split.base_url}   token {connection.split.token}
In another terminal:
  syncd -c {config} check
  curl -d '{{"act": "add_user", "email": "new@example.com", "assign": true}}' {connection.okta.url}/_control/act
  syncd -c {config} plan
  syncd -c {config} sync
What else can happen in either world: docs/simulators.md
"""
    )
    sys.stdout.flush()
    done = threading.Event()
    before = {
        number: signal.signal(number, lambda _number, _frame: done.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        done.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    say("Stopped.")
