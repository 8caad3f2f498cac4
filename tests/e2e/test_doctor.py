"""`syncd doctor`: everything that support needs, and no secret, proven by looking for it in the result."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from syncd.answers.doctor import secrets_in
from tests.e2e.rig import OKTA_TOKEN, SPLIT_TOKEN, Rig, synced_crew
from tests.service.connecting import token_in_a_file


@pytest.fixture
def synced(tmp_path: Path) -> Iterator[Rig]:
    with synced_crew(tmp_path, people=6, members=3) as made:
        yield made


def test_the_text_tells_versions_settings_check_and_the_health_of_the_store(synced: Rig) -> None:
    text = synced.run("doctor").stdout

    for said in (
        "syncd: 0.",
        "sqlite: ",
        '{ env = \\"E2E_OKTA\\" }',
        "base_url",
        "✓ ok",
        "whole",
        "objects left alone",
    ):
        assert said in text, said


def test_the_document_has_the_parts_as_they_are_answered_alone(synced: Rig) -> None:
    document = synced.run("doctor", "--json").document

    assert document["status"]["managed"] == synced.run("status", "--json").document["managed"]
    assert [each["name"] for each in document["check"]["checks"]] == [
        each["name"] for each in synced.run("check", "--json").document["checks"]
    ]
    assert document["store"]["integrity"]["intact"]
    assert document["store"]["integrity"]["head"] == synced.run("audit", "verify", "--json").document["head"]
    assert document["secrets"] == [
        {"setting": "okta.token", "searched": True},
        {"setting": "split.token", "searched": True},
    ]


def test_it_changes_nothing(synced: Rig) -> None:
    before = synced.store.read_bytes()
    synced.forget()
    synced.run("doctor")
    assert synced.store.read_bytes() == before
    assert synced.writes() == []


def test_the_bundle_is_private_and_has_the_parts_as_files(synced: Rig) -> None:
    file = synced.folder / "doctor.tar.gz"
    synced.run("doctor", "-o", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as archive:
        names = sorted(archive.getnames())
        text = b"".join(opened.read() for name in names if (opened := archive.extractfile(name)))
        document = json.load(archive.extractfile("syncd-doctor/acme/doctor.json"))  # type: ignore[arg-type]
    assert [name.rpartition("/")[2] for name in names] == [
        "check.json",
        "doctor.json",
        "doctor.txt",
        "settings.json",
        "status.json",
    ]
    assert document["schema"] == "syncd.doctor/1"
    for secret in (OKTA_TOKEN, SPLIT_TOKEN):
        assert secret.encode() not in text


def test_a_text_file_is_the_text(synced: Rig) -> None:
    file = synced.folder / "doctor.txt"
    assert synced.run("doctor", "-o", str(file)).stdout == ""
    assert file.read_text().startswith("syncd doctor: acme")


def test_a_secret_that_is_found_in_the_result_refuses_it_and_is_not_repeated(
    synced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2E_SPLIT", "deactivations")  # an ordinary word: it stands in every status

    file = synced.folder / "doctor.txt"
    said = synced.run("doctor", "-o", str(file), code=3)

    assert "split.token" in said.stderr
    assert not file.exists()
    assert synced.run("doctor", "--json", code=3).document["schema"] == "syncd.error/1"


def test_the_last_errors_are_in_it_without_the_token_that_a_server_repeated(synced: Rig) -> None:
    synced.okta.faults.add(
        "status", path=r"/apps/[^/]+/users", count=-1, status=403, summary=f"no {OKTA_TOKEN}"
    )
    synced.run("sync", code=1)

    document = synced.run("doctor", "--json").document

    assert document["errors"]
    assert OKTA_TOKEN not in json.dumps(document)


def test_a_store_that_was_changed_by_hand_is_named(synced: Rig) -> None:
    with closing(sqlite3.connect(synced.store)) as conn:
        conn.execute("UPDATE users SET pushed_active = 0")
        conn.commit()

    found = synced.run("doctor", "--json").document["store"]["integrity"]

    assert not found["intact"]
    assert "users" in {each["table"] for each in found["altered"]}


def test_a_damaged_store_and_a_secret_that_is_missing_hinder_nothing_else(
    synced: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.store.write_bytes(b"damaged" * 1000)
    monkeypatch.delenv("E2E_OKTA")

    document = synced.run("doctor", "--json").document

    assert "is not a store" in document["store"]["error"]
    assert document["status"] is None
    assert {"setting": "okta.token", "searched": False} in document["secrets"]
    assert document["check"]["ok"] is False


def test_settings_that_cannot_be_used_are_told_too(synced: Rig) -> None:
    synced.config.write_text(synced.config.read_text().replace("app_id", "apid"))

    document = synced.run("doctor", "--json").document

    assert document["settings"] is None
    assert "app_id" in json.dumps(document["check"])


def test_a_secret_is_found_in_each_form_that_it_travels_in() -> None:
    lines = ["MIIEvQIBADANBgkqhkiG9w0BAQEF", "AASCBKcwggSjAgEAAoIBAQC7VJTU"]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    secrets = {"okta.private_key": key, "split.token": "s3/cret+"}

    assert secrets_in("nothing", secrets) == []
    assert secrets_in("x s3/cret+ y", secrets) == ["split.token"]
    assert secrets_in("x=s3%2Fcret%2B", secrets) == ["split.token"]
    assert secrets_in(base64.b64encode(b"s3/cret+").decode(), secrets) == ["split.token"]
    assert secrets_in("one line: AASCBKcwggSjAgEAAoIBAQC7VJTU", secrets) == ["okta.private_key"]
    assert secrets_in("-----BEGIN PRIVATE KEY-----", secrets) == []


TOKEN = "00fTgS6zqvQ1-pasted-in-the-wrong-place_9Z"


@pytest.mark.parametrize("before", ["", "secrets/"])
def test_a_token_that_was_written_as_the_name_of_a_file_is_not_shown(synced: Rig, before: str) -> None:
    text = synced.config.read_text().replace('{ env = "E2E_SPLIT" }', f'{{ file = "{before}{TOKEN}" }}')
    assert TOKEN in text
    synced.config.write_text(text)

    answers = [synced.run("doctor", *more) for more in ([], ["--json"])]

    for answer in answers:
        assert TOKEN not in answer.stdout + answer.stderr
        assert "a file that is not there" in answer.stdout


def test_where_a_file_with_a_secret_lies_is_shown(synced: Rig) -> None:
    file = token_in_a_file(synced, "a-name-of-more-than-twenty-letters.token")

    shown = synced.run("doctor", "--json").document["settings"]
    file.unlink()

    assert str(file) in json.dumps(shown)


def test_a_token_that_was_written_as_a_key_is_not_shown(synced: Rig) -> None:
    synced.config.write_text(synced.config.read_text().replace("app_id", f'"{TOKEN}" = 1\napp_id'))

    said = synced.run("doctor")

    assert TOKEN not in said.stdout + said.stderr
    assert "okta.(a name that is none of ours): is an unknown key" in said.stdout
