"""What all conversations with one target share: the connection, the settings, and what was found out so far."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal
from weakref import WeakValueDictionary

from syncd.core.comparison import GROUP_NAME
from syncd.errors import NotFound, PermanentError, SyncdError, TemporaryError, concerns_the_connection
from syncd.model import RemoteGroup, RemoteUser
from syncd.scim.answers import ScimAnswer, error_for
from syncd.scim.calls import object_of
from syncd.scim.first_contact import FirstContact
from syncd.scim.flavors import FACTS, FlavorFacts
from syncd.scim.http import ScimHttp
from syncd.scim.knowledge import Learned
from syncd.scim.wire import equals, equals_decoded_twice, group_from, untyped_lists, user_from

Flavor = Literal["split", "harness", "scim"]
UpdateMethod = Literal["auto", "patch", "put"]
USERS = "Users"
GROUPS = "Groups"
_MAY_BE_GONE = frozenset({400, 401, 403, 422, 500})
"""With these, besides 404 and 410, servers answer a write of an object that is not there (Harness: 400 and 401)."""

SHOWN = "shown:members"
"""Learned: a group read by its id showed members."""
HIDDEN = "hidden:members"
"""Learned: members were added with success, and no group shows any. Or the server ignores it: that cannot be told."""
LISTED = "listed:no-members"
"""Learned: a group without members shows an empty list. Then a list that is left out is no empty one."""
CUT = "cut:members"
"""Learned: lists of so many members are not whole."""


class Locks:
    """One lock for each name, kept for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def __getitem__(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())


