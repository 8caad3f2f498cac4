"""Every target of the table, by group, each in a process of its own: for half a second, in `make chaos` for a minute.

FUZZ_SECONDS is the time for each, FUZZ_SEED where the dice begin (0 in `make test`, drawn and printed in `make chaos`).
What was found lies in FUZZ_FINDINGS, or in syncd-fuzz below the directory for temporary files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncd.simulators.filters import FilterError
from tests.fuzz.classics import classics
from tests.fuzz.engine import attempt, fuzz
from tests.fuzz.target import Target
from tests.fuzz.targets import GROUPS, TARGETS

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0.5"))
SEED = os.environ.get("FUZZ_SEED", "0")
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300 + 30 * SECONDS)
@pytest.mark.parametrize("group", GROUPS)
def test_nothing_but_documented_errors_comes_of_foreign_bytes(group: str) -> None:
    names = [target.name for target in GROUPS[group]]
    given = ["--seconds", str(SECONDS)]
    if SEED:
        given += ["--seed", SEED]
    if folder := os.environ.get("FUZZ_FINDINGS"):
        given += ["--findings", folder]

    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *names, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    sys.stderr.write(f"\n{done.stdout}")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def _greedy(data: bytes) -> None:
    if b"slow" in data:
        while True:
            pass
    if b"large" in data:
        [bytearray(2**28) for _ in range(100)]
    if b"\xff" in data:
        raise KeyError(data)
    if b"filter" in data:
        raise FilterError


GREEDY = Target("greedy", lambda: _greedy, (FilterError,), (b"filter",))


def test_what_is_documented_is_no_finding() -> None:
    assert attempt(GREEDY, _greedy, b"filter") is None
    assert attempt(GREEDY, _greedy, b"") is None


@pytest.mark.parametrize(
    ("data", "kind"), [(b"slow", "TooSlow"), (b"large", "TooMuchMemory"), (b"\xff", "KeyError")]
)
def test_what_takes_too_much_or_is_not_documented_is_one(
    data: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.bounds.CPU_SECONDS", 0.2)

    finding = attempt(GREEDY, _greedy, data)

    assert finding is not None
    assert finding.kind.startswith(kind)


def test_a_finding_is_made_as_small_as_it_can_be_and_the_seed_repeats_it() -> None:
    runs = [fuzz(GREEDY, seconds=5, seed=seed, note=lambda _: None) for seed in (1, 1)]

    assert [run.finding and run.finding.data for run in runs] == [b"\xff", b"\xff"]
    assert runs[0].examples == runs[1].examples


def test_everything_is_tried_with_what_everybody_knows() -> None:
    known = set(classics(TARGETS["okta-app-users"], large=False))

    assert {b"", b"[" * 100_000, *TARGETS["okta-app-users"].seeds} <= known
