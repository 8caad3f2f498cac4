"""The only place that names concrete adapters: settings in, an open connection out.

Adapters are imported when they are built: a command that asks nobody imports neither the Okta SDK nor requests.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from syncd.core.match_rules import EMAILS
from syncd.custody import refuse_a_second_store, store_misgivings, store_place
from syncd.engine.facts import learned_of, remember_learned
from syncd.engine.job import Job
from syncd.errors import ConfigurationError, RefusedError, SyncdError
from syncd.ports import Observer, Source, Store
from syncd.ports.observer import telling_waits
from syncd.ports.permit import Permit
from syncd.redact import Redactor
from syncd.settings import ConnectionSettings, SecretRef, scope_fingerprint, target_fingerprint

if TYPE_CHECKING:
    from syncd.answers.check.check import Bench
    from syncd.okta.credentials import Credentials
    from syncd.okta.orgs import Seat
    from syncd.okta.pace import RetryPolicy
    from syncd.okta.reader import OktaReader
    from syncd.scim.split import ScimTarget

Clock = Callable[[], datetime]
LOCK_LASTS = timedelta(seconds=60)
"""For so long a writer has to be silent until it counts as gone, where nothing but its silence tells."""
_RENEWED_EVERY = 15.0
_GARBAGE = (10_000, 20, 20)
"""Thresholds of the cycle collector. A page of users is ten thousand objects without a cycle among them; by Python's
own 700 a fifth of a full read went into looking at them. Older ones are looked at half as often as by default.
"""


def utc_now() -> datetime:
    """Aware."""
    return datetime.now(UTC)


def _never() -> bool:
    return False


@contextmanager
def open_job(
    settings: ConnectionSettings,
    *,
    writing: bool,
    observer: Observer,
    redactor: Redactor,
    clock: Clock = utc_now,
    cancelled: Callable[[], bool] = _never,
    store: Store | None = None,
    turn: AbstractContextManager[object] | None = None,
    is_turn_taken: Callable[[], bool] = _never,
    impatient: bool = False,
    source: Source | None = None,
    delivered_within: float | None = None,
    seat: Seat | None = None,
) -> Iterator[Job]:
    """One connection, opened. With `writing` the store is made if need be and its lock is held to the end.
    `impatient`: a side that does not answer is soon given up. `delivered_within`: see `scim.http.Link`. `seat`: its
    place in what connections of one org share.

    `store` is one that is open already, with its lock if need be; it stays open, as does a `source`. `turn` is the
    job's: one for all cycles that share a store. Secrets are read now and made known to `redactor`. Raises
    ConfigurationError (secrets, a store that is none), LockHeld (another writer), PermanentError (a damaged store).
    Sets the thresholds of this process's cycle collector.
    """
    gc.set_threshold(*_GARBAGE)
    with ExitStack() as stack:
        if source is None:
            source = stack.enter_context(
                open_source(settings, observer, redactor, impatient=impatient, seat=seat)
            )
        _learn_secrets(settings, redactor)  # before anything is made or locked
        if store is None and writing:
            store = stack.enter_context(_owned(settings, observer, redactor, clock, cancelled))
        store = store or stack.enter_context(open_for_status(settings, clock=clock, redactor=redactor))
        target = _remembered_target(
            *(settings, store, observer, redactor),
            writing=writing,
            impatient=impatient,
            delivered_within=delivered_within,
        )
        yield Job(
            settings=settings,
            store=store,
            source=source,
            target=stack.enter_context(target),
            observer=observer,
            clock=clock,
            scope=scope_fingerprint(settings),
            target_fingerprint=target_fingerprint(settings),
            cancelled=cancelled,
            turn=turn or nullcontext(),
            is_turn_taken=is_turn_taken,
        )


@contextmanager
def _remembered_target(
    settings: ConnectionSettings,
    store: Store,
    observer: Observer,
    redactor: Redactor,
    *,
    writing: bool,
    impatient: bool,
    delivered_within: float | None,
) -> Iterator[ScimTarget]:
    """It knows of the target's habits what the store does; what a writer learns of them, the store keeps."""
    with open_target(
        settings,
        observer,
        redactor,
        learned=learned_of(store, target_fingerprint(settings)),
        permit=store.permit if writing else None,
        impatient=impatient,
        delivered_within=delivered_within,
    ) as target:
        try:
            yield target
        finally:
            if writing:
                remember_learned(store, settings, target.learned())


def _learn_secrets(settings: ConnectionSettings, redactor: Redactor) -> None:
    _secret(settings.split.token, redactor)
    for url in settings.notify.urls:
        with suppress(SyncdError):  # who is told nothing is told so when there is something to tell
            _secret(url, redactor)


