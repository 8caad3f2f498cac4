"""What people read of runs, checks, status and decisions: documents of the contract in, styled lines out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from syncd.core.counting import counted
from syncd.core.token_age import TOKEN_LIVES
from syncd.report.left_out_text import left_out_lines
from syncd.report.lines import (
    BLANK,
    Line,
    Span,
    columns,
    facts,
    faint,
    line,
    safe,
    skipped_lines,
    strong,
    verbatim,
)
from syncd.report.requests_text import request_lines
from syncd.report.status_parts import drift_found_lines, pause_lines

SHOWN = 50

_DONE: Mapping[str, str] = {
    "adopt_user": "adopted",
    "create_user": "created",
    "reactivate_user": "reactivated",
    "update_user": "updated",
    "create_group": "group created",
    "link_group": "group linked",
    "rename_group": "group renamed",
    "add_member": "member added",
    "remove_member": "member removed",
    "deactivate_user": "deactivated",
    "unlink_group": "group unlinked",
    "delete_group": "group deleted",
}
_STATES: Mapping[str, tuple[str, str]] = {
    "ok": ("✓ ok  ", "good"),
    "info": ("· info", "faint"),
    "warn": ("! warn", "warn"),
    "fail": ("✗ fail", "bad"),
    "skip": ("- skip", "faint"),
}
_STATUS_STYLE: Mapping[str, str] = {
    "succeeded": "good",
    "well": "good",
    "partial": "warn",
    "refused": "warn",
    "interrupted": "warn",
    "failing": "warn",
    "held": "warn",
    "left_out": "warn",
    "never_synced": "warn",
    "paused": "warn",
    "partly_synced": "warn",
    "failed": "bad",
    "quarantined": "bad",
}


_WELL_AGAIN: Mapping[str, str] = {
    "okta": "mend the cause; syncd retry (the daemon) or a sync asks Okta once, now, and goes on when it is well.",
    "split": "mend the cause; syncd retry (the daemon) or a sync asks Split once, now, and goes on when it is well.",
    "relink": "was SCIM switched off and on in Split? Then run syncd relink, which shows its result first.",
}
"""By the side of a quarantine: how it ends."""


def done_words(counts: Mapping[str, int]) -> str:
    """What was done, in the order of application: "3 created, 1 updated"; "" for nothing."""
    known = [
        f"{counts[kind]:,} {_worded(words, counts[kind])}"
        for kind, words in _DONE.items()
        if counts.get(kind)
    ]
    other = [
        f"{count:,} {safe(kind)}" for kind, count in sorted(counts.items()) if kind not in _DONE and count
    ]
    return ", ".join(known + other)


def run_words(kind: str, counts: Mapping[str, int]) -> str:
    """What a run of this kind did: a relink adopts nobody anew, it learns new ids."""
    return done_words({"relinked": sum(counts.values())} if kind == "relink" else counts)


def _worded(words: str, count: int) -> str:
    return words if count == 1 else words.replace("group ", "groups ").replace("member ", "members ")


def run_lines(document: Mapping[str, Any], *, plan_shown: bool = False) -> Iterator[Line]:
    """A `syncd.run/1` document; what its plan showed already is not said twice."""
    summary = document["summary"]
    # What befell the run as a whole is said by whoever ran it, with its hint.
    yield from _errors([error for error in document["errors"] if error["kind"] != "run"])
    for hold in document.get("holds", ()):
        yield from _hold(hold)
    if not plan_shown:
        yield from _skipped(document.get("skipped", ()))
    status = str(document["status"])
    seconds = float(document["duration_seconds"])
    nothing = "nothing to change" if status == "succeeded" else "nothing applied"
    applied = done_words(summary["applied"]) or nothing
    parts = [applied]
    if failed := sum(summary["failed"].values()):
        parts.append(f"{failed:,} failed")
    if deferred := sum(summary.get("deferred", {}).values()):
        parts.append(f"{deferred:,} not sent, still wanted")
    if held := sum(summary["held"].values()):
        parts.append(f"{held:,} held")
    if skipped := sum(summary["skipped"].values()):
        parts.append(f"{skipped:,} skipped")
    if contradicted := summary["skipped"].get("contradicted"):
        parts.append(f"Okta's lists contradicted by its answers by id: {contradicted:,}")
    yield line(
        "Sync ",
        Span(status, _STATUS_STYLE.get(status, "")),
        f": {'; '.join(parts)}.  ",
        faint(f"{seconds:.1f} s, {_requests(document['requests'])}"),
    )


def _requests(requests: Mapping[str, Mapping[str, int]]) -> str:
    totals = [
        f"{counted(sum(counts.values()), 'request')} to {name}"
        for side, name in (("okta", "Okta"), ("target", "Split"))
        if (counts := requests.get(side)) is not None
    ]
    return ", ".join(totals)


def _errors(errors: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    if not errors:
        return
    yield line(Span("Failed", "bad"), f" ({len(errors):,})")
    told = set()
    for error in errors[:SHOWN]:
        yield line(
            "  ✗ ",
            Span(f"{safe(error['kind'])} {safe(error['object'])}", "bad", verbatim=True),
            ": ",
            verbatim(error["message"]),
        )
        if error.get("next_attempt"):
            yield line("      ", faint(f"next try {error['next_attempt']}"))
        if (hint := error.get("hint")) and hint not in told:
            told.add(hint)
            yield line("      ", faint("→ "), safe(hint))
    yield from _more(len(errors))
    yield BLANK


def _hold(hold: Mapping[str, Any]) -> Iterator[Line]:
    yield line(
        Span("Held ", "warn"),
        strong(str(hold["id"])),
        f": {counted(int(hold['changes']), 'change')}  {safe(hold['reason'])}",
    )
    if hold.get("numbers"):
        yield line("  ", faint(f"numbers: {facts(hold['numbers'])}"))
    if hold.get("way_out"):
        yield line("  ", faint("way out: "), safe(hold["way_out"]))
    yield BLANK


def _skipped(skipped: Collection[Mapping[str, Any]]) -> Iterator[Line]:
    if skipped:
        yield from skipped_lines(skipped, SHOWN)
        yield from _more(len(skipped))
        yield BLANK


def _more(total: int) -> Iterator[Line]:
    if total > SHOWN:
        yield line(f"  … and {total - SHOWN:,} more ", faint("(use --json to see all)"))


def check_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.check/1` document: a line for each probe, and below it what to do where something is to do."""
    checks = document["checks"]
    width = max((len(check["name"]) for check in checks), default=0)
    for check in checks:
        word, style = _STATES.get(str(check["state"]), (str(check["state"]), ""))
        yield line(Span(word, style), f"  {safe(check['name']):<{width}}  {safe(check['detail'], 1000)}")
        if check["hint"]:
            yield line(" " * (width + 10), faint("→ "), safe(check["hint"], 1000))
    failed = sum(check["state"] == "fail" for check in checks)
    warned = sum(check["state"] == "warn" for check in checks)
    verdict = Span("ready", "good") if document["ok"] else Span(f"{counted(failed, 'check')} failed", "bad")
    warnings = f", {counted(warned, 'warning')}" if warned else ""
    yield line(strong(f"{safe(document['connection'])}: "), verdict, f"{warnings}.")


