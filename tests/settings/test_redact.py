"""Secrets vanish in every form; hostile text is harmless."""

from __future__ import annotations

import base64
import html
import json
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.redact import MASK, Redactor, clip, strip_controls

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


@given(secret=st.text(min_size=4, max_size=30), around=st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_text_keeps_a_known_secret(secret: str, around: str) -> None:
    shown = Redactor([secret]).text(around + secret + around)
    assert secret not in shown.replace(MASK, "\0")


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
