"""The Python tools that need an environment of their own: made when it is not up to date."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

HOME = Path(__file__).parent / "python"
_ENVIRONMENT = HOME / ".venv"


def tool_python() -> str:
    """The Python that has the tools. Skips where they can't be installed; in CI that fails."""
    requirements, stamp = HOME / "requirements.txt", _ENVIRONMENT / "installed"
    python = _ENVIRONMENT / "bin" / "python"
    with (HOME / ".install.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != requirements.read_text():
            venv.create(_ENVIRONMENT, with_pip=True, clear=True)
            command = [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode:
                if os.environ.get("CI"):
                    pytest.fail(done.stderr)
                pytest.skip("needs the packages of tests/support/python/requirements.txt")
            stamp.write_text(requirements.read_text())
    return str(python)


def run_tool(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tools' Python, apart from this one's environment."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [tool_python(), *arguments],
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


if __name__ == "__main__":
    sys.stdout.write(tool_python() + "\n")
