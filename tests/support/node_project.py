"""The JavaScript project beside the tests: installed when it is not up to date, and run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

NODE = Path(__file__).parent / "node"


def install() -> None:
    """`npm ci`, unless what is installed is what the lock file says. Skips without node; in CI that fails."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("these tests need node and npm")
        pytest.skip("needs node and npm")
    lock, installed = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with (NODE / ".npm-ci.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            done = subprocess.run(["npm", "ci"], cwd=NODE, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, done.stderr
            installed.touch()


async def run_script(script: str, *arguments: str, flags: tuple[str, ...] = ()) -> Any:
    """What a script prints, as JSON."""
    command = ["node", *flags, str(NODE / script), *arguments]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=60, check=False)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)
