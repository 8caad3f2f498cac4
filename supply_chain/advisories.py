"""Asks pip-audit for the known vulnerabilities of every pinned version, and believes no silence.

pip-audit ends with 0 and "No known vulnerabilities found" also where its service knew none of the packages, as
behind a proxy for packages alone. So a service is first asked for a release that has published advisories; one that
knows of none is not believed, and every pin must have been looked up. Exit codes: 0 all looked up, none has an
advisory; 1 some have; 69 (EX_UNAVAILABLE) not checked, or not all.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PINS = Path(__file__).parents[1] / "constraints-dev.txt"  # all of constraints.txt is in it
SERVICES = ("pypi", "osv")
PATIENCE_SECONDS = 600
OK, VULNERABLE, NOT_CHECKED = 0, 1, 69


@dataclass(frozen=True, order=True)
class Release:
    """One version of one package, by its normalized name."""

    name: str
    version: str


WITH_ADVISORIES = Release("flask", "0.12.2")  # CVE-2018-1000656, published by both services in 2018


@dataclass(frozen=True, order=True)
class Advisory:
    """A published vulnerability of a release, and the versions without it."""

    release: Release
    id: str
    fixed_in: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What a service looked up, and the advisories it has for that."""

    looked_up: frozenset[Release]
    advisories: tuple[Advisory, ...]


@dataclass(frozen=True)
class Silence:
    """Why a service told nothing that counts."""

    reason: str


def pinned(text: str) -> tuple[Release, ...]:
    """Every release of a file of pins, for whichever platform it is."""
    return tuple(Release(*each) for each in re.findall(r"(?m)^([a-z0-9.-]+)==([^\s;\\]+)", text))


def read(document: str) -> Answer | None:
    """pip-audit's JSON; None if this is no such document."""
    try:
        found = json.loads(document)["dependencies"]
        judged = {
            Release(each["name"], each["version"]): each["vulns"]
            for each in found
            if "skip_reason" not in each
        }
        advisories = (
            Advisory(release, vuln["id"], tuple(vuln["fix_versions"]))
            for release, vulns in judged.items()
            for vuln in vulns
        )
        return Answer(frozenset(judged), tuple(sorted(advisories)))
    except (ValueError, KeyError, TypeError):
        return None


def ask(releases: Iterable[Release], service: str, osv_url: str | None) -> Answer | Silence:
    """One run of pip-audit over exactly these releases; nothing is resolved or installed."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as wanted:
        wanted.writelines(f"{each.name}=={each.version}\n" for each in releases)
        wanted.flush()
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--disable-pip",
            "--no-deps",
            "--requirement",
            wanted.name,
        ]
        command += ["--format=json", "--progress-spinner=off", f"--vulnerability-service={service}"]
        command += [f"--osv-url={osv_url}"] if osv_url else []
        try:
            ended = subprocess.run(  # noqa: S603 - our own interpreter, our own words
                command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            return Silence(f"no end within {PATIENCE_SECONDS} seconds")
    last = (ended.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return read(ended.stdout) or Silence(f"pip-audit ended with {ended.returncode}: {last[:300]}")


def answered(releases: Sequence[Release], service: str, osv_url: str | None) -> Answer | Silence:
    """A service's answer, if it is one that knows advisories at all."""
    control = ask([WITH_ADVISORIES], service, osv_url)
    if isinstance(control, Silence):
        return control
    if not control.advisories:
        known = (
            "knows no advisory of"
            if WITH_ADVISORIES in control.looked_up
            else "could not look up any advisory of"
        )
        return Silence(
            f"it {known} {WITH_ADVISORIES.name} {WITH_ADVISORIES.version}, which has a published one"
        )
    return ask(releases, service, osv_url)


def told(answer: Answer, releases: Sequence[Release]) -> tuple[int, list[str]]:
    """The exit code and the lines for one answer."""
    lines = [
        f"{each.release.name} {each.release.version}: {each.id}, "
        + (f"fixed in {', '.join(each.fixed_in)}" if each.fixed_in else "no fixed version yet")
        for each in answer.advisories
    ]
    missing = sorted(set(releases) - answer.looked_up)
    if missing:
        lines.append(f"NOT CHECKED: {', '.join(f'{each.name} {each.version}' for each in missing)}")
    if answer.advisories:
        return VULNERABLE, [*lines, "Move them: make constraints UPGRADE='NAME ...', then make test."]
    if missing or not releases:
        return NOT_CHECKED, [*lines, f"{len(missing)} of {len(releases)} pinned versions were not looked up."]
    return OK, [f"{len(releases)} pinned versions looked up, no known vulnerability."]


def judged(
    releases: Sequence[Release], services: Sequence[str], osv_url: str | None
) -> tuple[int, list[str]]:
    """The exit code and the lines of the first service that is believed; of none, why."""
    silences: list[str] = []
    for service in services:
        answer = answered(releases, service, osv_url)
        if isinstance(answer, Answer):
            code, lines = told(answer, releases)
            return code, [f"{service}:", *lines]
        silences.append(f"{service}: {answer.reason}")
    return NOT_CHECKED, [
        "NOT CHECKED: no service that publishes advisories could be asked; nothing is known of any pinned version.",
        *silences,
        "Run it where one can be reached, or name an OSV server of your own: make audit-deps OSV=URL",
    ]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make audit-deps", description=__doc__)
    parser.add_argument("--osv-url", help="ask this OSV server, and no other: an organisation's own mirror")
    parser.add_argument(
        "--pins", type=Path, default=PINS, help="the file of pins, as `make constraints` writes it"
    )
    options = parser.parse_args(words)
    releases = pinned(options.pins.read_text(encoding="utf-8"))
    code, lines = judged(releases, ("osv",) if options.osv_url else SERVICES, options.osv_url)
    (sys.stdout if code == OK else sys.stderr).write("\n  ".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
