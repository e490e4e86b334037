"""What searches keep in memory is what is stored: after adds, edits, deletions, erasures, and as vectors arrive."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.tokens import load_counter
from graph.enrichment.worker import Worker
from graph.errors import TooCostly, Unavailable
from graph.operations import deletion, messages, search_cache, sessions
from graph.operations.backend import Backend
from graph.operations.memory import MessageToAdd, add_memory
from graph.operations.recall import search
from graph.operations.search_cache import SearchCache
from graph.operations.search_scope import size_of
from graph.recall.columns import Columns
from graph.recall.entries import Entry
from graph.recall.mode import SearchMode
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import now
from graph.store.editing import edits
from graph.store.editing.edits import Edit
from graph.store.recall import searched_sessions
from graph.store.scope import EVERYTHING, Scope
from tests.support.columns import check_columns, entries_in
from tests.support.commands import Commands
from tests.support.embedding_server import EmbeddingServer

BYTES = 16_777_216
SPOKEN = ("My sister found a job in Berlin", "She is a nurse", "It rained on the mountain", "We ate soup")


@pytest.fixture
async def backend(settings: Settings, database: Database) -> AsyncIterator[Backend]:
    opened = Backend(settings, database, load_counter())
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


async def say(backend: Backend, session_id: str, *contents: str, user_id: str = "ada") -> list[str]:
    new = [MessageToAdd("user", content, uuid=str(uuid4())) for content in contents]
    await add_memory(backend, EVERYTHING, session_id, new, user_id=user_id)
    return [message.uuid for message in new if message.uuid]


async def embed(backend: Backend, extractor: Extractor) -> None:
    worker = Worker(backend.database, extractor, backend.settings, embedder=backend.embedder)
    await worker.run(asyncio.Event(), drain=True)


async def found(backend: Backend, query: str, scope: Scope = EVERYTHING, **named: Any) -> list[str]:
    results = await search(backend, scope, query, **named)
    return [one.message_id for one in results.part(0, len(results))]


async def columns(backend: Backend, kept: SearchCache) -> Columns:
    of_ada = await searched_sessions(backend.database, EVERYTHING, user_id="ada", session_id=None, limit=1_000)
    return await kept.columns(("ada", None), of_ada, await backend.embedding_model())


async def snapshot(backend: Backend, kept: SearchCache) -> list[Entry]:
    found = await columns(backend, kept)
    check_columns(found)
    return entries_in(found)


async def test_a_message_is_found_by_its_meaning_once_it_is_embedded(backend: Backend, extractor: Extractor) -> None:
    uuids = await say(backend, "s", *SPOKEN)
    query = "What profession does her sibling have?"
    assert await found(backend, query, user_id="ada") == []
    await embed(backend, extractor)
    assert (await found(backend, query, user_id="ada"))[0] in uuids[:2]
    assert (await found(backend, query, user_id="ada", mode=SearchMode.VECTOR))[0] in uuids[:2]
    assert await found(backend, query, user_id="ada", mode=SearchMode.LEXICAL) == []


async def test_meanings_of_another_model_are_not_compared(
    backend: Backend, extractor: Extractor, settings: Settings
) -> None:
    await say(backend, "s", *SPOKEN)
    await embed(backend, extractor)
    with EmbeddingServer() as server:
        other = Backend(
            settings.model_copy(update={"embedding_base_url": server.base_url, "embedding_model": "m"}),
            backend.database,
            load_counter(),
        )
        assert await found(other, "profession", user_id="ada") == []
        assert await found(other, "sister", user_id="ada")
        await other.close()


async def test_words_are_found_while_the_model_is_away(backend: Backend, settings: Settings) -> None:
    await say(backend, "s", *SPOKEN)
    with EmbeddingServer(503) as server:
        other = Backend(
            settings.model_copy(update={"embedding_base_url": server.base_url, "embedding_model": "m"}),
            backend.database,
            load_counter(),
        )
        assert await found(other, "sister", user_id="ada")
        with pytest.raises(Unavailable, match="does not answer"):
            await found(other, "sister", user_id="ada", mode=SearchMode.VECTOR)
        await other.close()


async def test_mode_vector_without_a_model_is_refused(backend: Backend, settings: Settings) -> None:
    await say(backend, "s", *SPOKEN)
    off = Backend(settings.model_copy(update={"embedding_model": "off"}), backend.database, load_counter())
    assert await found(off, "sister", user_id="ada")
    with pytest.raises(Unavailable, match="needs an embedding model"):
        await found(off, "sister", user_id="ada", mode=SearchMode.VECTOR)


@pytest.mark.slow
async def test_what_is_kept_is_what_is_stored(backend: Backend, extractor: Extractor) -> None:
    """Against a reading without memory, after each of many changes."""
    chance = random.Random(7)
    kept = SearchCache(backend.database, most_bytes=BYTES)
    uuids: list[str] = []
    for step in range(60):
        session_id = f"s{chance.randrange(3)}"
        act = chance.randrange(8)
        if act < 3 or not uuids:
            uuids += await say(backend, session_id, *(f"{chance.choice(SPOKEN)} {step}" for _ in range(3)))
        elif act == 3:
            uuid = chance.choice(uuids)
            await edits.edit_message(backend.database, EVERYTHING, uuid, Edit(content=f"edited {step}"), one_token)
        elif act == 4:
            await messages.delete_message(backend, EVERYTHING, uuids.pop(chance.randrange(len(uuids))))
        elif act == 5:
            await embed(backend, extractor)
        elif act == 6 and step % 3 == 0:
            await deletion.delete_memory(backend, EVERYTHING, session_id)
            uuids = await still_there(backend)
        elif step % 3 == 1:
            await sessions.delete_session(backend, EVERYTHING, session_id)
            uuids = await still_there(backend)
        one, other = (
            await columns(backend, kept),
            await columns(backend, SearchCache(backend.database, most_bytes=BYTES)),
        )
        assert entries_in(one) == entries_in(other), step
        assert one.languages == other.languages, step
        assert {*one.speakers} == {*other.speakers}, step
        check_columns(one)
        assert {*one.message_ids} == set(uuids)


async def test_a_deletion_is_noticed_beside_a_later_one_during_the_search(backend: Backend) -> None:
    """Of a message that the session, as it was read, has; the count of the session is then that of the entries."""
    cache = SearchCache(backend.database, most_bytes=BYTES)
    first, _ = await say(backend, "s", *SPOKEN[:2])
    assert first in {entry.message_id for entry in await snapshot(backend, cache)}
    await messages.delete_message(backend, EVERYTHING, first)
    (added,) = await say(backend, "s", SPOKEN[2])
    read = await searched_sessions(backend.database, EVERYTHING, user_id="ada", session_id=None, limit=1_000)
    await messages.delete_message(backend, EVERYTHING, added)
    found = await cache.columns(("ada", None), read, await backend.embedding_model())
    assert first not in found.message_ids


async def test_a_vector_is_taken_beside_later_ones_of_a_new_session(backend: Backend, extractor: Extractor) -> None:
    kept = SearchCache(backend.database, most_bytes=BYTES)
    for age, session_id in ((300, "s"), (200, "s"), (0, "t")):
        uuids = await say(backend, session_id, SPOKEN[0])
        await embed(backend, extractor)
        at = now() - timedelta(seconds=age)
        await backend.database.recall.update_many({"_id": {"$in": uuids}}, {"$set": {"at": at}})
        if age == 300:
            assert all(entry.vector for entry in (await snapshot(backend, kept)))
    assert [bool(entry.vector) for entry in (await snapshot(backend, kept))] == [True] * 3


async def test_vectors_that_were_read_are_not_read_again(
    backend: Backend, extractor: Extractor, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_cache, "_OVERLAP_OF_VECTORS", timedelta(seconds=0.2))
    kept = SearchCache(backend.database, most_bytes=BYTES)
    await say(backend, "s", *SPOKEN)
    await embed(backend, extractor)
    newest = max(document["at"] for document in await backend.database.recall.find({}))
    since = newest
    async with asyncio.timeout(60):
        while since <= newest:
            with commands.recorded() as sent:
                await snapshot(backend, kept)
            since = max(
                (body["filter"]["at"]["$gte"] for _, body in sent if "at" in body.get("filter", {})), default=since
            )
            await asyncio.sleep(0.1)
    await say(backend, "s", "And a later one")
    await embed(backend, extractor)
    assert [bool(entry.vector) for entry in (await snapshot(backend, kept))] == [True] * 5


async def test_messages_without_terms_cost_one_read_of_their_documents(backend: Backend, commands: Commands) -> None:
    await say(backend, "s", *SPOKEN)
    with commands.recorded() as sent:
        assert len(await snapshot(backend, SearchCache(backend.database, most_bytes=BYTES))) == len(SPOKEN)
    assert [body.get("find") for _, body in sent].count("recall") == 1


@pytest.mark.parametrize("count", [1, len(SPOKEN)])
async def test_a_session_with_the_id_of_a_deleted_one_is_read_whole(backend: Backend, count: int) -> None:
    await say(backend, "s", *SPOKEN)
    await found(backend, "sister", user_id="ada")
    await sessions.delete_session(backend, EVERYTHING, "s")
    uuids = await say(backend, "s", *("zebra" for _ in range(count)))
    assert set(await found(backend, "zebra", user_id="ada")) == set(uuids)
    assert await found(backend, "sister", user_id="ada") == []


async def one_token(_role: str, _content: str) -> int:
    return 1


async def still_there(backend: Backend) -> list[str]:
    return [message["_id"] for message in await backend.database.messages.find({}, {"_id": 1})]


async def test_searches_during_changes_find_nothing_that_is_gone_and_all_that_is_acknowledged(
    backend: Backend, extractor: Extractor
) -> None:
    there: set[str] = set(await say(backend, "s", "zebra 0", "zebra 1"))
    of_s1: set[str] = set()
    gone: set[str] = set()
    changing = True

    async def change() -> None:
        nonlocal changing
        for number in range(40):
            (uuid,) = await say(backend, f"s{number % 3}", f"zebra {number}")
            there.add(uuid)
            if number % 3 == 1:
                of_s1.add(uuid)
            if number % 2:
                victim = min(there)
                there.discard(victim)
                await messages.delete_message(backend, EVERYTHING, victim)
                gone.add(victim)
            if number in {14, 29}:
                there.difference_update(of_s1)
                await sessions.delete_session(backend, EVERYTHING, "s1")
                gone.update(of_s1)
            if number % 13 == 0:
                await embed(backend, extractor)
        changing = False

    async def look() -> None:
        while changing:
            acknowledged, deleted = set(there), set(gone)
            results = set(await found(backend, "zebra", user_id="ada"))
            assert not results & deleted
            assert acknowledged - results <= gone | (acknowledged - there)

    await asyncio.gather(change(), look(), look())


async def test_nobody_finds_what_belongs_to_others(backend: Backend, extractor: Extractor) -> None:
    (own,) = await say(backend, "of ada", "the zebra of ada")
    (other,) = await say(backend, "of bob", "the zebra of bob", user_id="bob")
    await embed(backend, extractor)
    for mode in SearchMode:
        assert set(await found(backend, "zebra", mode=mode)) == {own, other}
        assert await found(backend, "zebra", Scope("ada"), mode=mode) == [own]
        assert await found(backend, "zebra", Scope("ada"), user_id="bob", mode=mode) == []
        assert await found(backend, "zebra", Scope("ada"), session_id="of bob", mode=mode) == []
        assert await found(backend, "zebra", Scope("carol"), mode=mode) == []
    await backend.database.sessions.update_one({"_id": "of ada"}, {"$set": {"userId": "bob"}})
    assert await found(backend, "zebra", Scope("ada")) == []
    assert set(await found(backend, "zebra", Scope("bob"))) == {own, other}


async def test_two_processes_agree(backend: Backend, extractor: Extractor, settings: Settings) -> None:
    other = Backend(settings, backend.database, load_counter())
    await say(backend, "s", *SPOKEN)
    await embed(backend, extractor)
    for query in ("sister", "a job in healthcare", "weather"):
        both = [await search(one, EVERYTHING, query, user_id="ada") for one in (backend, other)]
        of_each = [list(results.part(0, len(results))) for results in both]
        assert of_each[0] == of_each[1]
        assert of_each[0]
    await other.close()


async def test_nothing_of_an_erased_session_is_kept(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_cache, "_LOOK_SECONDS", 0.05)
    kept = SearchCache(backend.database, seconds=2.0, most_bytes=BYTES)
    await say(backend, "s", *SPOKEN)
    await say(backend, "t", "zebra")
    await snapshot(backend, kept)
    await sessions.delete_session(backend, EVERYTHING, "s")
    assert {entry.session_id for entry in (await snapshot(backend, kept))} == {"t"}
    await sessions.delete_session(backend, EVERYTHING, "t")
    async with asyncio.timeout(30):
        while len(kept):  # noqa: ASYNC110 - it is dropped in the background
            await asyncio.sleep(0.02)


async def test_what_is_kept_is_bounded(backend: Backend) -> None:
    await say(backend, "s", *SPOKEN)
    size = size_of(await columns(backend, SearchCache(backend.database, most_bytes=BYTES)))
    kept = SearchCache(backend.database, most_bytes=size - 1)
    assert len(await snapshot(backend, kept)) == len(SPOKEN)
    assert not len(kept)


async def test_a_scope_is_read_once(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not changed is not read again."""
    await say(backend, "s", *SPOKEN)
    await found(backend, "sister", user_id="ada")
    monkeypatch.setattr(search_cache, "MAX_READ", 0)
    assert await found(backend, "sister", user_id="ada")


