"""How often one request was tried, and whether it may be tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import tenacity

from syncd.errors import SyncdError, TemporaryError
from syncd.scim.answers import GONE, ScimAnswer, Unanswered
from syncd.scim.pacing import Pacer, RetryPolicy

_ERROR = 500
_ERRORS_OF_A_TRIAL = 2
_WORTH_WAITING = 1.0
"""Seconds. Less than this is no time to come back."""


class Again(Exception):  # noqa: N818  (control flow between one try and the next)
    """A try failed in a way that may be repeated; `error` is what to raise when it is not.

    `pause`: seconds the server asked for, for which the gate is closed. `limited`: it was a 429.
    """

    def __init__(self, error: SyncdError, *, pause: float | None = None, limited: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.pause = pause
        self.limited = limited


def failure_of(state: tenacity.RetryCallState) -> Again:
    failure = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(failure, Again):
        raise TypeError("only Again is retried") from failure
    return failure


class Doubt(threading.local):
    """For each thread, of the writes since `begin`: the last try that may have taken effect though no answer said so,
    and the last accepted one while nobody has looked what came of it.
    """

    last: Unanswered | None = None
    unseen: Unanswered | None = None
    _accepted: Unanswered | None = None

    def begin(self) -> None:
        """A new write: nothing is in doubt yet."""
        self.last = self.unseen = self._accepted = None

    def sends(self, method: str) -> None:
        """A further write: what came of it is not known yet, and no longer of the one before."""
        if method != "GET":
            self.unseen = self._accepted = None

    def answered(self, method: str, what: str, answer: ScimAnswer) -> None:
        """Notes an answer that settles its request."""
        if method == "GET":
            if answer.ok or answer.status in GONE:
                self.unseen = None
        elif answer.ok:
            said = f"{what}: Split answers {answer.status}, and could not be asked what came of it"
            self.unseen = self._accepted = Unanswered(said, status=answer.status)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Reads within ask something else than what came of the accepted write."""
        unseen = self.unseen
        try:
            yield
        finally:
            self.unseen = unseen

    def unseen_in_part(self) -> None:
        """The read that came did not show all that the accepted write was to change: another one is needed."""
        self.unseen = self._accepted

    def looked(self) -> None:
        """What came of the accepted one is known, by its own answer or because such answers were seen to be true."""
        self.unseen = None

    def about(self, error: Exception) -> Unanswered | None:
        """What to say now instead of a refusal, if the write may have taken effect before it; None when not."""
        before = self.last or self.unseen
        if before is None or (isinstance(error, TemporaryError) and error.may_have_acted):
            return None
        return Unanswered(f"{before.message}; then {error}", status=before.status, running=before.running)


class Sent(threading.local):
    """For each thread: the writes that it sent since it was asked last, each once, as "METHOD /path"."""

    def __init__(self) -> None:
        self._writes: dict[str, None] = {}

    def note(self, method: str, what: str) -> None:
        """Reads are not noted."""
        if method != "GET":
            self._writes[what] = None

    def take(self) -> str:
        """The writes sent since the last call, "PATCH /Users/2819c223", and forgets them."""
        said, self._writes = ", ".join(self._writes), {}
        return said


class Trial(threading.local):
    """For each thread: whether a request tries a form of which nobody knows whether the server takes it. A few 500 to
    one are an answer, and other forms are left.
    """

    errors_at_most: int | None = None

    @contextmanager
    def form(self) -> Iterator[None]:
        """What is sent within is such a try."""
        self.errors_at_most = _ERRORS_OF_A_TRIAL
        try:
            yield
        finally:
            self.errors_at_most = None


class Tries:
    """One request's count. For each failure `wait` is asked first, then `over`."""

    def __init__(self, policy: RetryPolicy, pacer: Pacer, errors_at_most: int | None = None) -> None:
        """`errors_at_most`: so many answers of status 500 are enough."""
        self._errors_at_most = policy.attempts if errors_at_most is None else errors_at_most
        self._errors = 0
        self._policy = policy
        self._pacer = pacer
        self._failures = 0
        self._limited = 0
        self._waited = 0.0

    def wait(self, again: Again) -> float:
        """Counts the failure; seconds to sleep. 0 where the closed gate does the waiting, for every thread."""
        if again.limited or again.pause is not None:
            self._limited += 1
            pause = again.pause or 0.0
            # A time that is over is believed once: a window that has just ended, or a clock that is wrong.
            useless = again.pause is None or (pause < _WORTH_WAITING and self._limited > 1)
            if useless:
                pause = self._policy.limited(self._limited - (again.pause is not None))
            self._waited += pause
            if useless and not self.over:
                self._pacer.close_gate(pause, "429 without a time to come back")
            return 0.0
        self._failures += 1
        self._errors += again.error.status == _ERROR if isinstance(again.error, TemporaryError) else 0
        seconds = self._policy.delay(self._failures)
        self._waited += seconds
        return seconds

    @property
    def over(self) -> bool:
        """Tries, time or patience are used up, or the connection is closing."""
        return (
            self._failures >= self._policy.attempts
            or self._errors >= self._errors_at_most
            or self._limited > self._policy.limit_waits
            or self._waited > self._policy.deadline
            or self._pacer.stopped
        )

    def announce(self, seconds: float, again: Again) -> None:
        """Tells whoever listens for how long and why this request waits by itself."""
        if seconds > 0:
            self._pacer.waiting(seconds, again.error.message)
