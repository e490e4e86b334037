"""What is asked of MongoDB for a query: seen by the driver's own command monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graph.store.reading.projection import projection
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, OCTAVIA, Client


@pytest.fixture
async def octavia(client: Client) -> Client:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    return client


async def reads(client: Client, commands: Commands, query: str, **variables: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a query reads: collection and projection of each read, and of each look-up within it."""
    with commands.recorded() as seen:
        await client.data(query, **variables)
    assert {name for name, _ in seen} <= {"find", "aggregate", "count"}
    return [read for name, command in seen for read in _parts(name, command)]


def _parts(name: str, command: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield command[name], command.get("projection", {})
    for stage in command.get("pipeline", ()):
        if "$unionWith" in stage:
            union = stage["$unionWith"]
            yield union["coll"], next(inner["$project"] for inner in union["pipeline"] if "$project" in inner)


async def test_only_selected_fields_are_read(octavia: Client, commands: Commands) -> None:
    seen = await reads(octavia, commands, '{ memory(sessionId: "s") { messages(last: 2) { role seq } } }')
    assert seen[-1] == ("messages", {"role": 1, "seq": 1, "_id": 0})
    assert "content" not in str(seen)


async def test_content_is_read_when_selected_in_a_fragment(octavia: Client, commands: Commands) -> None:
    seen = await reads(
        octavia,
        commands,
        """query { memory(sessionId: "s") { ...part } }
           fragment part on Memory { messages { ... on Message { text: content } } }""",
    )
    assert seen[-1] == ("messages", {"content": 1, "seq": 1, "_id": 0})  # by seq is known what a summary covers


@pytest.mark.parametrize(("shown", "expected"), [(True, {"content": 1, "seq": 1}), (False, {"seq": 1})])
async def test_skipped_fields_are_not_read(
    octavia: Client, commands: Commands, shown: bool, expected: dict[str, int]
) -> None:
    query = """query($shown: Boolean!) { memory(sessionId: "s") { messages(last: 3) {
      seq content @include(if: $shown) metadata @skip(if: true) } } }"""
    seen = await reads(octavia, commands, query, shown=shown)
    assert seen[-1] == ("messages", {**expected, "_id": 0})


async def test_the_same_field_under_two_aliases_is_two_reads(octavia: Client, commands: Commands) -> None:
    seen = await reads(
        octavia, commands, '{ memory(sessionId: "s") { a: messages(last: 1) { seq } b: messages(last: 2) { role } } }'
    )
    assert sorted(str(fields) for name, fields in seen if name == "messages") == [
        "{'role': 1, '_id': 0}",
        "{'seq': 1, '_id': 0}",
    ]


async def test_a_skipped_list_is_not_read_at_all(octavia: Client, commands: Commands) -> None:
    seen = await reads(
        octavia,
        commands,
        '{ memory(sessionId: "s") { uuid summary @skip(if: true) { uuid } messages @include(if: false) { seq } } }',
    )
    assert [name for name, _ in seen] == ["sessions"]


async def test_typename_alone_reads_no_content(octavia: Client, commands: Commands) -> None:
    seen = await reads(octavia, commands, '{ memory(sessionId: "s") { messages { __typename } } }')
    assert seen[-1] == ("messages", {"seq": 1, "_id": 0})


async def test_nested_sessions_are_one_read_for_all_messages(octavia: Client, commands: Commands) -> None:
    seen = await reads(
        octavia, commands, '{ memory(sessionId: "s") { messages { session { sessionId messageCount } } } }'
    )
    assert [name for name, _ in seen] == ["sessions", "messages", "sessions"]
    assert seen[-1][1] == {"_id": 1, "messageCount": 1}


def test_a_path_below_a_selected_one_is_left_out() -> None:
    assert projection({"a", "a.b", "ab", "_id"}) == {"_id": 1, "a": 1, "ab": 1}