@dataclass(frozen=True, slots=True)
class Conversation:
    """`paths` are the mapped attribute paths; `settle` the seconds to wait between looks after an unclear answer."""

    http: ScimHttp
    flavor: Flavor
    method: UpdateMethod
    member_batch: int
    paths: Sequence[str]
    settle: Sequence[float]
    learned: Learned
    keeps_emails: bool = False
    """People are matched by any e-mail of theirs."""
    user_locks: Locks = field(default_factory=Locks)
    group_locks: Locks = field(default_factory=Locks)
    reserved: dict[str, str] = field(default_factory=dict)
    """SCIM id to name of the reserved groups seen so far."""
    made_groups: set[str] = field(default_factory=set)
    """SCIM ids of groups that were made in this conversation, and hence begin without members."""
    first_contact: FirstContact = field(default_factory=FirstContact)
    looked_at_groups: threading.Event = field(default_factory=threading.Event)
    """Set: groups were looked at to find out whether this server shows members."""

    @property
    def facts(self) -> FlavorFacts:
        """What is known of this kind of server beforehand."""
        return FACTS[self.flavor]

    def equals(self, attribute: str, value: str) -> str:
        """A filter for this value, as this server reads one."""
        return (equals_decoded_twice if self.facts.decodes_twice else equals)(attribute, value)

    def user_of(self, resource: object) -> RemoteUser | None:
        """A user as shown, in a list or alone; None when it cannot be read, or repeats a secret where it is read: that
        would be kept, and sent on.
        """
        user = user_from(resource, self.paths, emails=self.keeps_emails)
        if user is None or self.http.echoes.are_in(
            user.scim_id, user.external_id, user.user_name, *user.attributes.values(), *user.emails
        ):
            return None
        if user.external_id is not None:
            self.learned.drop("hidden:externalId")
            self.learned.set("shown:externalId", "yes")
        for path, value in user.attributes.items():
            self.learned.looked(path, value)
        if isinstance(resource, Mapping):
            for name in untyped_lists(resource, self.paths):
                self.learned.set(f"untyped:{name}", "yes")
        return user

    def user_alone(self, resource: object) -> RemoteUser | None:
        """A user as shown by id or by the answer to a write: which attributes are ever shown so is remembered. (Harness
        shows names in its lists only.)
        """
        user = self.user_of(resource)
        for path in user.attributes if user is not None else ():
            self.learned.set(f"shown:{path}", "yes")
        return user

    def group_of(self, resource: object) -> RemoteGroup | None:
        """A group as shown; None when it cannot be read. Says nothing about what this server shows: lists leave members
        out, and the answer to a write may be an echo of it.
        """
        group = self._group_from(resource)
        if group is not None and group.external_id is not None:
            self.learned.drop("hidden:group.externalId")
            self.learned.set("shown:group.externalId", "yes")
        if group is not None and group.name:
            self.learned.looked(GROUP_NAME, group.name)
        if group is not None and {group.name, group.scim_id} & set(self.facts.reserved):
            self.reserved[group.scim_id] = group.name
        return group

    def _group_from(self, resource: object) -> RemoteGroup | None:
        group = group_from(resource)
        told = group is not None and self.http.echoes.are_in(
            group.scim_id, group.external_id, group.name, *(group.members or ())
        )
        return None if told else group

    def fetch(self, kind: str, scim_id: str) -> ScimAnswer:
        """GET by id. Raises NotFound only where the server says so; an answer that shows something else says nothing
        about the object (TemporaryError).
        """
        what = f"read {kind[:-1].lower()} {scim_id}"
        for _ in range(2):
            answer = self.http.send("GET", [kind, scim_id])
            if not answer.ok:
                raise error_for(answer, what)
            shown = self.user_alone(answer.body) if kind == USERS else self._group_from(answer.body)
            if shown is not None and shown.scim_id == scim_id:
                return answer
            status = answer.status
            del answer, shown  # it may be large, and is not held while the next one is read
        raise TemporaryError(f"{what}: Split answers {status} with something else", status=status)

    def read_group(self, scim_id: str) -> tuple[RemoteGroup, ScimAnswer]:
        """GET by id, with members as far as they are known. Raises PermanentError for what cannot be read as a group.

        No members are believed only where this server was seen to show some; a list is whole unless it is as long as
        one from which members were missing, or left out by a server that lists also none.
        """
        answer = self.fetch(GROUPS, scim_id)
        group = self.group_of(answer.body)
        if group is None:
            raise PermanentError(f"read group {scim_id}: the answer cannot be read")
        if group.members:
            self.learned.set(SHOWN, "yes")
            self.learned.drop(HIDDEN)
            cut = int(self.learned[CUT] or 0)
            if len(group.members) > cut:
                self.learned.drop(CUT)
            return replace(group, whole=len(group.members) != cut), answer
        if group.members is None and self.learned[LISTED]:
            return replace(group, whole=False), answer
        if group.members is not None:
            self.learned.set(LISTED, "yes")
        return replace(group, members=frozenset() if self.learned[SHOWN] else None), answer

    def still_there(self, kind: str, scim_id: str, error: NotFound) -> TemporaryError:
        """What a write that was answered 404 means when reading the object finds it: a missing route, a gateway.

        Raises NotFound when the read agrees that it is gone, ConnectionSick when the whole target is, and what else the
        read raises.
        """
        try:
            self.fetch(kind, scim_id)
        except NotFound as gone:
            self.http.refusals.judge(gone, object_of([kind, scim_id]))
            raise
        return TemporaryError(f"{error.message}, but the {kind[:-1].lower()} is there", status=error.status)

    @contextmanager
    def gone_is_gone(self, kind: str, scim_id: str) -> Iterator[None]:
        """After a write of one object that was refused for good, or answered 500 to the last: is the object there at
        all? Raises NotFound when it is not, else what the write raised.
        """
        try:
            yield
        except NotFound:
            raise
        except (PermanentError, TemporaryError) as error:
            if error.status in _MAY_BE_GONE and not concerns_the_connection(error):
                try:
                    with self.http.doubt.kept():
                        self.still_there(kind, scim_id, NotFound(error.message, status=error.status))
                except SyncdError as failure:  # any other says nothing about the object
                    if isinstance(failure, NotFound) or concerns_the_connection(failure):
                        raise
            raise
