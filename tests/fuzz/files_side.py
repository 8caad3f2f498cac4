"""What stands in files: settings, saved plans, and the place in the System Log that the store keeps."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from syncd.cli import planfile
from syncd.core.change import Change, ChangeKind, Removal, change_document
from syncd.core.evidence import Witnessed
from syncd.core.left_alone import LeftAlone
from syncd.core.plan import Hold, PlanHeader, digest_of, plan_document, read_plan
from syncd.engine.cycles.seen import Seen
from syncd.engine.facts import CURSOR, PENDING
from syncd.errors import RefusedError, SyncdError, UsageError
from syncd.report.plan_text import change_lines
from syncd.settings import load, scope_fingerprint, target_fingerprint
from syncd.store.sqlite.opening import open_store
from tests.fuzz.messages import storable
from tests.fuzz.okta_side import LOG_PAGE, ORG, Answering
from tests.fuzz.target import Target

_NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
_ROOT = Path(__file__).parents[2]


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="syncd-fuzz-"))


def _settings() -> Callable[[bytes], object]:
    file = _temporary() / "acme.toml"

    def take(data: bytes) -> None:
        file.write_bytes(data)
        loaded = load([file], environ={"TOKEN": "x" * 20, "HOME": "/"})
        storable([str(problem) for problem in (*loaded.problems, *loaded.warnings)])
        for settings in loaded.connections:
            scope_fingerprint(settings)
            target_fingerprint(settings)
            storable(settings.model_dump(mode="json", exclude={"okta": {"token"}, "split": {"token"}}))

    return take


def _plan() -> Callable[[bytes], object]:
    file = _temporary() / "plan.json"

    def take(data: bytes) -> None:
        file.write_bytes(data)
        text = planfile.read(file)
        try:
            _read_and_show(text)
        except RefusedError:
            _read_and_show(_signed(text))

    return take


def _read_and_show(text: str) -> None:
    saved = read_plan(text, "plan.json")
    storable((saved.changes, saved.holds, saved.allow))
    for change in (*saved.changes, *(change for _, changes in saved.holds for change in changes)):
        document = change_document(change)
        assert list(change_lines(document))


def _signed(text: str) -> str:
    """The same plan with the digest that fits: whoever edits a plan may as well compute it."""
    try:
        document = json.loads(text)
        document["digest"] = digest_of(document)
        return json.dumps(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return text


def _cursor() -> Callable[[bytes], object]:
    """In the place of every value of the store's table of facts."""
    path = _temporary() / "acme.db"
    answering = Answering()
    open_store(path, connection="acme", clock=lambda: _NOW).close()

    def take(data: bytes) -> None:
        with sqlite3.connect(path) as conn:
            conn.execute("DELETE FROM facts")
            for key in (CURSOR.key, PENDING.key):
                conn.execute("INSERT INTO facts (key, value) VALUES (?, ?)", (key, _value(data)))
        conn.close()
        store = open_store(path, connection="acme", clock=lambda: _NOW)
        try:
            seen = Seen()
            seen.restore(store.recall(PENDING.key))
            storable((seen.waiting("user"), seen.waiting("group"), seen.news()))
            cursor = store.recall(CURSOR.key)
            if cursor is not None:
                with answering.reader(LOG_PAGE) as reader:
                    storable(reader.log_page(cursor))
        finally:
            store.close()

    return take


