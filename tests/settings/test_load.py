"""Finding files, and judging several together."""

from __future__ import annotations

import importlib
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from syncd.errors import ConfigurationError
from syncd.settings import load, load_or_raise, parse, scope_fingerprint, target_fingerprint
from tests.certificates import self_signed
from tests.settings.making import MINIMAL, OKTA, SPLIT, changed, settings

OTHER = changed("split.example", "other.example")


def test_a_directory_means_every_toml_in_it_sorted(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text(MINIMAL)
    (tmp_path / "a.toml").write_text(OTHER)
    (tmp_path / "notes.txt").write_text("no TOML")
    (tmp_path / ".#c.toml").write_text("an editor's lock")
    loaded = load([tmp_path, tmp_path / "b.toml"], environ={})
    assert not loaded.problems
    assert [one.name for one in loaded.connections] == ["a", "b"]


def test_settings_of_a_fleet_lie_beside_those_of_connections_and_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "fleet.toml").write_text('[fleet]\ndatabase = { env = "DATABASE" }\n')
    loaded = load([tmp_path], environ={})
    assert not loaded.problems
    assert [one.name for one in loaded.connections] == ["a"]
    named = load([tmp_path / "fleet.toml"], environ={})
    assert named.problems, "who names it is told that it is no connection"
    assert not named.connections


@pytest.mark.parametrize("text", [OTHER, f"{OTHER}\n[fleet]\n", "[fleet\n", ""])
def test_a_connection_may_be_called_fleet_and_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "fleet.toml").write_text(text)
    loaded = load([tmp_path], environ={})
    assert bool(loaded.problems) is (text != OTHER)
    assert [one.name for one in loaded.connections] == (["a", "fleet"] if text == OTHER else ["a"])


def test_a_bad_file_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[okta\n")
    (tmp_path / "b.toml").write_text(MINIMAL)
    loaded = load([tmp_path], environ={})
    assert [one.name for one in loaded.connections] == ["b"]
    assert [problem.file.name for problem in loaded.problems] == ["a.toml"]
    with pytest.raises(ConfigurationError) as caught:
        load_or_raise([tmp_path], environ={})
    assert caught.value.problems == (str(loaded.problems[0]),)


def test_the_usual_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text(MINIMAL)
    (tmp_path / "named.toml").write_text(MINIMAL)
    [found] = load([], environ={"SYNCD_CONFIG": str(tmp_path / "named.toml")}).connections
    assert found.name == "named"
    [found] = load([], environ={}).connections
    assert (found.name, found.path) == ("config", tmp_path / "config.toml")
    [problem] = load([], environ={"SYNCD_CONFIG": "gone.toml"}).problems
    assert "$SYNCD_CONFIG names it" in str(problem)


def test_without_any_file_the_next_step_is_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.import_module("syncd.settings.load"), "SYSTEM_FILE", tmp_path / "no.toml")
    with pytest.raises(ConfigurationError, match="syncd init"):
        load_or_raise([], environ={})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[okta\n", "is not TOML"),
        (b"a = 1\na = 2\n", "is not TOML"),
        (b"org_url = https://x\n", "text stands in quotes"),
        (b"x = " + b"[" * 5000, "TOML|nested"),
        (b"\xff\xfe[\0", "not UTF-8 text"),
        (b"# caf\xe9\n", "not UTF-8 text .line 1."),
        (b"# \0\n", "is not TOML"),
        (b"#" * (1024 * 1024 + 1), "larger than 1 MiB"),
        (b"", "add the table"),
    ],
)
def test_a_file_that_is_no_settings_file_is_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_or_raise([file], environ={})
    assert str(file) in caught.value.message


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("[okta]\n\norg_url = https\n")
    [problem] = load([tmp_path / "x.toml"], environ={}).problems
    assert problem.line == 3


def test_paths_that_lead_nowhere_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "gone.toml": "no such file",
        "empty": "no *.toml file",
        "loop": "cannot be read",
        "pipe": "a named pipe, not a regular file",
        "a\0b": "NUL",
        "x" * 300: "cannot be read",
    }
    loaded = load([tmp_path / name for name in cases], environ={})
    said = {problem.file.name: problem.message for problem in loaded.problems}
    assert {name: part in said[name] for name, part in cases.items()} == dict.fromkeys(cases, True)
    assert not any("\0" in str(problem) for problem in loaded.problems)


@pytest.mark.parametrize("state", ["loop", "loop/below", "there/acme.db"])
def test_a_state_that_is_a_loop_of_links_is_a_mistake_in_the_settings_and_of_no_other_file(
    tmp_path: Path, state: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "acme.db").symlink_to("acme.db")
    (tmp_path / "bad.toml").write_text(f'state = "{state}"\n{MINIMAL}')
    (tmp_path / "good.toml").write_text(MINIMAL.replace("split.example", "other.example"))
    loaded = load([tmp_path / "bad.toml", tmp_path / "good.toml"], environ={"OKTA": "x", "SPLIT": "y"})
    assert [one.name for one in loaded.connections] == ["good"]
    [problem] = loaded.problems
    assert (problem.file.name, problem.path) == ("bad.toml", "state")
    assert "loop of symbolic links" in problem.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.toml").touch(mode=0o000)
    [problem] = load([tmp_path / "x.toml"], environ={}).problems
    assert "permission denied" in problem.message


