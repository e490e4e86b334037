"""The vectors of messages: who embeds them, and that none outlives its text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from graph.store.database import Database
from graph.store.documents import Document, RecallDocument, now
from graph.store.jobs import embedding, enrichment, erasure, progress
from graph.store.jobs.batches import Limits
from graph.store.jobs.embedding import Claimed, Vector, Words
from graph.store.jobs.enrichment import Outcome
from graph.store.vectors import LAYOUT
from tests.support.contents import exported, imported
from tests.support.graphql_client import ADD, Client
from tests.support.memory import add
from tests.support.untyped import untyped

ALL = Limits(messages=100_000, tokens=10**9, attempts=5)
MODEL = "a model"
PLANTED = Vector(b"planted vector", 0.5, Words("english", b"planted terms of 16 bytes"[:16], False))
DELETE_MESSAGE = "mutation($id: UUID!) { deleteMessage(input: { uuid: $id }) { deletedId } }"
EDIT = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { uuid } } }"


def said(*contents: str) -> list[Document]:
    return [{"role": "human", "content": content} for content in contents]


async def enriched(database: Database) -> None:
    """Store of all pending messages that they have no entities."""
    held = await enrichment.claim(database, ALL, lease_seconds=60)
    outcomes = [Outcome(message["_id"], 1) for message in held.messages]
    assert await enrichment.complete(database, held.lease, outcomes) == len(outcomes)


async def claimed(database: Database, model: str = MODEL, *, lease: float = 60.0, attempts: int = 5) -> Claimed:
    return await embedding.claim(database, model, 100, lease_seconds=lease, attempts=attempts)


async def embedded(database: Database, model: str = MODEL) -> list[str]:
    """Store a vector of each message that needs one; returns their contents."""
    held = await claimed(database, model)
    vectors = {text.uuid: PLANTED for text in held.texts}
    assert await embedding.complete(database, held, model, vectors) == len(vectors)
    return sorted(text.content for text in held.texts)


async def stored(database: Database) -> list[RecallDocument]:
    found: list[RecallDocument] = await database.recall.find({}, sort=[("sessionId", 1), ("seq", 1)])
    return found


async def uuids(client: Client, session_id: str, *contents: str) -> list[str]:
    memory = (await add(client, session_id, said(*contents)))["memory"]
    return [message["uuid"] for message in memory["messages"]]


async def expired(database: Database) -> None:
    """Let every lease run out."""
    await database.recall.update_many({"lease": {"$exists": True}}, {"$set": {"dueAt": now()}})


async def test_a_message_is_embedded_once_after_its_entities(client: Client, database: Database) -> None:
    (uuid,) = await uuids(client, "s", "one")
    assert await embedded(database) == []
    await enriched(database)
    assert await embedding.is_any_left(database, MODEL)
    assert await embedded(database) == ["one"]
    assert await embedded(database) == []
    assert not await embedding.is_any_left(database, MODEL)
    (document,) = await stored(database)
    message = await untyped(database, "messages").find_one({"_id": uuid})
    assert {**document, "dueAt": None, "at": None} == {
        "_id": uuid,
        "memoryId": message["memoryId"],
        "sessionId": "s",
        "seq": 1,
        "model": MODEL,
        "vector": PLANTED.numbers,
        "scale": PLANTED.scale,
        "layout": LAYOUT,
        "language": PLANTED.words.language,
        "terms": PLANTED.words.terms,
        "question": PLANTED.words.question,
        "dueAt": None,
        "at": None,
    }


async def test_another_model_embeds_all_again(client: Client, database: Database) -> None:
    await uuids(client, "s", "one", "two")
    await enriched(database)
    assert await embedded(database) == ["one", "two"]
    assert await embedded(database, "another") == ["one", "two"]
    assert {document["model"] for document in await stored(database)} == {"another"}


async def test_terms_of_another_version_are_written_again(client: Client, database: Database) -> None:
    await uuids(client, "s", "one", "two")
    await enriched(database)
    await embedded(database)
    await database.recall.update_one({"seq": 1}, {"$unset": {"layout": "", "terms": ""}})
    assert await embedding.is_any_left(database, MODEL)
    assert (await progress.progress(database, model=MODEL))["unembedded"] == 1
    assert await embedded(database) == ["one"]
    assert [document["terms"] for document in await stored(database)] == [PLANTED.words.terms] * 2
    assert not await embedding.is_any_left(database, MODEL)


async def test_what_a_killed_worker_held_is_embedded_by_the_next_one(client: Client, database: Database) -> None:
    await uuids(client, "s", "one", "two")
    await enriched(database)
    killed = await claimed(database)
    assert len(killed.texts) == 2
    assert not (await claimed(database)).texts
    await expired(database)
    alone = await claimed(database)
    assert len(alone.texts) == 1  # it may be what ended the worker
    assert await embedding.complete(database, killed, MODEL, {alone.texts[0].uuid: PLANTED}) == 0
    assert await embedding.complete(database, alone, MODEL, {alone.texts[0].uuid: PLANTED}) == 1
    assert len(await embedded(database)) == 1
    assert not await embedding.is_any_left(database, MODEL)


async def test_a_message_that_ends_each_worker_is_given_up(client: Client, database: Database) -> None:
    await uuids(client, "s", "one")
    await enriched(database)
    for _ in range(3):
        assert len((await claimed(database, attempts=3)).texts) == 1
        await expired(database)
    assert not (await claimed(database, attempts=3)).texts
    (document,) = await stored(database)
    assert "vector" not in document
    assert "worker ended" in document["failure"]
    assert not await embedding.is_any_left(database, MODEL)
    assert await embedded(database, "another") == ["one"]
    assert "failure" not in (await stored(database))[0]


async def test_what_is_given_back_counts_as_never_claimed(client: Client, database: Database) -> None:
    await uuids(client, "s", "one")
    await enriched(database)
    for _ in range(10):
        held = await claimed(database, attempts=3)
        await embedding.renew(database, held, lease_seconds=60)
        await embedding.release(database, held)
    assert await embedded(database) == ["one"]


async def test_a_claim_reads_no_more_than_it_may_and_gives_the_rest_back(client: Client, database: Database) -> None:
    await add(client, "s", said(*(f"{number} {'x' * 200_000}" for number in range(40))))
    await enriched(database)
    first = await claimed(database)
    assert len(first.texts) == 32
    second = await claimed(database)
    assert {text.uuid for text in first.texts} & {text.uuid for text in second.texts} == set()
    assert [text.attempts for text in second.texts] == [1] * 8


async def test_an_edit_forgets_the_vector_and_the_claim_of_the_old_text(client: Client, database: Database) -> None:
    (uuid,) = await uuids(client, "s", "old")
    await enriched(database)
    held = await claimed(database)
    await client.data(EDIT, input={"uuid": uuid, "content": "new"})
    assert await stored(database) == []
    await enriched(database)
    assert await embedding.complete(database, held, MODEL, {uuid: PLANTED}) == 0
    assert await embedded(database) == ["new"]
    await client.data(EDIT, input={"uuid": uuid, "metadata": {"k": 1}})
    assert [document["vector"] for document in await stored(database)] == [PLANTED.numbers]
    await add(client, "s", [{"uuid": uuid, "role": "human", "content": "newest"}])
    assert await stored(database) == []


async def test_no_vector_outlives_its_message(client: Client, database: Database) -> None:
    first, second = await uuids(client, "s", "one", "two")
    await uuids(client, "t", "three")
    await enriched(database)
    assert len(await embedded(database, "an earlier model")) == 3
    held = await claimed(database)
    await client.data(DELETE_MESSAGE, id=first)
    assert [document["seq"] for document in await stored(database)] == [2, 1]
    await client.data('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
    assert [document["sessionId"] for document in await stored(database)] == ["t"]
    await client.data('mutation { deleteSession(input: { sessionId: "t" }) { deletedId } }')
    assert await embedding.complete(database, held, MODEL, {first: PLANTED, second: PLANTED}) == 0
    assert await stored(database) == []


async def test_a_large_session_leaves_no_vector(client: Client, database: Database) -> None:
    for _ in range(2):
        await add(client, "s", said(*(str(number) for number in range(700))))
    await enriched(database)
    await client.data('mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }')
    await erasure.finish(database, erasure.session_job("s"))
    assert await stored(database) == []


async def test_a_document_whose_message_is_gone_is_removed(client: Client, database: Database) -> None:
    (uuid,) = await uuids(client, "s", "one")
    await enriched(database)
    await database.messages.delete_one({"_id": uuid})
    assert not (await claimed(database)).texts
    assert await stored(database) == []


async def test_a_uuid_that_is_sent_again_takes_no_vector_of_the_erased_message(
    client: Client, database: Database
) -> None:
    (uuid,) = await uuids(client, "s", "erased")
    await enriched(database)
    await embedded(database)
    (left,) = await stored(database)
    await client.data('mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }')
    await database.recall.insert_one(left)  # as while a large session is being erased
    await client.data(ADD, input={"sessionId": "t", "messages": [{"uuid": uuid, "role": "human", "content": "new"}]})
    await enriched(database)
    assert await embedded(database) == ["new"]
    assert [document["sessionId"] for document in await stored(database)] == ["t"]


async def test_a_message_whose_extraction_failed_is_embedded(client: Client, database: Database) -> None:
    await uuids(client, "s", "one")
    await uuids(client, "t", "two")
    limits = Limits(messages=1, tokens=10**9, attempts=1)
    held = await enrichment.claim(database, limits, lease_seconds=60, session_id="s")
    await enrichment.complete(database, held.lease, [Outcome(held.messages[0]["_id"], 1, failure="it can't be read")])
    held = await enrichment.claim(database, limits, lease_seconds=0, session_id="t")
    await asyncio.sleep(0.01)
    assert not (await enrichment.claim(database, limits, lease_seconds=60, session_id="t")).messages  # given up
    assert await database.messages.count_documents({"enrichment.state": "FAILED"}) == 2
    assert await embedded(database) == ["one", "two"]


async def test_an_import_is_embedded_again(client: Client, database: Database) -> None:
    await uuids(client, "s", "one")
    await enriched(database)
    await embedded(database)
    await uuids(client, "s", "two")
    file = await exported(database)
    assert PLANTED.numbers not in file
    await client.data('mutation { deleteSession(input: { sessionId: "s" }) { deletedId } }')
    await imported(database, file)
    assert await embedded(database) == ["one"]
    await enriched(database)
    assert await embedded(database) == ["two"]


async def test_claims_of_several_workers_never_share_a_message(client: Client, database: Database) -> None:
    await uuids(client, "s", *map(str, range(60)))
    await enriched(database)

    async def work() -> Sequence[str]:
        done: list[str] = []
        while await embedding.is_any_left(database, MODEL):
            held = await embedding.claim(database, MODEL, 7, lease_seconds=60, attempts=5)
            await embedding.complete(database, held, MODEL, {text.uuid: PLANTED for text in held.texts})
            done += [text.content for text in held.texts]
        return done

    by_worker = await asyncio.gather(*(work() for _ in range(4)))
    assert sorted(text for done in by_worker for text in done) == sorted(map(str, range(60)))
