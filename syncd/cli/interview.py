"""The questions of `syncd init`: each answer is tried at once, and asked for again while it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from syncd.cli.progress import Watcher
from syncd.cli.session import Session
from syncd.core.flavors import group_name_problem
from syncd.errors import AccessDenied, ConfigurationError, PermanentError, SyncdError, UsageError
from syncd.model import Application, OktaGroup
from syncd.report.lines import BLANK, Span, line, safe, strong
from syncd.settings import ConnectionSettings, parse
from syncd.settings.filled import Reply, filled, judged, quoted
from syncd.settings.secrets import Form, SecretRef

if TYPE_CHECKING:
    from syncd.okta.reader import OktaReader
    from syncd.scim.split import ScimTarget

T = TypeVar("T")
_SHOWN, _MOST_GROUPS = 20, 2000
_FLAVORS = ("split", "harness", "scim")
_SCOPES = "okta.apps.read okta.users.read okta.groups.read okta.logs.read"
_SERVICE_APP = (
    "  In Okta: Applications > Create App Integration > API Services. Public keys: add an RSA key, keep the private",
    f"  one in a file. Okta API Scopes: grant {_SCOPES}.",
    "  Admin roles: Read-Only Administrator.",
)
_API_TOKEN = (
    "  In Okta: Security > API > Tokens > Create token, as an administrator who may read users, groups and",
    "  applications (Read-Only Administrator). It dies after 30 days without use, and with its owner.",
)
_SPLIT = (
    "  In Split: Admin settings > Security > SCIM: switch it on, copy the SCIM connector base URL and the access",
    "  token, which is shown once. (Harness: the SCIM URL of the account, and the token of a service account.)",
)
_SAFETY = (
    "Safety, as it is set (each a line of [safety] in the file, with its reason):",
    "  at most 10 % of the people are deactivated in 24 hours, 20 % of all memberships removed, no group deleted;",
    "  more than that is held until somebody approves it, and everything else goes on (syncd held, syncd approve).",
    "  A removal needs a second proof. The first write of many is one, then ten, looked at before the rest.",
)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values that are to be written into files; "" where there is one already."""

    okta: str
    split: str


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """Those that the command line names."""

    okta: Path | None = None
    split: Path | None = None


