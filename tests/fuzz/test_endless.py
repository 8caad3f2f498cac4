"""What never ends, ends for us: with a documented error, in the time that the settings give one answer."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from syncd.errors import PermanentError, SyncdError, TemporaryError
from syncd.okta.credentials import Ssws
from syncd.okta.pace import RetryPolicy as OktaRetry
from syncd.okta.reader import OktaReader
from syncd.scim.http import Link, ScimHttp
from syncd.scim.pacing import RetryPolicy as ScimRetry
from tests.fuzz.raw_server import ENDLESS, RawServer, bomb, saying

SECONDS = 0.5
MEMORY = 120 * 1024 * 1024
"""Bytes: the largest body that is read at all, and once more in pieces."""


def _ask_okta(url: str) -> None:
    with OktaReader(
        org_url=url,
        app_id="0oa1",
        credentials=Ssws(lambda: "00abc"),
        rate_limit_share=1.0,
        timeout=SECONDS,
        retry=OktaRetry(attempts=1),
    ) as reader:
        reader.application()


def _ask_split(url: str) -> None:
    retry = ScimRetry(attempts=1)
    http = ScimHttp(
        Link(base_url=url, read_token=lambda: "abc", concurrency=1, rate=0, timeout=SECONDS, retry=retry)
    )
    try:
        http.send("GET", ["Users"])
    finally:
        http.close()


def _bytes_taken(ask: Callable[[str], None], url: str) -> int:
    """At most, while it ends with one of the documented errors."""
    tracemalloc.start()
    try:
        with pytest.raises(SyncdError) as caught:
            ask(url)
        assert isinstance(caught.value, TemporaryError | PermanentError)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ask", [_ask_okta, _ask_split], ids=["okta", "split"])
@pytest.mark.parametrize("layers", [1, 2, 3, 9])
def test_a_small_answer_that_unpacks_to_a_huge_one_is_not_unpacked(
    ask: Callable[[str], None], layers: int
) -> None:
    with RawServer(saying(bomb(layers))) as server:
        assert _bytes_taken(ask, server.url) < MEMORY


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ask", [_ask_okta, _ask_split], ids=["okta", "split"])
@pytest.mark.parametrize("what", ENDLESS)
def test_an_answer_without_end_is_given_up(ask: Callable[[str], None], what: str) -> None:
    """A time-out of the socket alone begins anew with every byte: provisional answers, headers and trailers that kept
    coming were read for ever.
    """
    with RawServer(ENDLESS[what]) as server:
        assert _bytes_taken(ask, server.url) < MEMORY
