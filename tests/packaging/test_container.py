"""The image, the Compose file and the Kubernetes example: as far as they can be judged without starting them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from syncd import __version__
from syncd.settings import parse
from syncd.settings.fleet import FleetTable
from syncd.settings.fleet_hooks import FleetHooks
from syncd.settings.values import Origin
from tests.packaging.declared import ROOT

HERE = ROOT / "distribution" / "container"
USER = "10001"


def instructions() -> list[tuple[str, str]]:
    text = (HERE / "Containerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [
        (line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line and not line.startswith("#")
    ]


def last_stage() -> list[tuple[str, str]]:
    made = instructions()
    return made[max(at for at, (word, _) in enumerate(made) if word == "FROM") :]


def said(word: str) -> list[str]:
    return [rest for each, rest in last_stage() if each == word]


def documents() -> dict[str, dict[str, Any]]:
    every = yaml.safe_load_all((HERE / "kubernetes.yaml").read_text(encoding="utf-8"))
    return {each["kind"]: each for each in every}


COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))["services"][
    "syncd"
]
KUBERNETES = documents()
POD = KUBERNETES["StatefulSet"]["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def test_every_word_of_the_containerfile_is_one() -> None:
    first = ("FROM", "ARG", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE")
    known = (*first, "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD")
    assert sorted({word for word, _ in instructions()} - set(known)) == []


def test_the_image_runs_as_one_fixed_user_who_is_not_root() -> None:
    assert said("USER") == [f"{USER}:{USER}"]
    after = [word for word, _ in last_stage()]
    assert "RUN" not in after[after.index("USER") :]


def test_the_image_has_the_pinned_versions_by_their_hashes_and_no_tools_of_development() -> None:
    installing = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert "--require-hashes" in installing[0]
    assert [rest for word, rest in instructions() if word == "ARG"] == ["CONSTRAINTS=constraints.txt"]
    assert '-r "$CONSTRAINTS"' in installing[0]
    assert "--no-index" in installing[1]
    assert not any("constraints-dev" in rest for rest in installing)


def test_what_the_image_copies_is_not_left_out_of_its_context() -> None:
    kept = [line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    assert {"syncd", "docs/schema", "pyproject.toml", "README.md", "LICENSE"} <= set(kept)
    assert {"constraints.txt", "constraints-fleet.txt"} <= set(kept)
    assert (ROOT / ".dockerignore").resolve() == ROOT / ".containerignore"


def test_the_health_check_is_python_that_asks_the_default_port() -> None:
    [check] = said("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    compile(command[-1], "healthcheck", "exec")
    assert "9464" in command[-1]
    assert "/healthz" in command[-1]


def test_it_begins_with_the_daemon_and_stops_by_a_signal_that_it_hears() -> None:
    assert json.loads(said("ENTRYPOINT")[0]) == ["/opt/syncd/bin/syncd"]
    assert json.loads(said("CMD")[0])[0] == "run"
    assert said("STOPSIGNAL") == ["SIGTERM"]
    environment = dict(each.split("=", 1) for each in shlex.split(said("ENV")[0]))
    assert environment["STATE_DIRECTORY"] == "/var/lib/syncd"


def test_the_compose_file_is_one_by_its_specification() -> None:
    PyCompose.from_yaml((HERE / "compose.yaml").read_text(encoding="utf-8")).validate()


@pytest.mark.parametrize(
    ("ours", "theirs"), [("read_only:", "read_onl:"), ("- split-token\n", "- other\n"), ("12s", "twelve")]
)
def test_a_slip_in_the_compose_file_is_noticed(ours: str, theirs: str) -> None:
    text = (HERE / "compose.yaml").read_text(encoding="utf-8")
    assert ours in text
    with pytest.raises(ValueError, match="syncd"):
        PyCompose.from_yaml(text.replace(ours, theirs)).validate()


def test_compose_gives_it_a_read_only_root_no_rights_and_secrets_as_files() -> None:
    assert COMPOSE["read_only"] is True
    assert COMPOSE["user"] == f"{USER}:{USER}"
    assert COMPOSE["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in COMPOSE["security_opt"]
    assert COMPOSE["secrets"] == ["okta-token", "split-token"]
    assert "environment" not in COMPOSE
    assert (
        HERE / COMPOSE["build"]["context"] / COMPOSE["build"]["dockerfile"]
    ).resolve() == HERE / "Containerfile"
    assert int(COMPOSE["stop_grace_period"].removesuffix("s")) > 10


def by_the_schemas_of_kubernetes(file: Path) -> subprocess.CompletedProcess[str]:
    """Strictly: a key that the schema does not know is an error."""
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_document_is_one_by_the_schemas_that_kubernetes_publishes() -> None:
    done = by_the_schemas_of_kubernetes(HERE / "kubernetes.yaml")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count(" passed for resource ") == len(KUBERNETES), said


@pytest.mark.parametrize(
    ("ours", "theirs"), [("podSelector:", "podSelectr:"), ("replicas: 1", "replicas: one")]
)
def test_a_slip_in_the_example_is_noticed(tmp_path: Path, ours: str, theirs: str) -> None:
    text = (HERE / "kubernetes.yaml").read_text(encoding="utf-8")
    assert ours in text
    (tmp_path / "slip.yaml").write_text(text.replace(ours, theirs), encoding="utf-8")
    assert by_the_schemas_of_kubernetes(tmp_path / "slip.yaml").returncode == 1


def test_kubernetes_runs_one_replica_with_a_volume_that_one_pod_alone_may_have() -> None:
    spec = KUBERNETES["StatefulSet"]["spec"]
    [claim] = spec["volumeClaimTemplates"]
    assert spec["replicas"] == 1
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert POD["terminationGracePeriodSeconds"] > 10


def test_kubernetes_gives_it_no_rights() -> None:
    pod, own = POD["securityContext"], CONTAINER["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["seccompProfile"]["type"]) == (
        True,
        int(USER),
        "RuntimeDefault",
    )
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_kubernetes_mounts_secrets_as_files_of_their_owner() -> None:
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    assert volumes["tokens"]["secret"]["defaultMode"] == 0o400
    assert "env" not in CONTAINER
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {*volumes, "data"}


def test_kubernetes_asks_what_syncd_answers() -> None:
    probes = {
        name: CONTAINER[name]["httpGet"]["path"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert CONTAINER["ports"][0]["containerPort"] == 9464


def test_kubernetes_lets_nobody_in_but_who_scrapes() -> None:
    policy = KUBERNETES["NetworkPolicy"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert [rule["from"] for rule in policy["ingress"]] != []
    assert policy["podSelector"]["matchLabels"] == {"app": "syncd"}


def test_the_settings_in_the_example_are_settings(tmp_path: Path) -> None:
    [(name, text)] = KUBERNETES["ConfigMap"]["data"].items()
    made = parse(text, file=tmp_path / name, environ={})
    mounts = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert str(made.state_dir.parent) in mounts
    assert {str(ref.named.parent) for _, ref in made.secrets() if ref.named} <= mounts
    assert made.server.address == ("0.0.0.0", 9464)  # noqa: S104  (what the example says)


@pytest.mark.parametrize("image", [CONTAINER["image"]])
def test_the_example_names_this_version(image: str) -> None:
    assert image.endswith(f":{__version__}")


def test_the_workers_of_a_fleet_are_several_and_have_no_volume_and_no_rights() -> None:
    done = by_the_schemas_of_kubernetes(HERE / "kubernetes-fleet.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    every = yaml.safe_load_all((HERE / "kubernetes-fleet.yaml").read_text(encoding="utf-8"))
    found = {each["kind"]: each for each in every}
    spec = found["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    own = pod["containers"][0]
    assert spec["replicas"] == 3
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert own["args"][0] == "worker"
    assert own["securityContext"] == CONTAINER["securityContext"]
    assert pod["securityContext"] == POD["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] > 10
    assert not [each for each in pod["volumes"] if "persistentVolumeClaim" in each]
    text = found["ConfigMap"]["data"]["fleet.toml"]
    assert set(tomllib.loads(text)["fleet"]) <= set(FleetTable.model_fields)


def test_event_hooks_reach_every_worker_and_only_from_what_ends_tls() -> None:
    file = HERE / "kubernetes-fleet-hooks.yaml"
    done = by_the_schemas_of_kubernetes(file)
    assert done.returncode == 0, done.stdout + done.stderr
    said = file.read_text(encoding="utf-8")
    found = {each["kind"]: each["spec"] for each in yaml.safe_load_all(said)}
    workers = {"app": "syncd-worker"}
    assert found["Service"]["selector"] == workers
    assert found["NetworkPolicy"]["podSelector"]["matchLabels"] == workers
    [rule] = found["NetworkPolicy"]["ingress"]
    assert rule["from"] != []
    head = said.partition("apiVersion")[0]
    table = tomllib.loads("\n".join(line[6:] for line in head.splitlines() if line.startswith("#     ")))
    made = FleetHooks.model_validate(table["hooks"], context=Origin(file, {}))
    assert made.address is not None
    ports = {made.address[1], found["Service"]["ports"][0]["targetPort"], rule["ports"][0]["port"]}
    assert ports == {9465}
    [(_, ref)] = made.secrets()
    assert str(Path(ref.place).parent) == "/run/secrets/syncd"
