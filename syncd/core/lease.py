"""How long the lease of a fleet's worker permits it to write, from readings of a clock. Pure.

Readings are seconds of a clock that counts suspended time; no reading is compared with one of another machine. The
database gives the lease its time when a renewal arrives, so it ends `lasts` seconds after that renewal was sent, or
later: who stops `margin` before that stopped before anybody else may begin.
"""

from __future__ import annotations

from dataclasses import dataclass

DELIVERED_WITHIN = 15.0
"""Seconds for which the kernel of a machine that was cut off goes on sending what it was given."""
REQUEST_LASTS = DELIVERED_WITHIN + 5.0
"""Seconds after its permit in which something of a request may still leave the machine."""
RENEWALS_THAT_MAY_FAIL = 3


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """Seconds: for how long a renewal counts, how often there is one, how long before the end the owner stops."""

    lasts: float = 15.0
    renewed_every: float = 3.0
    margin: float = 5.0

    @property
    def usable(self) -> float:
        """Seconds after sending a renewal in which its worker may write."""
        return self.lasts - self.margin

    @property
    def leaves_room(self) -> bool:
        """Whether some renewals in a row may fail before the worker stops."""
        return 0 < self.renewed_every * RENEWALS_THAT_MAY_FAIL < self.usable

    @property
    def quiet(self) -> float:
        """Seconds after a lease ran out in which something of its owner may still arrive at the target: whoever takes
        over waits as long before it asks the target, and writes.
        """
        return max(0.0, REQUEST_LASTS - self.margin)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """What a worker knows of its own lease without asking. `sent`: the reading before the last renewal that succeeded
    was sent.
    """

    terms: LeaseTerms
    sent: float

    def left(self, reading: float) -> float:
        """Seconds in which it may still write; 0 when none. A clock that went backwards is not to be trusted."""
        if reading < self.sent:
            return 0.0
        return max(0.0, self.sent + self.terms.usable - reading)

    def renewed(self, sent: float) -> HeldLease:
        """After a renewal that was sent then succeeded; one that was overtaken by a later one changes nothing."""
        return self if sent <= self.sent else HeldLease(self.terms, sent)
