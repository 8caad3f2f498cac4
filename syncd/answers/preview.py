"""What other settings would change: the plans of both, made from one reading of Okta, and held against each other.

A change of the one plan is a change of the other if it has the same id: that is taken over object, before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from syncd.core.change import ChangeKind
from syncd.core.wish_tally import WishTally
from syncd.engine.job import Job
from syncd.engine.planning.planned import Planned
from syncd.errors import UsageError
from syncd.model import UserCase
from syncd.settings import ConnectionSettings

SCHEMA = "syncd.preview/1"
_ONE_CONNECTION = ("okta.org_url", "okta.app_id", "split.base_url", "split.flavor")
"""With another one of these they are no two settings of one connection."""


def of_one_connection(current: ConnectionSettings, new: ConnectionSettings) -> ConnectionSettings:
    """The new settings over the store of the current ones. Raises UsageError."""
    for path in _ONE_CONNECTION:
        table, key = path.split(".")
        if getattr(getattr(current, table), key) != getattr(getattr(new, table), key):
            raise UsageError(
                f"--against compares two settings of one connection, and {path} of these is not the same",
                hint="another app, organisation or flavor has a store of its own: look at it with syncd plan alone",
            )
    return new.model_copy(update={"name": current.name, "state_dir": current.state_dir})


@dataclass(frozen=True)
class Preview:
    """Both plans, still open."""

    current: Planned
    new: Planned
    settings: tuple[Mapping[str, Any], ...]
    names: tuple[str, str] = field(default=("current", "new"))
    """Of the two files."""

    @cached_property
    def wishes(self) -> WishTally:
        """Everybody's, counted."""
        tally = WishTally()
        for current, new in _side_by_side(self.current, self.new):
            tally.count(current.wanted, new.wanted)
        return tally

    @cached_property
    def _ids(self) -> tuple[frozenset[str], frozenset[str]]:
        """Of the changes of each plan, held ones among them."""
        current, new = (
            frozenset(str(each["id"]) for each in _all(side)) for side in (self.current, self.new)
        )
        return current, new

    def appearing(self) -> Iterator[Mapping[str, Any]]:
        """Changes that only the new settings bring."""
        return (change for change in _all(self.new) if change["id"] not in self._ids[0])

    def disappearing(self) -> Iterator[Mapping[str, Any]]:
        """Changes that only the current ones bring."""
        return (change for change in _all(self.current) if change["id"] not in self._ids[1])

    @cached_property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Changes by kind: of each plan, and of one of them alone."""
        made = {
            "current": Counter(str(each["kind"]) for each in _all(self.current)),
            "new": Counter(str(each["kind"]) for each in _all(self.new)),
            "appearing": Counter(str(each["kind"]) for each in self.appearing()),
            "disappearing": Counter(str(each["kind"]) for each in self.disappearing()),
        }
        kinds = [kind.value for kind in ChangeKind if made["current"][kind.value] or made["new"][kind.value]]
        return {kind: {side: count[kind] for side, count in made.items()} for kind in kinds}

    @property
    def differs(self) -> bool:
        """Whether anything would be otherwise, be it held."""
        return any(each["appearing"] or each["disappearing"] for each in self.counts.values())

    @cached_property
    def holds(self) -> list[dict[str, Any]]:
        """Those of the new plan in which something is held that the new settings bring."""
        ids = {str(each["id"]) for each in self.appearing() if each["held"] is not None}
        found = []
        for hold in self.new.header.holds:
            count = sum(change["id"] in ids for change in self.new.stage.change_documents(hold_id=hold.id))
            if count:
                found.append(
                    {"check": hold.check, "reason": hold.reason, "way_out": hold.way_out, "changes": count}
                )
        return found

    def document(self) -> dict[str, Any]:
        """`syncd.preview/1`, for `jsondoc.pieces`: its long lists are read once, as they come."""
        wishes = self.wishes
        return {
            "schema": SCHEMA,
            "connection": self.new.header.connection,
            "current": self.names[0],
            "new": self.names[1],
            "settings": list(self.settings),
            "people": wishes.people,
            "attributes": [
                {
                    "attribute": path,
                    "people": tally.people,
                    "given": tally.given,
                    "changed": tally.changed,
                    "blanked": tally.blanked,
                    "examples": tally.examples,
                }
                for path, tally in sorted(wishes.attributes.items())
            ],
            "standings": [
                {
                    "current": before.value,
                    "new": after.value,
                    "people": tally.people,
                    "reason": tally.reason,
                    "examples": tally.examples,
                }
                for (before, after), tally in sorted(wishes.standings.items())
            ],
            "counts": self.counts,
            "holds": self.holds,
            "appearing": self.appearing(),
            "disappearing": self.disappearing(),
        }


def differences(current: ConnectionSettings, new: ConnectionSettings) -> tuple[Mapping[str, Any], ...]:
    """The settings by which the two plans may differ, each as text, None where one has none."""
    before, after = _said(current), _said(new)
    return tuple(
        {"setting": path, "current": before.get(path), "new": after.get(path)}
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    )


def _said(settings: ConnectionSettings) -> dict[str, str]:
    said = {f"attributes.{path}": text for path, text in settings.mapped_as.items()}
    said["matching.by"] = ", ".join(settings.matched_by)
    for name in ("provisioning", "safety"):
        table = getattr(settings, name)
        said |= {f"{name}.{key}": str(value) for key, value in table.model_dump().items()}
    for rule in settings.push_groups:
        parts = [
            rule.action,
            rule.target,
            "follows renames" if rule.rename else "",
            f"on removal {rule.on_removal} the group",
        ]
        said[f"push_groups.{rule.source.label}"] = ", ".join(part for part in parts if part)
    return said


def _all(planned: Planned) -> Iterator[dict[str, Any]]:
    """Every change of a plan as a document, with the check that holds it."""
    yield from ({**change, "held": None} for change in planned.stage.change_documents())
    for hold in planned.header.holds:
        held = planned.stage.change_documents(hold_id=hold.id)
        yield from ({**change, "held": hold.check} for change in held)


def _side_by_side(one: Planned, other: Planned) -> Iterator[tuple[UserCase, UserCase]]:
    """Whoever is in both, in order; a page in memory."""
    left, right = one.stage.everyone(), other.stage.everyone()
    mine, theirs = next(left, None), next(right, None)
    while mine is not None and theirs is not None:
        if mine.okta_id == theirs.okta_id:
            yield mine, theirs
            mine, theirs = next(left, None), next(right, None)
        elif mine.okta_id < theirs.okta_id:
            mine = next(left, None)
        else:
            theirs = next(right, None)


def previewed(jobs: tuple[Job, Job], plans: tuple[Planned, Planned], names: tuple[str, str]) -> Preview:
    """Of the current settings, and of the new ones."""
    return Preview(plans[0], plans[1], differences(jobs[0].settings, jobs[1].settings), names)
