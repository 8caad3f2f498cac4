"""The System Log in polling mode (Okta, System Log query): every event, in the order in which it was persisted.

`until` absent and ascending order make it a poll: the `next` link never ends and is kept as it is. An event is only a
wake-up: what it says is not believed, only what it names is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from syncd.core.moments import moment
from syncd.core.nomination import ASKED
from syncd.errors import IncompleteRead, PermanentError, TemporaryError
from syncd.model import LogEvent
from syncd.okta.answers import Answer, Reveals
from syncd.okta.listing import carried_over, is_plain, same_origin
from syncd.okta.records import is_id, is_text
from syncd.ports import LogPage

PAGE = 1000
"""Events in one page at the most (Okta's own maximum)."""
DEFAULT_PAGE = 100
"""Events in one page when nobody says how many (Okta's own)."""
OVERLAP = timedelta(minutes=2)
"""How far before now following begins: events are persisted late."""
_FILTER = " or ".join(f'eventType sw "{kind}"' for kind in ASKED)
_PATH = "/api/v1/logs"
_NOT_WITH_A_CURSOR = ("since", "until", "after")
_REFUSED = 400


class LogPolls:
    """`get` fetches one page as a list; `now` is the server's time as well as we know it; `is_secret` tells what must
    not be stored.
    """

    def __init__(
        self,
        origin: str,
        get: Callable[[str], Answer],
        now: Callable[[], datetime],
        is_secret: Callable[[str], bool],
    ) -> None:
        self._origin = origin
        self._get = get
        self._now = now
        self._is_secret = is_secret

    def begin(self) -> LogPage:
        """Without the filter where a server refuses it: more events then, none of them needed."""
        asked = {"since": _since(self._now()), "sortOrder": "ASCENDING", "limit": str(PAGE)}
        try:
            return self.page(self._url({**asked, "filter": _FILTER}))
        except PermanentError as error:
            if error.status != _REFUSED:
                raise
        return self.page(self._url(asked))

    def _url(self, query: dict[str, str]) -> str:
        return f"{self._origin}{_PATH}?{urlencode(query, quote_via=quote)}"

    def page(self, cursor: str) -> LogPage:
        """Raises IncompleteRead, PermanentError (the cursor is refused or leads elsewhere), AccessDenied."""
        if not self._leads_on(cursor):
            raise PermanentError("the stored place in Okta's System Log is not of this org", status=_REFUSED)
        try:
            answer = self._get(cursor)
        except TemporaryError as error:
            raise IncompleteRead("the System Log", 1, error.message, hint=error.hint) from error
        if answer.status != 200 or not isinstance(answer.body, list):
            raise PermanentError("Okta has no System Log at this place", status=answer.status)
        events = [event for record in answer.body if (event := _event(record, answer.reveals)) is not None]
        if answer.next_url is None and len(answer.body) < DEFAULT_PAGE:
            # Okta gives a link always; a proxy may drop it, and others end a log as they end a list.
            return LogPage(events, self._from_the_last(cursor, events), full=False)
        following = carried_over(answer.next_url or "", cursor, but=_NOT_WITH_A_CURSOR)
        if not self._leads_on(following):
            raise PermanentError("the System Log has no next page on its own origin", status=_REFUSED)
        if self._is_secret(following):
            raise PermanentError("the System Log's link to its next page repeats a secret", status=_REFUSED)
        return LogPage(events, following, full=len(answer.body) >= _SMALLEST_CAP)

    def _from_the_last(self, cursor: str, events: Sequence[LogEvent]) -> str:
        """The same question, from the last event on that was shown: nothing is taken for the end of the log, and what
        is shown again is known by its uuid. A place that has no moment, or shows none, stays.
        """
        asked = dict(parse_qsl(urlsplit(cursor).query))
        began = moment(asked.get("since"))
        shown = [each.published for each in events if each.published is not None]
        if began is None or not shown or "after" in asked:
            return cursor
        last = min(max(shown), self._now())
        return self._url({**asked, "since": _since(last)}) if last - OVERLAP > began else cursor

    def _leads_on(self, url: str) -> bool:
        """Whether it may be stored and asked: a place in the System Log of this org."""
        return is_plain(url) and same_origin(url, self._origin) and urlsplit(url).path == _PATH


def _since(at: datetime) -> str:
    return (at - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.000Z")


_SMALLEST_CAP = 10
"""A server that caps pages, whatever was asked for, may have more whenever one has that many events. Were that not
asked for at once, each poll would bring one page, and what happens faster than that would come ever later.
"""


def _event(record: object, reveals: Reveals | None) -> LogEvent | None:
    """None for what names nothing that can be looked at. A text that `reveals` a secret is none."""

    def usable(text: str) -> bool:
        return is_text(text) and not (reveals is not None and reveals(text))

    if not isinstance(record, dict):
        return None
    kind, uuid, targets = record.get("eventType"), record.get("uuid"), record.get("target")
    if not isinstance(kind, str) or not usable(kind) or not isinstance(targets, list):
        return None
    named = [
        (said if usable(said := str(target.get("type"))) else "", str(target["id"]))
        for target in targets
        if isinstance(target, dict) and is_id(target.get("id")) and usable(str(target["id"]))
    ]
    known = isinstance(uuid, str) and is_id(uuid) and usable(uuid)
    return LogEvent(str(uuid) if known else "", kind, named, moment(record.get("published")))