@contextmanager
def open_jobs_of_one_reading(
    settings: tuple[ConnectionSettings, ConnectionSettings], *, observer: Observer, redactor: Redactor
) -> Iterator[tuple[Job, Job]]:
    """Two settings of one connection, to plan with: what the first reads of Okta the second does not read again."""
    from syncd.okta.pace import RetryPolicy  # noqa: PLC0415
    from syncd.okta.replay import SharedReads  # noqa: PLC0415

    profiles = any(each.reads_user_profiles for each in settings)
    with (
        _reader(settings[1], observer, redactor, RetryPolicy(), user_profiles=profiles) as reader,
        SharedReads(reader) as shared,
        ExitStack() as stack,
    ):
        one, other = (
            stack.enter_context(
                open_job(each, writing=False, observer=observer, redactor=redactor, source=shared.source())
            )
            for each in settings
        )
        yield one, other


def _owned(
    settings: ConnectionSettings,
    observer: Observer,
    redactor: Redactor,
    clock: Clock,
    cancelled: Callable[[], bool],
) -> AbstractContextManager[Store]:
    """The store with its writer's lock, which is waited for until somebody asks to stop."""
    from syncd.store.keeping import patiently  # noqa: PLC0415

    return open_for_writing(
        settings,
        clock=clock,
        redactor=redactor,
        event=observer.event,
        wait=lambda seconds: patiently(seconds) and not cancelled(),
    )


@contextmanager
def open_for_writing(
    settings: ConnectionSettings,
    *,
    clock: Clock = utc_now,
    owner: str = "syncd",
    redactor: Redactor | None = None,
    event: Callable[..., None] | None = None,
    wait: Callable[[float], bool] | None = None,
    serves: bool = False,
) -> Iterator[Store]:
    """The store with its writer's lock, renewed until it is closed. What `redactor` knows by then is never stored.

    Where only its silence can tell that another writer is gone, it is watched as long as `wait` (None: without end)
    sleeps and says True; `event` is told. `serves`: requests are carried out. Raises LockHeld naming another writer.
    """
    if settings.fleet is not None:
        raise RefusedError(
            f"{settings.name} belongs to a fleet: the worker that owns it writes, and nobody else",
            hint="ask for it without --config, with --fleet and --connection",
        )
    from syncd.store.keeping import keeping, patiently  # noqa: PLC0415
    from syncd.store.sqlite.opening import open_store  # noqa: PLC0415  (sqlite-utils)

    refuse_a_second_store(settings, clock)
    store = open_store(settings.store_path, connection=settings.name, clock=clock, redactor=redactor)
    kept = keeping(
        store,
        owner,
        lasts=LOCK_LASTS,
        renewed_every=_RENEWED_EVERY,
        wait=wait or patiently,
        event=event,
        serves=serves,
    )
    try:
        with kept:
            yield store
    finally:
        store.close()


def open_for_deciding(
    settings: ConnectionSettings, *, clock: Clock = utc_now, redactor: Redactor | None = None
) -> AbstractContextManager[Store]:
    """The store for a person's decision: a short transaction of its own beside whoever holds the writer's lock."""
    return _without_the_lock(settings, clock, redactor, deciding=True, checked=False)


def open_for_status(
    settings: ConnectionSettings,
    *,
    clock: Clock = utc_now,
    redactor: Redactor | None = None,
    checked: bool = False,
) -> AbstractContextManager[Store]:
    """The store as it is, read only: no lock, no file when there is none. `checked`: as in `open_for_reading`."""
    return _without_the_lock(settings, clock, redactor, deciding=False, checked=checked)


@contextmanager
def _without_the_lock(
    settings: ConnectionSettings, clock: Clock, redactor: Redactor | None, *, deciding: bool, checked: bool
) -> Iterator[Store]:
    if settings.fleet is not None:
        from syncd.fleets import store_of  # noqa: PLC0415  (psycopg)

        with store_of(settings.fleet, clock, redactor, deciding=deciding) as store:
            yield store
        return
    from syncd.store.sqlite.opening import open_for_reading, open_store  # noqa: PLC0415  (sqlite-utils)

    refuse_a_second_store(settings, clock)
    opens = partial(open_store, redactor=redactor) if deciding else partial(open_for_reading, checked=checked)
    with opens(settings.store_path, connection=settings.name, clock=clock) as store:
        yield store


@contextmanager
def open_source(
    settings: ConnectionSettings,
    observer: Observer,
    redactor: Redactor,
    *,
    impatient: bool = False,
    seat: Seat | None = None,
) -> Iterator[OktaReader]:
    """The Okta reader. Raises ConfigurationError for unusable secrets."""
    from syncd.okta.pace import RetryPolicy  # noqa: PLC0415

    retry = RetryPolicy(attempts=2, deadline=30.0) if impatient else RetryPolicy()
    with _reader(settings, observer, redactor, retry, seat=seat) as reader:
        yield reader


