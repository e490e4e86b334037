"""The chat page of the examples: built with the packages of the tests' JavaScript project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.node_project import install, made_folder, run_tool
from tests.support.paths import ROOT, SCHEMA

CHAT = ROOT / "examples" / "chat"


@asynccontextmanager
async def built_page(*programs: Path) -> AsyncIterator[Path]:
    """The folder with the page, typed and bundled by the tools that `npm run build` runs.

    Args:
        programs: other programs to bundle, which import modules of the page.
    """
    install()
    with made_folder(CHAT) as folder:
        for program in programs:
            (folder / "src" / program.name).write_bytes(program.read_bytes())
        await run_tool("graphql-codegen", "--config", "codegen.ts", folder=folder, SCHEMA=str(SCHEMA))
        await run_tool("tsc", "--project", ".", folder=folder)
        entries = ("src/main.tsx", *(f"src/{program.name}" for program in programs))
        await run_tool("esbuild", *entries, "--bundle", "--outdir=dist", folder=folder)
        (folder / "dist" / "index.html").write_bytes((CHAT / "index.html").read_bytes())
        yield folder / "dist"
