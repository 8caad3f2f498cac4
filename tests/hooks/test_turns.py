"""When the next delta comes that event hooks ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from syncd.core.hooks import HookNamed
from syncd.engine.cycles.strangers import StrangerBudgets
from syncd.service.board import ConnectionBoard
from syncd.service.connection_hooks import APART, ConnectionHooks
from syncd.service.connection_state import Well
from syncd.service.telling import Voice
from tests.hooks.test_hook_listener import settings_of

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@dataclass
class Turns:
    """What all connections share: it writes down which turns are brought forward, in seconds from now."""

    asked: list[float] = field(default_factory=list)
    strangers: StrangerBudgets = field(default_factory=StrangerBudgets)

    def clock(self) -> datetime:
        return NOW

    def hurry(self, _connection: str, _kind: str, seconds: float) -> None:
        self.asked.append(seconds)


@dataclass
class Current:
    """A connection that is well."""

    state: Well = field(default_factory=lambda: Well(cast("Any", None)))
    store: None = None


def _unheard(*_: object, **__: object) -> None:
    """Nobody reads the log."""


def test_after_a_delta_that_failed_hooks_ask_okta_no_more_often_than_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they named stays unread then, and would be asked for every second until Okta is well."""
    for name in ("HOOK_SECRET", "HOOK_BEFORE", "HOOK_OKTA", "HOOK_SPLIT"):
        monkeypatch.setenv(name, "a-secret-of-more-than-twenty-characters")
    turns, settings = Turns(), settings_of(tmp_path, "acme")
    hooks = ConnectionHooks(
        cast("Any", Current()), ConnectionBoard("acme"), turns, Voice(_unheard, "acme"), lambda: settings
    )
    hooks.hooked.put({("user", "00u1"): HookNamed(NOW, NOW)}, [], NOW)

    hooks.after_delta(failed=True)
    hooks.after_delta(failed=False)

    assert turns.asked == [settings.schedule.delta.total_seconds(), APART]
