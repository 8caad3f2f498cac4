"""`python -m tests.fuzz TARGET…`: each target in a process of its own, because its bounds are the process's."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from tests.fuzz.engine import Finding, attempt, fuzz
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="+", choices=sorted(TARGETS), metavar="TARGET", help=", ".join(TARGETS)
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "syncd-fuzz")
    parser.add_argument("--replay", type=Path, help="try the input in this file once")
    said = parser.parse_args()
    warnings.simplefilter("error")
    seed = secrets.randbits(32) if said.seed is None else said.seed
    said.findings.mkdir(parents=True, exist_ok=True)
    codes = []
    for name in said.targets:
        if said.replay is not None:
            codes.append(_replay(TARGETS[name], said.replay))
        else:
            codes.append(_apart(TARGETS[name], said.seconds, seed, said.findings))
    return max(codes)


def _replay(target: Target, file: Path) -> int:
    finding = attempt(target, target.open(), file.read_bytes())
    _say(finding.text if finding else "nothing but what is documented")
    return int(finding is not None)


def _apart(target: Target, seconds: float, seed: int, findings: Path) -> int:
    """In a child: nothing has been started yet that a fork would lose. The input under way is kept until it is over."""
    current = findings / f"{target.name}-{os.getpid()}-current"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _fuzz(target, seconds, seed, findings, current)
        except BaseException:  # noqa: BLE001  (the end of this process)
            _say(traceback.format_exc())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        _say(
            f"{target.name}: ended with {code}; replay: python -m tests.fuzz {target.name} --replay {current}"
        )
        return 1
    current.unlink(missing_ok=True)
    return code


def _fuzz(target: Target, seconds: float, seed: int, findings: Path, current: Path) -> int:
    _say(f"{target.name}: seed {seed}")
    tried = fuzz(target, seconds=seconds, seed=seed, note=current.write_bytes)
    _say(f"{target.name}: {tried.examples:,} inputs")
    if tried.finding is None:
        return 0
    _tell(target.name, tried.finding, findings)
    return 1


def _tell(name: str, finding: Finding, folder: Path) -> None:
    file = folder / f"{name}-{finding.file_name}"
    file.write_bytes(finding.data)
    _say(
        f"{finding.text}\n{finding.kind}\n{finding.data[:300]!r}\nreplay: python -m tests.fuzz {name} --replay {file}"
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
