"""docker-compose.yml, as far as it can be checked without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from graph.settings import PREFIX, Settings
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
    assert "--replSet" in mongodb["command"]
    check = mongodb["healthcheck"]["test"][-1]
    assert "rs.initiate" in check
    assert "isWritablePrimary" in check
    assert f'_id: "{mongodb["command"][2]}"' in check


def test_nothing_runs_as_root(services: dict[str, Any]) -> None:
    for service in services.values():
        assert str(service["user"]).split(":")[0] not in ("root", "0")


def test_api_and_one_worker_wait_for_the_database(services: dict[str, Any]) -> None:
    assert set(services) == {"api", "worker", "mongodb"}
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {"mongodb": {"condition": "service_healthy"}}
        assert services[name]["image"] == "recallql"


def test_the_settings_that_it_gives_exist(services: dict[str, Any]) -> None:
    given = {name for service in services.values() for name in service.get("environment", {})}
    assert given
    assert {name.removeprefix(PREFIX).lower() for name in given} <= set(Settings.model_fields)


def test_the_image_builds_the_explorer_and_takes_the_pinned_versions(services: dict[str, Any]) -> None:
    dockerfile = services["api"]["build"]["dockerfile_inline"]
    assert re.search(r"^FROM node:\d+", dockerfile, re.MULTILINE)
    assert "-c /wheels/constraints.txt" in dockerfile
    assert re.search(r"^USER \d+", dockerfile, re.MULTILINE)


def test_the_file_keeps_to_the_compose_specification() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
