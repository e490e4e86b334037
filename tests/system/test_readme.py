"""What the README shows is what happens."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import parse, validate

from graph.schema.build import build_schema
from graph.settings import PREFIX, Settings
from tests.support.paths import ROOT
from tests.support.server_process import ServerProcess, served, until

README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_table() -> str:
    """The table of settings as the README holds it."""
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=False)
        if name == "data_dir":
            shown = "`~/.local/share/recallql`"
        elif default in (None, "", [], ()):
            shown = "none"
        elif isinstance(default, tuple):
            shown = f"`{','.join(default)}`"
        else:
            shown = f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


def test_the_settings_table_is_fresh() -> None:
    found = README.partition("<!-- settings -->\n")[2].partition("\n<!-- /settings -->")[0]
    assert found == settings_table(), f"put this into README.md:\n{settings_table()}"


def examples() -> list[tuple[str, Any]]:
    """Each GraphQL block with the JSON block that follows it."""
    found = re.findall(r"```graphql\n(.*?)```\s*```json\n(.*?)```", README, re.DOTALL)
    return [(query, json.loads(answer)) for query, answer in found]


@pytest.mark.timeout(240)
def test_the_conversation_of_the_readme_happens(tmp_path: Path) -> None:
    assert len(examples()) >= 2
    with served(tmp_path / "data") as server:
        for query, answer in examples():
            given = httpx.post(f"{server.url}/graphql", json={"query": query}, timeout=60).json()
            if given != answer:  # a busy machine's worker may take longer than awaitEntities waits
                until(lambda: enriched(server))
                given = httpx.post(f"{server.url}/graphql", json={"query": query}, timeout=60).json()
            assert given == answer


def enriched(server: ServerProcess) -> bool:
    progress = server.graphql('{ session(sessionId: "octavia") { enrichment { pending } } }')
    return bool(progress["session"]["enrichment"]["pending"] == 0)


def test_every_operation_of_the_readme_is_valid() -> None:
    blocks = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        assert validate(build_schema()._schema, parse(block)) == []
