"""One connection, opened: what every cycle works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.groups import RuleBook
from syncd.core.mapping import MappingPolicy
from syncd.core.match_rules import DEFAULT_RULES
from syncd.core.policy import Policy
from syncd.core.safety import LIMITS, Limits
from syncd.engine.facts import SCOPE, DecidedScope
from syncd.errors import Stopped
from syncd.ports import Observer, Source, Store, Target
from syncd.settings.schema import ConnectionSettings


def _never() -> bool:
    return False


def _nobody(_job: Job, _busy: AbstractSet[str]) -> AbstractSet[str]:
    return frozenset()


GiveWay = Callable[["Job", AbstractSet[str]], AbstractSet[str]]
"""Between writes: lets others go first, but for the people (Okta ids) who are being written. Returns whom it looked at
and wrote: what was planned about them before is outdated.
"""


@dataclass(frozen=True)
class Job:
    """`clock` gives aware UTC times; `scope` and `target_fingerprint` are fingerprints of the settings.

    `cancelled` is asked between writes and between pages: once True no new write starts.
    """

    settings: ConnectionSettings
    store: Store
    source: Source
    target: Target
    observer: Observer
    clock: Callable[[], datetime]
    scope: str
    target_fingerprint: str
    cancelled: Callable[[], bool] = _never
    turn: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Held while a cycle of this connection settles, plans and writes: a long read does not need it, so that short
    cycles go on meanwhile. Whoever has it may take it again. Of use where several cycles share one store."""
    give_way: GiveWay = _nobody
    since: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """(user or group, Okta id): when the oldest event happened for which it is looked at, by our clock."""
    nothing: Callable[[], AbstractSet[tuple[str, str]]] = frozenset
    """(user or group, Okta id) of what Okta did not have when it was asked by id, and of which the store keeps no word:
    where a list shows it, that is asked for again.
    """
    is_turn_taken: Callable[[], bool] = _never
    """Whether another cycle has the turn for long, and gives way to leavers by itself."""

    @property
    def mapping(self) -> MappingPolicy:
        """How Okta's records become wishes."""
        return MappingPolicy.of(
            self.settings.attributes,
            suspended_users=self.settings.provisioning.suspended_users,
            flavor=self.settings.split.flavor,
        )

    @property
    def rules(self) -> RuleBook:
        """Which groups are pushed."""
        return RuleBook(self.settings.push_groups)

    @property
    def policy(self) -> Policy:
        """What deciding needs of the settings, with the time of this moment."""
        provisioning, safety = self.settings.provisioning, self.settings.safety
        return Policy(
            flavor=self.settings.split.flavor,
            now=self.clock(),
            create_users=provisioning.create_users,
            update_users=provisioning.update_users,
            deactivate_users=provisioning.deactivate_users,
            grace=provisioning.deactivation_grace,
            protected_users=frozenset(safety.protected_users),
            protected_groups=frozenset(safety.protected_groups),
            initial=self.settings.initial,
        )

    @property
    def limits(self) -> Limits:
        """What may be done without a person's yes."""
        return {rule.name: getattr(self.settings.safety, rule.key) for rule in LIMITS}


def matched_otherwise(settings: ConnectionSettings) -> tuple[str, ...] | None:
    """By what people are matched, where it is not the default."""
    return None if settings.matching.by == DEFAULT_RULES else tuple(settings.matched_by)


def scope_as_decided(
    job: Job, undecided: frozenset[str] = frozenset(), rewritten: frozenset[str] = frozenset()
) -> DecidedScope:
    """The settings as they are now, to be told from later ones."""
    settings = job.settings
    rules = frozenset(rule.source.label for rule in settings.push_groups)
    return DecidedScope(
        job.scope, undecided, rewritten, settings.mapped_as, rules, matched_otherwise(settings)
    )


def scope_changed(job: Job) -> bool:
    """No full cycle has seen everything under these scope settings (app, target, flavor, provisioning, attributes,
    matching, push groups) since they were others.
    """
    known = SCOPE.of(job.store)
    return known is not None and known.fingerprint != job.scope


def stop_if_asked(job: Job) -> None:
    """Between two pages of a long read. Raises Stopped."""
    if job.cancelled():
        raise Stopped("stopped on request while reading; nothing was concluded from what was read")
