"""The converters of docs/messages.md, on the types of their libraries, through the running server."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.support import node_project
from tests.support.documents import extract
from tests.support.graphql_client import Client
from tests.support.node_project import NODE, install, made_folder, run_script
from tests.support.paths import ROOT
from tests.support.python_tools import FRAMEWORKS, PYTEST, run_tool

DOCUMENT = "docs/messages.md"
SOURCE = ROOT / "clients" / "python" / "src"
STRICT = (
    *("--noEmit", "--strict", "--noUncheckedIndexedAccess", "--skipLibCheck", "--types", "node"),
    *("--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"),
)
"""The options of TypeScript's compiler for a program of Node.js."""


@pytest.mark.timeout(600)  # as the next one, it may have to install the packages
@pytest.mark.slow
async def test_messages_of_python_libraries_come_back_equal(client: Client, tmp_path: Path) -> None:
    converters = extract(DOCUMENT, "python", tmp_path)
    url = str(client.http.base_url)
    suite = str(FRAMEWORKS / "conversions.py")
    path = f"{SOURCE}:{tmp_path}"
    done = await anyio.to_thread.run_sync(
        lambda: run_tool(*PYTEST, suite, cwd=tmp_path, home=FRAMEWORKS, PYTHONPATH=path, RECALLQL_URL=url)
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    strict = ("-m", "mypy", "--strict", "--follow-imports=silent", *map(str, converters))
    done = await anyio.to_thread.run_sync(
        lambda: run_tool(*strict, cwd=tmp_path, home=FRAMEWORKS, MYPYPATH=str(SOURCE))
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(600)
@pytest.mark.slow
async def test_messages_of_the_ai_sdk_come_back_equal(client: Client) -> None:
    install()
    with made_folder(NODE / "conversions.ts") as folder:
        converters = extract(DOCUMENT, "ts", folder)
        files = [str(file) for file in (*converters, folder / "conversions.ts")]
        await node_project.run_tool("tsc", *STRICT, *files)
        program = folder / "conversions.mjs"
        options = ("--bundle", "--platform=node", "--format=esm", "--packages=external", f"--outfile={program}")
        await node_project.run_tool("esbuild", str(folder / "conversions.ts"), *options)
        url = f"{str(client.http.base_url).rstrip('/')}/graphql"
        assert await run_script(str(program), url) == {"ui": 3, "model": 9}
