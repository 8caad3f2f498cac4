"""What the command line itself promises, before any connection is opened (contract: command line)."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from syncd.cli import app, exits
from syncd.cli.app import COMMANDS
from syncd.cli.options import Globals
from syncd.cli.tasks import TASKS, by_task
from syncd.errors import ConfigurationError
from tests.cli.invoking import OKTA_TOKEN, Invoker, write_config
from tests.e2e.echoing import SPELLINGS, leaks
from tests.interpreting import imported_by, interpreted

HEAVY = ("okta", "aiohttp", "requests", "pydantic", "sqlite_utils", "rich", "structlog")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from syncd.cli.app import run; code = run(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = interpreted(code)

    assert done.stderr.strip() == "[]"
    assert "Exit codes" in done.stdout


def test_loading_every_command_for_completion_imports_nothing_heavy() -> None:
    code = "from syncd.cli.app import COMMANDS, cli; [cli.get_command(None, name) for name in COMMANDS]"

    assert imported_by(code, *HEAVY) == []


def test_a_command_that_asks_nobody_imports_no_client(tmp_path: Path) -> None:
    write_config(tmp_path / "config.toml")
    clients = ("okta", "aiohttp", "requests")
    code = (
        "import sys; from syncd.cli.app import run; code = run(['status', '--json']);"
        f"print([name for name in {clients!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = interpreted(code, tmp_path)

    assert done.stderr.strip() == "[]"
    assert json.loads(done.stdout)["state"] == "never_synced"


@pytest.mark.parametrize("name", list(app.COMMANDS))
def test_the_list_of_commands_says_what_each_command_says_of_itself(name: str) -> None:
    command = importlib.import_module(f"syncd.cli.{name}").command

    assert isinstance(command, click.Command)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == app.COMMANDS[name]


@pytest.mark.parametrize("name", list(app.COMMANDS))
def test_every_command_explains_itself(syncd: Invoker, name: str) -> None:
    said = syncd(name, "--help")

    assert said.exit_code == 0
    assert "Global options" in said.stdout


def test_global_options_may_stand_before_and_after_the_command(syncd: Invoker) -> None:
    one = write_config(syncd.directory / "one.toml")
    two = write_config(syncd.directory / "two.toml", base_url="http://127.0.0.1:2/scim/v2")

    said = syncd("-c", one, "-q", "status", "--config", two, "--json", "--no-color")

    assert said.exit_code == 0
    assert [item["connection"] for item in said.document["items"]] == ["one", "two"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["plan", "--nope"],
        ["sync", "--allow", "deactivations"],
        ["sync", "--allow", "deactivations=-1"],
        ["sync", "--allow", "deactivations=many"],
        ["sync", "--allow", "everything=1"],
        ["sync", "--user", ""],
        ["sync", "--user", "ada@example.com", "--full"],
        ["plan", "--group", "Engineering", "--full"],
        ["apply", "--yes", "--user", "ada@example.com", "--full"],
        ["apply"],
        ["apply", "plan.json", "--user", "ada@example.com"],
        ["apply", "missing.json"],
        ["plan", "-o", "-"],
        ["release"],
        ["release", " "],
        ["simulate", "entra"],
        ["--log-format", "xml", "status"],
        [],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(syncd: Invoker, arguments: list[str]) -> None:
    write_config(syncd.directory / "config.toml")

    said = syncd(*arguments)

    assert said.exit_code == 64
    assert said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["snyc"], "Did you mean 'sync'?"),
        (["stat"], "Did you mean 'status'?"),
        (["REL"], "Did you mean 'relink' or 'release'?"),
        (["audit", "verfy"], "Did you mean 'verify'?"),
        (["xylophone"], "See: syncd --help"),
        (["plan", "--usr", "x"], "Did you mean '--user'?"),
        (["--json", "plan"], "Options of a command stand after its name."),
        (["simulate"], "'{okta|split}'. Choose from: okta, split"),
        (["status", "-c", ""], "the path is empty"),
    ],
)
def test_a_slip_of_the_keyboard_is_answered_with_what_was_meant(
    syncd: Invoker, arguments: list[str], word: str
) -> None:
    said = syncd(*arguments)

    assert said.exit_code == 64
    assert word in said.stderr


def test_an_unknown_limit_is_answered_with_the_limits_there_are(syncd: Invoker) -> None:
    said = syncd("sync", "--allow", "deactivation=4")

    assert said.exit_code == 64
    for name in ("deactivations", "group_deletions", "member_removals", "member_removals_per_group"):
        assert name in said.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["plan", "--json", "--nope"], 64),
        (["status", "--json", "-c", "missing.toml"], 78),
        (["nope", "--json"], 64),
    ],
)
def test_with_json_an_error_is_one_document_too(syncd: Invoker, arguments: list[str], code: int) -> None:
    said = syncd(*arguments)

    assert said.exit_code == code
    assert said.document["schema"] == "syncd.error/1"
    assert said.document["exit_code"] == code
    assert said.document["message"]
    assert said.document["message"].splitlines()[0] in said.stderr


def test_without_settings_the_error_says_how_to_make_some(syncd: Invoker) -> None:
    said = syncd("status")

    assert said.exit_code == 78
    assert "syncd init" in said.stderr


def test_a_bad_settings_file_does_not_hide_the_other_connections(syncd: Invoker) -> None:
    good = write_config(syncd.directory / "good.toml")
    bad = syncd.directory / "bad.toml"
    bad.write_text("nonsense = 1\n", encoding="utf-8")

    said = syncd("status", "--json", "-c", bad, "-c", good)

    assert said.exit_code == 78
    assert [item["schema"] for item in said.document["items"]] == ["syncd.error/1", "syncd.status/1"]


def test_release_asks_for_one_connection_when_there_are_several(syncd: Invoker) -> None:
    one = write_config(syncd.directory / "one.toml")
    two = write_config(syncd.directory / "two.toml", base_url="http://127.0.0.1:2/scim/v2")

    said = syncd("release", "ada@example.com", "-c", one, "-c", two)

    assert said.exit_code == 64
    assert "one, two" in said.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(syncd: Invoker, shell: str) -> None:
    said = syncd("completion", shell)

    assert said.exit_code == 0
    assert "_SYNCD_COMPLETE" in said.stdout


def test_the_shell_is_offered_the_commands() -> None:
    environment = {
        **os.environ,
        "_SYNCD_COMPLETE": "bash_complete",
        "COMP_WORDS": "syncd s",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "syncd"], env=environment, capture_output=True, text=True, check=False
    )

    assert "plain,sync" in done.stdout
    assert "plain,status" in done.stdout


# the help


def test_the_help_shows_each_command_once_under_what_somebody_wants_to_do(syncd: Invoker) -> None:
    shown = syncd("--help").stdout

    for name, text in COMMANDS.items():
        assert len(re.findall(rf"(?m)^  {name} +{re.escape(text[:30])}", shown)) == 1, name
    assert re.findall(r"(?m)^([A-Z][a-z ,]+):$", shown) == [
        *("Options", *(task for task, _ in by_task(COMMANDS))),
    ]


def test_no_command_is_without_a_task_and_none_has_two() -> None:
    named = [name for _, names in TASKS for name in names]

    assert len(named) == len(set(named))
    assert sorted(set(COMMANDS) - set(named)) == []


def test_a_command_that_nobody_gave_a_task_is_shown_all_the_same() -> None:
    assert by_task(["init", "unheard-of"]) == [("Set up", ["init"]), ("More", ["unheard-of"])]


# init


def test_init_writes_a_starter_that_loads_once_the_variables_are_set(syncd: Invoker) -> None:
    said = syncd("init")

    assert said.exit_code == 0
    assert [path.name for path in syncd.directory.iterdir()] == ["config.toml"]
    assert stat.S_IMODE((syncd.directory / "config.toml").stat().st_mode) == 0o600
    assert syncd("status", "--json").document["connection"] == "split-prod"


@pytest.mark.parametrize(("file", "name"), [("acme.toml", "acme"), ("my split.toml", "split-prod")])
def test_init_writes_a_name_that_stays_when_the_file_is_called_otherwise(
    syncd: Invoker, file: str, name: str
) -> None:
    syncd("init", file)
    (syncd.directory / file).rename(syncd.directory / "config.toml")

    assert syncd("status", "--json").document["connection"] == name


def test_init_writes_where_config_says_and_names_the_file_in_every_next_step(syncd: Invoker) -> None:
    said = syncd("init", "-c", "my split.toml")

    assert said.exit_code == 0
    assert [path.name for path in syncd.directory.iterdir()] == ["my split.toml"]
    for command in ("check", "plan", "sync"):
        assert f"syncd {command} --config 'my split.toml'" in said.stdout


def test_init_with_two_places_is_a_usage_error(syncd: Invoker) -> None:
    assert syncd("init", "one.toml", "-c", "two.toml").exit_code == 64
    assert syncd("init", "-c", "one.toml", "-c", "two.toml").exit_code == 64
    assert list(syncd.directory.iterdir()) == []
    assert syncd("init", "one.toml", "-c", "one.toml").exit_code == 0


def test_init_never_overwrites(syncd: Invoker) -> None:
    path = syncd.directory / "mine.toml"
    path.write_text("name = 1\n", encoding="utf-8")

    said = syncd("init", path)

    assert said.exit_code == 1
    assert "exists" in said.stderr
    assert path.read_text(encoding="utf-8") == "name = 1\n"


def test_init_does_not_write_through_a_dangling_link(syncd: Invoker) -> None:
    link = syncd.directory / "config.toml"
    link.symlink_to(syncd.directory / "elsewhere.toml")

    assert syncd("init").exit_code == 1
    assert not (syncd.directory / "elsewhere.toml").exists()


def test_init_says_why_a_file_cannot_be_written(syncd: Invoker) -> None:
    said = syncd("init", syncd.directory / "missing" / "config.toml")

    assert said.exit_code == 1
    assert "No such file or directory" in said.stderr


# simulate


def test_simulate_serves_until_it_is_told_to_stop() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "syncd", "simulate", "split", "--token", "any-token"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)

    assert "base_url http://127.0.0.1:" in said[1]
    assert "any-token" in said[2]
    assert (process.returncode, err) == (0, "")


def test_a_simulator_whose_port_is_taken_says_so(syncd: Invoker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = syncd("simulate", "okta", "--port", str(taken.getsockname()[1]))

    assert said.exit_code == 1
    assert "--port" in said.stderr


@pytest.mark.parametrize("kind", ["okta", "split"])
@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("no json", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"users": 5}', "users"),
        ('{"users": [5]}', "users"),
        ('{"users": [{"nope": 1}]}', "users"),
        ('{"surplus": 1}', "surplus"),
        ('{"groups": [{"name": 7, "members": 3}]}', "groups"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_bad_fixture_is_a_usage_error_that_says_what_is_wrong_in_which_file(
    syncd: Invoker, kind: str, content: str, wrong: str
) -> None:
    fixture = syncd.directory / "world.json"
    fixture.write_text(content, encoding="utf-8", errors="surrogateescape")

    said = syncd("simulate", kind, "--fixture", fixture)

    assert said.exit_code == 64
    assert said.stderr.startswith("error: ")
    assert str(fixture) in said.stderr
    assert wrong in said.stderr
    assert "docs/simulators.md" in said.stderr


# what goes wrong unexpectedly


def _break_status(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("syncd.answers.status.status", broken)


def test_an_unexpected_fault_is_one_sentence(syncd: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, ZeroDivisionError("by \x1b[31mzero"))

    said = syncd("status", "--json")

    assert said.exit_code == 1
    assert "ZeroDivisionError" in said.document["message"]
    assert "-vv" in said.document["hint"]
    assert "Traceback" not in said.stderr
    assert "\x1b" not in said.stderr


def test_a_traceback_shows_only_with_vv(syncd: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, ZeroDivisionError("by zero"))

    assert "Traceback" not in syncd("-v", "status").stderr
    assert "Traceback" in syncd("-vv", "status").stderr


@pytest.mark.parametrize("verbose", ["-v", "-vv"])
def test_an_unexpected_fault_that_quotes_a_server_shows_no_piece_of_a_secret(
    syncd: Invoker, monkeypatch: pytest.MonkeyPatch, verbose: str
) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, ValueError(f"no {SPELLINGS['in tags'](OKTA_TOKEN)} end"))

    said = syncd(verbose, "status", "--json")

    assert "no " in said.document["message"]
    assert leaks(said.stdout + said.stderr, {"it": OKTA_TOKEN}) == []


def test_ctrl_c_is_130_and_a_sentence(syncd: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, KeyboardInterrupt())

    said = syncd("status")

    assert said.exit_code == 130
    assert "stopped before it was done" in said.stderr
    assert "Traceback" not in said.stderr


def test_ctrl_c_that_a_library_turns_into_its_own_error_is_130_too(
    syncd: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(syncd.directory / "config.toml")

    def broken(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("a validator could not be built") from None

    monkeypatch.setattr("syncd.answers.status.status", broken)

    said = syncd("status")

    assert said.exit_code == 130
    assert "fault of syncd" not in said.stderr


def test_ctrl_c_that_is_lost_in_a_callback_comes_again(
    syncd: Invoker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(syncd.directory / "config.toml")

    class Callback:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    went_on = []

    def interrupted(*_: object, **__: object) -> None:
        Callback()
        time.sleep(30)
        went_on.append("and on")

    monkeypatch.setattr("syncd.answers.status.status", interrupted)

    said = syncd("status")

    assert said.exit_code == 130
    assert went_on == []
    assert "Exception ignored" not in said.stderr


def test_ctrl_c_before_anything_is_imported_is_quiet(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from syncd.__main__ import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_error_says_what_happened_and_what_to_do(syncd: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, ConfigurationError("the thing is broken", hint="Mend the thing."))

    said = syncd("status")

    assert said.exit_code == 78
    assert said.stderr.splitlines() == ["error: the thing is broken", "  Mend the thing."]


def test_errors_are_json_lines_with_log_format_json(syncd: Invoker, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(syncd.directory / "config.toml")
    _break_status(monkeypatch, ConfigurationError("the thing is broken", hint="Mend the thing."))

    entry = json.loads(syncd("status", "--log-format", "json").stderr)

    assert entry["level"] == "error"
    assert entry["event"] == "the thing is broken"
    assert entry["hint"] == "Mend the thing."


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.toml")
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "OKTA_API_TOKEN": "x" * 9, "SPLIT_SCIM_TOKEN": "y" * 9}
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "status", "--json", "-c", config],
        env=environment,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert done.returncode == 0
    assert done.stderr == ""


def _shell(directory: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of sh with `syncd` in it, as people redirect it."""
    line = line.replace("syncd", f"{sys.executable} -m syncd", 1)
    return subprocess.run(
        ["sh", "-c", line], cwd=directory, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("syncd status >/dev/full", "No space left on device"),
        ("syncd status --json >/dev/full", "No space left on device"),
        ("syncd status >&-", "it is closed"),
        ("syncd status --help >/dev/full", "No space left on device"),
        ("syncd completion bash >&-", "it is closed"),
        ("syncd simulate split >/dev/full", "No space left on device"),
    ],
)
def test_an_answer_that_cannot_be_written_is_an_error_about_the_output(
    tmp_path: Path, line: str, cause: str
) -> None:
    write_config(tmp_path / "config.toml")

    done = _shell(tmp_path, line)

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"error: the answer cannot be written to stdout: {cause}"
    assert "Traceback" not in done.stderr


