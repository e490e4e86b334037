"""The files in `deploy/` and the Dockerfile, as far as they can be checked without Docker and Kubernetes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from graph.settings import PREFIX, SECRETS, Settings, variable
from tests.support.paths import ROOT
from tests.support.secured import ROLES
from tests.support.server_process import ServerProcess, clean_environment, served, until, watched

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
VERSIONS = ("1.29", "1.33", "1.37")
NAMES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {variable(name) for name in SECRETS}
STATE = "query($id: ID!) { session(sessionId: $id) { messages(first: 1) { edges { node { enrichment { state } } } } } }"
ADD = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { session { messageCount } } }"


def manifests() -> list[dict[str, Any]]:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    return [
        manifest
        for name in kustomization["resources"]
        for manifest in yaml.safe_load_all((KUBERNETES / name).read_text())
    ]


def deployments() -> list[dict[str, Any]]:
    return [manifest for manifest in manifests() if manifest["kind"] == "Deployment"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifests_keep_to_the_schemas_of_kubernetes(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_a_misspelled_field() -> None:
    deployment = deployments()[0]
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_each_file_is_a_resource_of_the_kustomization() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in KUBERNETES.iterdir()}
    assert {manifest["kind"] for manifest in manifests()} == {
        "Namespace",
        "ServiceAccount",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
    }


@pytest.mark.parametrize("deployment", deployments(), ids=lambda deployment: str(deployment["metadata"]["name"]))
def test_pods_have_few_rights_and_bounded_memory(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]


def test_selectors_name_the_pods_and_ports_that_exist() -> None:
    pods = [deployment["spec"]["template"] for deployment in deployments()]
    for manifest in manifests():
        selector = manifest.get("spec", {}).get("selector")
        if selector is not None:
            wanted = selector.get("matchLabels", selector)
            (pod,) = (pod for pod in pods if wanted.items() <= pod["metadata"]["labels"].items())
            if manifest["kind"] == "Service":
                ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
                assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= ports


def test_probes_ask_what_the_processes_answer() -> None:
    api, worker = (deployment["spec"]["template"]["spec"]["containers"][0] for deployment in deployments())
    assert api["livenessProbe"]["httpGet"]["path"] == "/health"
    assert api["readinessProbe"]["httpGet"]["path"] == api["startupProbe"]["httpGet"]["path"] == "/ready"
    assert worker["livenessProbe"]["httpGet"]["path"] == "/metrics"
    (metrics,) = worker["env"]
    assert metrics["value"].endswith(f":{worker['ports'][0]['containerPort']}")


def test_the_settings_of_all_files_exist() -> None:
    for path in [ROOT / "Dockerfile", ROOT / "docker-compose.yml", *DEPLOY.rglob("*.*")]:
        found = set(re.findall(rf"{PREFIX}[A-Z_]+", path.read_text(encoding="utf-8")))
        assert found <= NAMES, path


def test_the_secret_has_the_path_that_the_settings_name() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    (generated,) = kustomization["configMapGenerator"]
    settings = dict(literal.split("=", 1) for literal in generated["literals"])
    for deployment in deployments():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"configMapRef": {"name": generated["name"]}}]
        (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == "secrets")
        assert settings[variable("mongodb_uri")] == f"{mount['mountPath']}/mongodb-uri"


def test_the_image_is_built_in_stages_and_runs_without_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM (\S+?)(?: AS (\w+))?$", dockerfile, re.MULTILINE)
    assert [name for _, name in stages] == ["wheel", "packages", ""]
    assert stages[0][0].startswith("node:")
    last = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "/ready" in last.partition("HEALTHCHECK")[2]
    assert "-c /wheels/constraints.txt" in dockerfile
    assert "npm" not in last


def test_the_secrets_of_compose_are_made_for_their_readers_alone(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "compose" / "make-secrets"
    script.parent.mkdir(parents=True)
    shutil.copy(DEPLOY / "compose" / "make-secrets", script)
    subprocess.run([script], check=True)
    secrets = tmp_path / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert {path.name for path in secrets.iterdir()} == set(compose["secrets"])
    key = (secrets / "mongodb-keyfile").read_text()
    assert re.fullmatch(r"[A-Za-z0-9+/=\n]+", key)
    assert 6 <= len("".join(key.split())) <= 1_024  # as MongoDB demands of a key file
    password = (secrets / "mongodb-password").read_text()
    assert re.fullmatch("[0-9a-f]{48}", password)
    assert f"//recallql:{password}@mongodb:27017/" in (secrets / "mongodb-uri").read_text()
    again = subprocess.run([script], check=False, capture_output=True, text=True)
    assert (again.returncode, "secrets/ exists" in again.stderr) == (1, True)
    assert (secrets / "mongodb-password").read_text() == password


def test_a_server_that_ends_is_found_not_ready_before_it_is_killed() -> None:
    (pod,) = (one["spec"]["template"]["spec"] for one in deployments() if one["metadata"]["name"] == "recallql-api")
    (api,) = pod["containers"]
    probe = api["readinessProbe"]
    drain = next(int(one["value"]) for one in api["env"] if one["name"] == f"{PREFIX}DRAIN")
    assert drain > probe["periodSeconds"] * probe["failureThreshold"]
    assert pod["terminationGracePeriodSeconds"] >= drain + 15  # of docs/operating.md


def test_the_user_of_compose_has_the_least_rights() -> None:
    script = (DEPLOY / "compose" / "create-user.js").read_text()
    (roles,) = re.findall(r"roles: (\[.*\])", script)
    assert yaml.safe_load(roles) == ROLES


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_the_units_of_systemd_are_valid_and_hardened(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = unit.read_text()
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    copy = tmp_path / unit.name
    copy.write_text(text.replace(shlex.split(command)[0], sys.executable))  # which must exist
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", copy], capture_output=True, check=False
    )
    assert rated.returncode == 0, rated.stdout


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_the_commands_of_the_units_exist(unit: Path) -> None:
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", unit.read_text(), re.MULTILINE)
    name, *flags = shlex.split(command)
    shown = subprocess.run([sys.executable, "-m", "graph", name, "--help"], capture_output=True, text=True, check=True)
    assert all(flag in shown.stdout for flag in flags)


@pytest.mark.slow
def test_a_worker_works_on_where_its_standard_input_is_closed(mongodb_uri: str, tmp_path: Path) -> None:
    """systemd gives a service /dev/null."""
    uri = tmp_path / "uri"
    uri.write_text(f"{mongodb_uri}\n")
    environment = {variable("mongodb_uri"): str(uri), f"{PREFIX}DATABASE": f"worker_{tmp_path.name}"[:38]}
    with served(tmp_path / "data", "--enrichment-processes", "0", **environment) as server:
        worker = subprocess.Popen(
            [sys.executable, "-m", "graph", "worker", "--quiet"],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**clean_environment(), **watched(tmp_path / "held"), **environment},
            cwd=tmp_path,
        )
        try:
            for session_id in ("first", "second"):
                messages = [{"role": "user", "content": "Ada Lovelace lived in London."}]
                server.graphql(ADD, input={"sessionId": session_id, "messages": messages})
                until(lambda session_id=session_id: _state(server, session_id) == "DONE")
                assert worker.poll() is None
        finally:
            worker.terminate()
            _, said = worker.communicate(timeout=30)
        assert worker.returncode == 0, said


def _state(server: ServerProcess, session_id: str) -> str:
    found = server.graphql(STATE, id=session_id)["session"]["messages"]["edges"][0]["node"]["enrichment"]["state"]
    return str(found)
