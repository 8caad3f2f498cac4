"""One simulator alone in the foreground: `syncd simulate okta|split`."""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TypeVar

from syncd.files import read_regular
from syncd.simulators.okta import OktaSimulator
from syncd.simulators.split import SplitSimulator
from syncd.simulators.world import OktaWorld, SplitWorld, WorldError, default_split, generate_okta

KINDS = ("okta", "split")
_LARGEST = 1024**3
W = TypeVar("W", OktaWorld, SplitWorld)


def run(simulator: OktaSimulator | SplitSimulator) -> None:
    """Serves until SIGINT or SIGTERM, after printing how to talk to it. Raises OSError if the port is taken."""
    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda _number, _frame: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with simulator:
            sys.stdout.write(describe(simulator))
            sys.stdout.flush()
            stop.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def build(
    kind: str,
    port: int = 0,
    fixture: str | None = None,
    *,
    token: str | None = None,
    users: int = 250,
    groups: int = 12,
    seed: int = 1,
    flavor: str = "split",
) -> OktaSimulator | SplitSimulator:
    """One simulated product, not yet started.

    `kind` is `okta` or `split`; `port` 0 takes a free one; `fixture` is the path of a JSON document
    (docs/simulators.md). Without one, Okta is a generated org of `users` and `groups` from `seed`, and
    Split an organisation of the `flavor` with one administrator and one group. Raises ValueError for an
    unknown kind or a fixture that is none.
    """
    chosen: dict[str, Any] = {} if token is None else {"token": token}
    if kind == "okta":
        okta = _world(OktaWorld, fixture) if fixture else generate_okta(users=users, groups=groups, seed=seed)
        return OktaSimulator(okta, port=port, **chosen)
    if kind == "split":
        split = _world(SplitWorld, fixture) if fixture else default_split(flavor=flavor)
        return SplitSimulator(split, port=port, **chosen)
    raise ValueError(f"unknown simulator {kind!r}: okta or split")


def describe(simulator: OktaSimulator | SplitSimulator) -> str:
    """What a person needs to know to use a running simulator."""
    if isinstance(simulator, OktaSimulator):
        world = simulator.world
        lines = [
            f"Okta simulator: {len(world.users)} users, {len(world.groups)} groups, {len(world.app_users)} assigned",
            f"  org_url  {simulator.url}",
            f"  app_id   {world.app.id}",
            f"  token    {simulator.token}",
        ]
        act = '{"act": "update_profile", "user": "<login or id>", "lastName": "Newname"}'
    else:
        org = simulator.world
        lines = [
            f"Split simulator ({org.flavor}): {len(org.users)} users, {len(org.groups)} groups",
            f"  base_url {simulator.base_url}",
            f"  token    {simulator.token}",
        ]
        if org.flavor == "harness":
            lines.insert(2, f"  also at  {simulator.url}/gateway/ng/api/scim/account/<any>")
        act = '{"act": "set_active", "user": "<userName or id>", "active": false}'
    control = f"{simulator.url}/_control"
    lines += [
        "Change it while it runs (no token needed; all of it in docs/simulators.md):",
        f"  curl {control}/state",
        f"  curl {control}/requests",
        f"  curl -d '{act}' {control}/act",
        f"""  curl -d '{{"action": "status", "status": 503, "count": 2}}' {control}/faults""",
        f"  curl -X DELETE {control}/faults",
        "Stop with Ctrl-C.",
    ]
    return "\n".join(lines) + "\n"


def _world(kind: type[W], path: str) -> W:
    document = _document(path)
    try:
        return kind.from_fixture(document)
    except WorldError as error:
        raise WorldError(f"{path}: {error}") from error


def _document(path: str) -> dict[str, Any]:
    try:
        document = json.loads(read_regular(Path(path), largest=_LARGEST).decode("utf-8"))
    except OSError as error:
        raise WorldError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise WorldError(f"{path} is not UTF-8 text: {error}") from error
    except (ValueError, RecursionError) as error:
        raise WorldError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise WorldError(f"{path} is not a JSON object")
    return document


def main() -> None:
    """`python -m syncd.simulators.server okta|split --port N [--fixture F]`."""
    parser = argparse.ArgumentParser(
        description="Serve a simulated Okta org or Split organisation on loopback."
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fixture")
    parser.add_argument("--token")
    parser.add_argument("--users", type=int, default=250)
    parser.add_argument("--groups", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--flavor", choices=("split", "harness", "scim"), default="split")
    run(build(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
