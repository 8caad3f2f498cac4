"""The token goes to the org and nowhere else, and is never shown."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest

from syncd.errors import AccessDenied, ConfigurationError, PermanentError, SyncdError, TemporaryError
from syncd.okta.credentials import PrivateKey, Ssws
from syncd.okta.reader import OktaReader
from tests.certificates import self_signed
from tests.interpreting import imported_by
from tests.okta.fakes import APP, TOKEN, FakeOkta, Reply, app_user_json, okta_error, reader

GROUP = {"id": "00g1", "type": "OKTA_GROUP", "profile": {"name": "Engineering"}}


def test_importing_the_reader_imports_neither_the_sdk_nor_aiohttp() -> None:
    assert imported_by("import syncd.okta.reader", "okta", "aiohttp", "pydantic", "requests") == []


def test_the_api_token_is_sent_as_okta_writes_it() -> None:
    with FakeOkta(lambda seen, before: Reply(GROUP)) as okta, reader(okta, token=f" {TOKEN}\n") as source:
        source.group("00g1")

    assert okta.seen[0].headers["Authorization"] == f"SSWS {TOKEN}"
    assert "syncd/" in okta.seen[0].headers["User-Agent"]
    assert "Cookie" not in okta.seen[0].headers


def test_the_token_is_read_again_for_every_reader() -> None:
    tokens = iter(["first-token", "second-token"])
    credentials = Ssws(lambda: next(tokens))
    with FakeOkta(lambda seen, before: Reply(GROUP)) as okta:
        for _ in range(2):
            with OktaReader(
                org_url=okta.url, app_id=APP, credentials=credentials, rate_limit_share=0.5, timeout=5
            ) as source:
                source.group("00g1")

    sent = [seen.headers["Authorization"] for seen in okta.seen]
    assert sent == ["SSWS first-token", "SSWS second-token"]


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_proxy_variables_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, case: type[str]
) -> None:
    with (
        FakeOkta(lambda seen, before: Reply(b"", 502)) as stranger,
        FakeOkta(lambda seen, before: Reply(GROUP)) as okta,
    ):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(case(name), stranger.url)
        with reader(okta) as source:
            source.group("00g1")

    assert stranger.seen == []
    assert len(okta.seen) == 1


def test_a_configured_proxy_is_used() -> None:
    with (
        FakeOkta(lambda seen, before: Reply(GROUP)) as proxy,
        reader("http://okta.invalid", proxy=proxy.url.replace("://", "://someone:pass-word-123@")) as source,
    ):
        source.group("00g1")

    assert proxy.paths() == ["http://okta.invalid/api/v1/groups/00g1"]
    assert "Proxy-Authorization" in proxy.seen[0].headers


def test_a_proxy_that_fails_is_named_without_its_password() -> None:
    with (
        FakeOkta(lambda seen, before: Reply(GROUP)) as gone,
        reader("http://okta.invalid", proxy=gone.url.replace("://", "://someone:pass-word-123@")) as source,
    ):
        gone.stop()
        with pytest.raises(TemporaryError) as caught:
            source.group("00g1")

    shown = caught.value.message + caught.value.hint + "".join(traceback.format_exception(caught.value))
    assert "proxy" in caught.value.message
    assert "pass-word-123" not in shown


def test_no_okta_yaml_and_no_okta_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    evil = "okta:\n  client:\n    orgUrl: http://127.0.0.1:9\n    token: stray\n    rateLimit: {maxRetries: 50}\n"
    (tmp_path / "okta.yaml").write_text(evil)
    (tmp_path / ".okta").mkdir()
    (tmp_path / ".okta" / "okta.yaml").write_text(evil)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OKTA_CLIENT_TOKEN", "stray")
    monkeypatch.setenv("OKTA_CLIENT_ORGURL", "http://127.0.0.1:9")
    monkeypatch.setenv("OKTA_CLIENT_REQUESTTIMEOUT", "1")

    with FakeOkta(lambda seen, before: Reply(GROUP)) as okta, reader(okta) as source:
        source.group("00g1")

    assert okta.seen[0].headers["Authorization"] == f"SSWS {TOKEN}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_the_token_does_not_follow_it(status: int) -> None:
    with FakeOkta(lambda seen, before: Reply(GROUP)) as elsewhere:
        moved = Reply(b"", status, headers=[("Location", f"{elsewhere.url}/api/v1/groups/00g1?t={TOKEN}")])
        with (
            FakeOkta(lambda seen, before: moved) as okta,
            reader(okta) as source,
            pytest.raises(PermanentError, match="redirect") as caught,
        ):
            source.group("00g1")

    assert elsewhere.seen == []
    assert "okta.org_url" in caught.value.hint
    assert TOKEN not in caught.value.message


ECHOES = {
    "401": Reply(okta_error("E0000011", f"Invalid token provided: {TOKEN}"), 401),
    "403": Reply(okta_error("E0000006", f"no permission for SSWS {TOKEN}"), 403),
    "400": Reply(okta_error("E0000001", f"bad header Authorization: SSWS {TOKEN}"), 400),
    "500": Reply(okta_error("E0000009", f"trace {TOKEN}"), 500),
    "404": Reply(okta_error("E0000008", TOKEN), 404),
    "200": Reply(f"<html>{TOKEN}</html>".encode()),
    "drop": Reply(drop=True),
    "timeout": Reply(b"", delay=0.3),
}


@pytest.mark.parametrize("name", ECHOES)
def test_the_token_shows_in_no_error_log_or_output_even_if_the_server_echoes_it(
    name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("okta-sdk-python", "aiohttp", "aiohttp.client", "asyncio", "aiohttp.internal"):
        caplog.set_level(logging.DEBUG, logger=logger)
    sdk = logging.getLogger("okta-sdk-python")

    with FakeOkta(lambda seen, before: ECHOES[name]) as okta, reader(okta, timeout=0.15) as source:
        with pytest.raises(SyncdError) as caught:
            source.group("00g1")
        with pytest.raises(SyncdError) as listed:
            list(source.app_users())
        shown = [
            repr(source),
            repr(source._client),
            repr(source._client._session.transport),
            repr(source.requests()),
        ]

    for error in (caught.value, listed.value):
        shown += [repr(error), error.message, error.hint, "".join(traceback.format_exception(error))]
    output = capfd.readouterr()
    shown += [caplog.text, output.out, output.err]
    assert not [text for text in shown if TOKEN in text]
    assert sdk.handlers == [] or all(isinstance(h, type(caplog.handler)) for h in sdk.handlers)


def test_credentials_do_not_show_what_they_read() -> None:
    shown = repr(Ssws(lambda: TOKEN)) + repr(PrivateKey("0oaClient", lambda: "key-text", "kid", dpop=True))

    assert TOKEN not in shown
    assert "key-text" not in shown


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "übergröße", "tab\there"])
def test_a_token_that_cannot_be_one_is_a_setting_to_mend(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        reader("http://127.0.0.1:9", token=token)

    assert "okta.token" in caught.value.message
    assert not token.strip() or token.strip() not in caught.value.message + caught.value.hint


def test_a_403_says_what_the_admin_lacks() -> None:
    with (
        FakeOkta(
            lambda seen, before: Reply(okta_error("E0000006", "You do not have permission"), 403)
        ) as okta,
        reader(okta) as source,
        pytest.raises(AccessDenied) as caught,
    ):
        list(source.app_users())

    assert "Read-Only Administrator" in caught.value.hint
    assert "E0000006" in caught.value.message


def test_nobody_listening_is_a_temporary_error_with_a_reason() -> None:
    with FakeOkta(lambda seen, before: Reply(GROUP)) as okta:
        url = okta.url
    with reader(url) as source, pytest.raises(TemporaryError) as caught:
        source.group("00g1")

    assert "cannot connect" in caught.value.message
    assert "org_url" in caught.value.hint


def test_tls_is_verified_and_a_private_ca_is_a_setting(tmp_path: Path) -> None:
    ca_file, tls = self_signed(tmp_path)
    with FakeOkta(lambda seen, before: Reply([app_user_json(1)]), tls=tls) as okta:
        with reader(okta) as source, pytest.raises(PermanentError) as caught:
            source.group("00g1")
        with reader(okta, ca_file=ca_file) as source:
            found = [user.okta_id for page in source.app_users() for user in page.records]

    assert "TLS" in caught.value.message
    assert "okta.ca_file" in caught.value.hint
    assert found == [app_user_json(1)["id"]]
    assert len(okta.seen) == 1, "nothing was sent over the unverified connection"


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_setting_to_mend(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigurationError, match=r"okta\.ca_file"):
        reader("https://okta.invalid", ca_file=path)


def test_a_closed_reader_sends_nothing() -> None:
    with FakeOkta(lambda seen, before: Reply(GROUP)) as okta:
        source = reader(okta)
        source.close()
        source.close()
        with pytest.raises(SyncdError, match="closed"):
            source.group("00g1")

    assert okta.seen == []
