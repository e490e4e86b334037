"""The JavaScript project beside the tests: installed when it is not up to date, and run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.paths import ROOT

NODE = Path(__file__).parent / "node"
PACKAGE = ROOT / "clients" / "typescript"
"""The TypeScript client."""
USER = Path(__file__).parent / "typescript"
"""A project that uses the TypeScript client as npm packs it."""


def install(home: Path = NODE) -> None:
    """`npm ci`, unless what is installed is what the lock file says. Skips without node; in CI that fails."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("these tests need node and npm")
        pytest.skip("needs node and npm")
    lock, installed = home / "package-lock.json", home / "node_modules" / ".package-lock.json"
    with _alone(home):
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run(["npm", "ci"], home)
            installed.touch()


def install_packed() -> None:
    """Install the TypeScript client in the project that uses it, from the archive that `npm pack` builds."""
    install(PACKAGE)
    install(USER)
    with _alone(USER), tempfile.TemporaryDirectory() as made:
        packed = run(["npm", "pack", "--silent", "--pack-destination", made], PACKAGE).strip()
        run(["npm", "install", "--no-save", "--no-package-lock", "--prefer-offline", str(Path(made) / packed)], USER)


def run(command: Sequence[str], home: Path, **variables: str) -> str:
    """The standard output of a program that succeeds."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def run_script(script: str, *arguments: str, flags: tuple[str, ...] = (), home: Path = NODE) -> Any:
    """What a script prints, as JSON."""
    command = ("node", *flags, str(home / script), *arguments)
    return json.loads(await anyio.to_thread.run_sync(run, command, home))


async def run_tool(name: str, *arguments: str, folder: Path = NODE, **variables: str) -> None:
    """Run a tool of the tests' project in a folder."""
    command = (str(NODE / "node_modules" / ".bin" / name), *arguments)
    await anyio.to_thread.run_sync(lambda: run(command, folder, **variables))


@contextmanager
def made_folder(source: Path) -> Iterator[Path]:
    """A copy of a folder, or of a file in a folder of its own, where programs find the packages of the project."""
    made = Path(tempfile.mkdtemp(prefix=".made-", dir=NODE))
    try:
        if source.is_dir():
            shutil.copytree(source, made, dirs_exist_ok=True)
        else:
            shutil.copy(source, made)
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with (home / ".npm-ci.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
