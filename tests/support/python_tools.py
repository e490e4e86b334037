"""The Python tools that need an environment of their own: made when it is not up to date."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.paths import ROOT

HOME = Path(__file__).parent / "python"
FRAMEWORKS = Path(__file__).parent / "frameworks"
"""The agent frameworks that the Python client has adapters for."""
MEM0 = Path(__file__).parent / "mem0"
"""mem0, whose memories an example moves."""
PYTEST = (
    *("-m", "pytest", "-q", "--noconftest", "-c", "/dev/null", "-p", "no:cacheprovider"),
    *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
)
"""The arguments of a Python that runs test files apart from the tests here."""


def tool_python(home: Path = HOME) -> str:
    """The Python that has the packages of a folder's requirements. Skips without them; in CI that fails."""
    requirements, environment = home / "requirements.txt", home / ".venv"
    stamp = environment / "installed"
    python = environment / "bin" / "python"
    with (home / ".install.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != requirements.read_text():
            venv.create(environment, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                if os.environ.get("CI"):
                    pytest.fail(done.stderr)
                pytest.skip(f"needs the packages of {requirements.relative_to(ROOT)}")
            stamp.write_text(requirements.read_text())
    return str(python)


def run_tool(*arguments: str, cwd: Path, home: Path = HOME, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tools' Python, apart from this one's environment."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [tool_python(home), *arguments],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


if __name__ == "__main__":
    sys.stdout.write(tool_python() + "\n")
