"""The demo's connection: a real settings file between the two servers, and the ordinary engine over it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncd.answers.report import report
from syncd.core.plan import timestamp
from syncd.demo.folder import write_private
from syncd.demo.org import NAMED_GROUPS
from syncd.demo.telling import Narrator, Silent
from syncd.engine.cycles.sync import plan, sync
from syncd.engine.reading.selection import Selection
from syncd.ports.history import Reach
from syncd.redact import Redactor
from syncd.report import jsondoc
from syncd.report.html import Cycle, Requests
from syncd.report.plan_text import plan_lines, summary_line
from syncd.report.report_html import html
from syncd.report.text import run_lines
from syncd.settings import ConnectionSettings, load_or_raise
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.wiring import open_for_status, open_job

_SETTINGS = """\
# Written by syncd demo. The same keys with their reasons: config.example.toml

name = "demo"
state = "state"

[okta]
org_url = {org_url}
app_id = {app_id}
token = {{ file = "okta-token" }}

[split]
base_url = {base_url}
token = {{ file = "split-token" }}
token_created = {today}
max_requests_per_second = 40
"""
_RULE = """
[[push_groups]]
source = {{ {source} }}
action = "{action}"
"""


@dataclass
class Connection:
    """`cycles` grows with every sync, for the report."""

    folder: Path
    okta: OktaSimulator
    split: SplitSimulator
    narrator: Narrator
    redactor: Redactor
    cycles: list[Cycle] = field(default_factory=list)
    rules: list[tuple[str, str]] = field(default_factory=list)
    """Source and action of each push rule."""

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def store(self) -> Path:
        return self.folder / "state" / "demo.db"

    @property
    def plan_file(self) -> Path:
        """Where the story saves its plan."""
        return self.folder / "plan.json"

    def write_settings(self) -> None:
        """The first settings file, with one file for each token beside it."""
        write_private(self.folder / "okta-token", self.okta.token + "\n")
        write_private(self.folder / "split-token", self.split.token + "\n")
        named = [(f"name = {json.dumps(name)}", "create") for name in NAMED_GROUPS]
        self.set_rules([("assigned = true", "create"), *named])

    def set_rules(self, rules: Sequence[tuple[str, str]]) -> None:
        """Edits the push rules in the settings file."""
        self.rules = list(rules)
        text = _SETTINGS.format(
            org_url=json.dumps(self.okta.url),
            app_id=json.dumps(self.okta.world.app.id),
            base_url=json.dumps(self.split.base_url),
            today=datetime.now(UTC).date().isoformat(),
        )
        text += "".join(_RULE.format(source=source, action=action) for source, action in self.rules)
        write_private(self.config, text)

    def plan(self, *, show: bool = True, save: bool = False) -> dict[str, Any]:
        """A plan, shown as `syncd plan` shows it (or only its last line) and saved as `plan -o` saves it.

        Returns the document.
        """
        self.narrator.command(f"plan -o {self.plan_file.name}" if save else "plan")
        with (
            open_job(self._settings(), writing=False, observer=Silent(), redactor=self.redactor) as job,
            plan(job, Selection()) as planned,
        ):
            document = planned.document()
        if save:
            write_private(self.plan_file, jsondoc.dumps(document))
        holds = [({**hold, "count": len(hold["changes"])}, hold["changes"]) for hold in document["holds"]]
        if show:
            self.narrator.lines(plan_lines(document, document["changes"], holds))
        else:
            held = sum(len(changes) for _, changes in holds)
            self.narrator.lines([summary_line(document, held, len(holds))])
        return document

    def sync(
        self, title: str, told: Sequence[str], planned: Mapping[str, Any], *, watch: bool = False
    ) -> Cycle:
        """A sync, shown as `syncd sync` shows it. `planned` is the plan made just before, for the report.

        Raises SyncdError when the cycle fails.
        """
        self.narrator.command("sync")
        okta, split = len(self.okta.requests), len(self.split.requests)
        with ExitStack() as stack:
            observer = stack.enter_context(self.narrator.watching()) if watch else Silent()
            job = stack.enter_context(
                open_job(self._settings(), writing=True, observer=observer, redactor=self.redactor)
            )
            result = sync(job, Selection())
        for problem in result.problems:
            raise problem
        cycle = Cycle(
            title=title,
            told=tuple(told),
            plan=planned,
            run=result.document(),
            exit_code=result.exit_code,
            okta=counted_by(self.okta, okta),
            split=counted_by(self.split, split),
        )
        self.narrator.lines(run_lines(cycle.run))
        self.cycles.append(cycle)
        return cycle

    def audit_report(self, now: datetime) -> str:
        """What `syncd report -o FILE.html` writes."""
        settings = self._settings()
        with open_for_status(settings) as store:
            told = report(store, settings, self.redactor, now=now, reach=Reach())
            return "".join(html([told], timestamp(now)))

    def _settings(self) -> ConnectionSettings:
        [settings] = load_or_raise([self.config], environ=os.environ).connections
        return settings


def counted_by(server: OktaSimulator | SplitSimulator, since: int = 0) -> Requests:
    """What the server itself counted, leaving out its first `since` requests."""
    asked = server.requests[since:]
    reads = sum(record.method == "GET" for record in asked)
    return Requests(reads, len(asked) - reads)
