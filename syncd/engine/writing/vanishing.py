"""Is one known object gone at the target, or are they all? Asked before the first one is made again.

"All IDP-synced groups and users are converted to Split groups and users. You must map these again on re-enablement"
(SCIM for Okta in Split, Disabling SCIM): when the ids that we know mean nothing any more, making everybody again would
fill the target with twins. A person relinks instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain, islice

from syncd.engine.job import Job
from syncd.engine.writing.quarantine import RELINK, RELINK_HINT
from syncd.errors import ConnectionSick, NotFound, SyncdError

LOOKED_AT = 5
"""How many others are asked for by id."""


class Vanishing:
    """The question of one run: answered once for users and once for groups, whoever asks first.

    `besides`: Okta ids of users who may be gone by our own doing; they are no witnesses.
    """

    def __init__(self, job: Job, *, besides: Collection[str] = ()) -> None:
        self._job = job
        self._besides = besides
        self._lock = threading.Lock()
        self._fine: set[str] = set()
        self._sick: ConnectionSick | None = None

    def user_is_gone(self, okta_id: str, name: str) -> None:
        """Returns when others are still there. Raises ConnectionSick when most of them are gone too, and what the
        target raises when it cannot be asked.
        """
        self._judge("user", f"the account of {name}", lambda: self._users(okta_id))

    def group_is_gone(self, okta_id: str, name: str) -> None:
        """As `user_is_gone`; accounts are looked at as well when there are hardly any other groups."""
        self._judge("group", f"the group {name}", lambda: self._groups(okta_id))

    def _judge(self, kind: str, what: str, others: Callable[[], Iterable[bool]]) -> None:
        with self._lock:
            if self._sick is None and kind not in self._fine:
                there = list(others())
                gone = there.count(False)
                if gone >= 2 and gone * 2 > len(there):  # one other may be a coincidence
                    self._sick = self._verdict(what, gone, len(there))
                else:
                    self._fine.add(kind)
            if self._sick is not None:
                raise self._sick

    def _verdict(self, what: str, gone: int, looked_at: int) -> ConnectionSick:
        """Also asks for the list: a target that answers 404 to everything has lost nobody."""
        try:
            next(iter(self._job.target.list_users()), None)
        except ConnectionSick as error:
            return error
        return ConnectionSick(
            f"{what} is gone at the target, and so are {gone} of {looked_at} others that were looked at:"
            " nobody is created again",
            side=RELINK,
            hint=RELINK_HINT,
        )

    def _users(self, okta_id: str) -> Iterator[bool]:
        store = self._job.store
        behind = store.linked_users(after=okta_id)
        others = chain(behind, (known for known in store.linked_users() if known.okta_id < okta_id))
        ids = (
            known.pushed.scim_id
            for known in others
            if known.pushed is not None and known.pushed.active and known.okta_id not in self._besides
        )
        return self._there(self._job.target.user, islice(ids, LOOKED_AT))

    def _groups(self, okta_id: str) -> Iterator[bool]:
        ids = [
            known.pushed.scim_id
            for known in self._job.store.groups()
            if known.pushed is not None and known.okta_id != okta_id
        ][:LOOKED_AT]
        answers = self._there(self._job.target.group, ids)
        return answers if len(ids) > 1 else chain(answers, islice(self._users(""), LOOKED_AT - len(ids)))

    @staticmethod
    def _there(ask: Callable[[str], object], scim_ids: Iterable[str]) -> Iterator[bool]:
        """Whether each is there; who could not be asked for is no witness."""
        for scim_id in scim_ids:
            try:
                ask(scim_id)
            except NotFound:
                yield False
            except SyncdError:
                continue
            else:
                yield True
