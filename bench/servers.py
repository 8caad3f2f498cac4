"""Starts the two servers as processes of their own and measurements as children; ends what it started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.org import Size


@contextmanager
def _server(module: str, *arguments: object) -> Iterator[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def okta(size: Size, *, compressed: bool = False) -> Iterator[str]:
    with _server("bench.okta_server", size.users, size.groups, size.members, int(compressed)) as origin:
        yield origin


@contextmanager
def scim(latency: float = 0.0) -> Iterator[str]:
    with _server("bench.scim_server", latency) as origin:
        yield origin


def measured(name: str, **spec: object) -> dict[str, Any]:
    """Runs one measurement of `bench.child`. Raises CalledProcessError."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.child", name, json.dumps(spec)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found
