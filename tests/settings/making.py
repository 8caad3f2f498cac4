"""Settings texts for the tests, and the shortest ways to judge them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from syncd.settings import ConnectionSettings, Problem, load, parse

OKTA = """\
[okta]
org_url = "https://example.okta.com"
app_id = "0oa1"
token = { env = "OKTA" }
"""
SPLIT = """\
[split]
base_url = "https://split.example/scim/v2"
token = { env = "SPLIT" }
"""
MINIMAL = OKTA + SPLIT


def settings(text: str = MINIMAL, environ: Mapping[str, str] | None = None) -> ConnectionSettings:
    return parse(text, file=Path("/etc/syncd/prod.toml"), environ=environ or {})


def problems(text: str, directory: Path) -> tuple[Problem, ...]:
    """What load says about the text, written as `prod.toml` in the directory."""
    file = directory / "prod.toml"
    file.write_text(text, encoding="utf-8")
    loaded = load([file], environ={})
    assert bool(loaded.problems) != bool(loaded.connections)
    return loaded.problems


def sentences(text: str, directory: Path) -> list[str]:
    """The same as texts that start with the bare file name."""
    return [str(problem).removeprefix(f"{directory}/") for problem in problems(text, directory)]


def changed(old: str, new: str, text: str = MINIMAL) -> str:
    assert text.count(old) == 1, f"{old!r} stands in the text {text.count(old)} times"
    return text.replace(old, new)
