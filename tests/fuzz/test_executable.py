"""The executable against servers that are none: documented exit codes, never a traceback, no token in what it says.

`make test` takes a few behaviours, `make chaos` (FUZZ_SECONDS) all that never ends, and answers of dice for so long
(FUZZ_SEED as for the others).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld, default_split
from tests.fuzz.raw_server import ENDLESS, Behaviour, RawServer, bomb, saying
from tests.fuzz.spoiling import spoiled
from tests.fuzz.targets import TARGETS

SECONDS = float(os.environ.get("FUZZ_SECONDS", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "0") or random.SystemRandom().getrandbits(32))
OKTA_TOKEN, SPLIT_TOKEN = "00tOkTaVeRySeCrEt-fuzz-0042", "spl.iT_VeRySeCrEt-fuzz-4711"
DOCUMENTED = {0, 1, 2, 3, 4}
"""Of the exit codes: 64 and 78 would blame the command line or the settings."""
IN_ALL = 170.0
"""Seconds: five tries of a second, and the waits between them, for each of a few requests."""
BEHAVIOURS: dict[str, Behaviour] = {
    **ENDLESS,
    "half a head": saying(b"HTTP/1.1 200 OK\r\nContent-Type: appl"),
    "half a body": saying(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"id":"00u1"'),
    "no answer": saying(b""),
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a bomb": lambda connection: connection.sendall(bomb(2)),  # a second of work for whoever asks
    "a redirect to nowhere": saying(b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"),
    "brackets": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000),
}
FEW = (("trailers", "split"), ("a redirect to nowhere", "okta"))
ALL = tuple((what, side) for what in BEHAVIOURS for side in ("okta", "split"))


def _settings(folder: Path, okta: str, split: str) -> Path:
    file = folder / "fuzz.toml"
    file.write_text(f"""
[okta]
org_url = "{okta}"
app_id = "0oa00000000000000001"
token = {{ env = "FUZZ_OKTA" }}
timeout = "1s"
[split]
base_url = "{split}"
token = {{ env = "FUZZ_SPLIT" }}
timeout = "1s"
""")
    return file


def _run(settings: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-m", "syncd", *command, "-c", str(settings)],
        env={**os.environ, "FUZZ_OKTA": OKTA_TOKEN, "FUZZ_SPLIT": SPLIT_TOKEN, "PYTHONWARNINGS": "ignore"},
        cwd=settings.parent,
        capture_output=True,
        text=True,
        timeout=IN_ALL,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode in DOCUMENTED, said
    assert "Traceback" not in said
    assert "unexpected" not in said
    assert OKTA_TOKEN not in said
    assert SPLIT_TOKEN not in said


def _against(behave: Behaviour, side: str, folder: Path) -> None:
    """`side` is the one that is no server; the other one is well."""
    world = OktaWorld(app_id="0oa00000000000000001")
    world.add_user("ada@example.com", "A", "Da", assign=True)
    with (
        RawServer(behave) as raw,
        OktaSimulator(world, token=OKTA_TOKEN) as okta,
        SplitSimulator(default_split(), token=SPLIT_TOKEN) as split,
    ):
        if side == "okta":
            _run(_settings(folder, raw.url, split.base_url), "sync", "--dry-run")
        else:
            _run(_settings(folder, okta.url, f"{raw.url}/scim/v2"), "sync", "--dry-run", "--json")


@pytest.mark.timeout(IN_ALL + 30)
@pytest.mark.parametrize(("what", "side"), ALL if SECONDS >= 10 else FEW)
def test_no_server_brings_the_executable_down(what: str, side: str, tmp_path: Path) -> None:
    _against(BEHAVIOURS[what], side, tmp_path)


@pytest.mark.timeout(IN_ALL + 30 + 2 * SECONDS)
@pytest.mark.parametrize("side", ["okta", "split"])
def test_nor_do_answers_of_dice(side: str, tmp_path: Path) -> None:
    sys.stderr.write(f"\nthe executable against {side}: FUZZ_SEED={SEED}\n")
    dice = random.Random(f"{SEED} {side}")  # noqa: S311  (dice)
    ends = time.monotonic() + SECONDS
    while True:
        answer = spoiled(TARGETS[f"{'okta' if side == 'okta' else 'scim'}-wire"], dice)
        if b" 429" in answer.partition(b"\r\n")[0]:
            continue  # waited for, five minutes for each request
        (tmp_path / "answer").write_bytes(answer)
        _against(saying(answer), side, tmp_path)
        if time.monotonic() > ends:
            return
