"""docker-compose.yml, as far as it can be checked without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from graph.settings import PREFIX, SECRETS, Settings, variable
from tests.support.paths import ROOT

FILE = ROOT / "docker-compose.yml"


@pytest.fixture
def services() -> dict[str, Any]:
    compose = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found: dict[str, Any] = compose["services"]
    return found


def test_the_database_has_no_open_port_and_initiates_itself(services: dict[str, Any]) -> None:
    mongodb = services["mongodb"]
    assert mongodb["image"] == "mongo:8"
    assert "ports" not in mongodb
    command = mongodb["command"][-1].split()
    check = mongodb["healthcheck"]["test"][-1]
    assert "rs.initiate" in check
    assert "isWritablePrimary" in check
    assert f'_id: "{command[command.index("--replSet") + 1]}"' in check
    assert command[command.index("--keyFile") + 1] in command[: command.index("&&")]  # which demands authentication
    assert mongodb["environment"]["MONGO_INITDB_ROOT_PASSWORD_FILE"] == "/run/secrets/mongodb-root-password"


def test_nothing_runs_as_root(services: dict[str, Any]) -> None:
    for service in services.values():
        assert str(service["user"]).split(":")[0] not in ("root", "0")


def test_api_and_one_worker_wait_for_the_database(services: dict[str, Any]) -> None:
    assert set(services) == {"api", "worker", "mongodb"}
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {"mongodb": {"condition": "service_healthy"}}
        assert services[name]["image"] == "recallql"


def test_the_settings_that_it_gives_exist(services: dict[str, Any]) -> None:
    given = {name for kind in ("api", "worker") for name in services[kind]["environment"]}
    assert given
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {variable(name) for name in SECRETS}
    assert given <= names


def test_each_service_gets_the_secrets_that_it_names_and_bounded_memory(services: dict[str, Any]) -> None:
    for service in services.values():
        named = set(re.findall(r"/run/secrets/([a-z-]+)", str(service)))
        assert named <= set(service["secrets"])
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


def test_the_file_keeps_to_the_compose_specification() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
