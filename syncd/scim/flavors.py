"""What is known of each kind of server before it answers anything, and the last line of defence for group names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.core import harness
from syncd.core.flavors import RESERVED, group_name_problem
from syncd.errors import RefusedError
from syncd.scim.user_forms import FORMS, Form

HARNESS_PATH, HARNESS_SIGN = "/gateway/ng/api/scim/", "scimAuthenticationSchemes"
"""What shows Harness before anything is known: the path of its SCIM API, and a key of its ServiceProviderConfig that no
other server has.
"""


@dataclass(frozen=True, slots=True)
class FlavorFacts:
    """`reserved`: names or ids of groups that exist by themselves and must stay. `unnamed`: names that no group is
    given. `update_forms`: the ways in which a user may be changed, in the order of their trying.
    """

    reserved: Sequence[str] = ()
    unnamed: Sequence[str] = ()
    update_forms: Sequence[Form] = FORMS
    identifies: bool = False
    """Ids of groups derive from their names, are asked for by them, and say more than any list or filter."""
    puts_groups: bool = True
    """A PUT of a group may be sent, and its answer be believed: some echo the request."""
    swallows: bool = False
    """What fails inside a PATCH is answered as if it had worked: each is looked at, whatever was seen before."""
    grants_rights: bool = False
    """A token has rights one by one: to view and to manage users, and groups."""
    removes: bool = False
    """A deactivation removes the account."""
    adopts: bool = False
    """A POST of a user answers 201 with whoever has the userName already."""
    lists_leave_out: bool = False
    """Lists and filters leave people out, pages of them too: nobody is absent because no list shows them."""
    refuses_by_404: bool = False
    """A PUT of a user is answered 404, a POST 409, whatever the refusal is about."""
    puts_whole: bool = False
    """A PUT of a user needs no read before it: what it does not name is not ours, or ignored."""
    decodes_twice: bool = False
    """A filter is decoded again after the query was: a plus sign becomes a blank."""
    post_seconds: float = 0.0
    """A POST is given at least so long: the roles of a new account are set up before it is answered."""
    lowers_names: bool = False
    """userName and e-mails are stored in small letters."""
    names_in_lists: bool = False
    """The parts of a name are shown in lists only."""


FACTS: Mapping[str, FlavorFacts] = {
    "scim": FlavorFacts(),
    "split": FlavorFacts(reserved=(RESERVED,), unnamed=(RESERVED,)),
    "harness": FlavorFacts(
        reserved=(RESERVED, harness.ADMINISTRATORS),
        unnamed=(RESERVED,),
        update_forms=("put",),
        identifies=True,
        puts_groups=False,
        swallows=True,
        grants_rights=True,
        removes=True,
        adopts=True,
        lists_leave_out=True,
        refuses_by_404=True,
        puts_whole=True,
        decodes_twice=True,
        post_seconds=150.0,
        lowers_names=True,
        names_in_lists=True,
    ),
}
"""Of Harness: its published source, older and newer, and its help pages; never seen on a live account."""


def refuse_name(flavor: str, name: str, what: str) -> None:
    """Raises RefusedError when a group may not be called this at such a target."""
    found = group_name_problem(flavor, name, FACTS[flavor].unnamed)
    if found is not None:
        raise RefusedError(f'{what} "{name}": {found}')