async def test_a_scope_that_workers_have_read_is_searched_without_its_contents(
    backend: Backend, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(backend, "s", *SPOKEN, "Was hat sie über die Arbeit gesagt?", "彼女は東京で働いています")
    by_content = await columns(backend, SearchCache(backend.database, most_bytes=BYTES))
    await embed(backend, extractor)
    monkeypatch.setattr(search_cache, "MAX_READ", 0)
    stored = await columns(backend, SearchCache(backend.database, most_bytes=BYTES))
    assert [entry.terms for entry in entries_in(stored)] == [entry.terms for entry in entries_in(by_content)]
    assert stored.languages == by_content.languages
    assert all(entry.vector for entry in entries_in(stored))
    await backend.database.recall.update_many({}, {"$set": {"layout": 0}})
    with pytest.raises(TooCostly, match="that no worker has read"):
        await snapshot(backend, SearchCache(backend.database, most_bytes=BYTES))
    monkeypatch.setattr(search_cache, "MAX_READ", 1_000)
    assert await snapshot(backend, SearchCache(backend.database, most_bytes=BYTES)) == entries_in(stored)


def in_memory(session_id: str) -> int:
    """The number of facts of a session's messages that this process holds."""
    gc.collect()
    return sum(type(held) is Entry and held.session_id == session_id for held in gc.get_objects())


@pytest.mark.slow
async def test_what_is_erased_leaves_the_memory_of_a_process_without_another_search(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_cache, "_LOOK_SECONDS", 0.05)
    await say(backend, "erased", *SPOKEN)
    (deleted,) = await say(backend, "shortened", "zebra")
    await say(backend, "kept", "zebra")
    await found(backend, "zebra", user_id="ada")
    assert [in_memory(name) for name in ("erased", "shortened", "kept")] == [len(SPOKEN), 1, 1]
    await sessions.delete_session(backend, EVERYTHING, "erased")
    await messages.delete_message(backend, EVERYTHING, deleted)
    async with asyncio.timeout(30):
        while in_memory("erased") or in_memory("shortened"):  # noqa: ASYNC110 - they are dropped in the background
            await asyncio.sleep(0.05)
    assert in_memory("kept") == 1
    assert len(await found(backend, "zebra", user_id="ada")) == 1
