"""The compiled executor gives what the stock executor gives, to the byte."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import PyMongoError

from graph.execution.executor import RecallQLExecutor, SelectingExecutor
from graph.operations import deployment
from graph.operations.backend import Backend
from graph.schema.node import global_id
from tests.support.backends import backend_on
from tests.support.differential.documents import SESSIONS, fill
from tests.support.differential.queries import Query
from tests.support.executing import SCHEMA, execute_prepared, execute_stock

pytestmark = [
    # The driver's threads use `random` while hypothesis draws, and it takes that for the strategies' doing.
    pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"),
    # A field that fails cancels its siblings, some before they have begun: graphql-core's own way with errors.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.usefixtures("leaves_garbage"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine:pytest.PytestUnraisableExceptionWarning"),
]
PARTS = 4
"""Tests of random queries, each with its own: processes share the work."""
RANDOM = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


class CountingExecutor(RecallQLExecutor):
    """Counts the fields that the stock path completes."""

    fields = 0

    def execute_field(self, *args: Any, **kwargs: Any) -> Any:
        type(self).fields += 1
        return super().execute_field(*args, **kwargs)


@dataclass
class World:
    """A filled database, and the executors on it."""

    runner: asyncio.Runner
    backend: Backend
    uuids: list[str]

    def run(self, query: str, variables: dict[str, Any] | None = None, executor: Any = None) -> bytes:
        """The result as JSON: of the prepared operation, or of Strawberry with an executor."""
        return self.runner.get_loop().run_until_complete(self._run(query, variables, executor))

    async def _run(self, query: str, variables: dict[str, Any] | None, executor: Any) -> bytes:
        if executor is None:
            data, found = await execute_prepared(self.backend, query, variables)
        else:
            data, found = await execute_stock(self.backend, query, variables, executor)
        errors = [_told(error) for error in found]
        return orjson.dumps({"data": data, "errors": errors}, default=repr)

    def values(self) -> dict[str, list[Any]]:
        """What arguments are chosen from."""
        ids = [
            *(global_id("Session", name) for name in SESSIONS),
            *(global_id("Message", uuid) for uuid in self.uuids[:20]),
            global_id("Summary", "00000000-0000-4000-8000-000000000001"),
            global_id("User", "user-plain"),
            "nonsense",
        ]
        return {
            "sessionId": [*SESSIONS, "unknown"],
            "userId": ["user-plain", "user-planted", "unknown"],
            "uuid": [*self.uuids[:20], str(uuid.UUID(int=0)), "nonsense"],
            "id": ids,
            "ids": ids,
            "labels": ["PERSON", "GPE"],
            "first": [1, 2, 5, 1000, 0, -1, 1001],
            "last": [1, 2, 5, 1000, 0, -1, 1001],
            "ID": ids,
            "Int": [0, 1, 5],
            "Float": [0.5],
            "Boolean": [True, False],
            "String": ["", "ada", "PERSON"],
            "DateTime": ["2026-01-31T12:00:00Z", "2030-01-01T00:00:00+01:00"],
            "JSON": [{}, {"n": 1}],
            "UUID": self.uuids[:3],
        }


def _told(error: Any) -> Any:
    """An error as the caller gets it, without the id that is new each time."""
    formatted = error.formatted
    if formatted.get("extensions", {}).get("code") == "INTERNAL":
        cause = error.original_error
        # MongoDB's refusals tell the time.
        what = type(cause).__name__ if isinstance(cause, PyMongoError) else repr(cause)
        return [what, formatted.get("path"), formatted.get("locations")]
    return formatted


@pytest.fixture(scope="module")
def world(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for name in ("graph", "strawberry"):  # thousands of unforeseen errors are foreseen here
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with (
        pytest.MonkeyPatch.context() as patch,
        asyncio.Runner() as runner,
    ):
        patch.setattr(deployment, "_KEPT", float("inf"))  # free bytes differ between two looks
        with backend_on(runner, mongodb_uri, tmp_path_factory.mktemp("data")) as backend:
            yield World(runner, backend, runner.run(fill(backend)))
    for name in ("graph", "strawberry"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def _compare(world: World, query: str, variables: dict[str, Any]) -> None:
    stock = world.run(query, variables, SelectingExecutor)
    compiled = world.run(query, variables)
    if compiled == stock:
        return
    # Two reads that both fail race, and the first to fail cancels the other: either executor has several answers then.
    answers = {stock, *(world.run(query, variables, SelectingExecutor) for _ in range(8))}
    others = {compiled, *(world.run(query, variables) for _ in range(8))}
    if len(answers | others) > 2:
        answers, others = {_of_any_item(answer) for answer in answers}, {_of_any_item(other) for other in others}
    assert answers & others, f"{query}\n{variables}\nstock:    {stock!r}\ncompiled: {compiled!r}"


def _of_any_item(answer: bytes) -> bytes:
    """An answer whose errors do not say which item of a list was the first to fail."""
    told = orjson.loads(answer)
    for error in told["errors"]:
        path = error["path"] if isinstance(error, dict) else error[1]
        path[:] = ["*" if isinstance(part, int) else part for part in path]
    return orjson.dumps(told)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
@given(data=st.data())
@RANDOM
def test_random_queries_have_the_same_answers(world: World, part: int, data: st.DataObject) -> None:
    query = Query(SCHEMA, data.draw, world.values())
    text = query.text()
    _compare(world, text, query.variables)


EVERYTHING_PLAIN = """
query Memory($id: ID!, $last: Int, $few: Boolean = false) {
  memory(sessionId: $id) {
    messages(last: $last) {
      __typename id uuid seq role content metadata @skip(if: $few) tokenCount createdAt updatedAt
      enrichment { state reason }
      entities { id name label mentionCount firstSeenAt lastSeenAt matches(first: 5) { start end text } }
    }
  }
}
"""


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("few", [True, False])
def test_what_is_plain_in_wrong_documents_has_the_same_answer(world: World, name: str, few: bool) -> None:
    for last in range(0, 13, 2):
        _compare(world, EVERYTHING_PLAIN, {"id": name, "last": last, "few": few})


def test_a_plain_list_is_written_without_the_stock_path(world: World) -> None:
    CountingExecutor.fields = 0
    answer = orjson.loads(world.run(EVERYTHING_PLAIN, {"id": "plain", "last": 6}, CountingExecutor))
    assert len(answer["data"]["memory"]["messages"]) == 6
    assert answer["errors"] == []
    assert CountingExecutor.fields == 1  # memory, which is written with its messages


def test_only_what_needs_a_resolver_takes_the_stock_path(world: World) -> None:
    CountingExecutor.fields = 0
    query = """{ memory(sessionId: "plain") { messages(last: 5) { seq role session { uuid sessionId } content } } }"""
    message = orjson.loads(world.run(query, {}, CountingExecutor))["data"]["memory"]["messages"][0]
    assert list(message) == ["seq", "role", "session", "content"]
    assert CountingExecutor.fields == 2 + 5  # and session for each message


VARIABLES = """
query Typed($id: ID!, $last: Int, $few: Boolean, $search: String, $first: Int = 2, $labels: [String!]) {
  session(sessionId: $id) {
    sessionId
    memory @skip(if: false) { messages(last: $last) { seq content @include(if: $few) } }
    entities(search: $search, first: $first, labels: $labels) { edges { node { name } } }
  }
}
"""
"""With `$few` where null is not accepted: graphql-core says so when it is executed."""


@pytest.mark.parametrize(
    "variables",
    [
        {"id": "plain", "few": True},
        {"id": "plain", "few": False, "last": 3, "search": "a", "first": 1, "labels": ["PERSON"]},
        {"id": "plain", "few": True, "last": None, "search": None, "first": None, "labels": None},
        {"id": "plain", "few": None},
        {"id": "plain"},
        {"few": True},
        {"id": None, "few": True},
        {"id": 7, "few": True},
        {"id": 7.5, "few": True},
        {"id": True, "few": True},
        {"id": ["plain"], "few": True},
        {"id": "plain", "few": 1},
        {"id": "plain", "few": "true"},
        {"id": "plain", "few": True, "last": 2.0},
        {"id": "plain", "few": True, "last": 2.5},
        {"id": "plain", "few": True, "last": True},
        {"id": "plain", "few": True, "last": "2"},
        {"id": "plain", "few": True, "last": 2**31 - 1},
        {"id": "plain", "few": True, "last": 2**31},
        {"id": "plain", "few": True, "last": -(2**31) - 1},
        {"id": "plain", "few": True, "last": 10**40},
        {"id": "plain", "few": True, "search": 5},
        {"id": "plain", "few": True, "search": {"a": 1}},
        {"id": "plain", "few": True, "labels": "PERSON"},
        {"id": "plain", "few": True, "unknown": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("text", [VARIABLES, VARIABLES.replace(", $first: Int = 2, $labels: [String!]", "")])
def test_variables_are_coerced_alike(world: World, variables: dict[str, Any], text: str) -> None:
    if text is not VARIABLES:
        text = text.replace(", first: $first, labels: $labels", "")
    text = text.replace("$few: Boolean,", "$few: Boolean!," if "few" in variables else "$few: Boolean = true,")
    _compare(world, text, variables)
    if text != VARIABLES:
        world.run(text, variables)  # again, from what was kept
        _compare(world, text, variables)


def test_matches_are_alike_with_and_without_their_messages(world: World) -> None:
    text = """
    query Matches($id: ID!) { memory(sessionId: $id) { messages(last: 12) { entities {
      first: matches(first: 1) { text } matches { start text %s }
      messages(first: 2) { edges { node { seq } } } sessions(first: 1) { edges { node { sessionId } } }
    } } } }
    """
    for name in SESSIONS:
        _compare(world, text % "", {"id": name})
        _compare(world, text % "message { seq }", {"id": name})
