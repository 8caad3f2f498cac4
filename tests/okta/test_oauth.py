"""Service apps: private-key JWT with and without DPoP, against the simulator's own checks."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from syncd.errors import AccessDenied, ConfigurationError, SyncdError, TemporaryError
from syncd.okta import client
from syncd.okta.credentials import READ_SCOPES, PrivateKey
from syncd.okta.pace import RetryPolicy
from syncd.okta.reader import OktaReader
from syncd.simulators.okta import OktaKnobs, OktaSimulator, ServiceClient
from syncd.simulators.world import OktaWorld, generate_okta
from tests.e2e.echoing import SPELLINGS, leaks
from tests.okta.fakes import FakeOkta, FakeTime, Reply, Seen

CLIENT = "0oaServiceApp0000001"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def world() -> OktaWorld:
    return generate_okta(users=20, groups=3, seed=1)


@pytest.fixture(autouse=True)
def _forget_kept_sessions() -> Iterator[None]:
    client._kept.clear()
    yield
    client._kept.clear()


def simulator(
    world: OktaWorld, key: rsa.RSAPrivateKey, *, knobs: OktaKnobs | None = None, **client: Any
) -> OktaSimulator:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return OktaSimulator(world, clients=[ServiceClient(CLIENT, public.decode(), **client)], knobs=knobs)


def reader_of(
    okta: OktaSimulator | FakeOkta,
    text: str,
    *,
    dpop: bool = False,
    key_id: str | None = None,
    app_id: str = "0oa1",
    attempts: int = 2,
) -> OktaReader:
    return OktaReader(
        org_url=okta.url,
        app_id=okta.world.app.id if isinstance(okta, OktaSimulator) else app_id,
        credentials=PrivateKey(CLIENT, lambda: text, key_id, dpop),
        rate_limit_share=0.5,
        timeout=10,
        retry=RetryPolicy(attempts=attempts),
        clock=FakeTime().clock(),
    )


def users_read(source: OktaReader) -> set[str]:
    return {user.okta_id for page in source.app_users() for user in page.records}


@pytest.mark.parametrize("form", ["pkcs1", "pkcs8", "jwk"])
def test_an_rsa_key_works_as_pem_and_as_jwk(world: OktaWorld, key: rsa.RSAPrivateKey, form: str) -> None:
    if form == "jwk":
        members = cast("dict[str, Any]", json.loads(RSAAlgorithm.to_jwk(key)))
        text = json.dumps({**members, "kid": "key-1", "use": "sig", "key_ops": ["sign"], "ext": True})
    else:
        formats = serialization.PrivateFormat
        text = pem(key, formats.TraditionalOpenSSL if form == "pkcs1" else formats.PKCS8)
    with (
        simulator(world, key, key_id="key-1") as okta,
        reader_of(okta, text, key_id=None if form == "jwk" else "key-1") as source,
    ):
        assert source.granted_scopes() is None
        found = users_read(source)
        source.application()

        assert source.granted_scopes() == frozenset(READ_SCOPES)
        assert source.requests() == {"POST 200": 1, "GET 200": 2}
    assert found == set(world.app_users)


def test_dpop_proves_possession_on_every_request(world: OktaWorld, key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with simulator(world, key, dpop=True, knobs=OktaKnobs(dpop_nonce_on_api=True)) as okta:
        with reader_of(okta, text, dpop=True) as source:
            assert users_read(source) == set(world.app_users)
            assert source.requests()["POST 400"] == 1, "the first token request is asked for a nonce"
            assert source.requests()["POST 200"] == 1
        with reader_of(okta, text, dpop=True) as source:
            source.application()
            assert source.requests() == {"GET 200": 1}, "no second token, no second DPoP key"


def test_an_access_token_outlives_one_reader(world: OktaWorld, key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with simulator(world, key) as okta:
        with reader_of(okta, text) as source:
            source.application()
        with reader_of(okta, text) as source:
            source.application()

            assert source.requests() == {"GET 200": 1}
            assert source.granted_scopes() == frozenset(READ_SCOPES)


def test_a_revoked_access_token_is_renewed_once(world: OktaWorld, key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with simulator(world, key) as okta, reader_of(okta, text) as source:
        source.application()
        okta.gate.revoke()
        source.application()

        assert source.requests() == {"POST 200": 2, "GET 200": 2, "GET 401": 1}


def test_a_key_that_okta_does_not_know_is_denied_with_a_hint(
    world: OktaWorld, key: rsa.RSAPrivateKey
) -> None:
    other = pem(
        rsa.generate_private_key(public_exponent=65537, key_size=2048), serialization.PrivateFormat.PKCS8
    )
    with (
        simulator(world, key) as okta,
        reader_of(okta, other) as source,
        pytest.raises(AccessDenied) as caught,
    ):
        source.application()

    assert "invalid_client" in caught.value.message
    assert "okta.private_key" in caught.value.hint
    assert caught.value.side == "okta"


def test_a_dpop_app_read_without_dpop_is_denied_with_a_hint(world: OktaWorld, key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with (
        simulator(world, key, dpop=True) as okta,
        reader_of(okta, text, dpop=False) as source,
        pytest.raises(AccessDenied, match="token"),
    ):
        source.application()


def test_a_scope_that_was_not_granted_is_named(key: rsa.RSAPrivateKey) -> None:
    def script(seen: Seen, before: int) -> Reply:
        if seen.method == "POST":
            return Reply(
                {
                    "token_type": "Bearer",
                    "expires_in": 3600,
                    "access_token": "at-1",
                    "scope": "okta.apps.read",
                }
            )
        challenge = 'Bearer error="insufficient_scope"'
        return Reply({"errorCode": "E0000006"}, 403, headers=[("WWW-Authenticate", challenge)])

    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(script) as okta, reader_of(okta, text) as source:
        with pytest.raises(AccessDenied) as caught:
            source.group("00g1")
        with pytest.raises(AccessDenied) as mapped:
            list(source.mappings())
        scopes = source.granted_scopes()

    assert "scope okta.groups.read" in caught.value.hint
    assert "okta.apps.read and okta.groups.read" in mapped.value.hint
    assert scopes == frozenset({"okta.apps.read"})


TROUBLE = [
    Reply(b"", 500),
    Reply(b'{"token_type": "Bearer"}', 200),
    Reply({"token_type": "Bearer", "access_token": "at", "expires_in": "soon"}),
    Reply({"token_type": "Bearer", "access_token": "a\nb", "expires_in": 3600}),
    Reply(b"", 429),
    Reply(drop=True),
]


def test_trouble_at_the_token_endpoint_is_retried_like_any_other(key: rsa.RSAPrivateKey) -> None:
    def script(seen: Seen, before: int) -> Reply:
        if seen.method == "POST":
            granted = {"token_type": "Bearer", "expires_in": 3600, "access_token": "at-1", "scope": "x"}
            return TROUBLE[before] if before < len(TROUBLE) else Reply(granted)
        assert seen.headers["Authorization"] == "Bearer at-1"
        return Reply({"id": "00g1", "profile": {"name": "Eng"}})

    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(script) as okta, reader_of(okta, text, attempts=20) as source:
        source.group("00g1")

        # Of a POST nothing is repeated behind our back: each trouble is one request.
        assert sum(seen.method == "POST" for seen in okta.seen) == len(TROUBLE) + 1
        assert source.requests()["POST 200"] == 4
        assert source.requests()["GET 200"] == 1


def test_a_token_endpoint_that_stays_broken_is_a_temporary_error(key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with (
        FakeOkta(lambda seen, before: Reply(b"", 503)) as okta,
        reader_of(okta, text) as source,
        pytest.raises(TemporaryError, match="token endpoint") as caught,
    ):
        source.group("00g1")

    assert caught.value.status == 503
    assert not any(seen.method == "GET" for seen in okta.seen)


def test_a_redirected_token_request_does_not_carry_the_assertion_along(key: rsa.RSAPrivateKey) -> None:
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(lambda seen, before: Reply({"access_token": "x"})) as elsewhere:
        moved = Reply(b"", 307, headers=[("Location", f"{elsewhere.url}/oauth2/v1/token")])
        with (
            FakeOkta(lambda seen, before: moved) as okta,
            reader_of(okta, text) as source,
            pytest.raises(SyncdError),
        ):
            source.group("00g1")

    assert elsewhere.seen == []


def reader_with(key: str) -> OktaReader:
    return OktaReader(
        org_url="http://127.0.0.1:9",
        app_id="0oa1",
        credentials=PrivateKey(CLIENT, lambda: key),
        rate_limit_share=0.5,
        timeout=1,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a key",
        "/etc/passwd",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        "{",
        "{}",
        '{"kty": "RSA", "n": "AQAB", "e": "AQAB"}',
        '{"kty": "oct", "k": "c2VjcmV0LXZhbHVl"}',
    ],
)
def test_a_key_that_cannot_be_used_is_a_setting_to_mend_and_is_not_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"okta\.private_key") as caught:
        reader_with(text)

    assert len(text) < 3 or text not in "".join(traceback.format_exception(caught.value))


def test_an_elliptic_curve_key_is_refused_as_okta_would() -> None:
    text = pem(ec.generate_private_key(ec.SECP256R1()), serialization.PrivateFormat.PKCS8)

    with pytest.raises(ConfigurationError, match="RSA"):
        reader_with(text)


def test_neither_key_nor_access_token_nor_assertion_is_ever_shown(
    key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "at-very-secret-access-token"
    sent: list[str] = []

    def script(seen: Seen, before: int) -> Reply:
        if seen.method == "POST":
            sent.append(seen.body.decode().rpartition("client_assertion=")[2])
            return Reply({"token_type": "Bearer", "expires_in": 3600, "access_token": secret, "scope": "x"})
        return Reply({"errorCode": "E0000006", "errorSummary": f"no, {secret}"}, 403)

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="okta-sdk-python")
    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(script) as okta, reader_of(okta, text) as source:
        with pytest.raises(AccessDenied) as caught:
            source.group("00g1")
        shown = repr(source) + repr(source._client) + repr(source.requests())

    output = capfd.readouterr()
    shown += "".join(traceback.format_exception(caught.value)) + caught.value.hint
    shown += caplog.text + output.out + output.err
    assert sent
    for value in (secret, sent[0], text.splitlines()[5]):
        assert value not in shown


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_access_token_that_is_said_again_is_redacted_in_every_spelling(
    key: rsa.RSAPrivateKey, spelling: str
) -> None:
    access = "opaque.AcCeSs-T0ken_0123456789/abcDEF+xyz"

    def script(seen: Seen, _before: int) -> Reply:
        if seen.method == "POST":
            return Reply({"access_token": access, "token_type": "Bearer", "expires_in": 3600})
        said = f'{{"errorCode": "E0000001", "errorSummary": "no {SPELLINGS[spelling](access)} end"}}'
        return Reply(said.encode(), 400)

    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(script) as okta, reader_of(okta, text) as source, pytest.raises(SyncdError) as caught:
        source.application()

    assert "no " in caught.value.message
    assert leaks(caught.value.message, {"it": access}) == []


@pytest.mark.parametrize("spelling", ["cut", "base64 of percent"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_assertion_and_a_proof_that_are_said_again_are_redacted(
    key: rsa.RSAPrivateKey, method: str, spelling: str
) -> None:
    sent: dict[str, str] = {}

    def script(seen: Seen, _before: int) -> Reply:
        if seen.method == "POST":
            sent["assertion"] = parse_qs(seen.body.decode())["client_assertion"][0].rpartition(".")[2]
        sent["proof"] = seen.headers["DPoP"].rpartition(".")[2]
        said = " | ".join(SPELLINGS[spelling](each) for each in sent.values())
        if seen.method != method:
            return Reply({"access_token": "opaque.AcCeSs-T0ken_0123456789", "token_type": "DPoP"})
        if method == "POST":
            return Reply(f'{{"error": "x", "error_description": "no {said} end"}}'.encode(), 400)
        return Reply(f'{{"errorCode": "E0000001", "errorSummary": "no {said} end"}}'.encode(), 400)

    text = pem(key, serialization.PrivateFormat.PKCS8)
    with (
        FakeOkta(script) as okta,
        reader_of(okta, text, dpop=True) as source,
        pytest.raises(SyncdError) as caught,
    ):
        source.application()

    assert "no " in caught.value.message
    assert set(sent) == {"assertion", "proof"}
    assert leaks(caught.value.message, sent) == []


def test_an_access_token_that_was_refused_at_once_is_redacted_too(key: rsa.RSAPrivateKey) -> None:
    given = [f"opaque.AcCeSs-T0ken_{number}{'xY7' * number}" for number in range(4, 9)]
    tokens = iter(given)

    def script(seen: Seen, _before: int) -> Reply:
        if seen.method == "POST":
            return Reply({"access_token": next(tokens), "token_type": "Bearer", "expires_in": 3600})
        sent = str(seen.headers["Authorization"])
        body = {"errorCode": "E0000001", "errorSummary": f"no {given[0]} end"}
        return Reply({}, 401) if given[0] in sent else Reply(body, 400)

    text = pem(key, serialization.PrivateFormat.PKCS8)
    with FakeOkta(script) as okta, reader_of(okta, text) as source, pytest.raises(SyncdError) as caught:
        source.application()

    assert "no [redacted] end" in caught.value.message