def test_two_connections_of_one_organisation_are_both_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "b.toml").write_text(changed("split.example/scim/v2", "SPLIT.example:443/scim/v2/"))
    (tmp_path / "c.toml").write_text(OTHER)
    loaded = load([tmp_path], environ={})
    assert [one.name for one in loaded.connections] == ["c"]
    assert [(one.file.name, one.path, one.line) for one in loaded.problems] == [
        ("a.toml", "split.base_url", 6),
        ("b.toml", "split.base_url", 6),
    ]


def test_two_connections_of_one_name_or_one_store_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('name = "x"\n' + MINIMAL)
    (tmp_path / "b.toml").write_text('name = "X"\n' + OTHER)
    loaded = load([tmp_path], environ={})
    assert {one.path for one in loaded.problems} == {"name", "state"}
    assert loaded.connections == ()


def test_connections_must_agree_on_the_server(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(MINIMAL)
    (tmp_path / "b.toml").write_text(OTHER + '[server]\nlisten = ""\n')
    loaded = load([tmp_path], environ={})
    [problem] = loaded.problems
    assert (problem.file.name, problem.path, problem.fix) == (
        "b.toml",
        "server.listen",
        'listen = "127.0.0.1:9464"',
    )
    assert [one.name for one in loaded.connections] == ["a"]


def test_what_is_unwise_but_works_is_a_warning(tmp_path: Path) -> None:
    text = MINIMAL + '[provisioning]\npush_groups = false\n[[push_groups]]\nsource.name = "x"\n'
    (tmp_path / "a.toml").write_text(text + '[server]\nlisten = "0.0.0.0:9464"\n')
    loaded = load([tmp_path], environ={})
    assert len(loaded.connections) == 1
    assert {one.path for one in loaded.warnings} == {"server.listen", "provisioning.push_groups"}


def test_a_token_made_in_the_future_is_a_warning(tmp_path: Path) -> None:
    for day, warned in ((datetime.now(UTC).date(), []), (date(2199, 1, 1), ["split.token_created"])):
        (tmp_path / "a.toml").write_text(MINIMAL + f"token_created = {day}\n")
        assert [one.path for one in load([tmp_path], environ={}).warnings] == warned


SCOPE_CHANGES = {
    "org": changed("example.okta.com", "other.okta.com"),
    "app": changed("0oa1", "0oa2"),
    "base": OTHER,
    "flavor": MINIMAL + 'flavor = "scim"',
    "provisioning": MINIMAL + "[provisioning]\nupdate_users = false",
    "grace": MINIMAL + '[provisioning]\ndeactivation_grace = "1h"',
    "attributes": MINIMAL + '[attributes]\nuserName = "login"',
    "rules": MINIMAL + '[[push_groups]]\nsource.name = "x"',
}


@pytest.mark.parametrize("case", SCOPE_CHANGES)
def test_the_scope_fingerprint_moves_with_every_scope_setting(case: str) -> None:
    assert scope_fingerprint(settings(SCOPE_CHANGES[case])) != scope_fingerprint(settings())
    moved = target_fingerprint(settings(SCOPE_CHANGES[case])) != target_fingerprint(settings())
    assert moved == (case in ("base", "flavor"))


def test_the_scope_fingerprint_stays_when_only_the_way_of_working_changes() -> None:
    text = (
        'name = "n"\nstate = "elsewhere"\n'
        + changed('token = { env = "OKTA" }', 'token = { env = "NEW" }\nrate_limit_share = 0.1', OKTA)
        + SPLIT
        + "concurrency = 1\nmax_requests_per_second = 0\n"
        + '[safety]\nmax_deactivations = 1\n[schedule]\ndelta = "5s"\n[audit]\nkeep = "7d"\n'
        + "[provisioning]\ncreate_users = true\n"
    )
    assert scope_fingerprint(settings(text)) == scope_fingerprint(settings())
    reordered = MINIMAL + '[attributes]\ntitle = "t"\nuserName = "email"'
    straight = MINIMAL + '[attributes]\nuserName = "email"\ntitle = "t"'
    assert scope_fingerprint(settings(reordered)) == scope_fingerprint(settings(straight))


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    """Stores and plans keep it: a release that moves it makes every connection hold its removals once."""
    assert scope_fingerprint(settings()) == "6a5014e855601763b3b057b0cf10b51eb0fa77ec822974cb58175acadb328b2d"


def test_parse_raises_every_problem_in_one_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("[okta]\nx = 1\n[split]\n", file=Path("c.toml"), environ={})
    assert len(caught.value.problems) == 6
    assert all(sentence in caught.value.message for sentence in caught.value.problems)


def test_files_that_say_where_tokens_go_and_anybody_can_change_are_warned_about(tmp_path: Path) -> None:
    authority, _ = self_signed(tmp_path)
    config = tmp_path / "prod.toml"
    config.write_text(changed("[split]", 'ca_file = "ca.pem"\n[split]'))
    assert load([config], environ={}).warnings == ()
    for path in (config, authority):
        path.chmod(0o666)
    said = {one.path: one.message for one in load([config], environ={}).warnings}
    assert said == {
        "": f"every user of this machine can change it; run: chmod o-w {config}",
        "okta.ca_file": f"every user of this machine can change it; run: chmod o-w {authority}",
    }
