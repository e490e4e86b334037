"""How much of the package the type checker can't see: it may become less, and not more."""

from __future__ import annotations

import tokenize
from pathlib import Path

from tests.support.paths import ROOT

MOST_ANY = 10.0
"""Uses of `Any` in a thousand lines. Lower the number when there are fewer."""
MOST_IGNORED = 1.0
"""Comments in a thousand lines that hide an error of types."""

MODULES = sorted((ROOT / "graph").rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def uses_of_any(path: Path) -> int:
    """The names `Any` in a module, its import left out."""
    found = 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            imported = token.line.lstrip().startswith(("from typing import", "import typing"))
            found += token.type == tokenize.NAME and token.string == "Any" and not imported
    return found


def ignored(path: Path) -> int:
    """The comments in a module that hide an error of types."""
    with path.open("rb") as file:
        return sum(
            token.type == tokenize.COMMENT and "type: ignore" in token.string
            for token in tokenize.tokenize(file.readline)
        )


LINES = sum(map(lines, MODULES))


def test_few_values_are_of_any_type() -> None:
    found = {path: uses_of_any(path) for path in MODULES}
    most = sorted(found, key=lambda path: found[path], reverse=True)[:5]
    worst = ", ".join(f"{path.relative_to(ROOT)} {found[path]}" for path in most)
    assert 1_000 * sum(found.values()) / LINES <= MOST_ANY, f"most of them: {worst}"


def test_few_errors_of_types_are_hidden() -> None:
    found = {str(path.relative_to(ROOT)): number for path in MODULES if (number := ignored(path))}
    assert 1_000 * sum(found.values()) / LINES < MOST_IGNORED, found
