"""Is what a server shows after a create the result of it? A 2xx proves nothing. Pure.

Servers answer a create with an account whose name differs in letter case, that has the same e-mail, or that is simply
older, with 200 and with 201; some give it our values and our externalId first. So the object must be provably new, or
ours, and nothing may speak against it:

tied to another Okta object, seen before, another externalId, another name   somebody else's
older than the create, and changed by it                                     somebody else's
a group with members (none was sent)                                         somebody else's
without the externalId that the server shows of others                       cannot be told
made since the create was sent                                               new
our externalId, nothing against it                                           ours
201, the exact name, and a server that shows neither age nor externalId      new, as far as anybody can tell
anything else                                                                cannot be told
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from syncd.core.names import Likeness, likeness
from syncd.model import RemoteGroup, RemoteUser

LENIENCE = timedelta(seconds=5)
"""By so much the clocks of one server may disagree with each other."""
CLOCKS_APART = timedelta(minutes=5)
"""By so much the server's clock may be behind ours."""
CREATED = 201


@dataclass(frozen=True, slots=True)
class Believed:
    """The object is the result of the create."""


@dataclass(frozen=True, slots=True)
class Disbelief:
    """`stranger`: the object is somebody else's, so nothing ever ties it to this Okta object but a person's word. Else
    nobody can tell, and the next plan matches it by the ordinary rules.
    """

    reason: str
    stranger: bool


@dataclass(frozen=True, slots=True)
class Create:
    """What was sent. `sent` is the server's own time then, None when it shows no clock. `shows_external_id`: this
    server is known to show that of other objects.
    """

    okta_id: str
    name: str
    status: int | None
    sent: datetime | None
    shows_external_id: bool = False


def judge(create: Create, shown: RemoteUser | RemoteGroup, *, against: str | None) -> Believed | Disbelief:
    """`against`: why the id cannot be that of a new object (it is tied, or was seen before); None when nothing is."""
    name = shown.user_name if isinstance(shown, RemoteUser) else shown.name
    older = _is_older(create, shown.created)
    ours = shown.external_id == create.okta_id
    if against is None and ours and older is not True and name == create.name and not _has_members(shown):
        return Believed()  # nearly every one
    what = f'"{name}" ({shown.scim_id})'
    made = f", made {shown.created:%Y-%m-%d %H:%M:%S} UTC" if shown.created else ""
    if against is not None:
        return Disbelief(f"{what} {against}", stranger=True)
    if shown.external_id and not ours:
        return Disbelief(f"{what} has the externalId {shown.external_id}", stranger=True)
    if _has_members(shown):
        return Disbelief(f"{what} has members already", stranger=True)
    if older and _was_touched(shown):
        return Disbelief(f"{what} was there before{made}, and was changed by the create", stranger=True)
    new = older is False
    like = likeness(name, create.name) if name else Likeness.SAME
    if like is Likeness.DIFFERENT and not (ours and new):
        return Disbelief(f"{what} is called otherwise", stranger=True)
    if not shown.external_id and create.shows_external_id:
        return Disbelief(f"{what} has no externalId{made}, which the server shows of others", stranger=False)
    if new or (ours and (like is Likeness.SAME or (not older and like is Likeness.LETTER_CASE))):
        return Believed()
    if older:
        return Disbelief(f"{what} was there before{made}", stranger=False)
    if like is not Likeness.SAME:
        return Disbelief(f"{what} is not written the same, and nothing shows that it is new", stranger=False)
    if create.status != CREATED:
        return Disbelief(f"{what} is not said to be new (status {create.status})", stranger=False)
    return Believed()


def _is_older(create: Create, created: datetime | None) -> bool | None:
    """Whether the object was made before the create was sent; None when the server does not show it."""
    if create.sent is None or created is None:
        return None
    return created < create.sent - LENIENCE


def _has_members(shown: RemoteUser | RemoteGroup) -> bool:
    return isinstance(shown, RemoteGroup) and bool(shown.members)


def _was_touched(shown: RemoteUser | RemoteGroup) -> bool:
    return (
        shown.created is not None and shown.modified is not None and shown.modified - shown.created > LENIENCE
    )


def is_provably_ours(remote: RemoteUser, okta_id: str, since: datetime) -> bool:
    """Whether an account came into being by a create of ours, sent at `since` by our own clock."""
    return (
        remote.external_id == okta_id
        and remote.created is not None
        and remote.created >= since - CLOCKS_APART
    )
