"""API tokens, service apps and DPoP, spoken by hand and by the Okta SDK's own request executor."""

import asyncio
import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from okta.cache.no_op_cache import NoOpCache
from okta.request_executor import RequestExecutor

from syncd.simulators.okta import OktaKnobs, OktaSimulator, ServiceClient
from syncd.simulators.world import OktaWorld
from tests.simulators.conftest import Client

APP = "/api/v1/apps/0oa1gjh63g214q0Hq0g4"
ALL = "okta.apps.read okta.groups.read okta.logs.read okta.users.read"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def guarded(okta_world: OktaWorld, key: rsa.RSAPrivateKey) -> Iterator[OktaSimulator]:
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    clients = [
        ServiceClient("0oaservice", public_pem(key)),
        ServiceClient("0oaapps", jwk, scopes=("okta.apps.read",), key_id="k1"),
        ServiceClient("0oadpop", public_pem(key), dpop=True),
    ]
    with OktaSimulator(okta_world, clients=clients) as simulator:
        yield simulator


def assertion(okta: OktaSimulator, key: rsa.RSAPrivateKey, client: str, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": f"{okta.url}/oauth2/v1/token", "iat": now, "exp": now + 300,
              "jti": str(uuid.uuid4())}  # fmt: skip
    headers = {"kid": changes.pop("kid")} if "kid" in changes else None
    return jwt.encode({**claims, **changes}, key, algorithm="RS256", headers=headers)


def ask_token(
    okta: OktaSimulator, signed: str, *, scope: str = ALL, proof: str | None = None
) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
    }
    headers = {} if proof is None else {"DPoP": proof}
    return requests.post(f"{okta.url}/oauth2/v1/token", data=form, headers=headers, timeout=10)


def proof(key: rsa.RSAPrivateKey, method: str, url: str, **claims: Any) -> str:
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    body = {"htm": method, "htu": url, "iat": int(time.time()), "jti": str(uuid.uuid4()), **claims}
    return jwt.encode(body, key, algorithm="RS256", headers={"typ": "dpop+jwt", "jwk": jwk})


@pytest.mark.parametrize("header", ["SSWS 00sim-okta-token", "SSWS00sim-okta-token"])
def test_the_api_token_is_taken_with_and_without_a_space(okta: OktaSimulator, header: str) -> None:
    assert Client(okta.url, header).get(APP).status_code == 200


@pytest.mark.parametrize("header", ["SSWS wrong", "SSWS", "Bearer nothing", "Basic YTpi", "DPoP x"])
def test_any_other_credential_is_a_401(okta: OktaSimulator, header: str) -> None:
    answer = Client(okta.url, header).get(APP)

    assert answer.status_code == 401
    assert answer.json()["errorCode"] == "E0000011"
    assert answer.json()["errorSummary"] == "Invalid token provided"


