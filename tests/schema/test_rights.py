"""The right of each operation, as its root fields declare it."""

from __future__ import annotations

import pytest

from graph.access.caller import Right
from graph.schema.build import build_schema
from graph.schema.rights import needed_right

SCHEMA = build_schema()._schema
ADMIN = {"deleteUser", "retryEnrichment"}


def test_mutations_beyond_a_conversation_need_admin_and_all_others_write() -> None:
    assert SCHEMA.mutation_type is not None
    needed = {name: needed_right(SCHEMA, "mutation", [name]) for name in SCHEMA.mutation_type.fields}
    assert {name for name, right in needed.items() if right is Right.ADMIN} == ADMIN
    assert {right for name, right in needed.items() if name not in ADMIN} == {Right.WRITE}


@pytest.mark.parametrize(
    ("kind", "roots", "right"),
    [
        ("query", ["session", "deleteUser"], Right.READ),
        ("subscription", ["messageAdded"], Right.READ),
        ("mutation", ["__typename"], Right.WRITE),
        ("mutation", ["addMemory", "deleteUser"], Right.ADMIN),
        ("mutation", ["deleteUser", "addMemory"], Right.ADMIN),
    ],
)
def test_an_operation_needs_the_highest_right_of_its_fields(kind: str, roots: list[str], right: Right) -> None:
    assert needed_right(SCHEMA, kind, roots) is right  # type: ignore[arg-type]  # a text among three


def test_a_mutation_without_a_declared_right_needs_the_highest(monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.execution.fields import definition_of

    assert SCHEMA.mutation_type is not None
    monkeypatch.setattr(definition_of(SCHEMA.mutation_type.fields["addMemory"]), "metadata", {})
    assert needed_right(SCHEMA, "mutation", ["addMemory"]) is Right.ADMIN
