"""Who shares an org's System Log and limits: whoever asks the same org with the same credentials, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from syncd.model import LogEvent
from syncd.okta.credentials import Credentials, PrivateKey, Ssws
from syncd.okta.orgs import Orgs
from syncd.okta.reader import OktaReader
from syncd.ports import LogPage
from tests.okta.fakes import FakeOkta, Reply, Seen, reader
from tests.service.supervisor import eventually

ORG = "https://example.okta.com"
SAME = Ssws(lambda: "00t-one").fingerprint(ORG, None, "None")


@pytest.mark.parametrize(
    ("credentials", "where"),
    [
        (Ssws(lambda: "00t-other"), (ORG, None, "None")),
        (Ssws(lambda: "00t-one"), ("https://other.okta.com", None, "None")),
        (Ssws(lambda: "00t-one"), (ORG, "http://proxy.example", "None")),
        (Ssws(lambda: "00t-one"), (ORG, None, "/etc/ca.pem")),
        (PrivateKey("0oa1", lambda: "00t-one"), (ORG, None, "None")),
    ],
)
def test_other_credentials_and_another_way_to_the_org_share_nothing(
    credentials: Credentials, where: tuple[str | None, ...]
) -> None:
    other = credentials.fingerprint(*where)
    orgs = Orgs()
    assert other != SAME
    assert orgs.rates(other) is not orgs.rates(SAME)
    assert "00t" not in other


def test_a_connection_with_another_token_leaves_those_it_shared_with() -> None:
    orgs, asked = Orgs(lambda: 0.0), []

    def ask(place: str) -> LogPage:
        asked.append(place)
        return LogPage([LogEvent("e1", "user.lifecycle.create", [])], place, full=False)

    one, other = (orgs.seat(name, 24.0, lambda: None) for name in ("one", "other"))
    for seat in (one, other):
        seat.at(SAME).begin(lambda: LogPage((), "here", full=False))
    for seat in (one, other):
        seat.at(SAME).page("here", ask)
    assert len(asked) == 1
    other.at("another token").page("here", ask)
    one.at(SAME).page("here", ask)
    assert len(asked) == 3, "each is alone now, and asks for itself"
    orgs.leave("one")
    orgs.leave("one")


def names(source: OktaReader) -> Sequence[str]:
    return [group.name for page in source.groups() for group in page.records]


def test_connections_that_ask_for_the_list_of_groups_at_once_are_told_it_by_one_read() -> None:
    """Who asks while it is read is told by the next read: an older list does not show what they know already."""
    lists = 0

    def okta_says(_request: Seen, _before: int) -> Reply:
        nonlocal lists
        lists += 1
        return Reply([{"id": "00g1", "type": "OKTA_GROUP", "profile": {"name": f"as of {lists}"}}])

    orgs = Orgs()
    with ExitStack() as stack:
        okta = stack.enter_context(FakeOkta(okta_says))
        first, *others = [
            stack.enter_context(reader(okta, org=orgs.seat(f"c{number}", 0.0, lambda: None).at(SAME)))
            for number in range(4)
        ]
        foreign = stack.enter_context(reader(okta, org=orgs.seat("foreign", 0.0, lambda: None).at("other")))
        pages = iter(first.groups())
        next(pages)
        pool = stack.enter_context(ThreadPoolExecutor(3))
        found = [pool.submit(names, each) for each in others]
        eventually(lambda: orgs.groups(SAME).waiting == 3, "three wait")
        assert names(foreign) == ["as of 2"], "who asks with other credentials waits for nobody"
        assert list(pages) == []
        assert [each.result(30) for each in found] == [["as of 3"]] * 3
        assert lists == 3
