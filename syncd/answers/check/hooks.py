"""Whether Okta's event hooks arrive, as far as the store knows."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncd.answers.check.line import Checks
from syncd.core.left_out import command
from syncd.core.plan import timestamp
from syncd.engine.facts import HookHistory
from syncd.errors import SyncdError
from syncd.settings.schema import ConnectionSettings

HOOKS = "event hooks"
_SHORTEST_SECRET = 20
_LONG_AGO = timedelta(hours=24)


def arrive(checks: Checks, settings: ConnectionSettings, heard: HookHistory, now: datetime) -> None:
    """One line, where they are listened for. Nothing here is a failure: what no hook brings the System Log does."""
    if not settings.hooks.come:
        return
    shows = command(settings.named, "hook")
    if _is_short(settings):
        checks.warn(
            HOOKS,
            f"hooks.secret has fewer than {_SHORTEST_SECRET} characters",
            "openssl rand -hex 32 makes one",
        )
    if heard.last is None:
        checks.warn(
            HOOKS, "none has come yet", f"{shows} says what to enter in Okta; {shows} test posts a sample"
        )
    elif heard.missed:
        checks.warn(
            HOOKS,
            f"the System Log had {heard.missed}, and no hook brought it; the last one came {timestamp(heard.last)}",
            f"Is it ticked in Okta, and does Okta reach the listener? {shows} shows the list",
        )
    elif now - heard.last > _LONG_AGO:
        checks.info(HOOKS, f"the last one came {timestamp(heard.last)}", f"{shows} test posts a sample")
    else:
        checks.ok(HOOKS, f"they arrive: the last one came {timestamp(heard.last)}")


def _is_short(settings: ConnectionSettings) -> bool:
    try:
        return settings.hooks.secret is not None and len(settings.hooks.secret.read()) < _SHORTEST_SECRET
    except SyncdError:
        return False  # said with the other secrets