def test_a_graver_fault_keeps_its_exit_code_when_the_output_is_lost_too(tmp_path: Path) -> None:
    assert _shell(tmp_path, "syncd status --json >/dev/full").returncode == 78
    assert _shell(tmp_path, "syncd nope --json >/dev/full").returncode == 64


def test_without_stderr_the_exit_code_is_the_same(tmp_path: Path) -> None:
    assert _shell(tmp_path, "syncd status 2>/dev/full").returncode == 78
    assert _shell(tmp_path, "syncd status 2>&- >&- <&-").returncode == 78


@pytest.mark.parametrize("arguments", ["--help", "completion bash", "status --json"])
def test_a_reader_that_has_read_enough_leaves_no_word(tmp_path: Path, arguments: str) -> None:
    write_config(tmp_path / "config.toml")

    done = _shell(tmp_path, f"(syncd {arguments}; echo $? >code) | true")

    assert (tmp_path / "code").read_text().strip() == "0"
    assert done.stderr == ""


# exit codes


@pytest.mark.parametrize(
    ("codes", "winner"),
    [
        ([], 0),
        ([0, 2], 2),
        ([2, 4], 4),
        ([4, 3], 3),
        ([3, 1], 1),
        ([1, 64], 64),
        ([64, 78], 78),
        ([0, 99], 1),
    ],
)
def test_where_several_exit_codes_hold_the_contract_names_the_winner(codes: list[int], winner: int) -> None:
    assert exits.worst(codes) == winner
    assert exits.worst(reversed(codes)) == winner


@pytest.mark.parametrize("document", ["--help", "README.md", "docs/how-it-works.md"])
def test_every_exit_code_is_documented(syncd: Invoker, document: str) -> None:
    place = Path(__file__).parents[2] / document
    text = place.read_text(encoding="utf-8") if place.exists() else syncd(document).stdout

    missing = [code for code in exits.PRECEDENCE if not re.search(rf"(^|[ |]){code} ", text, re.MULTILINE)]

    assert missing == []


def test_globals_start_empty_for_every_invocation() -> None:
    first = Globals()
    first.configs.append(Path("one.toml"))

    assert Globals().configs == []


def test_the_form_of_a_database_url_is_shown_and_not_taken_for_a_secret(
    syncd: Invoker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_DATABASE", "host=db.example user=syncd")
    file = tmp_path / "fleet.toml"
    file.write_text('[fleet]\ndatabase = { env = "FLEET_DATABASE" }\n')

    said = syncd("fleet", "check", "--fleet", str(file))

    assert said.exit_code == 78
    assert "postgresql://<user>:<password>@<host>/<database>" in said.stderr
    assert "redacted" not in said.stderr
