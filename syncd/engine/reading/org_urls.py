"""Under which addresses the org is known: an event hook names one of them as its source."""

from __future__ import annotations

from collections.abc import Sequence

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
    own = _own(org_url)
    said = (ORG_URLS.of(store, "") if store is not None else "").split()
    return tuple(dict.fromkeys([own, *(said if said[:1] == [own] else ())]))


def _own(org_url: str) -> str:
    return org_url.lower().rstrip("/")
