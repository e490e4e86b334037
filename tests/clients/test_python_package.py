"""The package of the Python client: its generated part, and its installation."""

from __future__ import annotations

import shutil
import subprocess
import venv
from pathlib import Path

import anyio
import pytest

from tests.support.graphql_client import Client
from tests.support.paths import ROOT
from tests.support.python_tools import run_tool

PACKAGE = ROOT / "clients" / "python"
GENERATED = Path("clients", "python", "src", "recallql", "generated")

PROGRAM = """
import sys
from recallql import RecallQL

with RecallQL(sys.argv[1]) as memory:
    memory.add("s", {"role": "user", "content": "Hello"})
    print([one.content for one in memory.messages("s")])
"""


@pytest.mark.slow
def test_the_generated_part_is_that_of_the_schema(tmp_path: Path) -> None:
    copied = tmp_path / "clients" / "python"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("generated", "__pycache__"))
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    done = run_tool("-m", "ariadne_codegen", "--config", "codegen.toml", cwd=copied)
    assert done.returncode == 0, done.stderr
    made = {path.name: path.read_text() for path in (tmp_path / GENERATED).glob("*.py")}
    kept = {path.name: path.read_text() for path in (ROOT / GENERATED).glob("*.py")}
    assert made == kept


@pytest.mark.slow
async def test_the_package_installs_alone(client: Client, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    python = str(environment / "bin" / "python")

    def install_and_run() -> str:
        venv.create(environment, with_pip=True)
        source = shutil.copytree(PACKAGE, tmp_path / "source")
        for command in ([python, "-m", "pip", "install", "-q", str(source), "mypy"], [python, "-m", "mypy"]):
            done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        run = [python, "-c", PROGRAM, str(client.http.base_url)]
        return subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert await anyio.to_thread.run_sync(install_and_run) == "['Hello']\n"
