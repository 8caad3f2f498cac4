"""The forms in which one user change can be sent, as SCIM messages. Pure.

combined   one PATCH: a path-less replace of whole sub-objects, list entries by their type, removals by path
families   one PATCH for each attribute family, path-less; lists whole, foreign entries kept
paths      one PATCH for each attribute family, with a path in every operation
put        GET, change the mapped attributes, PUT (built by `wire.replacement`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from syncd.core.change import Json
from syncd.scim.new_resource import set_values
from syncd.scim.wire import (
    assign,
    clear,
    parse_path,
    patch,
    read,
    sendable,
    untyped_lists,
    without_empty,
)

Form = Literal["combined", "families", "paths", "put"]
FORMS: tuple[Form, ...] = ("combined", "families", "paths", "put")


@dataclass(frozen=True, slots=True)
class Wish:
    """One user change. `whole` holds the wanted value of every mapped path, as far as the caller told."""

    scim_id: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]
    whole: Mapping[str, Json] = field(default_factory=dict)
    invited: bool = False
    """The account was never seen active: what it shows as active says nothing about a write."""

    def siblings(self, family: str, mapped: Iterable[str]) -> Sequence[str]:
        """Mapped paths inside the same sub-object that this change does not name and the caller did not tell."""
        return [
            text
            for text in mapped
            if parse_path(text).family == family and text not in self.after and text not in self.whole
        ]


def family_of(text: str) -> str:
    """The attribute that a path is below: "name" of "name.givenName"."""
    return parse_path(text).family


def by_family(values: Mapping[str, Json]) -> Mapping[str, Mapping[str, Json]]:
    """The values of each attribute family, in the order in which the families come up."""
    families: dict[str, dict[str, Json]] = {}
    for text, value in values.items():
        families.setdefault(family_of(text), {})[text] = value
    return families


def is_list(text: str) -> bool:
    return parse_path(text).kind is not None


def is_part(text: str) -> bool:
    """A value inside a sub-object or an extension, which is sent whole."""
    path = parse_path(text)
    return path.kind is None and (path.sub is not None or path.schema is not None)


def needs_shown(
    form: Form,
    wish: Wish,
    todo: Mapping[str, Json],
    mapped: Sequence[str],
    *,
    is_untyped: Callable[[str], bool] = lambda _: False,
) -> bool:
    """Whether the user must be read first: to keep foreign list entries, or to send a sub-object whole. `is_untyped`:
    whether entries of this list were seen without a type.
    """
    lists = any(
        is_list(text) and (form != "combined" or text not in wish.before or is_untyped(parse_path(text).name))
        for text in todo
    )
    parts = any(
        is_part(text) and sendable(value) and wish.siblings(family_of(text), mapped)
        for text, value in todo.items()
    )
    return lists or (parts and form != "paths")


def combined(wish: Wish, todo: Mapping[str, Json], shown: Mapping[str, Any], mapped: Sequence[str]) -> Any:
    """The one PATCH body for everything in `todo`."""
    plain = {text: value for text, value in todo.items() if not is_list(text) and sendable(value)}
    whole = set(untyped_lists(shown, todo))  # an entry without a type has no path of its own
    merged = _merged({text: value for text, value in todo.items() if parse_path(text).name in whole}, shown)
    operations: list[dict[str, Any]] = []
    value = _whole(wish, plain, shown, mapped) if plain else {}
    value |= {name: entries for name, entries in merged.items() if entries}
    if value:
        operations.append({"op": "replace", "value": value})
    operations += [{"op": "remove", "path": name} for name, entries in merged.items() if not entries]
    operations += _entry_operations(
        wish, {text: value for text, value in todo.items() if parse_path(text).name not in whole}, shown
    )
    operations += [
        {"op": "remove", "path": parse_path(text).patch}
        for text, value in todo.items()
        if not is_list(text) and not sendable(value)
    ]
    return patch(*operations)


def families(
    wish: Wish, todo: Mapping[str, Json], shown: Mapping[str, Any], mapped: Sequence[str]
) -> Sequence[tuple[Sequence[str], Any]]:
    """One PATCH for each family: its paths and its body."""
    made = []
    for texts in by_family(todo).values():
        operations: list[dict[str, Any]] = []
        lists = {text: value for text, value in texts.items() if is_list(text)}
        sets = {text: value for text, value in texts.items() if sendable(value) and text not in lists}
        value = _whole(wish, sets, shown, mapped) if sets else {}
        for name, entries in _merged(lists, shown).items():
            if entries:
                value[name] = entries
            else:
                operations.append({"op": "remove", "path": name})
        if value:
            operations.insert(0, {"op": "replace", "value": value})
        operations += [
            {"op": "remove", "path": parse_path(text).patch}
            for text, wanted in texts.items()
            if text not in lists and not sendable(wanted)
        ]
        made.append((tuple(texts), patch(*operations)))
    return made


def paths(todo: Mapping[str, Json], shown: Mapping[str, Any]) -> Sequence[tuple[Sequence[str], Any]]:
    """One PATCH for each family, every operation with its path."""
    made = []
    for texts in by_family(todo).values():
        lists = {text: value for text, value in texts.items() if is_list(text)}
        operations: list[dict[str, Any]] = [
            {"op": "replace", "path": name, "value": entries} if entries else {"op": "remove", "path": name}
            for name, entries in _merged(lists, shown).items()
        ]
        for text, value in texts.items():
            if text in lists:
                continue
            path = parse_path(text).patch
            operations.append(
                {"op": "replace", "path": path, "value": value}
                if sendable(value)
                else {"op": "remove", "path": path}
            )
        made.append((tuple(texts), patch(*operations)))
    return made


def _whole(
    wish: Wish, values: Mapping[str, Json], shown: Mapping[str, Any], mapped: Sequence[str]
) -> dict[str, Any]:
    """The values with everything else that belongs into the same sub-objects."""
    touched = {family_of(text) for text in values if is_part(text)}
    around = {
        text: value
        for text, value in wish.whole.items()
        if family_of(text) in touched and text not in wish.after and not is_list(text)
    }
    for family in touched:
        for text in wish.siblings(family, mapped):
            around[text] = read(shown, parse_path(text))
    kept = {text: value for text, value in wish.after.items() if family_of(text) in touched and is_part(text)}
    return set_values({**around, **kept, **values})


def _was(wish: Wish, text: str, shown: Mapping[str, Any]) -> Json:
    """The value before this change, as far as the caller or the server told."""
    if text in wish.before:
        return wish.before[text]
    return read(shown, parse_path(text)) if text in wish.after else wish.whole.get(text)


def _entry_operations(
    wish: Wish, todo: Mapping[str, Json], shown: Mapping[str, Any]
) -> Sequence[dict[str, Any]]:
    """Operations on list entries: the one of a type is changed in place, so foreign entries stay."""
    operations: list[dict[str, Any]] = []
    entries: dict[tuple[str | None, str, str | None], dict[str, Json]] = {}
    for text, value in todo.items():
        path = parse_path(text)
        if path.kind is not None:
            entries.setdefault((path.schema, path.name, path.kind), {})[text] = value
    for key, texts in entries.items():
        first = parse_path(next(iter(texts)))
        same_entry = [text for text in (*wish.before, *wish.whole) if _entry_key(text) == key]
        existed = any(sendable(_was(wish, text, shown)) for text in {*same_entry, *texts})
        stays = any(sendable(wish.after.get(text, wish.whole.get(text))) for text in same_entry) or any(
            sendable(value) for value in texts.values()
        )
        if not stays:
            operations.append({"op": "remove", "path": first.patch.rpartition(".")[0]})
        elif not existed:
            made: dict[str, Any] = {}
            for text, value in texts.items():
                if value is not None and sendable(value):
                    assign(made, parse_path(text), value)
            target = f"{first.schema}:{first.name}" if first.schema else first.name
            holder = made[first.schema] if first.schema else made
            operations.append({"op": "add", "path": target, "value": holder[first.name]})
        else:
            operations += [
                {"op": "replace", "path": parse_path(text).patch, "value": value}
                if sendable(value)
                else {"op": "remove", "path": parse_path(text).patch}
                for text, value in texts.items()
            ]
    return operations


def _entry_key(text: str) -> tuple[str | None, str, str | None]:
    path = parse_path(text)
    return (path.schema, path.name, path.kind)


def _merged(lists: Mapping[str, Json], shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every touched list as it shall be: what the server shows, with our entries changed."""
    names = dict.fromkeys(parse_path(text).name for text in lists)
    resource = {key: value for key, value in shown.items() if key in names}
    for text, value in lists.items():
        if value is not None and sendable(value):
            assign(resource, parse_path(text), value)
        else:
            clear(resource, parse_path(text))
    return {name: without_empty(resource.get(name) or []) for name in names}
