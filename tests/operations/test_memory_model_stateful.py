"""The whole memory model under several writers, against a model in memory, on the real MongoDB.

Each task has a plan of its own, and messages and a session that only it changes; all of them also add to one session
that they share. So each knows at every moment what its own part must be, however the tasks meet, and all of them
together know what must be there in the end. They also do what workers do, to whatever message waits, and the entities
must be what a recount from the messages gives.
"""

from __future__ import annotations

import asyncio
import re
import uuid as uuids
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.enrichment.tokens import count_message_tokens
from graph.store.database import Database
from graph.store.documents import EntityDocument, MatchDocument
from graph.store.editing.merge import merged
from graph.store.entities.names import entity_key
from graph.store.jobs import enrichment, erasure
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Outcome
from tests.support.graphql_client import ADD, Client
from tests.support.mentions import recount as recount_entities
from tests.support.mentions import shown

MESSAGE = "query($uuid: UUID!) { message(uuid: $uuid) { seq role content metadata tokenCount session { sessionId } } }"
HISTORY = """query($s: ID!, $first: Int!, $after: String) { session(sessionId: $s) { messageCount tokenCount
  messages(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
    edges { node { uuid seq role content metadata tokenCount } } }
  memories { edges { node { tokenCount messages { tokenCount } } } } } }"""
ENTITIES = """query($s: ID!) { session(sessionId: $s) { metadata user { userId entities(first: 100) { totalCount } }
  memory { summary { uuid } } entities(first: 100) { edges { node { name mentionCount
    matches(first: 50) { text message { uuid content session { sessionId } } } } } } } }"""
UPDATE_SESSION = """mutation($input: UpdateSessionInput!) { updateSession(input: $input) {
  session { metadata user { userId } } } }"""
UPDATE = """mutation($input: UpdateMessageInput!) { updateMessage(input: $input) {
  message { seq role content metadata tokenCount } } }"""

texts = st.sampled_from(
    ["", "one", "two words", "naïve café ☕", "x" * 300, "\0", "{}", "Octavia Butler met Anna", "Anna Lee met Octavia"]
)
roles = st.sampled_from(["human", "ai", "tool"])
metadata = st.dictionaries(
    st.sampled_from("abc"), st.one_of(st.none(), st.integers(-5, 5), st.dictionaries(st.sampled_from("xy"), texts))
)
picks = st.integers(0, 50)
operations = st.one_of(
    st.tuples(st.just("add"), st.booleans(), st.lists(st.tuples(roles, texts, metadata), min_size=1, max_size=4)),
    st.tuples(st.just("again"), picks, st.tuples(roles, texts, metadata)),
    st.tuples(st.just("edit"), picks, st.tuples(st.none() | roles, st.none() | texts, st.none() | metadata)),
    st.tuples(st.just("delete"), picks),
    st.tuples(st.just("read"), picks),
    st.tuples(st.just("history"), st.integers(1, 5)),
    st.tuples(st.just("enrich"), st.integers(1, 9)),
    st.tuples(st.just("update"), st.booleans(), metadata),
    st.tuples(st.just("entities")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("drop")),
    st.tuples(st.just("drop_user")),
)


