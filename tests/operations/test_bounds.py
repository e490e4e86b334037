"""Operations check the bounds of what is read, whoever calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette

from graph.errors import BadUserInput
from graph.operations.backend import Backend
from graph.operations.entities import entities_of_memory, list_session_entities, list_user_entities
from graph.operations.memories import messages_of_memory
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.memory_window import find_session_memory, recalled_memory, recalled_messages
from graph.operations.messages import list_messages, page_of_messages
from graph.operations.numbering import sessions_by_number, users_by_number
from graph.operations.pages import read_page
from graph.operations.search import Query, search_session
from graph.operations.sessions import find_session
from graph.operations.users import find_user
from graph.store.documents import Document
from graph.store.reading.keyset import Listing, Window
from graph.store.reading.search import SearchedKind
from graph.store.scope import EVERYTHING
from graph.store.visible import Visible
from tests.support.graphql_client import Client

WHOLE = Visible("s")
NAMES = ["PERSON"] * 101

Read = Callable[[Backend, Document, int], Awaitable[Any]]


async def page(backend: Backend, number: int) -> list[Any]:
    session = await find_session(backend, EVERYTHING, "s")
    assert session
    return [*await page_of_messages(backend, session, {"seq"}, skip=0, limit=number)]


READS: dict[str, tuple[str, Read]] = {
    "messages of a session": ("last", lambda backend, _, n: recalled_messages(backend, WHOLE, 0, {"seq"}, last=n)),
    "messages of a memory": ("last", lambda backend, memory, n: messages_of_memory(backend, memory, {"seq"}, last=n)),
    "page of messages": ("limit", lambda backend, _, n: page(backend, n)),
    "page of a list": ("limit", lambda backend, _, n: read_page(list_messages(backend, WHOLE), Window(n), {"seq"})),
    "entities": ("limit", lambda backend, memory, n: entities_of_memory(backend, memory, limit=n)),
    "sessions by number": ("limit", lambda backend, _, n: sessions_by_number(backend, EVERYTHING, limit=n)),
    "users by number": ("limit", lambda backend, _, n: users_by_number(backend, EVERYTHING, limit=n)),
    "search": (
        "limit",
        lambda backend, _, n: search_session(backend, EVERYTHING, "s", SearchedKind.MESSAGES, Query("tea", limit=n)),
    ),
}


@pytest.fixture
async def backend(client: Client, app: Starlette) -> Backend:
    assert client  # starts the app
    found: Backend = app.state.backend
    return found


@pytest.fixture
async def memory(backend: Backend) -> Document:
    added = await add_memory(backend, EVERYTHING, "s", [MessageToAdd("human", f"tea {number}") for number in range(3)])
    return added.memory


@pytest.mark.parametrize("name", READS)
async def test_no_read_is_larger_than_a_page(backend: Backend, memory: Document, name: str) -> None:
    argument, read = READS[name]
    await read(backend, memory, 1_000)
    for number in (-1, 1_001):
        with pytest.raises(BadUserInput, match=rf"^{argument} must be from 0 to 1,000, not {number:,}$"):
            await read(backend, memory, number)


async def test_filters_of_entities_are_bounded(backend: Backend, memory: Document) -> None:
    refused: list[Callable[[], Listing]] = [
        lambda: list_session_entities(backend, WHOLE, labels=NAMES),
        lambda: list_session_entities(backend, WHOLE, search="x" * 257),
    ]
    for read in refused:
        with pytest.raises(BadUserInput, match=r"at most (100|256) are accepted"):
            read()
    with pytest.raises(BadUserInput, match="labels has 101 items, and at most 100 are accepted"):
        await list_user_entities(backend, "ada", labels=NAMES)
    with pytest.raises(BadUserInput, match="labels has 101 items, and at most 100 are accepted"):
        await entities_of_memory(backend, memory, labels=NAMES)


@pytest.mark.parametrize("unusable", ["", "x" * 513, "a\0b", "\ud800"])
async def test_nothing_has_an_id_that_can_t_be_stored(backend: Backend, unusable: str) -> None:
    assert await find_session(backend, EVERYTHING, unusable) is None
    assert await find_user(backend, EVERYTHING, unusable) is None
    assert await find_session_memory(backend, EVERYTHING, unusable, {"uuid"}) is None
    assert await recalled_memory(backend, EVERYTHING, unusable, {"uuid"}, {"seq"}) is None
