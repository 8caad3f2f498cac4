"""What a simulated Split organisation holds: users, groups, and how they are found by a text."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class ScimUser:
    """A user: SCIM attributes other than `id`, `active`, `groups` and `meta`; `managed` means an IdP owns it."""

    id: str
    attributes: Json
    active: bool
    managed: bool
    created: str
    modified: str
    version: int = 1
    accepted: bool = True
    """Whether the invitation was accepted, where there are invitations."""

    @property
    def user_name(self) -> str:
        """The userName."""
        return str(self.attributes["userName"])

    @property
    def external_id(self) -> str | None:
        """externalId, if the client gave one."""
        return self.attributes.get("externalId")


@dataclass(slots=True)
class ScimGroup:
    """A group; `members` are user ids in the order in which they came."""

    id: str
    name: str
    external_id: str | None
    managed: bool
    created: str
    modified: str
    version: int = 1
    members: dict[str, None] = field(default_factory=dict)


class TextIndex:
    """Ids by a text, exactly and without regard to case."""

    def __init__(self) -> None:
        self._exact: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}

    def add(self, text: str | None, identity: str) -> None:
        """Notes an id; None is no text."""
        if text is not None:
            self._exact.setdefault(text, []).append(identity)
            self._folded.setdefault(text.casefold(), []).append(identity)

    def remove(self, text: str | None, identity: str) -> None:
        """Forgets an id that was noted under this text."""
        if text is not None:
            for table, key in ((self._exact, text), (self._folded, text.casefold())):
                table[key].remove(identity)
                if not table[key]:
                    del table[key]

    def find(self, text: str, *, exact: bool = True) -> list[str]:
        """The ids with this text, in the order in which they came."""
        return list(self._exact.get(text, ()) if exact else self._folded.get(text.casefold(), ()))

    def lowered(self, text: str) -> list[str]:
        """Without regard to case, where ß is not ss."""
        names = [name for name in self._exact if name.lower() == text.lower()]
        return [identity for name in names for identity in self._exact[name]]
