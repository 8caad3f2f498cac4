"""Whom a person means in a decision: ids, e-mails (also former ones) and names of groups, found in the store alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from syncd.core.change import Change
from syncd.core.waiting import Waiting
from syncd.errors import UsageError
from syncd.ports import Failure, Store


def objects_named(store: Store, text: str) -> frozenset[str]:
    """Object keys ("user:ID", "group:ID") of whom this text names: an Okta id, a SCIM id, an e-mail, a group's name;
    where nobody has that e-mail now, of whoever had it before. Raises UsageError when it names several.
    """
    found = {f"user:{user.okta_id}" for user in store.find_users(text)}
    found |= {f"group:{group.okta_id}" for group in store.find_groups(text)}
    found = found or {f"user:{user.okta_id}" for user in store.find_former_users(text)}
    if len(found) > 1:
        ids = ", ".join(sorted(key.partition(":")[2] for key in found))
        raise UsageError(f"{text} means several: {ids}", hint="give the Okta id")
    return frozenset(found)


def is_about(object_key: str, keys: Collection[str]) -> bool:
    """A membership is about its user and about its group."""
    kind, *ids = object_key.split(":")
    if kind != "member":
        return object_key in keys
    return object_key in keys or f"group:{ids[0]}" in keys or f"user:{ids[-1]}" in keys


def changes_named(store: Store, names: Sequence[str], decision: str) -> list[str]:
    """Ids of holds and changes that these words name: themselves, or all that waits for a decision ("approve" or
    "reject") about an object, or was decided the other way. Raises UsageError for an object that nothing of that is
    about, and for a name of several.
    """
    held = [(record.id, change) for record in store.holds() for change in record.changes]
    decided = store.decided()
    others = decided.rejections if decision == "approve" else decided.approvals
    ids = {hold_id for hold_id, _ in held} | {change.id for _, change in held} | others.keys()
    found: list[str] = []
    for text in names:
        if text in ids:
            found.append(text)
            continue
        keys = objects_named(store, text) | _named_in(held, text)
        about = [change.id for _, change in held if is_about(change.object_key, keys)]
        about += [change_id for change_id, word in others.items() if is_about(word.object_key, keys)]
        if keys and not about:
            raise UsageError(
                f"nothing of {text} waits for a decision",
                hint="`syncd held` lists what does, `syncd held --decided` what was decided",
            )
        found += about or [text]  # a hold that is decided altogether: the store knows
    return list(dict.fromkeys(found))


def _named_in(held: Sequence[tuple[str, Change]], text: str) -> frozenset[str]:
    """Who has no account yet is named in the change alone."""
    return frozenset(_names(held, text))


def _names(held: Sequence[tuple[str, Change]], text: str) -> Iterator[str]:
    for _, change in held:
        if change.name == text and change.group_id is None:
            yield change.object_key


def is_decidable(store: Store, text: str, decision: str) -> bool:
    """Whether a hold, a change or an object of this name waits for that decision."""
    decided = store.decided()
    words = decided.rejections if decision == "approve" else decided.approvals
    if text in words or any(
        text in (hold.id, *(change.id for change in hold.changes)) for hold in store.holds()
    ):
        return True
    with suppress(UsageError):
        return changes_named(store, [text], decision) != [text]
    return False


def retriable(store: Store, text: str) -> tuple[Sequence[Failure], Sequence[Waiting]]:
    """What failed, and what waits for another look, of this name: an object's key, a change's id, or as in
    `objects_named`. Raises UsageError for a name of several.
    """
    keys = {text, *objects_named(store, text)}

    def means(object_key: str, *others: str) -> bool:
        return is_about(object_key, keys) or text in others

    failures = [each for each in store.failures() if means(each.object_key, each.change_id, each.name)]
    waiting = [each for each in store.waiting() if each.next_look and means(each.object_key, each.name)]
    return failures, waiting


def is_retriable(store: Store, text: str) -> bool:
    """Whether `retriable` finds anything."""
    with suppress(UsageError):
        return any(retriable(store, text))
    return False