class Interview:
    """`given` has what the command line says already: such a question is not asked. `names`: refuses a name of the
    connection whose files exist.
    """

    def __init__(
        self, session: Session, path: Path, given: Reply, files: SecretFiles, names: Callable[[str], None]
    ) -> None:
        self._session, self._path, self._given, self._files, self._names = session, path, given, files, names

    def answers(self) -> tuple[Reply, Secrets]:
        """Raises click.Abort when somebody goes away; nothing is written here."""
        self._say(
            strong("A new connection. "),
            "Each answer is tried at once; Ctrl-C leaves, and nothing is written.",
        )
        self._session.console.talk([BLANK])
        reply, okta = self._okta()
        reply, split = self._split(reply, okta)
        reply = replace(reply, push_groups=self._groups(reply, okta))
        self._text(_SAFETY)
        reply = replace(reply, name=self._name(reply))
        kept = bool(reply.client_id or self._files.okta)
        return reply, Secrets("" if kept else okta, "" if self._files.split else split)

    # Okta

    def _okta(self) -> tuple[Reply, str]:
        reply = replace(self._given, org_url=self._org_url(self._given.org_url))
        while True:
            reply, secret = self._sign_in(reply)
            try:
                with self._source(reply, secret) as source:
                    return replace(reply, app_id=self._app(source)), secret
            except (AccessDenied, ConfigurationError) as error:
                self._again(error, given=self._files.okta is not None)
            except SyncdError as error:
                self._again(error, given=bool(self._given.org_url))
                reply = replace(reply, org_url=self._org_url())

    def _org_url(self, given: str = "") -> str:
        example = "Okta org (https://example.okta.com)"
        return self._ask(example, lambda text: judged("org_url", text), given=given)

    def _sign_in(self, reply: Reply) -> tuple[Reply, str]:
        """With how, and the secret: a token, or the private key."""
        if self._files.okta is not None:
            return reply, _read(self._files.okta, "key" if reply.client_id else "token")
        kind = (
            "1" if reply.client_id else self._ask("Sign in with 1 a service app, 2 an API token", _one_or_two)
        )
        if kind == "2":
            self._text(_API_TOKEN)
            token = self._ask("API token (not shown)", _token, hidden=True)
            return replace(reply, client_id="", okta_secret=""), token
        self._text(_SERVICE_APP)
        client = self._ask(
            "Client id of the service app", lambda text: judged("app_id", text), given=reply.client_id
        )
        file = self._ask("File with its private key (PEM or JWK)", self._key_file)
        reference = f"{{ file = {quoted(str(file))} }}"
        key_id = self._ask("Id of that key (empty: the app has one key)", str.strip, default="")
        return replace(reply, client_id=client, okta_secret=reference, key_id=key_id), _read(file, "key")

    def _key_file(self, text: str) -> Path:
        file = Path(text).absolute()
        _read(file, "key")
        return file

    def _app(self, source: OktaReader) -> str:
        try:
            apps = [app for page in source.applications() for app in page.records]
        except AccessDenied as error:
            if error.status != 403:
                raise
            self._wrong(error)
            apps = []
        apps.sort(key=lambda app: (not _is_likely(app), app.label.casefold()))
        self._list("Apps", [f"{app.label}  {app.app_id}  {app.status}" for app in apps])

        def chosen(text: str) -> str:
            if not apps:
                return judged("app_id", text)
            return _chosen(text, apps, lambda app: (app.app_id, app.label)).app_id

        ready = "The app to provision from (number, id or part of its name)"
        return self._ask(ready, chosen, given=self._given.app_id)

    def _source(self, reply: Reply, secret: str) -> AbstractContextManager[OktaReader]:
        from syncd.wiring import open_source  # noqa: PLC0415  (the Okta SDK)

        settings = self._settings(reply, okta=secret)
        return open_source(settings, Watcher(self._session.event), self._session.redactor, impatient=True)

    # Split

    def _split(self, reply: Reply, okta: str) -> tuple[Reply, str]:
        self._text(_SPLIT)
        reply = replace(reply, base_url=self._base_url(self._given.base_url))
        while True:
            file = self._files.split
            token = (
                _read(file, "token")
                if file
                else self._ask("SCIM access token (not shown)", _token, hidden=True)
            )
            try:
                with self._target(reply, okta, token) as target:
                    probe, harness = target.probe(), target.is_harness()
                if not probe.users_listed:
                    raise PermanentError(f"/Users does not answer with a SCIM list: {probe.detail}")
                return self._flavored(reply, harness=harness), token
            except AccessDenied as error:
                self._again(error, given=file is not None)
            except SyncdError as error:
                self._again(error, given=bool(self._given.base_url))
                reply = replace(reply, base_url=self._base_url())

    def _flavored(self, reply: Reply, *, harness: bool) -> Reply:
        told = (
            "This is Harness."
            if harness
            else "This shows nothing of Harness's: split, or scim for another server."
        )
        self._say(told)
        looks = "harness" if harness else "split"
        flavor = self._ask("Flavor (split, harness, scim)", _flavor, default=looks, given=self._given.flavor)
        if flavor != "split" or reply.token_created is not None:
            return replace(reply, flavor=flavor)
        today = datetime.now(UTC).date()
        made = self._ask("The token lives a year. Made on", _day, default=today.isoformat())
        return replace(reply, flavor=flavor, token_created=made)

    def _base_url(self, given: str = "") -> str:
        return self._ask("SCIM connector base URL", lambda text: judged("base_url", text), given=given)

    def _target(self, reply: Reply, okta: str, token: str) -> AbstractContextManager[ScimTarget]:
        from syncd.wiring import open_target  # noqa: PLC0415  (requests)

        settings = self._settings(reply, okta=okta, split=token)
        return open_target(settings, Watcher(self._session.event), self._session.redactor, impatient=True)

    # the rest

    def _groups(self, reply: Reply, okta: str) -> Sequence[str]:
        if self._given.push_groups:
            return self._given.push_groups
        try:
            with self._source(reply, okta) as source:
                every = islice((group for page in source.groups() for group in page.records), _MOST_GROUPS)
                groups = sorted(every, key=lambda group: group.name.casefold())
        except SyncdError as error:
            self._wrong(error)
            return ()
        self._list("Groups", [group.name for group in groups])

        def chosen(text: str) -> Sequence[str]:
            pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
            return list(dict.fromkeys(self._group(piece, groups, reply.flavor) for piece in pieces))

        return self._ask("Groups to push (numbers or names, with commas; empty: none)", chosen, default="")

    def _group(self, text: str, groups: Sequence[OktaGroup], flavor: str) -> str:
        name = _chosen(text, groups, lambda group: (group.okta_id, group.name)).name
        if problem := group_name_problem(flavor, name, ()):
            raise UsageError(f"{name}: {problem}")
        return name

    def _name(self, reply: Reply) -> str:
        stem = self._path.stem

        def free(text: str) -> str:
            name = judged("name", text)
            self._names(name)
            return name

        default = f"{reply.flavor}-prod" if stem == "config" else stem
        self._say("The name stands in the store's file, the metrics and the reports, and stays.")
        return self._ask("Name of this connection", free, default=default, given=self._given.name)

    def _settings(self, reply: Reply, *, okta: str, split: str = "none-yet") -> ConnectionSettings:
        """Good enough to ask with; the secrets stand in it for so long. Raises ConfigurationError."""
        made = replace(
            reply,
            name="init",
            flavor=reply.flavor or "split",
            app_id=reply.app_id or "0oa0",
            base_url=reply.base_url or "https://localhost/scim/v2",
            okta_secret=quoted(okta),
            split_secret=quoted(split),
            push_groups=(),
        )
        self._session.redactor.add(okta, split)
        return parse(filled(made), file=self._path, environ={})

    # asking

    def _ask(
        self,
        question: str,
        judge: Callable[[str], T],
        *,
        given: str = "",
        default: str | None = None,
        hidden: bool = False,
    ) -> T:
        """Until the answer is right. Raises UsageError for a wrong one of the command line."""
        if given:
            return judge(given)
        while True:
            text = click.prompt(
                question, default=default, show_default=bool(default), hide_input=hidden, err=True
            )
            try:
                return judge(str(text).strip())
            except SyncdError as error:
                self._wrong(error)

    def _again(self, error: SyncdError, *, given: bool) -> None:
        """Says it and lets the question be asked again; raises it where the command line gave the answer."""
        if given:
            raise error
        self._wrong(error)

    def _wrong(self, error: SyncdError) -> None:
        hint = [line("    ", safe(error.hint))] if error.hint else []
        self._session.console.talk([line(Span("  ✗ ", "bad"), safe(error.message)), *hint])

    def _say(self, *parts: str | Span) -> None:
        self._session.console.talk([line(*parts)])

    def _text(self, lines: Sequence[str]) -> None:
        self._session.console.talk([line(each) for each in lines])

    def _list(self, title: str, rows: Sequence[str]) -> None:
        shown = [line(f"  {number:>3} ", safe(row)) for number, row in enumerate(rows[:_SHOWN], 1)]
        more = len(rows) - _SHOWN
        rest = [line(f"      and {more:,} more: name them, or a part of the name")] if more > 0 else []
        self._session.console.talk([line(strong(f"{title}:")), *shown, *rest])


