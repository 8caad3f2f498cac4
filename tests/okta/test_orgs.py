"""Who shares an org's System Log and limits: whoever asks the same org with the same credentials, and nobody else."""

from __future__ import annotations

import pytest

from syncd.model import LogEvent
from syncd.okta.credentials import Credentials, PrivateKey, Ssws
from syncd.okta.orgs import Orgs
from syncd.ports import LogPage

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
