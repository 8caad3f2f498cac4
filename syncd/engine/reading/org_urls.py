"""Under which addresses the org is known: an event hook names one of them as its source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncd.engine.facts import ORG_URLS
from syncd.engine.job import Job
from syncd.errors import SyncdError
from syncd.ports import Store


def learn_org_urls(job: Job) -> None:
    """Asks the org. Where it does not say, what it said before counts on."""
    own = _own(job.settings.okta.org_url)
    try:
        said = " ".join([own, *job.source.org_urls()])
    except SyncdError as error:
        job.observer.event("debug", "the org does not say its addresses", error=error.message)
        return
    if said != ORG_URLS.of(job.store):
        ORG_URLS.remember(job.store, said)


def known_org_urls(store: Store | None, org_url: str) -> Sequence[str]:
    """That of the settings, and what was learned under it."""
    return org_urls_of(org_url, [ORG_URLS.of(store, "")] if store is not None else [])


def org_urls_of(org_url: str, remembered: Iterable[str]) -> Sequence[str]:
    """That of the settings, and what was learned under it: the texts that stores remember."""
    own = _own(org_url)
    learned = [said.split() for said in remembered]
    return tuple(dict.fromkeys([own, *(url for urls in learned if urls[:1] == [own] for url in urls)]))


def _own(org_url: str) -> str:
    return org_url.lower().rstrip("/")
