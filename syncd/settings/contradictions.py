"""What two settings say against each other. Each value alone may be fine.

Works on the parsed TOML, not on the models, so that contradictions are reported together with wrong values; it
therefore meets values of every type and passes over those it cannot compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic_core import PydanticCustomError

from syncd.core.match_rules import EMAILS, EXTERNAL_ID, USER_NAME, is_email
from syncd.settings.attributes import DEFAULT_ATTRIBUTES, canonical, is_attribute
from syncd.settings.problem import Finding
from syncd.settings.values import read_duration

Raw = Mapping[str, object]


def contradictions(raw: Raw) -> list[Finding]:
    """Every contradiction in one parsed settings file."""
    return [
        *_authentication(table(raw, "okta")),
        *_attributes(raw),
        *_matching(raw),
        *_schedule(table(raw, "schedule")),
        *_hooks(raw),
        *_provisioning(table(raw, "provisioning")),
        *_push_groups(raw),
    ]


def table(raw: Raw, name: str) -> Raw:
    """The table of that name, {} when it is absent or not a table."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def flavor_of(raw: Raw) -> object:
    """As written, before it is checked."""
    return table(raw, "split").get("flavor", "split")


def _authentication(okta: Raw) -> Iterator[Finding]:
    auth = okta.get("auth", "ssws")
    if auth == "ssws":
        if "token" not in okta and okta:
            yield Finding(
                ("okta", "token"), 'is missing: auth = "ssws" signs in with an API token', missing=True
            )
        for key in ("client_id", "private_key", "key_id"):
            if key in okta:
                yield Finding(
                    ("okta", key), 'belongs to auth = "private_key"; set that, or take this out', _AUTH_KEY
                )
        if okta.get("dpop") is True:
            yield Finding(("okta", "dpop"), "binds OAuth tokens, and an API token is none", _AUTH_KEY)
    elif auth == "private_key":
        for key, what in (
            ("client_id", "the service app's client id"),
            ("private_key", "the key it signs with"),
        ):
            if key not in okta:
                message = f'is missing: auth = "private_key" needs {what}'
                yield Finding(("okta", key), message, missing=True)
        if "token" in okta:
            yield Finding(("okta", "token"), 'is not used with auth = "private_key"; take the line out')


_AUTH_KEY = 'auth = "private_key"'


def _attributes(raw: Raw) -> Iterator[Finding]:
    if "attributes" not in raw:
        return
    attributes = table(raw, "attributes")
    seen: dict[str, str] = {}
    for path, value in attributes.items():
        folded = canonical(path).lower()
        if folded in seen:
            yield Finding(
                ("attributes", path),
                f'is the same SCIM attribute as "{seen[folded]}" (RFC 7643 section 2.1: letter case does not count); '
                "keep one line",
            )
        seen.setdefault(folded, path)
        if path == "name" and not isinstance(value, dict):
            yield Finding(
                ("attributes", path),
                "has parts in SCIM; map them one by one",
                '"name.givenName" = "givenName"',
            )
        if folded == "username" and isinstance(value, dict):
            yield from _user_name(path, value)
        if flavor_of(raw) == "harness" and folded in _NAMES and _sent_once(value):
            yield Finding(
                ("attributes", path, "on"),
                "cannot be kept: every update at Harness sends all names, and what is left out is made up there;"
                " take on out",
            )
    if "username" not in seen and isinstance(raw["attributes"], dict):
        yield Finding(("attributes", "userName"), "is missing: no user can be made without it", missing=True)


def _matching(raw: Raw) -> Iterator[Finding]:
    """What is compared must be mapped, and not be the same for everybody."""
    given = raw.get("attributes", DEFAULT_ATTRIBUTES)
    by = table(raw, "matching").get("by")
    if not isinstance(given, Mapping) or not isinstance(by, list):
        return
    attributes = {canonical(path): value for path, value in given.items()}
    for entry in by:
        name = canonical(entry.removesuffix("~").rstrip()) if isinstance(entry, str) else EXTERNAL_ID
        if name in (EXTERNAL_ID, USER_NAME):
            continue
        of_emails = [path for path in attributes if is_email(path)]
        mapped = of_emails if name == EMAILS else [path for path in attributes if path == name]
        if not mapped and (name == EMAILS or is_attribute(name)):
            wanted = "emails[work].value" if name == EMAILS else name
            yield Finding(
                ("matching", "by"),
                f"names {name}, and [attributes] does not map it, so that nobody has a value to be found by; add"
                f' "{wanted}" = ... there',
            )
        elif mapped and all(_is_constant(attributes[path]) for path in mapped):
            yield Finding(("matching", "by"), f"names {name}, which is the same for everybody: a constant")


