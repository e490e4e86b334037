"""The README's command that installs LangChain's Zep classes: one pip install, whose versions pip finds soon."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.zep_clients.environments import REQUIREMENTS

_SECONDS = 300  # for a busy machine; without the pins, pip tries versions for more than ten minutes
_CPU_SECONDS = 60


def command() -> list[str]:
    row = re.search(r"^\| LangChain \| `pip install ([^`]+)`", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert row
    return shlex.split(row[1])


def test_the_readmes_pins_are_those_that_the_clients_are_tested_with() -> None:
    assert {f"{pin}\n" for pin in command()} <= set(REQUIREMENTS.read_text().splitlines(keepends=True))


@pytest.mark.slow
def test_pip_finds_versions_for_the_readmes_langchain(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True, capture_output=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pip = [str(tmp_path / "bin/python"), "-m", "pip", "install", "--dry-run", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *command()], capture_output=True, text=True, timeout=_SECONDS, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    installed = done.stdout.rsplit("Would install", 1)[1].split()
    assert {"zep-python-1.5.0", "langchain-community-0.4.2"} <= set(installed)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < _CPU_SECONDS
