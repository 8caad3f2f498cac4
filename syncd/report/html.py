"""The demo's story as one self-contained HTML page: no script, nothing loaded. Pure: a view in, text out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Template

from syncd.core.counting import counted
from syncd.report.lines import shown
from syncd.report.page import template
from syncd.report.size_text import size_sentence

SHOWN_OF_A_KIND = 300
_REMOVING = frozenset({"remove_member", "deactivate_user", "unlink_group", "delete_group"})
_ADDING = frozenset({"create_user", "reactivate_user", "create_group", "add_member"})


@dataclass(frozen=True, slots=True)
class Requests:
    """How often one side was asked."""

    reads: int
    writes: int

    def __str__(self) -> str:
        return f"{counted(self.reads, 'read')}, {counted(self.writes, 'write')}"


@dataclass(frozen=True, slots=True)
class Cycle:
    """One plan and the sync after it. `plan` is a `syncd.plan/1` document, `run` a `syncd.run/1` document."""

    title: str
    told: Sequence[str]
    """What happened before, a sentence each."""
    plan: Mapping[str, Any]
    run: Mapping[str, Any]
    exit_code: int
    okta: Requests
    split: Requests


@dataclass(frozen=True, slots=True)
class StoryView:
    """The whole page. `summary` and `places` are rows of two texts; `differences` is empty when all is well."""

    title: str
    made_at: str
    cycles: Sequence[Cycle]
    summary: Sequence[tuple[str, str]]
    places: Sequence[tuple[str, str]]
    differences: Sequence[str]


def story_html(view: StoryView) -> str:
    """The page. Its text depends on the view alone."""
    return _template("story.html.j2").render(view=view)


def plan_html(document: Mapping[str, Any]) -> str:
    """A saved plan (`syncd.plan/1`) as a page."""
    sentence = size_sentence(document["size"]) if "size" in document else ""
    return _template("plan.html.j2").render(plan=document, sentence=sentence)


@cache
def _template(name: str) -> Template:
    filters = {"kinds": _kinds, "who": _who, "differing": _differing, "sign": _sign}
    return template(name, filters)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The changes of one kind, as many as are shown."""

    kind: str
    total: int
    changes: Sequence[Mapping[str, Any]]

    @property
    def more(self) -> int:
        return self.total - len(self.changes)


def _kinds(changes: Sequence[Mapping[str, Any]]) -> Iterator[_Kind]:
    """Changes come in order of application, so those of one kind stand together."""
    for kind, group in groupby(changes, key=lambda change: str(change["kind"])):
        whole = list(group)
        yield _Kind(kind, len(whole), whole[:SHOWN_OF_A_KIND])


def _sign(kind: str) -> str:
    return "−" if kind in _REMOVING else "+" if kind in _ADDING else "~"  # noqa: RUF001  (a minus, beside a plus)


def _who(change: Mapping[str, Any]) -> str:
    if change.get("group") is None:
        return str(change["name"])
    direction = "from" if change["kind"] == "remove_member" else "to"
    return f"{change.get('user') or change['name']} {direction} {change['group']}"


def _differing(change: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Attribute, before, after: of a change in place; creations and memberships say it all in their name."""
    before, after = change["before"], change["after"]
    if not before or change.get("group") is not None:
        return
    for attribute in sorted({*before, *after}):
        yield attribute, shown(before.get(attribute)), shown(after.get(attribute))
