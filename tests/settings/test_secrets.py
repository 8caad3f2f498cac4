"""Secrets by reference: read again each time, and never shown."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncd.errors import ConfigurationError
from syncd.settings import SecretRef, load
from tests.settings.making import changed, settings

SECRET = "tok-en_Valu3=="


def test_an_environment_secret_is_read_again_each_time() -> None:
    environ = {"T": SECRET}
    ref = SecretRef("env", "T", _environ=environ)
    assert ref.read() == SECRET
    environ["T"] = "rotated"
    assert ref.read() == "rotated"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_secret_is_relative_to_the_settings_file_and_loses_one_line_end(
    tmp_path: Path, ending: str
) -> None:
    (tmp_path / "token").write_bytes((SECRET + ending).encode())
    (tmp_path / "prod.toml").write_text(changed('env = "SPLIT"', 'file = "token"'))
    [made] = load([tmp_path / "prod.toml"], environ={}).connections
    assert made.split.token.read() == SECRET
    (tmp_path / "token").write_text("rotated")
    assert made.split.token.read() == "rotated"


def test_a_credential_lies_in_the_directory_systemd_names(tmp_path: Path) -> None:
    (tmp_path / "scim").write_text(SECRET)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    made = settings(changed('env = "SPLIT"', 'credential = "scim"'), environ)
    assert made.split.token.read() == SECRET
    del environ["CREDENTIALS_DIRECTORY"]
    with pytest.raises(ConfigurationError, match="CREDENTIALS_DIRECTORY is not set") as caught:
        made.split.token.read()
    assert "LoadCredential" in caught.value.hint


def test_a_credential_that_systemd_guards_by_an_acl_is_no_warning(tmp_path: Path) -> None:
    """The mask of its ACL shows as group rights: 0440."""
    (tmp_path / "scim").write_text(SECRET)
    (tmp_path / "scim").chmod(0o440)
    made = settings(changed('env = "SPLIT"', 'credential = "scim"'), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert made.split.token.warnings() == ()


def test_only_credentials_of_systemd_are_copies(tmp_path: Path) -> None:
    (tmp_path / "T").write_text("rotated")
    environ = {"T": SECRET, "SYNCD_CREDENTIALS_SOURCE": str(tmp_path)}
    for ref in (
        SecretRef("env", "T", _environ=environ),
        SecretRef("file", str(tmp_path / "T"), _environ=environ),
    ):
        assert ref.copied() is None
    assert SecretRef("credential", "T", _environ=environ).copied() is None, "not under systemd"


def test_a_directory_of_credentials_that_may_not_be_looked_into_is_named() -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        closed = Path(folder) / "credentials"
        closed.mkdir()
        (Path(folder) / "T").write_text(SECRET)
        Path(folder).chmod(0o755)
        closed.chmod(0o000)
        stack.callback(closed.chmod, 0o700)
        environ = {"CREDENTIALS_DIRECTORY": folder, "SYNCD_CREDENTIALS_SOURCE": str(closed)}
        if os.geteuid() == 0:
            os.seteuid(65534)
            stack.callback(os.seteuid, 0)

        copied = SecretRef("credential", "T", _environ=environ).copied()

        assert copied is not None
        assert (copied.files, copied.hidden) == ({}, str(closed))


def test_a_missing_variable_is_named_with_the_next_step() -> None:
    with pytest.raises(ConfigurationError, match="environment variable SPLIT is not set") as caught:
        settings().split.token.read()
    assert "Export SPLIT" in caught.value.hint
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \n", "is empty"),
        (b"zzz\nyyy\n", "line breaks"),
        (b"zzz\n\n", "line breaks"),
        (b"zzz\0", "control characters"),
        (b"zzz yyy", "spaces"),
        ("zzz\u20ac".encode(), "no HTTP header"),
        (b"\xef\xbb\xbfzzz", "no HTTP header"),
        (b"SSWS zzz", "the scheme of the header"),
        (b"bearer zzz", "the scheme of the header"),
        (b"\xff\xfez\0", "not UTF-8"),
        (b"z" * 70_000, "larger than 64 KiB"),
    ],
)
def test_an_unusable_file_is_said_without_its_content(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        SecretRef("file", str(file)).read()
    assert str(file) in caught.value.message
    assert caught.value.hint
    assert "zzz" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


def test_what_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, said in (("gone", "no such file"), ("pipe", "a named pipe"), (".", "a directory")):
        with pytest.raises(ConfigurationError, match=said):
            SecretRef("file", str(tmp_path / place)).read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o000)
    with pytest.raises(ConfigurationError, match="permission denied"):
        SecretRef("file", str(file)).read()


def test_a_private_key_may_have_lines(tmp_path: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
    (tmp_path / "k.pem").write_text(pem + "\n")
    assert SecretRef("file", str(tmp_path / "k.pem"), "key").read() == pem


def test_a_literal_works_and_never_shows() -> None:
    made = settings(changed('{ env = "SPLIT" }', f'"{SECRET}"'))
    assert made.split.token.read() == SECRET
    shown = f"{made} {made!r} {made.split.token} {made.split.token!r} {made.model_dump()} {made.model_dump_json()}"
    assert SECRET not in shown


def test_warnings_name_what_is_kept_badly(tmp_path: Path) -> None:
    for name, mode in (("open", 0o644), ("closed", 0o600)):
        (tmp_path / name).write_text(SECRET)
        (tmp_path / name).chmod(mode)
    text = changed('{ env = "SPLIT" }', f'"{SECRET}"', changed('env = "OKTA"', 'file = "open"'))
    (tmp_path / "prod.toml").write_text(text + '[notify]\nurls = [{ file = "closed" }]')
    loaded = load([tmp_path / "prod.toml"], environ={})
    assert [(one.path, one.line) for one in loaded.warnings] == [("okta.token", 4), ("split.token", 7)]
    assert "chmod 600" in str(loaded.warnings[0])
    assert "settings file itself" in str(loaded.warnings[1])
    assert SECRET not in str(loaded.warnings)


def test_every_secret_of_a_connection_is_listed() -> None:
    text = (
        changed("[split]", 'proxy = "http://p:1"\n[split]')
        + '[notify]\nurls = [{ env = "N" }, "json://h/s3"]'
    )
    listed = dict(settings(text).secrets())
    assert list(listed) == ["okta.token", "okta.proxy", "split.token", "notify.urls[0]", "notify.urls[1]"]
    assert listed["okta.proxy"].read() == "http://p:1"
