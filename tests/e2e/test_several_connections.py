"""With several connections an id of a run, and whoever is named, is found in the one that knows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from syncd.cli.app import cli
from tests.e2e.rig import Rig, rig

Two = tuple[Rig, Rig, list[str]]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    """Two synced connections, and the options that name both."""
    with ExitStack() as stack:
        made = []
        for name in ("acme", "beta"):
            folder = tmp_path / name
            folder.mkdir()
            one = stack.enter_context(rig(folder, users=0, groups=0, pushed=[]))
            one.okta.world.add_user(f"ada@{name}.example", "Ada", "Byron", assign=True)
            one.write_config()
            text = one.config.read_text().replace('name = "acme"', f'name = "{name}"')
            one.config.write_text(text)
            one.sync()
            made.append(one)
        yield made[0], made[1], [part for one in made for part in ("-c", str(one.config))]


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


def test_a_run_is_given_back_and_reported_where_it_ran(two: Two) -> None:
    acme, beta, both = two
    beta.okta.world.update_profile("ada@beta.example", lastName="King")
    run_id = beta.sync()["run_id"]

    reported = run("report", "--run", run_id, "--format", "json", *both)
    undone = run("undo", run_id, "--yes", "--json", *both)

    assert json.loads(reported.stdout)["connection"] == "beta"
    assert json.loads(undone.stdout)["connection"] == "beta"
    assert beta.split.world.user("ada@beta.example").attributes["name"]["familyName"] == "Byron"
    unknown = run("undo", "20260101T000000Z-abcdef", "--yes", *both)
    assert unknown.exit_code == 64
    assert "none of these connections knows" in unknown.stderr
    acme.assert_exact()


def test_whoever_is_released_or_untied_is_found_where_they_are(two: Two) -> None:
    _, _, both = two
    released = run("release", "ada@beta.example", "--json", *both)
    untied = run("unlink", "--user", "ada@acme.example", "--json", *both)

    assert json.loads(released.stdout)["connection"] == "beta"
    assert json.loads(untied.stdout)["connection"] == "acme"
    assert run("release", "nobody@example.com", *both).exit_code == 64


def test_whoever_is_explained_is_found_where_they_are(two: Two) -> None:
    _, _, both = two

    told = run("explain", "ada@beta.example", "--json", *both)

    assert told.exit_code == 0
    items = json.loads(told.stdout)["items"]
    assert [item["schema"] for item in items] == ["syncd.error/1", "syncd.explain/1"]
    assert "acme: neither Okta nor the target nor the store knows ada@beta.example" in told.stderr
    nobody = run("explain", "nobody@example.com", "--json", *both)
    assert nobody.exit_code == 64
    assert nobody.stderr.count("error: ") == 2
