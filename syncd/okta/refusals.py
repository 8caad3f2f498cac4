"""Whose refusal is a 401 or 403 of Okta: that of what was asked for, or the connection's?

A harmless read decides: the app, and one page of one of its users. While these are answered, a refusal is about what
was asked for alone (a group that the admin may not see, a list that the org has no feature for), whatever its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from syncd.errors import AccessDenied, SyncdError
from syncd.okta.answers import Answer, Decode, Shape, everything

LASTS = 60.0
"""Seconds for which one look decides about a 403. A 401 is looked at each time: a token may be revoked in the middle of
a read.
"""
_UNAUTHENTICATED = 401
Get = Callable[[str, Shape, Decode], Awaitable[Answer]]


class Refusals:
    """`get` of a conversation, whose refusals say whom they concern. `gone` turns a 404 of the app into its error."""

    def __init__(
        self,
        get: Get,
        *,
        app_url: str,
        gone: Callable[[Answer], SyncdError | None],
        monotonic: Callable[[], float],
    ) -> None:
        self._get = get
        self._app_url = app_url
        self._gone = gone
        self._monotonic = monotonic
        self._looking = asyncio.Lock()
        self._well_since = float("-inf")
        """When the last look began that found the connection well."""

    async def get(self, url: str, expect: Shape, decode: Decode = everything) -> Answer:
        """As `Conversation.get`. Raises AccessDenied with its scope, and what the app's 404 means when it is gone."""
        try:
            return await self._get(url, expect, decode)
        except AccessDenied as denied:
            if urlsplit(url).path == urlsplit(self._app_url).path:
                raise denied.of_the_connection() from denied
            arrived = self._monotonic()
            asked = arrived if denied.status == _UNAUTHENTICATED else arrived - LASTS
            async with self._looking:  # one look for everybody who is refused at the same time
                if self._well_since < asked:
                    await self._look(denied)
            if self._well_since >= asked:
                raise denied.of_the_object("the app and its users can be read") from denied
            raise

    async def _look(self, denied: AccessDenied) -> None:
        """Raises when the app is refused or gone too. A read that fails otherwise proves nothing either way."""
        begun = self._monotonic()
        try:
            app = await self._get(self._app_url, "object", everything)
            if app.status != 404:
                await self._get(f"{self._app_url}/users?limit=1", "list", everything)
        except AccessDenied:
            raise denied.of_the_connection() from denied
        except SyncdError:
            return
        if (gone := self._gone(app)) is not None:
            raise gone from denied
        self._well_since = begun
