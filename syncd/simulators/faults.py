"""Fault rules: which requests go wrong, how, and how often.

A rule matches by method and by a regular expression searched in path and query; it fires on its `nth`
match and on `count` matches in all (-1: for ever). The first rule that fires wins. With `after_effect` the
request takes effect first and then fails, as an answer lost on its way does. `faulty.py` carries them out.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _anything(_value: Any) -> bool:
    return True


def _mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


RATE_LIMIT_FORMS = frozenset({
    "okta", "no_reset", "reset_past", "concurrency", "retry_after_seconds", "retry_after_date",
    "x_retry_after", "split_reset", "bare", "forbidden",
})  # fmt: skip

# Every action with the options it takes; docs/simulators.md says what each does.
ACTIONS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "status": {"status": _number, "code": _text, "summary": _text, "headers": _mapping},
    "empty": {"status": _number, "content_type": _text},
    "html": {"status": _number},
    "text": {"status": _number, "body": _text, "content_type": _text},
    "truncated": {},
    "cut": {},
    "drop": {},
    "delay": {"seconds": _number},
    "hold": {"latch": _text},
    "trickle": {"seconds": _number},
    "rate_limit": {
        "form": lambda form: form in RATE_LIMIT_FORMS,
        "seconds": _number,
        "org": _number,
        "ip": _number,
    },
    "wrong_type": {},
    "next_origin": {"origin": _text},
    "next_repeats": {},
    "repeat_page": {},
    "empty_page": {},
    "set_field": {"field": _text, "value": _anything, "index": _number},
    "remove_field": {"field": _text, "index": _number},
    "omit_record": {"index": _number, "id": _text},
    "repeat_record": {"index": _number},
    "act": {"act": _text, "args": _mapping},
    "endless": {},
    "oversized": {"bytes": _number},
    "redirect": {"location": _text, "status": _number},
    "headers": {"set": _mapping, "remove": _anything},
}
_REQUIRED = {
    "set_field": ("field", "value"),
    "next_origin": ("origin",),
    "act": ("act",),
    "redirect": ("location",),
    "delay": ("seconds",),
    "hold": ("latch",),
}


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One rule. `options` depend on the action (ACTIONS)."""

    action: str
    method: str = ""
    path: str = ""
    nth: int = 1
    count: int = 1
    after_effect: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The rule as the control interface takes and shows it."""
        return {
            "action": self.action,
            "method": self.method,
            "path": self.path,
            "nth": self.nth,
            "count": self.count,
            "after_effect": self.after_effect,
            **self.options,
        }


class Faults:
    """The rules of one simulator, in the order in which they were added. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[FaultRule, re.Pattern[str]]] = []
        self._matched: list[int] = []
        self._fired: list[int] = []

    def add(
        self,
        action: str,
        *,
        method: str = "",
        path: str = "",
        nth: int = 1,
        count: int = 1,
        after_effect: bool = False,
        **options: Any,
    ) -> FaultRule:
        """Adds a rule. An empty `method` or `path` matches all. Raises ValueError naming what is wrong."""
        if action not in ACTIONS:
            raise ValueError(f"unknown fault {action!r}; known: {', '.join(sorted(ACTIONS))}")
        for name, value in options.items():
            check = ACTIONS[action].get(name)
            if check is None or not check(value):
                raise ValueError(
                    f"fault {action!r}: bad option {name}={value!r}; takes {sorted(ACTIONS[action])}"
                )
        missing = [name for name in _REQUIRED.get(action, ()) if name not in options]
        if missing:
            raise ValueError(f"fault {action!r} needs {', '.join(missing)}")
        if nth < 1 or count == 0 or count < -1:
            raise ValueError("nth counts from 1; count is positive, or -1 for ever")
        try:
            pattern = re.compile(path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        rule = FaultRule(action, method.upper(), path, nth, count, after_effect, MappingProxyType(options))
        with self._lock:
            self._rules.append((rule, pattern))
            self._matched.append(0)
            self._fired.append(0)
        return rule

    def clear(self) -> None:
        """Removes every rule."""
        with self._lock:
            self._rules, self._matched, self._fired = [], [], []

    @property
    def repeats_pages(self) -> bool:
        """Whether some rule needs the pages served before it."""
        return any(rule.action == "repeat_page" for rule, _ in self._rules)

    def pick(self, method: str, path: str) -> FaultRule | None:
        """The rule that fires for this request, which counts as a match for every rule it matches."""
        if not self._rules:
            return None
        with self._lock:
            chosen: FaultRule | None = None
            for index, (rule, pattern) in enumerate(self._rules):
                if rule.method not in ("", method) or pattern.search(path) is None:
                    continue
                self._matched[index] += 1
                spent = rule.count != -1 and self._fired[index] >= rule.count
                if chosen is None and not spent and self._matched[index] >= rule.nth:
                    chosen = rule
                    self._fired[index] += 1
            return chosen

    def as_json(self) -> list[dict[str, Any]]:
        """Every rule with how often it fired."""
        with self._lock:
            return [
                {**rule.as_json(), "fired": fired}
                for (rule, _), fired in zip(self._rules, self._fired, strict=True)
            ]