@dataclass
class Task:
    """One writer, with what it knows.

    Attributes:
        own: the session that only it writes.
        shared: the session that all write.
        messages: its messages as they must be, by uuid, in the order they were added; with `session` and `seq`.
        last_seq: of its own session.
        exists: whether its own session does.
        metadata: of its own session.
        given: whether its own session belongs to a user of its own.
    """

    client: Client
    database: Database
    own: str
    shared: str
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_seq: int = 0
    exists: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    given: bool = False
    shared_count: int = 0

    @property
    def user(self) -> str:
        return f"user of {self.own}"

    def pick(self, number: int) -> str | None:
        return list(self.messages)[number % len(self.messages)] if self.messages else None

    async def run(self, plan: list[tuple[Any, ...]]) -> None:
        for name, *arguments in plan:
            await getattr(self, name)(*arguments)

    async def add(self, to_shared: bool, sent: list[tuple[str, str, dict[str, Any]]]) -> None:
        session = self.shared if to_shared else self.own
        messages: list[dict[str, Any]] = [
            {"uuid": str(uuids.uuid4()), "role": role, "content": content, "metadata": metadata}
            for role, content, metadata in sent
        ]
        added = (await self.client.data(ADD, input={"sessionId": session, "messages": messages}))["addMemory"]
        assert added["replayed"] is False
        places = [message["seq"] for message in added["memory"]["messages"]]
        assert places == list(range(places[0], places[0] + len(messages)))
        if to_shared:
            self.shared_count += len(messages)
        else:
            assert places[0] == self.last_seq + 1
            self.last_seq, self.exists = places[-1], True
        for message, seq in zip(messages, places, strict=True):
            self.messages[message.pop("uuid")] = {**message, "session": session, "seq": seq}

    async def again(self, number: int, sent: tuple[str, str, dict[str, Any]]) -> None:
        uuid = self.pick(number)
        if uuid is None:
            return
        role, content, metadata = sent
        message = {"uuid": uuid, "role": role, "content": content, "metadata": metadata}
        known = self.messages[uuid]
        await self.client.data(ADD, input={"sessionId": known["session"], "messages": [message]})
        known |= {"role": role, "content": content, "metadata": merged(known["metadata"], metadata)}
        await self.read(number)

    async def edit(self, number: int, sent: tuple[str | None, str | None, dict[str, Any] | None]) -> None:
        uuid = self.pick(number)
        if uuid is None:
            return
        role, content, metadata = sent
        known = self.messages[uuid]
        known |= {
            "role": known["role"] if role is None else role,
            "content": known["content"] if content is None else content,
            "metadata": merged(known["metadata"], metadata or {}),
        }
        change = {"uuid": uuid, "role": role, "content": content, "metadata": metadata}
        self.compare(uuid, (await self.client.data(UPDATE, input=change))["updateMessage"]["message"])

    async def delete(self, number: int) -> None:
        uuid = self.pick(number)
        query = "mutation($uuid: UUID!) { deleteMessage(input: { uuid: $uuid }) { deletedId } }"
        if uuid is None:
            assert (await self.client.error(query, uuid=str(uuids.uuid4())))["code"] == "NOT_FOUND"
            return
        await self.client.data(query, uuid=uuid)
        del self.messages[uuid]
        assert (await self.client.data(MESSAGE, uuid=uuid))["message"] is None

    async def read(self, number: int) -> None:
        uuid = self.pick(number)
        if uuid is not None:
            found = (await self.client.data(MESSAGE, uuid=uuid))["message"]
            assert found["session"]["sessionId"] == self.messages[uuid]["session"]
            self.compare(uuid, found)

    def compare(self, uuid: str, found: dict[str, Any]) -> None:
        known = self.messages[uuid]
        assert {name: found[name] for name in ("role", "content", "metadata", "seq")} == {
            name: known[name] for name in ("role", "content", "metadata", "seq")
        }
        assert found["tokenCount"] == count_message_tokens(known["role"], known["content"])

    async def history(self, size: int) -> None:
        """Its own session is exactly what it knows; of the shared one, no page goes back or repeats."""
        found = await pages(self.client, self.own, size)
        known = {uuid: message for uuid, message in self.messages.items() if message["session"] == self.own}
        assert (found is None) == (not self.exists)
        if found is not None:
            assert [message["uuid"] for message in found] == list(known)
            for message in found:
                self.compare(message["uuid"], message)
        seen = [message["seq"] for message in await pages(self.client, self.shared, size) or []]
        assert seen == sorted(set(seen))

    async def clear(self) -> None:
        answer = await self.client.send(
            f'mutation {{ deleteMemory(input: {{ sessionId: "{self.own}" }}) {{ deletedId }} }}'
        )
        assert ("errors" in answer) == (not self.exists)
        self.forget()
        await self.entities(none=True)

    async def drop(self) -> None:
        answer = await self.client.send(
            f'mutation {{ deleteSession(input: {{ sessionId: "{self.own}" }}) {{ deletedId }} }}'
        )
        assert ("errors" in answer) == (not self.exists)
        self.end()

    async def drop_user(self) -> None:
        """Its own session goes with the user, where it was given."""
        query = "mutation($id: ID!) { deleteUser(input: { userId: $id }) { deletedId } }"
        await self.client.send(query, id=self.user)
        if self.given:
            self.end()
        found = await self.client.data(
            "query($s: ID!, $u: ID!) { session(sessionId: $s) { uuid } user(userId: $u) { uuid } }",
            s=self.own,
            u=self.user,
        )
        assert (found["session"] is not None, found["user"]) == (self.exists, None)

    async def update(self, give: bool, change: dict[str, Any]) -> None:
        sent = {"sessionId": self.own, "metadata": change, **({"userId": self.user} if give else {})}
        if not self.exists:
            assert (await self.client.error(UPDATE_SESSION, input=sent))["code"] == "NOT_FOUND"
            return
        self.metadata = merged(self.metadata, change)
        self.given |= give
        session = (await self.client.data(UPDATE_SESSION, input=sent))["updateSession"]["session"]
        assert session["metadata"] == self.metadata
        assert session["user"] == ({"userId": self.user} if self.given else None)

    async def enrich(self, most: int) -> None:
        """As a worker: whatever waits, of any session."""
        await enrich(self.database, most)

    async def entities(self, *, none: bool = False) -> None:
        """Every mention stands in a message that is there; of a session that was cleared there is none."""
        session = (await self.client.data(ENTITIES, s=self.own))["session"]
        assert (session is not None) == self.exists
        if session is None:
            return
        assert session["metadata"] == self.metadata
        for edge in session["entities"]["edges"]:
            for match in edge["node"]["matches"]:
                # Both are read one after the other, and only this task writes its own session.
                known = self.messages[match["message"]["uuid"]]
                assert (known["session"], match["message"]["session"]["sessionId"]) == (self.own, self.own)
                assert match["text"] in known["content"]
        if none:
            assert session["entities"]["edges"] == []
            assert session["memory"]["summary"] is None

    def end(self) -> None:
        self.forget()
        self.exists, self.last_seq, self.metadata, self.given = False, 0, {}, False

    def forget(self) -> None:
        self.messages = {uuid: message for uuid, message in self.messages.items() if message["session"] != self.own}