def _value(data: bytes) -> object:
    """As another program could have put it there: text, a number, bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else text


def _document() -> bytes:
    changes = [
        Change(
            ChangeKind.CREATE_USER,
            okta_id="00u1",
            scim_id=None,
            name="ada@example.com",
            before={},
            after={"displayName": "Ada"},
            reason="new",
        ),
        Removal(
            ChangeKind.DEACTIVATE_USER,
            okta_id="00u2",
            scim_id="7",
            name="bob@example.com",
            before={"active": True},
            after={"active": False},
            reason="gone",
            evidence=Witnessed("the app user answers 404"),
        ),
    ]
    header = PlanHeader(
        connection="acme",
        kind="full",
        created_at=_NOW,
        state_revision=7,
        scope="s",
        target="t",
        summary={ChangeKind.CREATE_USER: 1},
        holds=[Hold("h1", "max_deactivations", "too many", "approve", {"n": 1}, 1)],
        skipped=LeftAlone(),
        allow={"max_deactivations": 3},
    )
    return json.dumps(plan_document(header, changes, {"h1": changes[1:]})).encode()


_STARTER = (_ROOT / "config.example.toml").read_bytes()
_SMALL = b"""name = "acme"
[okta]
org_url = "https://acme.okta.com"
app_id = "0oa1"
token = { env = "TOKEN" }
[split]
base_url = "https://split.example/scim/v2"
token = { env = "TOKEN" }
token_created = 2026-03-01
[attributes]
userName = "email"
"name.givenName" = "{givenName} x"
[[push_groups]]
source = { name = "Engineering" }
"""
_TOML = (
    b"a." * 2000 + b"a = 1\n",
    b"[" + b"a." * 2000 + b"a]\n",
    b"x = " + b"[" * 5000,
    b"x = " + b"{a=" * 3000,
    b"9" * 4400,
    b"x = " + b"9" * 4400 + b"\n",
    b"x = 0x" + b"f" * 4400 + b"\n",
    b"nan",
    b"inf",
    b"-inf",
    b"1e999",
    b"1979-05-27T07:32:00Z",
    b"9999-12-31T23:59:59+23:59",
    b'"""',
    b"'''",
    b"[[push_groups]]\n",
    b"[push_groups]\n",
    b'"\\ud800"',
    b'"\\U00110000"',
    b"name = 1\n",
    b"[split]\n",
    b"[split.x]\n",
    b"[[split]]\n",
    b"rate_limit_share = nan\n",
    b"timeout = 99999999999999999999\n",
    b"\r",
    b"\x0c",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"0x",
    b"0o7",
    b"07",
    b"_",
    b"= ",
    b"#",
    b'["a" = 1]',
)
_CURSORS = tuple(
    json.dumps(text).encode()
    for text in (
        f"{ORG}/api/v1/logs?after=1790000000000_1&limit=1000",
        "https://evil.example/api/v1/logs?x",
        f"{ORG}@evil.example/api/v1/logs?",
        f"{ORG}/api/v1/logs?\ud800",
        f"{ORG}/api/v1/logs?a b",
        "http://[",
        f"{ORG}/api/v1/logs",
        "user:00u1 group:00g1",
        "*",
        "",
        "x:\ud800",
        f"{ORG}:443/api/v1/logs?after=1",
    )
)

_MAPPED = (
    _SMALL.split(b"[attributes]")[0]
    + b"""
[attributes]
userName = "{lower(credentials.userName)}"
title = { value = "Contractor", on = "create" }
department = { from = '{switch(upper(user.title), "A", before(x, "/"), join(list, ", "))}', default = 7 }
locale = '{replace(x, "b", "c")} {"{"}'
[matching]
by = ["externalId", "department~"]
"""
)
_EXPRESSIONS = (
    b"{a(" * 500,
    b'"{' + b"lower(" * 40 + b"a" + b")" * 40 + b'}"',
    b"'{trim(\"" + b"x" * 5000 + b"\")}'",
    b"\\",
    b"user.",
    b"credentials.userName",
    b"{}",
    b"switch(a, 'b', 'c')",
)

FILE_TARGETS = (
    Target("settings", _settings, (), (_SMALL, _STARTER, _MAPPED), words=(*_TOML, *_EXPRESSIONS)),
    Target("saved-plan", _plan, (UsageError, RefusedError), (_document(),), shape="json"),
    Target(
        "log-cursor",
        _cursor,
        (SyncdError,),
        (*_CURSORS, b"7", b"null", b"\xff\x00"),
        words=(ORG.encode(),),
        shape="json",
    ),
)
