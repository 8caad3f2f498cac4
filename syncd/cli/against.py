"""`syncd plan --against FILE`: what other settings would change."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.cli import exits
from syncd.cli.session import Answer, Session
from syncd.errors import UsageError
from syncd.report import jsondoc
from syncd.report.preview_text import preview_lines

if TYPE_CHECKING:
    from syncd.answers.preview import Preview
    from syncd.engine.reading.selection import Selection
    from syncd.settings import ConnectionSettings


def run_against(
    session: Session,
    against: Path,
    selection: Selection,
    allow: Mapping[str, int],
    *,
    detailed: bool,
    everything: bool,
) -> int:
    """The settings of --config against those of this file. Raises ConfigurationError, UsageError, and as a plan."""
    from syncd.answers.preview import of_one_connection, previewed  # noqa: PLC0415  (the engine)
    from syncd.engine.cycles.sync import plan  # noqa: PLC0415
    from syncd.wiring import open_jobs_of_one_reading  # noqa: PLC0415

    new = session.only_connection("plan --against")
    current = _only(against)
    session.listen()
    settings = (current, of_one_connection(current, new))
    with (
        session.watcher(current) as observer,
        open_jobs_of_one_reading(settings, observer=observer, redactor=session.redactor) as jobs,
        plan(jobs[0], selection, allow) as planned,
        plan(jobs[1], selection, allow) as other,
    ):
        observer.close()
        for problem in dict.fromkeys([*planned.problems, *other.problems]):
            session.fail(problem)
        names = (str(against), str(new.path) if not session.said.configs else str(session.said.configs[0]))
        preview = previewed(jobs, (planned, other), names)
        return _answer(session, preview, detailed=detailed, everything=everything)


def _only(against: Path) -> ConnectionSettings:
    from syncd.settings import load_or_raise  # noqa: PLC0415  (pydantic)

    found = load_or_raise([against], environ=os.environ).connections
    if len(found) != 1:
        raise UsageError(f"--against needs one settings file, and {against} holds {len(found)}")
    return found[0]


def _answer(session: Session, preview: Preview, *, detailed: bool, everything: bool) -> int:
    codes = [exits.FAILED if preview.current.problems or preview.new.problems else exits.DONE]
    codes += [exits.HELD] if preview.holds else []
    codes += [exits.CHANGES] if detailed and preview.differs else []
    code = exits.worst(codes)
    if session.as_json:
        session.console.data(jsondoc.pieces(preview.document()))
        return code
    return session.one(Answer({}, code, preview_lines(preview.document(), everything=everything)))