def _chosen(text: str, known: Sequence[T], names: Callable[[T], tuple[str, str]]) -> T:
    """By number, id, name, or a part of the name that no other has. Raises UsageError."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= len(known):
        return known[int(text) - 1]
    exact = [each for each in known if text in names(each)]
    part = [each for each in known if text and text.casefold() in names(each)[1].casefold()]
    found = exact or part
    if len(found) == 1:
        return found[0]
    if found:
        several = ", ".join(names(each)[1] for each in found[:5])
        raise UsageError(
            f"{text!r} is {len(found)} of them: {several}", hint="Give the number, or more of the name."
        )
    raise UsageError(
        f"{text!r} is none of them", hint="Give a number of the list, an id, or a part of the name."
    )


def _is_likely(app: Application) -> bool:
    return any(word in app.label.casefold() for word in ("split", "harness", "scim"))


def _one_or_two(text: str) -> str:
    if text not in ("1", "2"):
        raise UsageError("answer 1 or 2")
    return text


def _flavor(text: str) -> str:
    if text not in _FLAVORS:
        raise UsageError(f"{text!r} is no flavor: split, harness or scim")
    return text


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no day: write it as 2026-03-01") from None
    if day > datetime.now(UTC).date():
        raise UsageError(f"{day} lies in the future")
    return day


def _token(text: str) -> str:
    """Raises ConfigurationError for what cannot be one."""
    return SecretRef.literal(text).read()


def _read(file: Path, form: Form) -> str:
    return SecretRef("file", str(file), form).read()
