"""What may go wrong on the way, as data: kinds of requests and ways to fail, for both sides.

Left out is what no client can survive: two witnesses that tell the same lie, and a write that a server confirms and
does not do after it has been seen to do the same; nor a refusal that had its effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from syncd.simulators.faults import Faults

Options = Mapping[str, Any]

OKTA_LISTS = (r"/apps/[^/]+/users\?", r"/api/v1/groups\?", r"/groups/[^/]+/users")
OKTA_OBJECTS = (r"/apps/[^/?]+$", r"/apps/[^/]+/users/", r"/groups/[^/?]+$", r"/users/[^/]+/groups", "")
FAILING: tuple[tuple[str, Options], ...] = (
    *(("status", {"status": status}) for status in (400, 408, 429, 500, 502, 503, 504)),
    ("empty", {"status": 500}),
    ("empty", {"status": 200}),
    ("html", {"status": 502}),
    ("html", {"status": 200}),
    ("truncated", {}),
    ("cut", {}),
    ("drop", {}),
    ("wrong_type", {}),
    *(
        ("rate_limit", {"form": form, "seconds": 0})
        for form in ("okta", "no_reset", "reset_past", "concurrency", "retry_after_seconds", "bare")
    ),
)
DENYING: tuple[tuple[str, Options], ...] = (("status", {"status": 401}), ("status", {"status": 403}))
LYING: tuple[tuple[str, Options], ...] = (
    *(("omit_record", {"index": index}) for index in (0, 1, 3)),
    ("repeat_record", {"index": 0}),
    ("empty_page", {}),
    ("next_repeats", {}),
    ("next_origin", {"origin": "http://127.0.0.1:9"}),
    ("remove_field", {"field": "id", "index": 1}),
    ("set_field", {"field": "status", "value": "NEWSTATE", "index": 0}),
    ("set_field", {"field": "profile", "value": None, "index": 1}),
)

SPLIT_READS = (("GET", r"/Users\?"), ("GET", r"/Groups\?"), ("GET", "/Users/"), ("GET", "/Groups/"))
SPLIT_CREATIONS = (("POST", "/Users"), ("POST", "/Groups"))
SPLIT_CHANGES = (("PATCH", "/Users/"), ("PATCH", "/Groups/"), ("PUT", "/"), ("DELETE", "/Groups/"), ("", ""))
SPLIT_FAILING: tuple[tuple[str, Options], ...] = (
    *(("status", {"status": status}) for status in (400, 408, 409, 412, 413, 429, 500, 501, 502, 503, 504)),
    ("empty", {"status": 500}),
    ("html", {"status": 502}),
    ("text", {"status": 500, "body": "Internal error"}),
    ("truncated", {}),
    ("cut", {}),
    ("drop", {}),
    *(
        ("rate_limit", {"form": form, "seconds": 0})
        for form in ("retry_after_seconds", "retry_after_date", "x_retry_after", "split_reset", "bare")
    ),
)
UNCLEAR = (408, 500, 502, 503, 504)
"""Answers that do not say whether the request had its effect; any other refusal means that it had none."""
SHOWING_NOTHING: tuple[tuple[str, Options], ...] = (("empty", {"status": 201}), ("empty", {"status": 200}))


@dataclass(frozen=True)
class Mishap:
    """One fault rule before it is given to a simulator."""

    action: str
    options: Options = field(default_factory=dict)
    method: str = ""
    path: str = ""
    nth: int = 1
    count: int = 1
    after_effect: bool = False

    def give(self, faults: Faults) -> None:
        faults.add(
            self.action,
            method=self.method,
            path=self.path,
            nth=self.nth,
            count=self.count,
            after_effect=self.after_effect,
            **self.options,
        )


_COUNTS = (1, 1, 2, 4, 5, 9, -1)


def okta_mishap(dice: Random) -> Mishap:
    """Any fault of one kind of request to Okta."""
    lies = dice.random() < 0.4
    path = dice.choice(OKTA_LISTS if lies else OKTA_LISTS + OKTA_OBJECTS)
    ways = LYING if lies else DENYING if dice.random() < 0.1 else FAILING
    action, options = dice.choice(ways)
    return Mishap(action, options, "", path, dice.randint(1, 4), dice.choice(_COUNTS))


def split_mishap(dice: Random) -> Mishap:
    """Any fault of one kind of request to Split."""
    method, path = dice.choice(SPLIT_READS + SPLIT_CREATIONS * 2 + SPLIT_CHANGES * 2)
    ways = DENYING if dice.random() < 0.1 else SPLIT_FAILING
    if method == "POST" and dice.random() < 0.3:
        ways = SHOWING_NOTHING
    action, options = dice.choice(ways)
    unclear = action not in ("status", "rate_limit") or options.get("status") in UNCLEAR
    after = unclear and dice.random() < 0.5
    return Mishap(action, options, method, path, dice.randint(1, 4), dice.choice(_COUNTS), after)
