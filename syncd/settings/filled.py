"""The starter, filled in with what somebody answered: every key keeps its reason."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from syncd.errors import UsageError
from syncd.settings.explain import starter
from syncd.settings.schema import AppId, ConnectionName
from syncd.settings.values import BaseUrl, OrgUrl, Origin

_KINDS: dict[str, TypeAdapter[Any]] = {
    "org_url": TypeAdapter(OrgUrl),
    "app_id": TypeAdapter(AppId),
    "base_url": TypeAdapter(BaseUrl),
    "name": TypeAdapter(ConnectionName),
}
OKTA_VARIABLE, SPLIT_VARIABLE = '{ env = "OKTA_API_TOKEN" }', '{ env = "SPLIT_SCIM_TOKEN" }'


@dataclass(frozen=True, slots=True)
class Reply:
    """What a connection cannot do without. `okta_secret` and `split_secret` are values as they stand in TOML, that is
    references; with a `client_id`, Okta's is that of the private key. `push_groups` are names.
    """

    name: str
    org_url: str
    app_id: str
    base_url: str
    okta_secret: str = OKTA_VARIABLE
    split_secret: str = SPLIT_VARIABLE
    client_id: str = ""
    key_id: str = ""
    flavor: str = "split"
    token_created: date | None = None
    push_groups: Sequence[str] = ()


def judged(kind: str, text: str) -> str:
    """One value, as the settings take it: org_url, app_id, base_url, name. Raises UsageError, which says why not."""
    try:
        value: str = _KINDS[kind].validate_python(text, context=Origin(Path("config.toml"), {}))
    except ValidationError as error:
        found = error.errors()[0]
        meant = found.get("ctx", {}).get("value", "")
        raise UsageError(f"it {found['msg']}", hint=f"For example: {meant}" if meant else "") from None
    return value


def quoted(text: str) -> str:
    """A basic string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def filled(reply: Reply) -> str:
    """The text of a settings file."""
    text = starter()
    okta = {"org_url": quoted(reply.org_url), "app_id": quoted(reply.app_id)}
    if reply.client_id:
        text = _without(text, "token", OKTA_VARIABLE)
        okta |= {
            "auth": '"private_key"',
            "client_id": quoted(reply.client_id),
            "private_key": reply.okta_secret,
        }
        okta |= {"key_id": quoted(reply.key_id)} if reply.key_id else {}
    else:
        okta["token"] = reply.okta_secret
    split = {"base_url": quoted(reply.base_url), "token": reply.split_secret, "flavor": quoted(reply.flavor)}
    if reply.token_created is not None:
        split["token_created"] = reply.token_created.isoformat()
    text = _with(text, "", {"name": quoted(reply.name)})
    text = _with(text, "okta", okta)
    text = _with(text, "split", split)
    rules = "".join(
        f"[[push_groups]]\nsource = {{ name = {quoted(group)} }}\n\n" for group in reply.push_groups
    )
    return text.replace("[safety]\n", f"{rules}[safety]\n", 1)


def _with(text: str, table: str, values: dict[str, str]) -> str:
    """Each key of the table has this value, whether its line was off or not."""
    start = text.index(f"[{table}]\n") if table else 0
    end = text.find("\n[", start + 1)
    part = text[start:end]
    for key, value in values.items():
        line = f"{key} = {value}"
        part = re.sub(rf"(?m)^#?{key} = .*$", lambda _, line=line: line, part, count=1)  # type: ignore[misc]
    return text[:start] + part + text[end:]


def _without(text: str, key: str, value: str) -> str:
    return text.replace(f"{key} = {value}", f"#{key} = {value}", 1)
