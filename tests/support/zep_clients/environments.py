"""Zep's clients, each installed in an environment of its own: their pins never reach the server.

The Python one is kept in the user's cache, under a name made of what it holds; `node_modules` beside its lock file.
Both are made by the first test that needs them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs
import pytest

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
NODE = HERE.parent / "node-zep"

_INSTALL_SECONDS = 900


def python_with_zep() -> Path:
    """An interpreter that can import zep_python and langchain_community."""
    pins = REQUIREMENTS.read_bytes()
    name = hashlib.sha256(pins + sys.version.encode()).hexdigest()[:16]
    folder = platformdirs.user_cache_path("recallql-tests") / f"zep-{name}"
    with _lock(folder.with_suffix(".lock")):
        ready = folder / "ready"
        if not ready.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(folder))
            # --no-deps: the file names every package, and looking for other sets of versions would take minutes.
            _run(
                str(folder / "bin/python"),
                *("-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", "-r", str(REQUIREMENTS)),
            )
            ready.touch()
    return folder / "bin/python"


def node_with_zep() -> Path:
    """The folder whose scripts can import @getzep/zep-js."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are needed")
        pytest.skip("needs node and npm")
    installed = NODE / "node_modules" / ".installed"
    lock = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()
    with _lock(NODE / ".install.lock"):  # outside of node_modules, which npm ci removes first
        if not installed.exists() or installed.read_text() != lock:
            _run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=NODE)
            installed.write_text(lock)
    return NODE


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One run at a time installs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