def _following(document: Mapping[str, Any]) -> str:
    """Of a `syncd.status/1` document: what comes next and when, and whether anybody is there to do it."""
    due = document.get("next_runs", {})
    told = [f"{kind} {safe(due[kind])}" for kind in ("full", "drift") if due.get(kind)]
    runs, daemon = ", ".join(told) or "a full cycle", document.get("served_by")
    if not daemon:
        return f"by nobody: no daemon runs with this store; due by the schedule: {runs}"
    if daemon["silent"]:
        return f"{runs}; but {safe(daemon['named'])} has let its lock run out: see whether it still runs"
    return runs


def status_lines(document: Mapping[str, Any]) -> Iterator[Line]:
    """A `syncd.status/1` document."""
    state = str(document["state"])
    managed = document["managed"]
    read = document["last_complete_read"]
    age = document["last_complete_read_age_seconds"]
    yield line(
        strong(safe(document["connection"])),
        ": ",
        Span(state.replace("_", " "), _STATUS_STYLE.get(state, "")),
    )
    rows = [
        (
            "managed",
            ", ".join(
                (
                    f"{counted(managed['users'], 'user')} ({managed['active_users']:,} active)",
                    counted(managed["groups"], "group"),
                    counted(managed["memberships"], "membership"),
                )
            ),
        ),
        ("last complete read", "never" if read is None else f"{safe(read)} ({duration(age)} ago)"),
        ("next runs", _following(document)),
    ]
    if document.get("token"):
        rows.append(("Split token", _token(document["token"])))
    yield from columns([(faint(name), Span(text)) for name, text in rows])
    yield from _status_quarantine(document["quarantine"])
    yield from pause_lines(document)
    yield from _status_runs(document["runs"])
    yield from _status_held(document["held"])
    yield from _status_failing(document["failing"])
    yield from _status_unproven(document["unproven"])
    yield from _status_left_out(document["left_out"])
    yield from drift_found_lines(document.get("drift"))
    yield from request_lines(document.get("requests", ()))


