"""The adapters for agent frameworks, each with its framework in an environment of its own."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.support.graphql_client import Client
from tests.support.paths import ROOT
from tests.support.python_tools import FRAMEWORKS, PYTEST, run_tool


@pytest.mark.slow
@pytest.mark.parametrize("suite", sorted(path.name for path in FRAMEWORKS.glob("*_suite.py")))
async def test_the_adapter_passes_its_suite(client: Client, suite: str, tmp_path: Path) -> None:
    url = str(client.http.base_url)
    done = await anyio.to_thread.run_sync(
        lambda: run_tool(
            *PYTEST,
            str(FRAMEWORKS / suite),
            cwd=tmp_path,
            home=FRAMEWORKS,
            PYTHONPATH=str(ROOT / "clients" / "python" / "src"),
            RECALLQL_URL=url,
        )
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]


@pytest.mark.slow
@pytest.mark.timeout(600)  # it reads all modules of the frameworks
def test_the_adapters_are_typed() -> None:
    source = ROOT / "clients" / "python" / "src"
    adapters = [str(source / "recallql" / path.name.replace("_suite", "")) for path in FRAMEWORKS.glob("*_suite.py")]
    done = run_tool("-m", "mypy", "--strict", "--follow-imports=silent", *adapters, cwd=source, home=FRAMEWORKS)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "answer", "stored"),
    [
        ("openai_agents.py", "You asked for the harbour office.", "6 items are stored"),
        ("langgraph_agent.py", "For the harbour office.", "6 messages are stored"),
    ],
)
async def test_the_example_runs(client: Client, example: str, answer: str, stored: str) -> None:
    url = str(client.http.base_url)
    source = str(ROOT / "clients" / "python" / "src")
    program = str(ROOT / "examples" / example)
    done = await anyio.to_thread.run_sync(
        lambda: run_tool("-P", program, url, cwd=ROOT, home=FRAMEWORKS, PYTHONPATH=source)
    )
    assert done.returncode == 0, done.stderr
    assert f"For which place did I ask? {answer}" in done.stdout
    assert stored in done.stdout
    assert "It opens at nine." in done.stdout
    assert ("The store has: the harbour office opens at nine" in done.stdout) is (example == "langgraph_agent.py")