async def enrich(database: Database, most: int) -> bool:
    """What a worker does with one batch, with every capitalised word as a name; whether there was any."""
    held = await enrichment.claim(database, Limits(messages=most, tokens=10**6, attempts=50), lease_seconds=600)
    await asyncio.sleep(0)
    outcomes = []
    for message in held.messages:
        found: dict[str, EntityDocument] = {}
        for name in re.finditer(r"[A-Z]\w+(?: [A-Z]\w+)*", message["content"]):
            key = entity_key("PERSON", name[0])
            new = EntityDocument(key=key, name=name[0], label="PERSON", matches=[])
            match = MatchDocument(start=name.start(), end=name.end(), text=name[0])
            found.setdefault(key, new)["matches"].append(match)
        outcomes.append(Outcome(message["_id"], 1, list(found.values())))
    await enrichment.complete(database, held.lease, outcomes)
    return bool(held.messages) or held.contended


async def pages(client: Client, session_id: str, size: int) -> list[dict[str, Any]] | None:
    """The whole history, page by page."""
    found: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        session = (await client.data(HISTORY, s=session_id, first=size, after=after))["session"]
        if session is None:
            return None
        page = session["messages"]
        found += [edge["node"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return found


async def recount(client: Client, session_id: str, known: dict[str, dict[str, Any]]) -> None:
    """Everything that is kept or counted of a session, compared with the messages that must be there."""
    session = (await client.data(HISTORY, s=session_id, first=1000))["session"]
    if session is None:
        assert not known
        return
    found = {edge["node"]["uuid"]: edge["node"] for edge in session["messages"]["edges"]}
    assert set(found) == set(known)
    for uuid, message in known.items():
        for name in ("seq", "role", "content", "metadata"):
            assert found[uuid][name] == message[name]
    places = [message["seq"] for message in found.values()]
    assert places == sorted(set(places))
    tokens = sum(message["tokenCount"] for message in found.values())
    assert (session["messageCount"], session["tokenCount"]) == (len(known), tokens)
    assert session["messages"]["totalCount"] == len(known)
    memories = [edge["node"] for edge in session["memories"]["edges"]]
    assert all(
        memory["tokenCount"] == sum(message["tokenCount"] for message in memory["messages"]) for memory in memories
    )
    assert sum(memory["tokenCount"] for memory in memories) == tokens


async def check(client: Client, database: Database, plans: list[list[tuple[Any, ...]]]) -> None:
    prefix = uuids.uuid4().hex
    tasks = [Task(client, database, f"{prefix} {number}", f"{prefix} shared") for number in range(len(plans))]
    await asyncio.gather(*(task.run(plan) for task, plan in zip(tasks, plans, strict=True)))
    shared: dict[str, dict[str, Any]] = {}
    for task in tasks:
        own = {uuid: message for uuid, message in task.messages.items() if message["session"] == task.own}
        shared |= {uuid: message for uuid, message in task.messages.items() if uuid not in own}
        await recount(client, task.own, own)
    await recount(client, tasks[0].shared, shared)
    session = await database.sessions.find_one({"_id": tasks[0].shared})
    assert (session or {"lastSeq": 0})["lastSeq"] == sum(task.shared_count for task in tasks)
    while await enrich(database, 100):
        continue
    assert await shown(database) == await recount_entities(database)
    known = {uuid for task in tasks for uuid in task.messages}
    async with asyncio.timeout(60):
        while await database.erasures.find_one({}) is not None:  # noqa: ASYNC110 - the application's own task
            await asyncio.sleep(0.01)
    stored = await database.messages.find({"sessionId": {"$regex": f"^{prefix}"}}, {"enrichment": 1})
    assert {message["_id"] for message in stored} == known
    assert all(message["enrichment"]["state"] == "DONE" for message in stored)
    assert await shown(database) == await recount_entities(database)
    there = {f"s:{owner['_id']}" for owner in await database.sessions.find()}
    there |= {f"u:{user['_id']}" for user in await database.users.find()}
    assert set(await database.entities.distinct("owner")) <= there


@pytest.fixture
def without_small_erasures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deletion leaves a job, so that the erasures meet the writers that come after them."""
    monkeypatch.setattr(erasure, "SMALL", 0)
    monkeypatch.setattr(erasure, "ENTITIES_AT_ONCE", 0)
    monkeypatch.setattr(erasure, "BATCH", 3)


some_plans = st.lists(st.lists(operations, min_size=1, max_size=10), min_size=1, max_size=4)
many_plans = st.lists(st.lists(operations, min_size=5, max_size=40), min_size=2, max_size=8)


@pytest.mark.slow
@given(plans=some_plans)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
async def test_several_writers_and_the_model_agree(
    client: Client, database: Database, plans: list[list[tuple[Any, ...]]]
) -> None:
    await check(client, database, plans)


@pytest.mark.slow
@given(plans=some_plans)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
async def test_several_writers_and_the_model_agree_while_all_deletions_leave_jobs(
    client: Client, database: Database, without_small_erasures: None, plans: list[list[tuple[Any, ...]]]
) -> None:
    await check(client, database, plans)


@pytest.mark.slow
@pytest.mark.timeout(900)
@given(plans=many_plans)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_many_writers_and_the_model_agree(
    client: Client, database: Database, plans: list[list[tuple[Any, ...]]]
) -> None:
    await check(client, database, plans)