def _status_quarantine(found: Mapping[str, Any] | None) -> Iterator[Line]:
    if not found:
        return
    yield line(Span("Quarantined", "bad"), f" since {safe(found['since'])}: {safe(found['reason'])}")
    if found["side"] != "relink":
        probes = counted(int(found.get("probes", 0)), "probe")
        yield line(
            "  ", faint("next probe: "), f"{safe(found.get('next_probe'))}", faint(f" ({probes} in vain)")
        )
    way_out = _WELL_AGAIN.get(str(found["side"]), "")
    yield line("  ", faint("what to do: "), f"{way_out} Nothing is written until then.")


def _status_held(holds: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    def lines(hold: Mapping[str, Any]) -> Iterator[Line]:
        what = f": {counted(int(hold['changes']), 'change')}  {safe(hold['reason'])}"
        yield line("  ", Span(safe(hold["id"]), "warn"), what)
        if hold.get("way_out"):
            yield line("      ", safe(hold["way_out"], 1000))

    many = counted(sum(int(hold["changes"]) for hold in holds), "change")
    way_out = "syncd held shows them; then syncd approve ID or syncd reject ID."
    return _status_part("Held", many, holds, lines, way_out)


def _status_part(
    title: str,
    many: str,
    rows: Sequence[Mapping[str, Any]],
    lines: Callable[[Mapping[str, Any]], Iterator[Line]],
    way_out: str = "",
) -> Iterator[Line]:
    """The first rows, each by its `lines`; nothing at all where there are none."""
    if not rows:
        return
    yield line(strong(title), f" ({many})")
    for row in rows[:SHOWN]:
        yield from lines(row)
    yield from _more(len(rows))
    if way_out:
        yield line("  ", faint("what to do: "), way_out)


def _token(token: Mapping[str, Any]) -> str:
    days = int(token["expires_in_days"])
    made = f"made {safe(token['created'])}, "
    if days > TOKEN_LIVES + 1:
        return made + "which lies in the future; correct split.token_created"
    return made + (f"expires in {counted(days, 'day')}" if days > 0 else "expired")


def _status_runs(runs: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    if not runs:
        return
    yield line(strong("Last runs"))
    rows: list[Sequence[Span]] = []
    for run in runs:
        status = str(run["status"] or "unfinished")
        done = run_words(run["kind"], run["summary"].get("applied", {})) or "nothing changed"
        held = sum(run["summary"].get("held", {}).values())
        failed = sum(run["summary"].get("failed", {}).values())
        text = done + (f"; {failed:,} failed" if failed else "") + (f"; {held:,} held" if held else "")
        rows.append(
            (
                Span(safe(run["started"])),
                Span(safe(run["run_id"])),
                Span(safe(run["kind"])),
                Span(status, _STATUS_STYLE.get(status, "")),
                Span(f"{text}; {safe(run['error'], 160)}" if run["error"] else text, verbatim=True),
            )
        )
    yield from columns(rows)


def _status_unproven(unproven: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Creates that may have left an object at the target."""

    def lines(doubt: Mapping[str, Any]) -> Iterator[Line]:
        yield line("  ? ", Span(safe(doubt["object"]), "warn"), f": {safe(doubt['reason'])}")
        yield line("      ", faint(f"since {doubt['since']}"))

    return _status_part("Created, and not proven to be", f"{len(unproven):,}", unproven, lines)


def _status_failing(failing: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    def lines(failure: Mapping[str, Any]) -> Iterator[Line]:
        what = Span(f"{safe(failure['kind'])} {safe(failure['object'])}", "bad", verbatim=True)
        yield line("  ✗ ", what, ": ", verbatim(failure["message"]))
        tries = counted(int(failure["attempts"]), "try", "tries")
        yield line("      ", faint(f"{tries} since {failure['since']}, next {failure['next_attempt']}"))

    way_out = "mend the cause; each is tried again at its time, or at the next sync after syncd retry."
    return _status_part("Failing", f"{len(failing):,}", failing, lines, way_out)


def _status_left_out(left_out: Mapping[str, Any]) -> Iterator[Line]:
    if not left_out["count"]:
        return
    yield line(strong("Left out"), f" ({left_out['count']:,})")
    for item in left_out["items"]:
        yield from left_out_lines(item)
    more = int(left_out["count"]) - len(left_out["items"])
    if more > 0:
        yield line(f"  … and {more:,} more: syncd skipped")


def duration(seconds: float) -> str:
    """42 s, 5 min, 3 h, 12 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"
