"""Secrets vanish in every form; hostile text is harmless."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.redact import KEPT, MASK, Redactor, clip, strip_controls
from syncd.redact.parts import VOCABULARY
from tests.e2e.echoing import PIECES, PROXY_PASSWORD, PROXY_USER, SPELLINGS, leaks, proxy_url

SECRET = 'p"a\\ss/w+ö<r>d & 1'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        repr(SECRET.encode()),
        html.escape(SECRET),
    ],
)
def test_every_form_of_a_secret_is_replaced(form: str) -> None:
    shown = Redactor([SECRET]).text(f"before {form} after")
    assert MASK in shown
    assert form.strip("'\"b") not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@given(prefix=st.binary(max_size=7), suffix=st.binary(max_size=7))
@settings(max_examples=60, deadline=None)
def test_a_secret_inside_a_longer_base64_text_is_replaced(prefix: bytes, suffix: bytes) -> None:
    secret = "00aBcDeFgHiJkLmNoPqRsTuVwXyZ123456"
    shown = Redactor([secret]).text(base64.b64encode(prefix + secret.encode() + suffix).decode())
    assert MASK in shown
    assert len(shown.replace(MASK, "")) < 28


@given(secret=st.text(min_size=8, max_size=30), around=st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_text_keeps_a_known_secret(secret: str, around: str) -> None:
    assume(not (secret.isalpha() or secret.isdigit() or secret in VOCABULARY))
    shown = Redactor([secret]).text(around + secret + around)
    assert secret not in shown.replace(MASK, "\0")


@given(secret=st.text(min_size=4, max_size=30))
@settings(max_examples=100, deadline=None)
def test_nothing_that_a_server_says_keeps_even_a_short_secret_that_stands_by_itself(secret: str) -> None:
    assume(secret not in VOCABULARY)
    assert secret not in Redactor([secret]).foreign(f"no ({secret})").replace(MASK, "\0")


SHORT = ["true", "users", "2026", "s3cr", "since", "administrators"]


@pytest.mark.parametrize("secret", SHORT)
def test_a_short_secret_does_not_destroy_our_own_texts(secret: str) -> None:
    """It may be a word of them, a number, or part of an id."""
    redactor = Redactor([secret])
    text = "true: 12 users since 2026-11-29, status of administrators, change 0as3cr12ff"
    assert redactor.text(text) == redactor.known(text) == redactor.kept(text) == text
    document = {"active_users": 3, "status": "true", "by": ["users", {"2026-01-01": "administrators"}]}
    assert redactor.value(document) == document
    assert not redactor.holds(text)
    assert redactor.foreign(f"no {secret}, {secret}") == f"no {MASK}, {MASK}"


def test_no_key_of_a_document_is_a_secret() -> None:
    assert Redactor(["active_users"]).value({"active_users": "active_users"}) == {"active_users": MASK}


def test_what_answers_are_judged_by_is_no_secret() -> None:
    redactor = Redactor(["scim", "uniqueness", "AppInstance", "detail"])
    said = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "scimType": "uniqueness",
        "detail": "Not found: Resource not found: 0oa1 (AppInstance)",
    }
    assert redactor.answer(said) == said


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Authorization: SSWS 00abcdef", "00abcdef"),
        ("Authorization: SSWS00abcdef", "00abcdef"),
        ("{'Authorization': 'Bearer abc.def-1'}", "abc.def-1"),
        ('{"authorization": "bearer abc123"}', "abc123"),
        ("DPoP eyJhbGciOi", "eyJhbGciOi"),
        ("client_assertion=aaa.bbb.ccc&scope=x", "aaa.bbb.ccc"),
        ('{"access_token": "xyzzy9"}', "xyzzy9"),
        ("jwt eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIwb2EifQ.c2lnbmF0dXJl end", "eyJpc3MiOiIwb2EifQ"),
        ("http://joe:hunter2@proxy:3128", "hunter2"),
        ("-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", "MIIabc"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc", "MIIabc"),
    ],
)
def test_what_looks_like_a_credential_is_replaced_unasked(text: str, gone: str) -> None:
    shown = Redactor().text(text)
    assert gone not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    "text",
    [
        "the Bearer token was refused",
        'WWW-Authenticate: Bearer realm="scim"',
        'WWW-Authenticate: DPoP error="use_dpop_nonce"',
        "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "an SSWS token of the org",
        "the scheme of the header too (SSWS or Bearer), where only the token belongs",
        "neither SSWS nor Bearer; with SSWS and DPoP; SSWS is the scheme",
        "https://example.okta.com/api/v1/users?limit=200&after=abc@def",
        "ann.lee@example.com",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    redactor = Redactor(["s3cr3t-value"])
    once = redactor.text("SSWS s3cr3t-value, Bearer s3cr3t-value, client_assertion=s3cr3t-value&x=1")
    assert redactor.text(once) == once
    assert "x=1" in once


TOKEN = "00aBcDeFgHiJkLmNoPqRsTuVwXyZ+12/3456-x_Y"


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("secret", [TOKEN, PROXY_PASSWORD, PROXY_USER, f"{PROXY_USER}:{PROXY_PASSWORD}"])
def test_what_a_server_says_is_redacted_in_every_spelling_decoded_or_not(name: str, secret: str) -> None:
    redactor = Redactor([TOKEN, proxy_url(3128)])
    raw = f'{{"detail": "no {SPELLINGS[name](secret)} end"}}'
    decoded = json.dumps(redactor.answer(json.loads(raw)))
    for shown in (redactor.foreign(raw), decoded):
        assert leaks(shown, {"it": secret}) == []
        assert "no " in shown
        assert " end" in shown


@pytest.mark.parametrize("name", [name for name in SPELLINGS if name not in PIECES])
def test_a_whole_secret_is_redacted_in_every_spelling_at_every_door(name: str) -> None:
    redactor = Redactor([TOKEN])
    said = json.loads(f'"no {SPELLINGS[name](TOKEN)} end"')
    for shown in (redactor.text(said), redactor.known(said), redactor.text(json.dumps(said))):
        assert leaks(shown, {"it": TOKEN}) == []


def test_a_secret_in_pieces_is_found_among_the_texts_of_an_answer() -> None:
    said = {"headers": [{"X-One": TOKEN[:20]}, {"X-Two": TOKEN[20:]}]}
    assert leaks(str(Redactor([TOKEN]).answer(said)), {"it": TOKEN}) == []


def test_what_looks_like_a_credential_is_found_behind_escapes_too() -> None:
    shown = Redactor().foreign("Authorization: SSWS \\u0030\\u0030abcdef1, next")
    assert shown == f"Authorization: SSWS {MASK}, next"


def _jwt(head: str, body: str) -> str:
    parts = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (head, body))
    return f"{'.'.join(parts)}.{'QmFk' * 11}"


@pytest.mark.parametrize(
    "credential",
    [
        _jwt('{"alg":"ES256","typ":"JWT"}', '{"sub":"someone"}'),
        _jwt('{"alg":"ES256","typ":"dpop+jwt"}', '{"jti":"1","htm":"GET"}'),
        _jwt('{"alg":"ES256"}', '{"sub":"x","cnf":"Bearer abc"}'),
        _jwt('{"alg":"ES256"}', f'{{"sub":"x","by":"{TOKEN}"}}'),
        "Bearer " + base64.b64encode(b'{"cnf":"Bearer abc", "sig": "QmFk' + b"x9" * 20).decode(),
        "access_token=" + base64.b64encode(b'{"cnf":"Bearer abc", "sig": "QmFk' + b"x9" * 20).decode(),
    ],
)
def test_a_credential_that_holds_another_one_goes_whole(credential: str) -> None:
    redactor = Redactor([TOKEN])
    for clean in (redactor.text, redactor.foreign, redactor.kept):
        assert re.fullmatch(rf"bad (\w+[ =])?{re.escape(MASK)} end", clean(f"bad {credential} end"))


def test_what_is_sent_once_is_a_secret_too_and_drives_out_nothing_else() -> None:
    redactor = Redactor()
    redactor.add("the-token-that-stays", passing=True)
    for number in range(1000):
        redactor.add_once(f"signature-number-{number:04}-QmFk")
    assert redactor.foreign("the-token-that-stays signature-number-0999-QmFk") == f"{MASK} {MASK}"
    assert not redactor.may_reveal(b'"signature-number-0999-QmFk"')
    assert not redactor.reveals("signature-number-0999-QmFk")


def test_what_is_kept_is_redacted_before_it_is_cut() -> None:
    kept = Redactor([TOKEN]).kept("x" * (KEPT - 5) + TOKEN + "x" * 500)
    assert len(kept) == KEPT
    assert kept.endswith("x" * 5 + MASK[:4] + "…")


def test_a_name_that_is_an_ordinary_word_is_taken_out_of_foreign_text_only() -> None:
    redactor = Redactor(["http://admin:okta@127.0.0.1:3128"])
    assert redactor.foreign("admin is not in Administrators, okta") == (
        f"{MASK} is not in Administrators, {MASK}"
    )
    assert redactor.value({"side": "okta", "by": "admin"}) == {"side": "okta", "by": "admin"}
    assert MASK in redactor.text(base64.b64encode(b"admin:okta").decode())


@pytest.mark.parametrize(
    ("url", "secrets", "harmless"),
    [
        ("https://joe:s3cr3t-77@hooks.example/x?token=abcd1234", ["s3cr3t-77", "abcd1234"], "hooks.example"),
        ("discord://123456789012345678a/qWeRtY123456uIoP_0-a", ["qWeRtY123456uIoP_0-a"], "discord"),
        ("mailto://u5er-name:pa55word@mail.example?to=ann@example.com", ["pa55word"], "ann@example.com"),
    ],
)
def test_what_opens_a_door_in_a_url_is_a_secret(url: str, secrets: list[str], harmless: str) -> None:
    redactor = Redactor([url])
    assert redactor.text(" ".join(secrets)) == " ".join([MASK] * len(secrets))
    assert redactor.text(harmless) == harmless


def test_tokens_that_come_and_go_are_forgotten_and_those_in_use_are_not() -> None:
    redactor = Redactor()
    for number in range(1000):
        redactor.add("the-token-that-stays", f"rotated-token-{number:04}")
        redactor.add(f"access-token-{number:04}", passing=True)
    gone = "the-token-that-stays rotated-token-0999 access-token-0999"
    assert redactor.text(gone) == " ".join([MASK] * 3)
    assert "616" in repr(redactor)


def test_with_many_secrets_a_short_text_is_searched_as_well_as_a_long_one() -> None:
    tokens = [f"{number:03}-aBcDeF{number * 7919:08}" for number in range(150)]
    redactor = Redactor([*tokens, "sh0rt"])
    for token in (*tokens, "sh0rt", base64.b64encode(tokens[77].encode()).decode(), quote(tokens[3])):
        assert redactor.text(f"a {token} b") == f"a {MASK} b"
        assert MASK in redactor.text("x " * 5000 + token)


@pytest.mark.parametrize(
    "text",
    [
        "userName is already taken by ann.lee@example.com (42fa63a8-8bd2-4a93-9850-33249df3b12c)",
        "Attribute name.givenName exceeds 100 characters: %41%42 &amp; \\u00fc",
        "Not found: Resource not found: 00u1a2b3c4d5e6f7g8h9 (AppUser)",
        "sha256 5f0c2d8e8a5b4a379a550a1b2c3d4e5f6a7b8c9d0e1f2a3b",
    ],
)
def test_what_servers_ordinarily_say_stays(text: str) -> None:
    redactor = Redactor([TOKEN, proxy_url(3128)])
    assert redactor.foreign(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *("://" + ":" * 65536, "client_secret" + " " * 65536, TOKEN, "eyJaaaa-", "%25", "%2525252541", "\\"),
        *("48, ", "=3D", "A" * 16 + " ", "%25" * 9, "41:", "<a", "\ufdfa", "QUFB"),
        *("&amp;", "\\u0041", "client_secret ", "-----BEGIN ", "://a:", "Bearer ", "+", "a:b@"),
    ],
)
def test_no_text_makes_redacting_slow(piece: str) -> None:
    text = (piece * (65536 // len(piece) + 1))[:65536]
    redactor = Redactor([TOKEN, proxy_url(3128)])
    began = time.process_time()
    redactor.answer({"detail": text})
    redactor.text(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "many",
    [
        ["ab"] * 1_000_000,
        {str(number): 1 for number in range(300_000)},
        [[[[[]]]]] * 300_000,
        [{"errorSummary": "a"}] * 300_000,
    ],
    ids=["texts", "keys", "lists", "objects"],
)
def test_of_an_answer_with_very_many_texts_only_the_first_are_read(many: object) -> None:
    found = Redactor([TOKEN]).answer({"errorCode": "E0000006", "causes": many})
    assert isinstance(found, dict)
    assert found["errorCode"] == "E0000006"
    assert len(found["causes"]) < 5000


@pytest.mark.parametrize("name", [name for name in SPELLINGS if name not in PIECES])
def test_a_secret_in_the_data_of_a_good_answer_is_found_in_every_spelling(name: str) -> None:
    redactor = Redactor([TOKEN, proxy_url(3128)])
    text = json.dumps({"id": "00u1", "x": "y"})[:-1] + f', "name": "no {SPELLINGS[name](TOKEN)} end"}}'
    assert redactor.may_reveal(text.encode())
    assert redactor.reveals(text)


@pytest.mark.parametrize(
    "name", ["plain", "JSON escapes", "JSON escapes of some", "escaped slashes", "percent"]
)
def test_in_a_long_page_a_secret_as_it_is_is_found_and_so_is_an_escaped_one(name: str) -> None:
    redactor = Redactor([TOKEN, proxy_url(3128)])
    page = json.dumps([{"id": f"00u{number}", "name": "Ann"} for number in range(2000)])
    assert not redactor.may_reveal(page.encode())
    assert redactor.may_reveal(f'{page[:-1]}, {{"name": "no {SPELLINGS[name](TOKEN)}"}}]'.encode())


def test_what_a_name_may_be_by_chance_tells_no_secret_in_data() -> None:
    redactor = Redactor(["acme-tokens-of-split", "users", "s3cr3t", "http://acme2024:engineering@proxy"])
    data = json.dumps({"id": "00u1", "name": "acme2024 users, s3cr3t engineering, acme-tokens-of-split"})
    assert not redactor.may_reveal(data.encode())
    assert not redactor.reveals(data)


def test_short_values_do_not_garble_words() -> None:
    assert Redactor(["a", "abc", ""]).text("abc a b c") == "abc a b c"


def test_the_longer_of_two_overlapping_secrets_wins() -> None:
    assert Redactor(["token", "token-extended"]).text("token-extended") == MASK


def test_nested_values_are_redacted_keys_too() -> None:
    redactor = Redactor(["s3cr3t"])
    given_value = {"a": ["s3cr3t", ("x s3cr3t", 1, None)], "s3cr3t": {"s3cr3t"}, "b": b"s3cr3t", "n": 1.5}
    expected = {"a": [MASK, (f"x {MASK}", 1, None)], MASK: {MASK}, "b": MASK.encode(), "n": 1.5}
    assert redactor.value(given_value) == expected
    endless: list[object] = []
    endless.append(endless)
    assert "nested too deeply" in str(redactor.value(endless))


def test_the_parts_of_a_private_key_are_secrets_too() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    pem = f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"
    jwk = json.dumps({"kty": "RSA", "n": "public-part", "d": "private-part"})
    redactor = Redactor([pem, jwk])
    assert line not in redactor.text(f"could not parse {line}")
    assert redactor.text("public-part private-part") == f"public-part {MASK}"


def test_secrets_can_be_added_while_other_threads_redact() -> None:
    redactor = Redactor()
    values = [f"secret-number-{number:03}" for number in range(60)]
    leaks: list[str] = []

    def work(mine: list[str]) -> None:
        for value in mine:
            redactor.add(value)
            if value in redactor.text(f"a {value} b"):
                leaks.append(value)

    threads = [threading.Thread(target=work, args=(values[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []
    assert all(value not in redactor.text(value) for value in values)


def test_a_redactor_does_not_show_what_it_knows() -> None:
    assert "s3cr3t" not in repr(Redactor(["s3cr3t"]))


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jx", "\\x1b[2Jx"),
        ("a\0b", "a\\x00b"),
        ("a\r\nINFO forged\t", "a\\x0d\\x0aINFO forged\\x09"),
        ("\x7f\x9b31m", "\\x7f\\x9b31m"),
        ("gnp.\u202egnorw\u2066", "gnp.\\u202egnorw\\u2066"),
        ("a\u200bb\ufeff\u2028", "a\\u200bb\\ufeff\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Zoë 李 \U0001f600 naïve\u0301", "Zoë 李 \U0001f600 naïve\u0301"),
    ],
)
def test_hostile_text_is_shown_as_escapes_and_names_stay(hostile: str, shown: str) -> None:
    assert strip_controls(hostile) == shown


@given(st.text(st.characters(), max_size=50))
@settings(max_examples=100, deadline=None)
def test_stripped_text_can_always_be_printed_on_one_line(text: str) -> None:
    shown = strip_controls(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1


def test_clipped_text_is_never_longer() -> None:
    assert clip("x" * 200) == "x" * 200
    assert clip("x" * 201) == "x" * 199 + "…"
    assert clip("abc", 2) == "a…"
