"""Relay's own compiler accepts the schema, with what its applications do with lists and nodes."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.node_project import NODE, install
from tests.support.paths import ROOT

SCHEMA = ROOT / "schema.graphql"


def compiled(directory: Path) -> subprocess.CompletedProcess[str]:
    (directory / "relay.config.json").write_text(
        json.dumps({"src": "./src", "schema": "./schema.graphql", "language": "javascript"}), encoding="utf-8"
    )
    (directory / "package.json").write_text("{}", encoding="utf-8")
    return subprocess.run(
        [NODE / "node_modules" / ".bin" / "relay-compiler", "relay.config.json"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.slow
def test_the_relay_compiler_accepts_the_schema(tmp_path: Path) -> None:
    install()
    shutil.copy(SCHEMA, tmp_path)
    (tmp_path / "src").mkdir()
    source = tmp_path / "src" / "queries.js"
    shutil.copy(NODE / "relay" / "queries.js", source)
    done = compiled(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name for path in (tmp_path / "src").rglob("*.graphql.js")}
    assert {"queriesHistoryPaginationQuery.graphql.js", "queriesMessageRefetchQuery.graphql.js"} <= made
    # The compiler does look: what the schema lacks is refused.
    source.write_text(source.read_text(encoding="utf-8").replace("totalCount", "sizeOfIt"), encoding="utf-8")
    assert compiled(tmp_path).returncode != 0