def test_a_signed_assertion_buys_a_bearer_token(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    granted = ask_token(guarded, assertion(guarded, key, "0oaservice")).json()

    assert (granted["token_type"], granted["expires_in"], granted["scope"]) == ("Bearer", 3600, ALL)
    assert Client(guarded.url, f"Bearer {granted['access_token']}").get(APP).status_code == 200


def test_an_assertion_works_once(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    signed = assertion(guarded, key, "0oaservice")
    assert ask_token(guarded, signed).status_code == 200

    again = ask_token(guarded, signed)

    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [{"aud": "https://elsewhere.okta.com/oauth2/v1/token"}, {"iss": "0oaother"}, {"sub": "0oaunknown"},
     {"exp": 1}, {"exp": 4102444800}, {"jti": None}],
)  # fmt: skip
def test_a_wrong_assertion_is_an_invalid_client(
    guarded: OktaSimulator, key: rsa.RSAPrivateKey, changes: dict[str, Any]
) -> None:
    answer = ask_token(guarded, assertion(guarded, key, "0oaservice", **changes))

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_another_key_or_kid_is_an_invalid_client(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert ask_token(guarded, assertion(guarded, other, "0oaservice")).status_code == 401
    wrong = ask_token(guarded, assertion(guarded, key, "0oaapps", kid="k2"), scope="okta.apps.read")
    assert wrong.status_code == 401
    right = ask_token(guarded, assertion(guarded, key, "0oaapps", kid="k1"), scope="okta.apps.read")
    assert right.status_code == 200


def test_a_scope_that_was_not_granted_cannot_be_asked_for(
    guarded: OktaSimulator, key: rsa.RSAPrivateKey
) -> None:
    answer = ask_token(guarded, assertion(guarded, key, "0oaapps", kid="k1"), scope=ALL)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


def test_a_missing_scope_is_a_403_that_names_it(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    signed = assertion(guarded, key, "0oaapps", kid="k1")
    client = Client(
        guarded.url, f"Bearer {ask_token(guarded, signed, scope='okta.apps.read').json()['access_token']}"
    )

    assert client.get(f"{APP}/users").status_code == 200
    for path in ("/api/v1/groups", "/api/v1/logs", f"{APP}/group-push/mappings"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "E0000006")
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_an_api_token_may_be_kept_from_the_log(okta_world: OktaWorld) -> None:
    knobs = OktaKnobs(ssws_scopes=("okta.apps.read", "okta.users.read", "okta.groups.read"))
    with OktaSimulator(okta_world, knobs=knobs) as okta:
        client = Client(okta.url, f"SSWS {okta.token}")
        assert client.get(APP).status_code == 200
        assert client.get("/api/v1/logs").status_code == 403


def test_a_revoked_token_is_a_401(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    token = ask_token(guarded, assertion(guarded, key, "0oaservice")).json()["access_token"]

    guarded.gate.revoke()

    assert Client(guarded.url, f"Bearer {token}").get(APP).status_code == 401


def test_the_nonce_dance_binds_a_token_to_a_key(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    url = f"{guarded.url}/oauth2/v1/token"
    missing = ask_token(guarded, assertion(guarded, key, "0oadpop"))
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_dpop_proof")

    challenged = ask_token(guarded, assertion(guarded, key, "0oadpop"), proof=proof(key, "POST", url))
    assert (challenged.status_code, challenged.json()["error"]) == (400, "use_dpop_nonce")

    nonce = challenged.headers["dpop-nonce"]
    granted = ask_token(
        guarded, assertion(guarded, key, "0oadpop"), proof=proof(key, "POST", url, nonce=nonce)
    )
    assert granted.json()["token_type"] == "DPoP"

    token = granted.json()["access_token"]
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    here = guarded.url + APP

    def read(authorization: str, signed: str | None) -> int:
        headers = {"Authorization": authorization} | ({} if signed is None else {"DPoP": signed})
        return requests.get(f"{here}?expand=x", headers=headers, timeout=10).status_code

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good = proof(key, "GET", here, ath=ath)
    assert read(f"DPoP {token}", good) == 200
    assert read(f"DPoP {token}", good) == 401, "a proof works once"
    assert read(f"DPoP {token}", None) == 401
    assert read(f"Bearer {token}", proof(key, "GET", here, ath=ath)) == 401
    assert read(f"DPoP {token}", proof(key, "POST", here, ath=ath)) == 401
    assert read(f"DPoP {token}", proof(key, "GET", here + "/users", ath=ath)) == 401
    assert read(f"DPoP {token}", proof(key, "GET", here, ath="other")) == 401
    assert read(f"DPoP {token}", proof(other, "GET", here, ath=ath)) == 401
    assert read(f"DPoP {token}", proof(key, "GET", here, ath=ath, iat=1)) == 401


def test_no_secret_is_in_the_request_log(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    signed = assertion(guarded, key, "0oaservice")
    token = ask_token(guarded, signed).json()["access_token"]
    Client(guarded.url, f"Bearer {token}").get(APP)

    log = json.dumps([record.as_json() for record in guarded.requests])

    assert token not in log
    assert signed not in log
    assert [r.headers.get("authorization") for r in guarded.requests] == [None, "Bearer"]


def executor(okta: OktaSimulator, **auth: Any) -> Any:
    client = {
        "orgUrl": okta.url,
        "rateLimit": {"maxRetries": 0},
        "requestTimeout": 10,
        "userAgent": "",
        "oauthTokenRenewalOffset": 5,
        "logging": {"enabled": False},
        **auth,
    }
    config = {"client": client, "testing": {"testingDisableHttpsCheck": True}}
    untyped: Any = RequestExecutor
    cache: Any = NoOpCache
    return untyped(config, cache())


async def read_pages(sdk: Any, path: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    url: str | None = path
    while url is not None:
        request, error = await sdk.create_request("GET", url, None, {})
        assert error is None
        _, answer, body, error = await sdk.fire_request(request)
        assert error is None
        assert answer.status == 200
        found.append(json.loads(body))
        following = answer.links.get("next")
        url = None if following is None else str(following["url"])
    return found


def test_the_sdk_reads_two_pages_with_an_api_token(okta: OktaSimulator) -> None:
    sdk = executor(okta, authorizationMode="SSWS", token=okta.token)

    pages = asyncio.run(read_pages(sdk, f"{APP}/users?limit=2&expand=user"))

    assert [len(page) for page in pages] == [2, 1]


def test_the_sdk_reads_with_a_private_key_and_dpop(guarded: OktaSimulator, key: rsa.RSAPrivateKey) -> None:
    sdk = executor(
        guarded,
        authorizationMode="PrivateKey",
        clientId="0oadpop",
        privateKey=private_pem(key),
        scopes=ALL.split(),
        dpopEnabled=True,
    )

    async def read_twice() -> tuple[list[list[Any]], list[list[Any]]]:
        plain = await read_pages(sdk, f"{APP}/users?limit=2")
        guarded.set_knobs(dpop_nonce_on_api=True)
        return plain, await read_pages(sdk, f"{APP}/users?limit=2")

    plain, with_nonce = asyncio.run(read_twice())

    assert [len(page) for page in plain] == [2, 1]
    assert plain == with_nonce
    assert {r.headers.get("authorization") for r in guarded.requests if r.method == "GET"} == {"DPoP"}
