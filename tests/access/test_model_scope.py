"""A caller that is one user sees and changes that user's sessions, on every path of the memory model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from graph.enrichment.tokens import load_counter
from graph.errors import Conflict, Forbidden, NotFound
from graph.operations import deletion, messages, sessions, users
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.settings import Settings
from graph.store.database import Database
from graph.store.memories import find_memories
from graph.store.messages import find_messages
from graph.store.reading import keyset
from graph.store.scope import EVERYTHING, Scope
from graph.store.sessions import SessionFilter, find_session, list_sessions
from graph.store.summaries import find_summaries
from graph.store.users import find_user, find_users, list_users
from tests.support.untyped import untyped

ANN = Scope("ann")
HELLO = [MessageToAdd("human", "hello")]


@pytest.fixture
async def backend(settings: Settings, database: Database) -> Backend:
    """A session of ann, one of bob and one of nobody."""
    backend = Backend(settings, database, load_counter())
    for name, user in (("of ann", "ann"), ("of bob", "bob"), ("of nobody", None)):
        await add_memory(backend, EVERYTHING, name, HELLO, user_id=user)
    return backend


async def uuid_of(backend: Backend, session_id: str) -> Any:
    return (await untyped(backend.database, "messages").find_one({"sessionId": session_id}))["_id"]


@pytest.mark.parametrize("theirs", ["of bob", "of nobody"])
async def test_what_is_not_the_callers_is_not_there(backend: Backend, theirs: str) -> None:
    uuid = await uuid_of(backend, theirs)
    attempts: list[Callable[[], Awaitable[Any]]] = [
        lambda: sessions.update_session(backend, ANN, theirs, metadata={"a": 1}),
        lambda: sessions.delete_session(backend, ANN, theirs),
        lambda: deletion.delete_memory(backend, ANN, theirs),
        lambda: messages.update_message(backend, ANN, uuid, content="x"),
        lambda: messages.delete_message(backend, ANN, uuid),
        lambda: users.update_user(backend, ANN, "bob", email="x"),
        lambda: users.delete_user(backend, ANN, "bob"),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt()
    with pytest.raises(Forbidden):
        await sessions.create_session(backend, ANN, theirs)
    with pytest.raises(Forbidden):
        await add_memory(backend, ANN, theirs, HELLO)
    with pytest.raises(Conflict):
        await sessions.create_session(backend, ANN, "of ann")
    assert await backend.database.messages.count_documents({}) == 3
    assert await backend.database.sessions.count_documents({"metadata": {}}) == 3


async def test_lookups_find_only_what_is_the_callers(backend: Backend) -> None:
    database = backend.database
    assert await find_session(database, ANN, "of bob") is None
    assert await find_user(database, ANN, "bob") is None
    assert [user["_id"] for user in await find_users(database, ANN, ["ann", "bob"], {"_id"})] == ["ann"]
    uuids = [await uuid_of(backend, name) for name in ("of ann", "of bob", "of nobody")]
    assert [found["_id"] for found in await find_messages(database, ANN, uuids, {"_id"})] == uuids[:1]
    memories = await database.memories.find({})
    found = await find_memories(database, ANN, [memory["_id"] for memory in memories], {"uuid"})
    assert [memory["sessionId"] for memory in found] == ["of ann"]
    await untyped(database, "summaries").insert_many(
        [{"_id": name, "sessionId": name, "firstSeq": 1, "lastSeq": 1} for name in ("of ann", "of bob", "of nobody")]
    )
    summaries = await find_summaries(database, ANN, ["of ann", "of bob", "of nobody"], {"_id"})
    assert [summary["_id"] for summary in summaries] == ["of ann"]


async def test_lists_hold_only_what_is_the_callers(backend: Backend) -> None:
    database = backend.database
    everything = keyset.Window(10)
    for listing, expected in (
        (list_sessions(database, ANN), ["of ann"]),
        (list_sessions(database, ANN, SessionFilter(user_id="bob")), []),
        (list_sessions(database, ANN, by="updatedAt", descending=True), ["of ann"]),
        (list_users(database, ANN), ["ann"]),
    ):
        page = await keyset.page(listing, everything, {"_id"})
        assert [item["_id"] for item in page.items] == expected
        assert await keyset.count(listing) == len(expected)


async def test_the_caller_writes_for_itself(backend: Backend) -> None:
    assert (await sessions.create_session(backend, ANN, "new"))["userId"] == "ann"
    await add_memory(backend, ANN, "newer", HELLO)
    assert (found := await find_session(backend.database, ANN, "newer")) is not None
    assert found["userId"] == "ann"
    for attempt in (
        sessions.create_session(backend, ANN, "other", user_id="bob"),
        sessions.update_session(backend, ANN, "new", user_id="bob"),
        add_memory(backend, ANN, "other", HELLO, user_id="bob"),
        users.create_user(backend, ANN, "carl"),
    ):
        with pytest.raises(Forbidden):
            await attempt
    await users.delete_user(backend, ANN, "ann")
    assert await backend.database.sessions.count_documents({}) == 2