def _reader(
    settings: ConnectionSettings,
    observer: Observer,
    redactor: Redactor,
    retry: RetryPolicy,
    *,
    user_profiles: bool = False,
    seat: Seat | None = None,
) -> OktaReader:
    """`user_profiles`: with the users' own, also where these settings do not name them."""
    from syncd.okta.reader import OktaReader  # noqa: PLC0415  (the Okta SDK)

    okta, credentials = settings.okta, _credentials(settings, redactor)
    proxy = _secret(okta.proxy, redactor) if okta.proxy else None
    return OktaReader(
        org_url=okta.org_url,
        app_id=okta.app_id,
        credentials=credentials,
        rate_limit_share=okta.rate_limit_share,
        timeout=okta.timeout.total_seconds(),
        ca_file=okta.ca_file,
        proxy=proxy,
        retry=retry,
        on_wait=telling_waits(observer, "Okta"),
        redactor=redactor,
        user_profiles=user_profiles or settings.reads_user_profiles,
        org=seat.at(credentials.fingerprint(okta.org_url, proxy, str(okta.ca_file))) if seat else None,
    )


@contextmanager
def open_target(
    settings: ConnectionSettings,
    observer: Observer,
    redactor: Redactor,
    *,
    learned: Mapping[str, str] | None = None,
    permit: Permit | None = None,
    impatient: bool = False,
    delivered_within: float | None = None,
) -> Iterator[ScimTarget]:
    """The SCIM client; `learned` is what earlier runs found out about this target, `permit` is asked before each
    request. Raises ConfigurationError.
    """
    from syncd.scim.http import Link  # noqa: PLC0415  (requests)
    from syncd.scim.pacing import RetryPolicy  # noqa: PLC0415
    from syncd.scim.split import ScimTarget  # noqa: PLC0415

    split = settings.split
    token = _secret(split.token, redactor)
    link = Link(
        base_url=split.base_url,
        read_token=lambda: token,
        concurrency=split.concurrency,
        rate=split.max_requests_per_second,
        timeout=split.timeout.total_seconds(),
        ca_file=split.ca_file,
        proxy=_secret(split.proxy, redactor) if split.proxy else None,
        retry=RetryPolicy(attempts=2, deadline=30.0) if impatient else RetryPolicy(),
        on_wait=telling_waits(observer, "Split"),
        permit=permit,
        delivered_within=delivered_within,
        redactor=redactor,
    )
    with ScimTarget(
        link,
        flavor=split.flavor,
        update_method=split.update_method,
        member_batch=split.member_batch,
        learned=learned,
        attribute_paths=tuple(settings.attributes),
        keeps_emails=any(rule.attribute == EMAILS for rule in settings.matching.by),
    ) as target:
        yield target


def bench(
    settings: ConnectionSettings, warnings: Sequence[str], *, observer: Observer, redactor: Redactor
) -> Bench:
    """What `check` probes with; nothing is opened before its probe asks for it."""
    from syncd.answers.check.check import Bench  # noqa: PLC0415

    return Bench(
        settings=settings,
        warnings=warnings,
        store_place=lambda: store_place(settings, utc_now),
        store_misgivings=lambda: () if settings.fleet else store_misgivings(settings.store_path),
        open_store=lambda: open_for_status(settings),
        open_source=lambda: _probe(settings, observer, redactor),
        open_target=lambda: open_target(settings, observer, redactor, impatient=True),
        clock=utc_now,
    )


def _probe(settings: ConnectionSettings, observer: Observer, redactor: Redactor) -> OktaReader:
    from syncd.okta.pace import RetryPolicy  # noqa: PLC0415

    return _reader(settings, observer, redactor, RetryPolicy(attempts=2))


def _secret(ref: SecretRef, redactor: Redactor) -> str:
    value = ref.read()
    redactor.add(value)
    return value


def _credentials(settings: ConnectionSettings, redactor: Redactor) -> Credentials:
    from syncd.okta.credentials import PrivateKey, Ssws  # noqa: PLC0415

    okta = settings.okta
    if okta.auth == "private_key" and okta.private_key is not None and okta.client_id is not None:
        key = _secret(okta.private_key, redactor)
        return PrivateKey(okta.client_id, lambda: key, okta.key_id, okta.dpop)
    if okta.token is None:
        raise ConfigurationError("okta.token is not set", hint='Write token = { env = "OKTA_API_TOKEN" }.')
    token = _secret(okta.token, redactor)
    return Ssws(lambda: token)
