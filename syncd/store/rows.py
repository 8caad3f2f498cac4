"""Between values and rows: times, JSON, hostile text, users, groups and changes.

Text from Okta or the target may hold lone surrogates, which SQLite cannot store: whatever must come back
unchanged travels as ASCII JSON, and columns that are only searched hold `searchable` text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syncd.core.canonical import canonical, canonical_plain, canonical_values, read_canonical
from syncd.core.change import Change, change_from_text
from syncd.core.names import look_alike_key
from syncd.model import (
    NO_ATTRIBUTES,
    Asked,
    GroupState,
    KnownGroup,
    KnownUser,
    PushedGroup,
    PushedUser,
    RemoteUser,
    Standing,
    WantedGroup,
    WantedUser,
)

Row = tuple[Any, ...]

STANDINGS: Mapping[str, Standing] = {standing.value: standing for standing in Standing}
"""To look one up takes a tenth of what `Standing(...)` takes, and everybody has one."""
USER_WISH_COLUMNS = ("standing", "wish", "attributes", "name_key", "folded_name", "digest")
KNOWN_USER_COLUMNS = (
    "okta_id",
    "standing",
    "wish",
    "attributes",
    "digest",
    "scim_id",
    "pushed_attributes",
    "pushed_active",
    "released",
    "left_at",
    "invited",
)
KNOWN_GROUP_COLUMNS = (
    "okta_id",
    "state",
    "wish",
    "scim_id",
    "pushed_name",
    "released",
    "members_stamp",
    "asked",
)


def columns(names: Sequence[str], alias: str) -> str:
    """`alias.a, alias.b` for a SELECT."""
    return ", ".join(f"{alias}.{name}" for name in names)


def searchable(text: str) -> str:
    """The text itself, or with lone surrogates and NUL spelled out: no database takes the ones, and PostgreSQL not the
    other.
    """
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def moment(at: datetime) -> str:
    """UTC ISO-8601 with microseconds and Z. Raises ValueError for a naive time."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def at_moment(text: str) -> datetime:
    """A stored moment as aware UTC."""
    return datetime.fromisoformat(text)


def _maybe_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def wish_row(user: WantedUser) -> Row:
    """okta_id and then `USER_WISH_COLUMNS`."""
    return (
        user.okta_id,
        str(user.standing),
        _wish(user),
        canonical_values(user.attributes),
        searchable(user.name_key),
        searchable(look_alike_key(user.user_name)),
        user.digest,
    )


def _wish(user: WantedUser) -> str:
    """What was wished before there was anything to send only once is written as it was: equal wishes are equal text."""
    said = [user.user_name, user.name_key, user.reason, user.deprovisioned]
    if not user.initial:
        return canonical_plain(said)
    return canonical_plain([*said, user.initial], user.initial)


def wanted_user(okta_id: str, standing: str, wish: str, attributes: str, digest: bytes) -> WantedUser:
    """Out of the columns of a row; `wish` and `attributes` are canonical JSON, `digest` their fingerprint."""
    user_name, name_key, reason, deprovisioned, *initial = read_canonical(wish)
    return WantedUser(
        okta_id=okta_id,
        standing=STANDINGS[standing],
        user_name=user_name,
        attributes=read_canonical(attributes),
        reason=reason,
        digest=bytes(digest),
        deprovisioned=deprovisioned,
        name_key=name_key,
        initial=initial[0] if initial else NO_ATTRIBUTES,
    )


def known_user(row: Row) -> KnownUser:
    """From `KNOWN_USER_COLUMNS`."""
    okta_id, standing, wish, attributes, digest, scim_id, pushed, active, released, left_at, invited = row
    return KnownUser(
        okta_id=okta_id,
        wanted=wanted_user(okta_id, standing, wish, attributes, digest),
        pushed=None
        if scim_id is None
        else PushedUser(scim_id, read_canonical(pushed), bool(active), bool(invited)),
        released=bool(released),
        left_at=_maybe_moment(left_at),
    )


def pushed_name(attributes: Mapping[str, Any]) -> str:
    """The userName that the target has, as `users.pushed_folded_name` is searched."""
    return searchable(look_alike_key(str(attributes.get("userName", ""))))


def group_wish(group: WantedGroup) -> str:
    """The wish as canonical text, as `wanted_group` reads it."""
    return canonical(
        [
            group.name,
            group.target_name,
            group.action,
            group.rename,
            group.on_removal,
            group.rule,
            group.reason,
            group.stamp,
        ]
    )


def wanted_group(okta_id: str, state: str, wish: str) -> WantedGroup:
    """Out of the columns of a row; `wish` is the canonical JSON that the store keeps of it."""
    name, target_name, action, rename, on_removal, rule, reason, stamp = read_canonical(wish)
    return WantedGroup(
        okta_id=okta_id,
        state=GroupState(state),
        name=name,
        target_name=target_name,
        action=action,
        rename=rename,
        on_removal=on_removal,
        rule=rule,
        reason=reason,
        stamp=stamp,
    )


def known_group(row: Row) -> KnownGroup:
    """From `KNOWN_GROUP_COLUMNS`; `pushed_name` is JSON text."""
    okta_id, state, wish, scim_id, name, released, stamp, asked = row
    return KnownGroup(
        okta_id=okta_id,
        wanted=wanted_group(okta_id, state, wish),
        pushed=None if scim_id is None else PushedGroup(scim_id, read_canonical(name)),
        released=bool(released),
        members_stamp=stamp,
        asked=asked_of(asked),
    )


def asked_text(asked: Asked) -> str:
    """Canonical JSON, the same for the same questions: for comparing and keeping."""
    return canonical(_asked_parts(asked))


def _asked_parts(asked: Asked) -> list[Any]:
    before = None if asked.before is None else _asked_parts(asked.before)
    return [asked.what, asked.by, asked.scim_id, asked.name, before]


def asked_of(text: str | None) -> Asked | None:
    """The inverse of `asked_text`; None when nobody asked for anything."""
    return None if text is None else _asked(read_canonical(text))


def _asked(parts: Sequence[Any]) -> Asked:
    what, by, scim_id, name, before = parts
    return Asked(what, by, scim_id, name, None if before is None else _asked(before))


def remote_user_document(user: RemoteUser) -> str:
    """Canonical JSON of an account as the target shows it; `remote_user` reads it."""
    shown = [user.external_id, user.user_name, user.active, dict(user.attributes)]
    return canonical([*shown, list(user.emails)] if user.emails else shown)


def remote_user(scim_id: str, document: str) -> RemoteUser:
    """Reads what `remote_user_document` wrote, also without e-mail addresses, as older stores have it."""
    external_id, user_name, active, attributes, *emails = read_canonical(document)
    return RemoteUser(
        scim_id, external_id, user_name, active, attributes, emails=tuple(emails[0]) if emails else ()
    )


def change_of(text: str) -> Change:
    """Raises ValueError when the document was edited."""
    return change_from_text(text)
