"""What is done to a store, on whatever database: each act one transaction, which the room of that database opens."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from syncd.core.change import Change
from syncd.core.plan import Hold
from syncd.core.waiting import Waiting
from syncd.ports.outcomes import Effect, Settled
from syncd.store import decisions, effects, holds, journal, pruning, state, unproven, waiting
from syncd.store.absorb import absorb_stage
from syncd.store.db import Db
from syncd.store.restoring import RestoreActs
from syncd.store.rows import moment
from syncd.store.stage.questions import StageQuestions
from syncd.store.stage.tables import WHOLE_READ


class StoreActs(RestoreActs):
    """The writing half of `ports.Store`. Safe to share between threads: one of them is inside at a time."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Db]:
        """One durable transaction; nothing of it stays when the block fails."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Db]:
        """As `_transaction`; raises LockLost, and writes nothing, when this store may not write any more."""

    def _settling(self) -> AbstractContextManager[Db]:
        """For the outcome of what was written to the target."""
        return self._writing()

    # meta

    def remember(self, key: str, value: str | None) -> None:
        """See `ports.Store.remember`."""
        self.remember_all({key: value})

    def remember_all(self, facts: Mapping[str, str | None]) -> None:
        """See `ports.Store.remember_all`."""
        clean, reveals = self._redactor.known, self._redactor.reveals  # not what an address has by chance
        said = {
            key: value if value is None or not reveals(value) else clean(value)
            for key, value in facts.items()
        }
        with self._lock:
            if any(self.recall(key) != value for key, value in said.items()):
                with self._writing() as conn:
                    for key, value in said.items():
                        state.remember(conn, key, value)

    # runs and journal

    def begin_run(self, kind: str) -> str:
        """See `ports.Store.begin_run`."""
        now = self._clock()
        run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        with self._writing() as conn:
            state.begin_run(conn, run_id, kind, now)
        return run_id

    def finish_run(
        self, run_id: str, *, status: str, summary: Mapping[str, Mapping[str, int]], error: str | None
    ) -> None:
        """Also by who lost the lock: how a run ended is its own to say."""
        said = None if error is None else self._redactor.kept(error)
        with self._transaction() as conn:
            run = state.finish_run(conn, run_id, self._clock(), status=status, summary=summary, error=said)
            if run:
                self._note(conn, {"run": run}, run_id)

    def intend(
        self,
        run_id: str,
        changes: Sequence[Change],
        *,
        allow: AbstractSet[str] = frozenset(),
        exempt: AbstractSet[str] = frozenset(),
        spared: Mapping[str, AbstractSet[str]] | None = None,
    ) -> Sequence[int]:
        """See `ports.Store.intend`."""
        if not changes:
            return []
        with self._writing() as conn:
            now = self._clock()
            approved = decisions.approvals(self._rulings.among(conn, now, [change.id for change in changes]))
            return journal.append_intents(conn, run_id, changes, now, allow, approved, exempt, spared or {})

    def settle(self, outcomes: Sequence[Settled]) -> Sequence[Settled]:
        """Raises ValueError for what is no intent."""
        if not outcomes:
            return []
        now = self._clock()
        with self._settling() as conn:
            settled_before = journal.settled_before(conn, [outcome.sequence for outcome in outcomes])
            late = [outcome for outcome in outcomes if outcome.sequence in settled_before]
            mine = [outcome for outcome in outcomes if outcome.sequence not in settled_before]
            known = [outcome for outcome in mine if not outcome.unanswered]
            with waiting.waking(conn, [effect for outcome in mine for effect in outcome.effects], now):
                effects.apply_effects(conn, mine, now)
            counted = [outcome for outcome in mine if not (outcome.deferred or outcome.step)]
            for well, some in groupby(counted, key=lambda outcome: outcome.error is None):
                if well:
                    changes = [outcome.change for outcome in some]
                    effects.clear_failures(conn, changes)
                    decisions.used(conn, changes)
                else:
                    for outcome in some:
                        effects.record_failure(conn, outcome, now, self._redactor)
            documents = [[effects.effect_document(effect) for effect in each.effects] for each in known]
            journal.append_outcomes(
                conn, list(zip(known, documents, strict=True)), now, self._redactor, self._seals.handed_over
            )
            if any(outcome.effects for outcome in mine):
                state.advance(conn)
        return late

    def note(
        self,
        body: Mapping[str, Any],
        *,
        run_id: str | None = None,
        reason: str | None = None,
        facts: Mapping[str, str | None] | None = None,
    ) -> int:
        """See `ports.Store.note`."""
        with self._writing() as conn:
            for key, value in (facts or {}).items():
                state.remember(conn, key, value)
            return self._note(conn, {**body, **self._why(reason)}, run_id)

    def prune(self, keep: timedelta) -> int:
        """See `ports.Store.prune`."""
        with self._writing() as conn:
            return pruning.prune(conn, self._clock(), keep, self._seals)

    def _note(self, conn: Db, body: Mapping[str, Any], run_id: str | None = None) -> int:
        return journal.append_note(conn, body, self._clock(), seal=self._seals.handed_over, run_id=run_id)

    # holds and the decisions of people

    def raise_holds(self, raised: Sequence[tuple[Hold, Iterable[Change]]], *, whole: bool) -> Collection[str]:
        """See `ports.Store.raise_holds`."""
        with self._reading() as conn:
            if not raised and not (whole and holds.any_open(conn)):
                return ()
        with self._writing() as conn:
            return holds.raise_holds(conn, raised, self._clock(), whole=whole)

    def decide(
        self, ids: Sequence[str], decision: str, by: str, reason: str | None = None
    ) -> Sequence[Change]:
        """See `ports.Store.decide`."""
        now, why = self._clock(), self._why(reason)
        with self._writing() as conn:
            said = holds.Word(decision, by, why.get("reason"), now, journal.next_sequence(conn))
            changes, made = holds.decide(conn, ids, said, self._rulings.among(conn, now))
            if decision == "reject":
                for change in changes:
                    effects.take_back(
                        conn, change.okta_id
                    )  # an unlink by hand; other removals were not asked for
            body = {
                "decision": decision,
                "by": by,
                "asked": list(ids),
                "changes": [each.id for each in changes],
                **why,
                **decisions.said(made),
            }
            self._note(conn, body)
        return changes

    def _why(self, reason: str | None) -> dict[str, str]:
        """What a row of the trail says of a person's reason."""
        return {"reason": self._redactor.kept(reason)} if reason else {}

    def forget_decisions(self, change_ids: Iterable[str]) -> None:
        """See `ports.Store.forget_decisions`."""
        with self._writing() as conn:
            given = set(change_ids)
            over = {each.change_id for each in self._rulings.among(conn, self._clock(), given)}
            over.update(decisions.forget(conn, given))
            if over:
                self._note(conn, {decisions.OVER: sorted(over)})

    def release_user(
        self, okta_id: str, by: str, reason: str | None = None, *, unlinked: bool = False
    ) -> None:
        """See `ports.Store.release_user`."""
        self._release("user", okta_id, by, self._why(reason) | ({"decision": "unlink"} if unlinked else {}))

    def release_group(self, okta_id: str, by: str, reason: str | None = None) -> None:
        """See `ports.Store.release_group`."""
        self._release("group", okta_id, by, self._why(reason))

    def _release(self, kind: str, okta_id: str, by: str, why: Mapping[str, str]) -> None:
        with self._writing() as conn:
            effects.release(conn, kind, okta_id)
            self._note(conn, {"release": kind, "okta_id": okta_id, "by": by, **why})
            state.advance(conn)

    def record_found(
        self,
        run_id: str,
        found: Sequence[Effect],
        *,
        summary: Mapping[str, int],
        counts: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        """See `ports.Store.record_found`."""
        with self._writing() as conn:
            effects.take_over(conn, found)
            documents = [effects.effect_document(effect) for effect in found]
            told = {} if counts is None else {"counts": counts}
            body = {"drift": {"summary": dict(summary), **told, "fixed": True, "taken_over": documents}}
            self._note(conn, body, run_id)
            state.advance(conn)

    def forget_unproven(self, forgotten: Sequence[tuple[str, str]]) -> None:
        """See `ports.Store.forget_unproven`."""
        if forgotten:
            with self._writing() as conn:
                unproven.forget(conn, forgotten)

    def forget_links(self, run_id: str, *, users: Sequence[str], groups: Sequence[str]) -> None:
        """See `ports.Store.forget_links`."""
        with self._writing() as conn:
            body = {"decision": "forget", **effects.forget_links(conn, users, groups)}
            self._note(conn, body, run_id)
            state.advance(conn)

    def wait(
        self,
        found: Sequence[Waiting],
        *,
        over: Collection[tuple[str, str]] = (),
        failures_over: Collection[str] = (),
        freed: Collection[str] = (),
    ) -> None:
        """See `ports.Waits.wait`."""
        if not (found or over or failures_over or freed):
            return
        with self._writing() as conn:
            waiting.wake(conn, freed, self._clock())
            waiting.end(conn, over)
            waiting.remember(conn, found, self._redactor)
            for object_key in failures_over:
                effects.clear_failure(conn, object_key)

    def retry_now(self, object_key: str | None) -> int:
        """What waits for its next look is looked at too."""
        with self._writing() as conn:
            waiting.look_now(conn, object_key, self._clock())
            return conn.execute(
                "UPDATE failures SET next_attempt = ?1 WHERE CAST(?2 AS TEXT) IS NULL OR object_key = ?2",
                (moment(self._clock()), object_key),
            ).rowcount

    def _absorb(self, conn: Db, stage: StageQuestions, confirmed_absent: Mapping[str, datetime]) -> None:
        """Inside a transaction that sees both, the store and the stage."""
        before = conn.total_changes
        absorb_stage(
            conn,
            base=stage.base,
            revision=state.revision(conn) + 1,
            now=self._clock(),
            users_whole=stage.users_whole,
            groups_whole=stage.groups_whole,
            limited=stage.limited,
            confirmed_absent=confirmed_absent,
        )
        if conn.total_changes != before:
            revision = state.advance(conn)
            if not stage.limited:
                state.set_meta(conn, WHOLE_READ, str(revision))
        effects.drop_outlived_failures(conn)
