"""What people expect: limits raised in advance, as rows of the trail."""

from __future__ import annotations

from dataclasses import replace

from syncd.core.expectation import Expectation
from syncd.errors import UsageError
from syncd.store import expected
from syncd.store.expected import Expected
from syncd.store.requests import RequestActs


class ExpectationActs(RequestActs):
    """`ports.Decisions.expect` and `revoke` for the SQLite store."""

    _expected: Expected

    def expect(self, expectation: Expectation) -> Expectation:
        """Stores it, with a note in the trail; what comes back has its reason as it is kept, without secrets."""
        made = replace(expectation, reason=self._redactor.kept(expectation.reason))
        with self._writing() as conn:
            body = {"decision": "expect", "by": made.by, "asked": [f"{made.limit}={made.number}"]}
            self._note(conn, {**body, **expected.said([made])})
        return made

    def revoke(self, expectation_id: str, by: str, reason: str | None = None) -> Expectation:
        """Ends one that is ahead or in force, noting who did and why; comes back as it was. Raises UsageError for any
        other id.
        """
        with self._writing() as conn:
            ahead = {each.id: each for each in self._expected.ahead(conn, self._clock())}
            if expectation_id not in ahead:
                raise UsageError(
                    f"no expectation is called {expectation_id}, or its days are over",
                    hint="`syncd held` lists what is expected",
                )
            why = {} if reason is None else {"reason": self._redactor.kept(reason)}
            body = {"decision": "revoke", "by": by, "asked": [expectation_id], **why}
            self._note(conn, {**body, expected.REVOKED: [expectation_id]})
        return ahead[expectation_id]
