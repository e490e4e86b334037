"""Searches of two processes during adds, edits, deletions and erasure, while a worker embeds.

A search never finds what was gone before it began, by the words of the message as they were then or before, and it
finds every message that was acknowledged more than a second before it began and not changed since.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import pytest

from graph.enrichment.entities import Extractor
from graph.enrichment.tokens import load_counter
from graph.enrichment.worker import Worker
from graph.errors import RecallQLError
from graph.operations import deletion, memory, messages, sessions, users
from graph.operations.backend import Backend
from graph.operations.recall import SearchMode, search
from graph.settings import Settings
from graph.store.database import Database
from graph.store.scope import EVERYTHING

ANIMALS = ("zebra", "giraffe", "otter", "walrus")
SESSIONS = 6
STEPS = 60
WRITERS = 3
LATE = 1.0  # seconds


class Known:
    """The state that a client of the API may rely on.

    Attributes:
        words: the animal of each message that exists, with the time of its acknowledgement.
        gone: the messages that were deleted.
        touched: the number of changes of each message that have begun.
        session_of: the session of each message.
    """

    def __init__(self) -> None:
        self.words: dict[str, tuple[str, float]] = {}
        self.gone: set[str] = set()
        self.touched: Counter[str] = Counter()
        self.session_of: dict[str, str] = {}

    def begin(self, uuids: list[str]) -> None:
        """Nothing is known of these messages until `acknowledge` or `remove`."""
        for uuid in uuids:
            self.touched[uuid] += 1
            self.words.pop(uuid, None)

    def acknowledge(self, uuid: str, animal: str) -> None:
        self.words[uuid] = animal, time.monotonic()

    def of(self, session_id: str) -> list[str]:
        return [uuid for uuid, owner in self.session_of.items() if owner == session_id and uuid not in self.gone]


@pytest.fixture
async def processes(settings: Settings, database: Database) -> AsyncIterator[list[Backend]]:
    opened = [Backend(settings, database, load_counter()) for _ in range(2)]
    yield opened
    for backend in opened:
        await backend.close()


async def add(backend: Backend, known: Known, chance: random.Random, session_id: str) -> None:
    new = [
        (memory.MessageToAdd("user", f"The {animal} number {chance.random()}", uuid=str(uuid4())), animal)
        for animal in chance.choices(ANIMALS, k=chance.randrange(1, 4))
    ]
    # The owner of a session is chosen once: half of the sessions belong to each user.
    user_id = "ada" if int(session_id) % 2 else "bob"
    for message, _ in new:
        known.session_of[str(message.uuid)] = session_id
    await memory.add_memory(backend, EVERYTHING, session_id, [message for message, _ in new], user_id=user_id)
    for message, animal in new:
        known.acknowledge(str(message.uuid), animal)


async def edit(backend: Backend, known: Known, chance: random.Random, uuid: str) -> None:
    animal = chance.choice(ANIMALS)
    known.begin([uuid])
    await messages.update_message(backend, EVERYTHING, uuid, content=f"A {animal} instead")
    known.acknowledge(uuid, animal)


async def remove(backend: Backend, known: Known, act: str, uuid: str) -> None:
    session_id = known.session_of[uuid]
    if act == "message":
        removed = [uuid]
    elif act == "user":
        removed = [one for number in range(1, SESSIONS, 2) for one in known.of(str(number))]
    else:
        removed = known.of(session_id)
    known.begin(removed)
    if act == "message":
        await messages.delete_message(backend, EVERYTHING, uuid)
    elif act == "memory":
        await deletion.delete_memory(backend, EVERYTHING, session_id)
    elif act == "session":
        await sessions.delete_session(backend, EVERYTHING, session_id)
    else:
        await users.delete_user(backend, EVERYTHING, "ada")
    known.gone.update(removed)


async def write(backend: Backend, known: Known, locks: dict[str, asyncio.Lock], seed: int) -> None:
    """Change random sessions. A session has one change at once, so that it is certain which of two came last."""
    chance = random.Random(seed)
    for step in range(STEPS):
        session_id = str(chance.randrange(SESSIONS))
        act = chance.choices(
            ("add", "edit", "message", "memory", "session", "user"), (20, 12, 8, 1, 1, step == STEPS // 2), k=1
        )[0]
        held = [str(number) for number in range(SESSIONS)] if act == "user" else [session_id]
        for name in held:
            await locks[name].acquire()
        try:
            there = sorted(set(known.of(session_id)) & known.words.keys())
            with suppress(RecallQLError):  # a session or user that another writer has deleted, or not made yet
                if act == "add" or not there:
                    await add(backend, known, chance, session_id)
                elif act == "edit":
                    await edit(backend, known, chance, chance.choice(there))
                else:
                    await remove(backend, known, act, chance.choice(there))
        finally:
            for name in held:
                locks[name].release()
        await asyncio.sleep(chance.random() / 20)


async def look(backend: Backend, known: Known, stop: asyncio.Event, seed: int) -> int:
    """Search again and again; returns how often it found anything."""
    chance = random.Random(seed)
    useful = 0
    while not stop.is_set():
        animal = chance.choice(ANIMALS)
        mode = chance.choice([SearchMode.HYBRID, SearchMode.LEXICAL])
        began, words = time.monotonic(), dict(known.words)
        gone, touched = set(known.gone), Counter(known.touched)
        results = await search(backend, EVERYTHING, animal, mode=mode, by_session=False)
        found = {one.message_id for one in results.part(0, len(results))}
        useful += bool(found)
        assert not found & gone
        for uuid, (word, at) in words.items():
            if known.touched[uuid] != touched[uuid]:
                continue  # it changed during the search
            if word == animal and at < began - LATE:
                assert uuid in found
            if word != animal and mode is SearchMode.LEXICAL:
                assert uuid not in found
    return useful


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_search_finds_all_that_is_there_and_nothing_that_is_gone(
    processes: list[Backend], settings: Settings, seed: int
) -> None:
    known, stop = Known(), asyncio.Event()
    locks = {str(number): asyncio.Lock() for number in range(SESSIONS)}
    worker = Worker(processes[0].database, Extractor(), settings, embedder=processes[0].embedder)
    working = asyncio.create_task(worker.run(stop))
    looking = [
        asyncio.create_task(look(backend, known, stop, seed + number)) for number, backend in enumerate(processes * 2)
    ]
    try:
        await asyncio.gather(
            *(write(processes[number % 2], known, locks, 10 * seed + number) for number in range(WRITERS))
        )
        await asyncio.sleep(2 * LATE)
    finally:
        stop.set()
    assert all(await asyncio.gather(*looking))
    await working
    assert known.gone
    assert known.words
