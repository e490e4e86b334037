"""Running a client's script against a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.zep_clients.environments import HERE, node_with_zep, python_with_zep

_SECONDS = 90


async def run_python(script: str, *arguments: str) -> Any:
    """What a script of this folder prints, as JSON."""
    python = await asyncio.to_thread(python_with_zep)
    return await _run(str(python), str(HERE / script), *arguments)


async def run_node(script: str, *arguments: str) -> Any:
    """What a script of the Node project prints, as JSON."""
    folder = await asyncio.to_thread(node_with_zep)
    return await _run("node", script, *arguments, folder=folder)


async def _run(*command: str, folder: Path = HERE) -> Any:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    assert "incompatible" not in errors.decode(), "so the clients warn of a server that is too old"
    return json.loads(output)
