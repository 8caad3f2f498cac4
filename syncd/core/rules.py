"""Push rules as values: which Okta groups are pushed, and what happens to them at the target.

GroupSource: Okta's "About Group Push" (by name, by rule, linked groups) and the "SCIM for Okta in Split" page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

SourceKind = Literal[
    "id",
    "name",
    "name_starts_with",
    "name_ends_with",
    "name_contains",
    "description_contains",
    "assigned",
    "okta_mappings",
]


@dataclass(frozen=True, slots=True)
class GroupSource:
    """Where a rule finds its groups. `value` is "" for `assigned` and `okta_mappings`."""

    kind: SourceKind
    value: str = ""

    def matches(self, name: str, description: str | None) -> bool:
        """Whether the group's own name or description puts it in scope; letter case counts.

        False for `id`, `assigned` and `okta_mappings`: those are answered by an id, by the app's groups and
        by the app's push mappings, not by a name.
        """
        match self.kind:
            case "name":
                return name == self.value
            case "name_starts_with":
                return name.startswith(self.value)
            case "name_ends_with":
                return name.endswith(self.value)
            case "name_contains":
                return self.value in name
            case "description_contains":
                return self.value in (description or "")
            case "id" | "assigned" | "okta_mappings":
                return False

    @property
    def label(self) -> str:
        """The source as it stands in the settings: `name = "Engineering"`, `assigned = true`."""
        if self.kind in ("assigned", "okta_mappings"):
            return f"{self.kind} = true"
        return f"{self.kind} = {json.dumps(self.value, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class PushRule:
    """One `[[push_groups]]` table. `action` None means: not given; `target` is only for `action` "link"."""

    source: GroupSource
    action: Literal["create", "link"] | None = None
    target: str | None = None
    rename: bool = False
    on_removal: Literal["keep", "delete"] = "keep"
