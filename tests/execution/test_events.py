"""The events of subscriptions: those written without the steps of graphql-core are the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError

from graph.execution.subscription import ResolvedSubscription
from graph.live.messages import update_of
from graph.live.source import UpdateKind
from graph.operations.backend import Backend
from graph.request.pipeline import EVERY_KIND
from graph.schema.context import Context
from tests.support.backends import backend_on
from tests.support.executing import DOCUMENTS, UNLIMITED, execute_prepared

ADD = """mutation A($i: AddMemoryInput!) { addMemory(input: $i) { __typename } }"""
SENT = {"sessionId": "s", "messages": [{"role": "user", "content": "Ada met Grace", "metadata": {"n": [1, None]}}]}
WRITTEN = [
    "{ kind seq uuid }",
    "{ __typename a: kind b: kind message { __typename id uuid seq role content metadata createdAt tokenCount } }",
    "{ ... on MessageUpdate @include(if: true) { revision message { content } } message { name } }",
]
READ = "{ seq message { session { sessionId } } }"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def backend(runner: asyncio.Runner, mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    directory: Path = tmp_path_factory.mktemp("data")
    with backend_on(runner, mongodb_uri, directory) as backend:
        _, errors = runner.run(execute_prepared(backend, ADD, {"i": SENT}))
        assert errors == []
        yield backend


async def resolved(backend: Backend, selection: str) -> ResolvedSubscription:
    text = f'subscription {{ of: messageUpdated(sessionId: "s") {selection} }}'
    operation = await DOCUMENTS.operation(text, None, EVERY_KIND, UNLIMITED)
    found = await operation.subscribe({}, Context(backend, changes=False), {})
    assert isinstance(found, ResolvedSubscription), found
    return found


async def stored_message(backend: Backend) -> Any:
    return await backend.database.messages.find_one({})


async def of_event(backend: Backend, selection: str, event: Any) -> tuple[Any, Any, list[GraphQLError]]:
    """The event as it is written, and as graphql-core executes it, with its errors."""
    subscription = await resolved(backend, selection)
    executed, errors = await subscription.execute(event, Context(backend, changes=False))
    return subscription.write(event), executed, errors


@pytest.mark.parametrize("selection", WRITTEN)
@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_written_event_is_the_executed_one(
    runner: asyncio.Runner, backend: Backend, selection: str, *, is_deleted: bool
) -> None:
    event: Any = update_of(UpdateKind.EDITED, runner.run(stored_message(backend)), 7)
    if is_deleted:
        event |= {"kind": UpdateKind.DELETED, "message": None}
    written, executed, errors = runner.run(of_event(backend, selection, event))
    assert errors == []
    assert written == executed
    assert list(written["of"]) == list(executed["of"])


def test_an_event_that_reads_the_database_is_executed(runner: asyncio.Runner, backend: Backend) -> None:
    event = update_of(UpdateKind.EDITED, runner.run(stored_message(backend)), 7)
    written, executed, errors = runner.run(of_event(backend, READ, event))
    assert errors == []
    assert written is None
    assert executed == {"of": {"seq": 1, "message": {"session": {"sessionId": "s"}}}}


def test_an_event_with_an_error_is_executed(runner: asyncio.Runner, backend: Backend) -> None:
    event: Any = update_of(UpdateKind.EDITED, runner.run(stored_message(backend)), 7)
    event["seq"] = None
    written, executed, errors = runner.run(of_event(backend, "{ seq }", event))
    assert written is None
    assert executed is None
    assert [error.path for error in errors] == [["of", "seq"]]
