"""Texts with very many names: what is stored of them fits into MongoDB's transactions."""

from __future__ import annotations

from graph.enrichment.documents import entity_documents
from graph.enrichment.entities import EntityMatch, ExtractedEntity
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import EntityDocument
from graph.store.jobs import enrichment
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import MOST_ENTITIES, Outcome
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.commands import Commands
from tests.support.mentions import entities_named

MESSAGES = 4


def _entities(number: int, message: int) -> list[EntityDocument]:
    names = [f"Name{message}x{place}" for place in range(number)]
    return entities_named(names, "PERSON")


async def test_a_batch_of_many_names_is_stored_in_transactions_that_fit(database: Database, commands: Commands) -> None:
    """In one transaction MongoDB refuses them: it is too large for the cache of the mongod that the tests run."""
    for number in range(MESSAGES):
        await add_memory(database, EVERYTHING, NewMemory(f"s{number}", [NewMessage("human", "x", 3)], user_id="ann"))
    held = await enrichment.claim(database, Limits(256, 16_384, 5), lease_seconds=600)
    assert len(held.messages) == MESSAGES
    outcomes = [
        Outcome(message["_id"], 1, _entities(MOST_ENTITIES, number)) for number, message in enumerate(held.messages)
    ]
    with commands.recorded() as recorded:
        assert await enrichment.complete(database, held.lease, outcomes) == MESSAGES
    assert [name for name, _ in recorded].count("commitTransaction") >= MESSAGES
    assert await database.messages.count_documents({"enrichment.state": "DONE"}) == MESSAGES
    for number in range(MESSAGES):
        shown = {"owner": f"s:s{number}", "mentionCount": 1}
        assert await database.entities.count_documents(shown) == MOST_ENTITIES
    assert await database.entities.count_documents({"owner": "u:ann", "mentionCount": 1}) == MESSAGES * MOST_ENTITIES


async def test_small_messages_are_stored_together(database: Database, commands: Commands) -> None:
    for number in range(MESSAGES):
        await add_memory(database, EVERYTHING, NewMemory(f"s{number}", [NewMessage("human", "x", 3)]))
    held = await enrichment.claim(database, Limits(256, 16_384, 5), lease_seconds=600)
    outcomes = [Outcome(message["_id"], 1, _entities(5, number)) for number, message in enumerate(held.messages)]
    with commands.recorded() as recorded:
        assert await enrichment.complete(database, held.lease, outcomes) == MESSAGES
    assert [name for name, _ in recorded].count("commitTransaction") == 1


def _found(name: str, mentions: int) -> ExtractedEntity:
    return ExtractedEntity(name, "PERSON", tuple(EntityMatch(place, place + 1, name) for place in range(mentions)))


def test_what_a_text_mentions_most_is_kept_in_its_order() -> None:
    found = [_found(f"n{place}", 1) for place in range(MOST_ENTITIES)]
    assert len(entity_documents(found, "")) == MOST_ENTITIES
    found += [_found("often", 3), _found("twice", 2)]
    kept = [entity["name"] for entity in entity_documents(found, "")]
    assert kept == [f"n{place}" for place in range(MOST_ENTITIES - 2)] + ["often", "twice"]