def _is_constant(value: object) -> bool:
    return isinstance(value, dict) and "value" in value


_NAMES = ("displayname", "name.givenname", "name.familyname")


def _sent_once(value: object) -> bool:
    return isinstance(value, dict) and value.get("on") == "create"


def _user_name(path: str, value: Raw) -> Iterator[Finding]:
    if "value" in value:
        yield Finding(
            ("attributes", path, "value"), "would give everybody the same userName; name an attribute"
        )
    if "default" in value:
        message = "would give everybody without one the same userName; take default out"
        yield Finding(("attributes", path, "default"), message)
    if "on" in value:
        message = "cannot be: userName is what people are known by, and is always compared; take on out"
        yield Finding(("attributes", path, "on"), message)


def _seconds(value: object) -> float | None:
    try:
        return read_duration(value).total_seconds()
    except PydanticCustomError:
        return None


def _schedule(schedule: Raw) -> Iterator[Finding]:
    delta, full = _seconds(schedule.get("delta", "30s")), _seconds(schedule.get("full", "6h"))
    if delta is not None and full is not None and delta > full:
        key = "delta" if "delta" in schedule else "full"
        yield Finding(
            ("schedule", key),
            "makes delta longer than full, but a full cycle contains a delta",
            'delta = "30s"' if key == "delta" else 'full = "6h"',
        )


def _hooks(raw: Raw) -> Iterator[Finding]:
    hooks, listen = table(raw, "hooks"), table(raw, "hooks").get("listen", "")
    if listen and "secret" not in hooks:
        message = "is missing: whoever finds the listener could else have objects read again"
        yield Finding(("hooks", "secret"), message, 'secret = { env = "SYNCD_HOOK_SECRET" }', missing=True)
    if "previous_secret" in hooks and "secret" not in hooks:
        yield Finding(
            ("hooks", "previous_secret"), "is the one before secret, which is not set; call it that"
        )
    if isinstance(listen, str) and listen and not listen.endswith(":0"):
        server = table(raw, "server").get("listen", "127.0.0.1:9464")
        if listen == server:
            message = "is also server.listen: the status page must not be where the internet comes in"
            yield Finding(("hooks", "listen"), message, 'listen = "127.0.0.1:9465"')


def _provisioning(provisioning: Raw) -> Iterator[Finding]:
    if provisioning.get("suspended_users") == "deactivate" and provisioning.get("deactivate_users") is False:
        yield Finding(
            ("provisioning", "suspended_users"),
            'is "deactivate", but deactivate_users = false forbids it',
            'suspended_users = "keep"',
        )


def _push_groups(raw: Raw) -> Iterator[Finding]:
    rules = raw.get("push_groups")
    if not isinstance(rules, list):
        return
    sources: dict[tuple[str, str], int] = {}
    targets: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if not isinstance(rule, dict):
            continue
        source = rule.get("source")
        kind, value = (
            next(iter(source.items())) if isinstance(source, dict) and len(source) == 1 else ("", "")
        )
        yield from _one_rule(raw, number, rule, kind)
        if kind and (known := sources.setdefault((kind, repr(value)), number)) != number:
            yield Finding(
                ("push_groups", number, "source"),
                f"is the same as of push_groups[{known}]; keep one of the rules",
            )
        target = rule.get("target")
        if isinstance(target, str) and (known := targets.setdefault(target, number)) != number:
            yield Finding(
                ("push_groups", number, "target"),
                f"is also the target of push_groups[{known}]; one group cannot follow two Okta groups",
            )


def _one_rule(raw: Raw, number: int, rule: Raw, kind: str) -> Iterator[Finding]:
    at = ("push_groups", number)
    if rule.get("rename") is True and flavor_of(raw) == "split":
        yield Finding(
            (*at, "rename"),
            'cannot be used with flavor = "split": Split asks to keep its groups\' names (uncheck "Rename app groups")',
            "rename = false",
        )
    if kind == "okta_mappings":
        if table(raw, "okta").get("coexist") is not True:
            yield Finding(
                (*at, "source"),
                "uses the push mappings of Okta's own Group Push, which then writes too; allow that under [okta]",
                "coexist = true",
            )
        for key in ("action", "target"):
            if key in rule:
                yield Finding(
                    (*at, key), "is decided by Okta's mapping when source is okta_mappings; take it out"
                )
        return
    if "target" not in rule:
        return
    if rule.get("action") != "link":
        yield Finding(
            (*at, "target"), 'names an existing group, which only action = "link" does', 'action = "link"'
        )
    if kind not in ("", "id", "name"):
        yield Finding(
            (*at, "target"),
            f"is one group, but {kind} can find many; use source = {{ name = ... }} or leave target out",
        )
