"""The software bill of materials, CycloneDX 1.5 as JSON: `python -m distribution.sbom FILE [FILE]`.

What syncd runs with on this platform, in the versions of constraints.txt, each with the hashes that it may have and
what of the others it needs; in the second file a worker of a fleet, by constraints-fleet.txt. Two runs over one commit
write the same bytes.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from syncd import __version__

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_BUILDS = frozenset({"setuptools"})
"""What only builds it."""


_FLEET = {"syncd": "fleet", "psycopg": "binary"}
"""Extras by who has them."""


def document(*, fleet: bool = False) -> dict[str, Any]:
    """The whole of it; `fleet`: of a worker."""
    extras = _FLEET if fleet else {}
    pins = dict(_pins(ROOT / ("constraints-fleet.txt" if fleet else "constraints.txt")))
    components = [_component(name, version, hashes) for name, (version, hashes) in sorted(pins.items())]
    needs = {name: sorted(_needed(name, pins, extras.get(name, ""))) for name in ["syncd", *pins]}
    references = {"syncd": f"pkg:pypi/syncd@{__version__}"} | {
        name: _purl(name, version) for name, (version, _) in pins.items()
    }
    made: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": references["syncd"],
                "name": "syncd",
                "version": __version__,
                "purl": references["syncd"],
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[each] for each in found]}
            for name, found in sorted(needs.items())
        ],
    }
    made["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(made, sort_keys=True))}"
    return made


def _pins(file: Path) -> Iterator[tuple[str, tuple[str, Sequence[str]]]]:
    """Name, version and hashes of each that is for this platform and runs with syncd."""
    text = file.read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        found = _PIN.match(block.partition("\n")[0])
        if found is None or canonicalize_name(found[1]) in _BUILDS:
            continue
        if found[3] is None or Marker(found[3]).evaluate():
            yield canonicalize_name(found[1]), (found[2], sorted(_HASH.findall(block)))


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _component(name: str, version: str, hashes: Sequence[str]) -> Mapping[str, Any]:
    """With the hash of each file that the version may come as, which CycloneDX has a place for in references."""
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(name, version),
        "name": name,
        "version": version,
        "purl": _purl(name, version),
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://packaging.python.org/project/{name}",
                "hashes": [{"alg": "SHA-256", "content": digest} for digest in hashes],
            }
        ],
    }
    if licence := _licence(name):
        made["licenses"] = [licence]
    return made


def _licence(name: str) -> Mapping[str, Any] | None:
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return None
    if "License-Expression" in said:
        return {"expression": said["License-Expression"]}
    classifiers = [each for each in said.get_all("Classifier") or () if each.startswith("License :: ")]
    text = classifiers[0].rpartition(" :: ")[2] if classifiers else _licence_text(said)
    return {"license": {"name": text.partition("\n")[0][:100]}} if text else None


def _licence_text(said: metadata.PackageMetadata) -> str:
    return said["License"].strip() if "License" in said else ""


def _needed(name: str, pins: Mapping[str, Any], extra: str) -> set[str]:
    try:
        requires = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return set()
    found: set[str] = set()
    for text in requires:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            found.add(canonicalize_name(requirement.name))
    return found & set(pins)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m distribution.sbom FILE [FILE]\n")
        return 64
    for file, fleet in zip(arguments, (False, True), strict=False):
        text = json.dumps(document(fleet=fleet), indent=2, sort_keys=True)
        Path(file).write_text(f"{text}\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
