"""A sick connection: no more writes, one request per probe until it is well.

Entered on a refused token (either side), an app or target that is gone, too many failing writes, or known objects
that vanish in number. It is left by itself when a probe goes well, except the last: that takes a person and `relink`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.plan import timestamp
from syncd.core.sickness import Quarantine
from syncd.engine.facts import QUARANTINE, readable
from syncd.engine.job import Job
from syncd.errors import AccessDenied, ConnectionSick, SyncdError, concerns_the_connection
from syncd.ports import Store
from syncd.redact import KEPT, clip

RELINK = "relink"
"""The side of a quarantine because known objects vanished: no probe can tell that it is over."""
RELINK_HINT = (
    "if SCIM was switched off and on again in Split, run `syncd relink`: it matches every known user and group afresh"
    " and shows the result before it stores anything"
)
FIRST_PROBE = timedelta(minutes=5)
SLOWEST_PROBE = timedelta(hours=1)


def current(store: Store) -> Quarantine | None:
    """Raises PermanentError when what is kept of it cannot be read."""
    with readable("the quarantine of the connection"):
        return QUARANTINE.of(store)


def note(job: Job, error: SyncdError | None) -> None:
    """Enters quarantine when this error concerns the whole connection; does nothing for any other."""
    if not concerns_the_connection(error) or current(job.store) is not None:
        return
    assert isinstance(error, AccessDenied | ConnectionSick)  # noqa: S101  (nothing else concerns it)
    now = job.clock()
    side = error.side
    found = Quarantine(side, clip(error.message, KEPT), now, now + FIRST_PROBE)
    QUARANTINE.remember(job.store, found)
    # A warning: the error itself is said by whoever ran the cycle.
    job.observer.event("warning", "connection quarantined", side=side, reason=error.message)


def probe(job: Job) -> None:
    """One request to the sick side. Raises what it answers while it is still sick, else ends the quarantine.

    Asks nobody while a person has to relink first, and raises ConnectionSick.
    """
    found = current(job.store)
    if found is None:
        return
    if found.side == RELINK:
        raise ConnectionSick(found.reason, side=RELINK, hint=RELINK_HINT)
    try:
        if found.side == "okta":
            job.source.application()
        else:
            next(iter(job.target.list_users()), None)
    except SyncdError:
        if (now := job.clock()) >= found.next_probe:  # a person who asks before its time puts off no probe
            failed = found.probes + 1
            wait = min(FIRST_PROBE * 2 ** min(failed, 10), SLOWEST_PROBE)
            QUARANTINE.remember(job.store, replace(found, probes=failed, next_probe=now + wait))
        raise
    QUARANTINE.remember(job.store, None)
    job.observer.event("info", "connection well again", side=found.side, since=timestamp(found.since))


def ask_now(quarantine: Quarantine, now: datetime) -> Quarantine:
    """The same with its next probe due at once; as it is where only a relink can tell that it is over."""
    return (
        quarantine
        if quarantine.side == RELINK
        else replace(quarantine, next_probe=min(now, quarantine.next_probe))
    )


def relinked(store: Store) -> bool:
    """Ends a quarantine that waited for this; False when there was none."""
    found = current(store)
    if found is None or found.side != RELINK:
        return False
    QUARANTINE.remember(store, None)
    return True
