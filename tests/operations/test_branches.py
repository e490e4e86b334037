"""Branches inside a session, against a model in which each message knows its parent."""

from __future__ import annotations

import asyncio
import functools
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from graph.enrichment.entities import Extractor
from graph.enrichment.summariser import Summariser
from graph.enrichment.worker import Worker
from graph.errors import TransferError
from graph.settings import Settings
from graph.store.database import Database
from graph.store.jobs import summarising
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.contents import exported, imported
from tests.support.graphql_client import ADD, Client
from tests.support.live import url
from tests.support.live_client import socket_to
from tests.support.untyped import untyped

NIL = "00000000-0000-0000-0000-000000000000"
NO_PARENT = (
    "and neither the session nor the messages before in this call have a message with this uuid: send the uuid of one"
    " of them, or leave parentUuid out"
)
WINDOW = 4
HEAD = """mutation($i: UpdateSessionInput!) { updateSession(input: $i) {
  session { head { uuid } revision memory { messages(last: 50) { uuid } } } } }"""
POP = "mutation($i: PopMessageInput!) { popMessage(input: $i) { poppedMessage { uuid } session { head { uuid } } } }"
DELETE = "mutation($i: DeleteMessageInput!) { deleteMessage(input: $i) { deletedId } }"
REPLACE = """mutation($i: ReplaceFromInput!) { replaceFrom(input: $i) {
  session { head { uuid } } memory { messages { uuid } } } }"""
UPDATE = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { uuid } } }"
FORK = """mutation($i: ForkSessionInput!) { forkSession(input: $i) { session { messageCount
  messages { edges { node { content parentUuid siblings { uuid } } } } } } }"""
READ = """query($s: ID!) { session(sessionId: $s) {
  messageCount unreadCount title head { uuid } lastMessage { uuid }
  messages(first: 1000) { totalCount edges { node { uuid parentUuid siblings { uuid } } } }
  all: messages(first: 1000, branch: ALL) { totalCount edges { node { uuid parentUuid siblings { uuid } } } }
  newest: messages(last: 2) { edges { node { uuid } } }
  summaries(first: 100) { edges { node { firstSeq lastSeq stale } } }
  search(query: "apple", first: 100, mode: LEXICAL) { edges { node { uuid } } }
  context(query: "nothing", maxTokens: 100000, recent: 100) { messages { uuid } summary { lastSeq } omittedMessages } }
  memory(sessionId: $s) { summary { lastSeq } messages { uuid } omittedMessages } }"""


@functools.cache
def extractor() -> Extractor:
    return Extractor()


async def work(database: Database, settings: Settings) -> None:
    """Enrich all messages, and write all summaries that are due."""
    settings = settings.model_copy(update={"message_window": WINDOW, "enrichment_poll": 5.0})
    await Worker(database, extractor(), settings, summariser=Summariser()).run(asyncio.Event(), drain=True)


async def add(client: Client, *contents: str, parent: Any = ..., **more: Any) -> list[str]:
    """Add messages, of which the first one follows a parent, and return their uuids."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": content} for content in contents]
    if parent is not ...:
        messages[0]["parentUuid"] = parent
    added = await client.data(ADD, input={"sessionId": "s", "messages": messages, **more})
    return [message["uuid"] for message in added["addMemory"]["memory"]["messages"]]


async def read(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = await client.data(READ, s="s")
    return found


def uuids(connection: dict[str, Any]) -> list[str]:
    return [edge["node"]["uuid"] for edge in connection["edges"]]


async def path(client: Client) -> list[str]:
    return uuids((await read(client))["session"]["messages"])


@dataclass
class Model:
    """A session in which each message knows its parent.

    Attributes:
        parents: the parent of each message that there ever was, by uuid.
        seqs: the number of each message that there ever was.
        there: the messages that are not deleted, in the order of their numbers.
        head: the last message of the path.
    """

    client: Client
    random: random.Random
    parents: dict[str, str | None] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    there: list[str] = field(default_factory=list)
    head: str | None = None

    def line(self, uuid: str | None) -> list[str]:
        found = []
        while uuid is not None:
            if uuid in self.there:
                found.append(uuid)
            uuid = self.parents[uuid]
        return found[::-1]

    def parent(self, uuid: str) -> str | None:
        line = self.line(uuid)
        return line[-2] if len(line) > 1 else None

    def took(self, uuids: list[str], parents: list[str | None]) -> None:
        for uuid, parent in zip(uuids, parents, strict=True):
            self.parents[uuid], self.seqs[uuid] = parent, len(self.seqs) + 1
            self.there.append(uuid)
            self.head = uuid

    def lost(self, uuids: list[str]) -> None:
        line = self.line(self.head)
        self.there = [uuid for uuid in self.there if uuid not in uuids]
        self.head = next((uuid for uuid in reversed(line) if uuid in self.there), None)

    async def add(self) -> None:
        fresh = [str(uuid4()) for _ in range(self.random.randint(1, 4))]
        messages, parents = [], []
        head = self.head
        for place, uuid in enumerate(fresh):
            message: dict[str, Any] = {"role": "user", "uuid": uuid, "content": f"apple {len(self.seqs) + place}"}
            if self.random.random() < 0.4:
                head = self.random.choice([None, *self.there, *fresh[:place]])
                message["parentUuid"] = NIL if head is None else head
            messages.append(message)
            parents.append(head)
            head = uuid
        await self.client.data(ADD, input={"sessionId": "s", "messages": messages})
        self.took(fresh, parents)
        again = await self.client.data(ADD, input={"sessionId": "s", "messages": messages})
        assert again["addMemory"]["replayed"]

    async def move(self) -> None:
        if self.there:
            self.head = self.random.choice(self.there)
            moved = await self.client.data(HEAD, i={"sessionId": "s", "head": self.head})
            session = moved["updateSession"]["session"]
            assert session["head"]["uuid"] == self.head
            assert [message["uuid"] for message in session["memory"]["messages"]] == self.line(self.head)[-50:]

    async def delete(self) -> None:
        if self.there:
            uuid = self.random.choice(self.there)
            await self.client.data(DELETE, i={"uuid": uuid})
            self.lost([uuid])

    async def pop(self) -> None:
        if self.parents:
            popped = (await self.client.data(POP, i={"sessionId": "s"}))["popMessage"]
            assert popped["poppedMessage"] == (None if self.head is None else {"uuid": self.head})
            self.lost([] if self.head is None else [self.head])
            assert popped["session"]["head"] == (None if self.head is None else {"uuid": self.head})

    async def replace(self) -> None:
        if line := self.line(self.head):
            first = self.random.choice(line)
            sent = {"sessionId": "s", "seq": self.seqs[first], "messages": [{"role": "user", "content": "apple"}]}
            replaced = (await self.client.data(REPLACE, i=sent))["replaceFrom"]
            self.lost(line[line.index(first) :])
            self.took([message["uuid"] for message in replaced["memory"]["messages"]], [self.head])

    async def edit(self) -> None:
        if self.there:
            await self.client.data(UPDATE, i={"uuid": self.random.choice(self.there), "content": "apple, changed"})

    async def check(self, database: Database) -> None:
        found = await read(self.client)
        session, memory, line = found["session"], found["memory"], self.line(self.head)
        head = None if self.head is None else {"uuid": self.head}
        assert uuids(session["messages"]) == line
        assert uuids(session["all"]) == self.there
        assert session["messages"]["totalCount"] == session["unreadCount"] == len(line)
        assert session["all"]["totalCount"] == session["messageCount"] == len(self.there)
        assert session["head"] == session["lastMessage"] == head
        assert uuids(session["newest"]) == line[-2:]
        for edge in session["all"]["edges"]:
            node = edge["node"]
            parent = self.parent(node["uuid"])
            assert node["parentUuid"] == parent
            same = [uuid for uuid in self.there if self.parent(uuid) == parent]
            assert [other["uuid"] for other in node["siblings"]] == same
        assert sorted(uuids(session["search"])) == sorted(line)
        assert [message["uuid"] for message in session["context"]["messages"]] == line[-100:]
        await self._check_summaries(database, session, memory)

    async def _check_summaries(self, database: Database, session: dict[str, Any], memory: dict[str, Any]) -> None:
        line = self.line(self.head)
        seqs = [self.seqs[uuid] for uuid in line]
        shown = [edge["node"]["lastSeq"] for edge in session["summaries"]["edges"]]
        stored = await untyped(database, "summaries").find().to_list(None)
        assert shown == sorted(one["lastSeq"] for one in stored if one["lastSeq"] in seqs)
        covered = shown[-1] if shown else 0
        owner = await untyped(database, "sessions").find_one({"_id": "s"})
        assert owner["summarySeq"] == covered
        newest = {"lastSeq": covered} if shown else None
        assert memory["summary"] == session["context"]["summary"] == newest
        open_ = [uuid for uuid in line if self.seqs[uuid] > covered]
        assert [message["uuid"] for message in memory["messages"]] == open_[-12:]
        assert memory["omittedMessages"] == max(0, len(open_) - 12)

    async def check_covered(self, database: Database) -> None:
        """After the work of the workers, less than a window is without a summary."""
        found = await read(self.client)
        covered = found["memory"]["summary"]["lastSeq"] if found["memory"]["summary"] else 0
        assert len([uuid for uuid in self.line(self.head) if self.seqs[uuid] > covered]) < WINDOW
        for summary in await untyped(database, "summaries").find().to_list(None):
            # A summary covers the path to its last message alone: the text of the extractive one is verbatim.
            owner = next(uuid for uuid, seq in self.seqs.items() if seq == summary["lastSeq"])
            assert self.seqs[self.line(owner)[-1]] == summary["lastSeq"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
async def test_all_reads_follow_the_path_to_the_head(
    client: Client, database: Database, settings: Settings, seed: int
) -> None:
    chance = random.Random(seed)
    model = Model(client, chance)
    await model.add()
    branched = 0
    for step in range(30):
        name = chance.choice(["add", "add", "add", "move", "move", "delete", "pop", "replace", "edit"])
        await getattr(model, name)()
        await model.check(database)
        if step % 6 == 5:
            await work(database, settings)
            await model.check(database)
            await model.check_covered(database)
        branched += await untyped(database, "messages").count_documents({"branch": {"$exists": True}})
    assert branched
    before = await read(client)
    file = await exported(database)
    await client.data('mutation { deleteSession(input: { sessionId: "s" }) { deletedSessionId } }')
    await imported(database, file)
    assert await read(client) == before
    await model.add()
    await model.check(database)


async def test_another_answer_takes_the_place_of_the_first_until_the_head_is_set_back(client: Client) -> None:
    question, first = await add(client, "apple?", "one")
    (second,) = await add(client, "two", parent=question)
    assert await path(client) == [question, second]
    follow_up = (await add(client, "and then?"))[0]
    found = await read(client)
    assert [message["uuid"] for message in found["memory"]["messages"]] == [question, second, follow_up]
    nodes = {edge["node"]["uuid"]: edge["node"] for edge in found["session"]["all"]["edges"]}
    assert [nodes[uuid]["parentUuid"] for uuid in (question, first, second, follow_up)] == [
        None,
        question,
        question,
        second,
    ]
    assert [other["uuid"] for other in nodes[first]["siblings"]] == [first, second]
    assert [other["uuid"] for other in nodes[follow_up]["siblings"]] == [follow_up]
    await client.data(HEAD, i={"sessionId": "s", "head": first})
    assert await path(client) == [question, first]
    (other,) = await add(client, "or else?")
    assert await path(client) == [question, first, other]


async def test_the_tokens_of_a_memory_are_those_of_the_path(client: Client) -> None:
    read = """{ memory(sessionId: "s") { tokenCount messages(last: 9) { tokenCount } }
      alone: memory(sessionId: "s") { tokenCount } session(sessionId: "s") { tokenCount messageCount
        memory { tokenCount } all: messages(branch: ALL) { edges { node { tokenCount } } } } }"""

    async def counted() -> tuple[int, int]:
        found = await client.data(read)
        memory, session = found["memory"], found["session"]
        assert memory["tokenCount"] == found["alone"]["tokenCount"] == session["memory"]["tokenCount"]
        assert memory["tokenCount"] == sum(message["tokenCount"] for message in memory["messages"])
        every = [edge["node"]["tokenCount"] for edge in session["all"]["edges"]]
        assert (session["tokenCount"], session["messageCount"]) == (sum(every), len(every))
        return memory["tokenCount"], session["tokenCount"]

    question, answer = (str(uuid4()) for _ in range(2))
    said = [{"role": "user", "content": "why", "uuid": question}, {"role": "ai", "content": "so " * 50, "uuid": answer}]
    await client.data(ADD, input={"sessionId": "s", "messages": said})
    path, whole = await counted()
    assert path == whole
    again = {"role": "ai", "content": "no", "parentUuid": question}
    await client.data(ADD, input={"sessionId": "s", "messages": [again]})
    shorter, more = await counted()
    assert shorter < path < more
    await client.data(HEAD, i={"sessionId": "s", "head": answer})
    assert await counted() == (path, more)


async def test_the_first_message_has_a_sibling_too(client: Client) -> None:
    (first,) = await add(client, "apple")
    edited, answer = await add(client, "apples", "yes", parent=NIL)
    assert await path(client) == [edited, answer]
    node = (await read(client))["session"]["messages"]["edges"][0]["node"]
    assert node["parentUuid"] is None
    assert [other["uuid"] for other in node["siblings"]] == [first, edited]


async def test_a_session_of_one_line_has_nothing_of_a_tree(client: Client, database: Database) -> None:
    first, _, last = await add(client, "one", "two", "three")
    (next_,) = await add(client, "four", parent=last)
    await client.data(HEAD, i={"sessionId": "s", "head": next_})

    async def tree() -> tuple[bool, int]:
        owner = await untyped(database, "sessions").find_one({"_id": "s"})
        return "branches" in owner or "head" in owner, await untyped(database, "messages").count_documents(
            {"branch": {"$exists": True}}
        )

    assert await tree() == (False, 0)
    await client.data(HEAD, i={"sessionId": "s", "head": first})
    assert await tree() == (True, 0)
    await client.data(HEAD, i={"sessionId": "s", "head": next_})
    assert await tree() == (False, 0)
    (other,) = await add(client, "another", parent=first)
    assert await tree() == (True, 1)
    await client.data(DELETE, i={"uuid": other})
    await client.data(HEAD, i={"sessionId": "s", "head": next_})
    assert await tree() == (False, 0)


async def test_adding_to_the_end_of_one_line_sends_no_more_commands(client: Client, commands: Commands) -> None:
    await add(client, "one")
    with commands.recorded() as recorded:
        await add(client, "two")
    # The last one reads the messages of the answer.
    assert [name for name, _ in recorded] == ["findAndModify", "insert", "insert", "commitTransaction", "find"]


async def test_parents_and_heads_are_messages_of_the_session(client: Client) -> None:
    await add(client, "apple")
    others = await client.data(ADD, input={"sessionId": "t", "messages": [{"role": "user", "content": "x"}]})
    other = others["addMemory"]["memory"]["messages"][0]["uuid"]
    before = await read(client)
    for uuid in (other, str(uuid4())):
        sent = {"sessionId": "s", "messages": [{"role": "user", "content": "x", "parentUuid": uuid}]}
        error = await client.error(ADD, input=sent)
        assert (error["code"], error["message"]) == (
            "BAD_USER_INPUT",
            f"parentUuid is {uuid}, {NO_PARENT}",
        )
        assert (await client.error(ADD, input={**sent, "sessionId": "new"}))["code"] == "BAD_USER_INPUT"
        error = await client.error(HEAD, i={"sessionId": "s", "head": uuid, "title": "new"})
        assert (error["code"], error["message"]) == (
            "BAD_USER_INPUT",
            f"head is {uuid}, and the session has no message with this uuid: send a uuid of its messages",
        )
    wrong = {"role": "user", "content": "x", "parentUuid": "x"}
    assert (await client.error(ADD, input={"sessionId": "s", "messages": [wrong]}))["code"] == "BAD_USER_INPUT"
    assert await read(client) == before
    assert (await client.data('{ session(sessionId: "new") { uuid } }'))["session"] is None


async def test_a_retry_leaves_the_head_where_it_was_set_since(client: Client) -> None:
    first, _ = await add(client, "one", "two")
    for more in ({"idempotencyKey": "k"}, {}):
        uuid = str(uuid4())
        message = {"uuid": uuid, "role": "user", "content": "three", "parentUuid": first}
        sent = {"sessionId": "s", "messages": [message], **more}
        await client.data(ADD, input=sent)
        await client.data(HEAD, i={"sessionId": "s", "head": first})
        assert (await client.data(ADD, input=sent))["addMemory"]["replayed"]
        assert await path(client) == [first]
    changed = {"sessionId": "s", "messages": [{**message, "parentUuid": NIL}], "idempotencyKey": "k"}
    assert (await client.error(ADD, input=changed))["code"] == "CONFLICT"


async def test_a_path_through_many_branches_is_the_same_for_every_read(client: Client) -> None:
    """Each question has two answers: the path has one range for each of them."""
    messages: list[dict[str, Any]] = []
    line: list[str] = []
    for number in range(60):
        question, first, second = (str(uuid4()) for _ in range(3))
        messages += [
            {"role": "user", "uuid": question, "content": f"apple {number}?"},
            {"role": "assistant", "uuid": first, "content": "one"},
            {"role": "assistant", "uuid": second, "content": "apple", "parentUuid": question},
        ]
        line += [question, second]
    await client.data(ADD, input={"sessionId": "s", "messages": messages})
    found = await read(client)
    session = found["session"]
    assert uuids(session["messages"]) == line
    assert session["messages"]["totalCount"] == session["unreadCount"] == len(line)
    assert uuids(session["newest"]) == line[-2:]
    hits = uuids(session["search"])
    assert len(hits) == 100
    assert set(hits) <= set(line)
    assert [message["uuid"] for message in found["memory"]["messages"]] == line[-12:]
    assert found["memory"]["omittedMessages"] == len(line) - 12
    query = """query($after: String) { session(sessionId: "s") { messages(first: 7, after: $after) {
      pageInfo { hasNextPage endCursor } edges { node { uuid } } } } }"""
    given: list[str] = []
    after, more = None, True
    while more:
        page = (await client.data(query, after=after))["session"]["messages"]
        given += uuids(page)
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert given == line
    await client.data(HEAD, i={"sessionId": "s", "head": line[70]})
    assert await path(client) == line[:71]


async def test_writers_at_two_heads_each_have_their_own_line(client: Client) -> None:
    (root,) = await add(client, "apple")

    async def write(name: str) -> list[str]:
        line = [root]
        for number in range(12):
            line += await add(client, f"{name} {number}", parent=line[-1])
        return line

    lines = await asyncio.gather(*map(write, "abc"))
    for line in lines:
        await client.data(HEAD, i={"sessionId": "s", "head": line[-1]})
        assert await path(client) == line
    everything = (await read(client))["session"]["all"]["edges"]
    assert len(everything) == 1 + 3 * 12
    assert len(everything[1]["node"]["siblings"]) == 3


async def test_a_head_is_set_on_the_condition_of_the_revision(client: Client) -> None:
    first, last = await add(client, "one", "two")
    error = await client.error(HEAD, i={"sessionId": "s", "head": first, "expectedRevision": 7})
    assert (error["code"], error["extensions"]["revision"]) == ("CONFLICT", 1)
    assert await path(client) == [first, last]
    moved = await client.data(HEAD, i={"sessionId": "s", "head": first, "expectedRevision": 1})
    assert moved["updateSession"]["session"]["revision"] == 2
    again = await client.data(HEAD, i={"sessionId": "s", "head": first})
    assert again["updateSession"]["session"]["revision"] == 2


async def test_end_users_name_parents_by_the_uuids_that_they_chose(settings: Settings, mongodb_uri: str) -> None:
    chosen, other = str(uuid4()), str(uuid4())
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as server:
        ada = as_caller(server, token("ada"))
        messages = [{"role": "user", "uuid": uuid, "content": "apple"} for uuid in (chosen, str(uuid4()))]
        await ada.data(ADD, input={"sessionId": "s", "messages": messages})
        (second,) = await add(ada, "again", parent=chosen)
        stored = (await path(ada))[0]
        assert await path(ada) == [stored, second]
        sent = [
            {"role": "user", "uuid": other, "content": "one", "parentUuid": stored},
            {"role": "user", "content": "two", "parentUuid": other},
        ]
        await ada.data(ADD, input={"sessionId": "s", "messages": sent})
        assert len(await path(ada)) == 3
        await ada.data(HEAD, i={"sessionId": "s", "head": chosen})
        assert await path(ada) == [stored]
        bob = as_caller(server, token("bob"))
        for session_id in ("s", "bobs"):
            sent = [{"role": "user", "content": "x", "parentUuid": stored}]
            error = await bob.error(ADD, input={"sessionId": session_id, "messages": sent})
            assert error["code"] == ("FORBIDDEN" if session_id == "s" else "BAD_USER_INPUT")


async def test_an_answer_that_is_streamed_follows_any_message(client: Client) -> None:
    question, _ = await add(client, "apple?", "one")
    start = """mutation($i: StartMessageInput!) { startMessage(input: $i) { replayed
      message { uuid parentUuid siblings { uuid } } session { head { uuid } } } }"""
    sent = {"sessionId": "s", "role": "assistant", "uuid": str(uuid4()), "parentUuid": question}
    started = (await client.data(start, i=sent))["startMessage"]
    assert started["message"]["parentUuid"] == question
    assert len(started["message"]["siblings"]) == 2
    assert started["session"]["head"]["uuid"] == sent["uuid"] == (await path(client))[-1]
    assert (await client.data(start, i=sent))["startMessage"]["replayed"]


async def test_a_fork_has_the_path_to_the_head_alone(client: Client) -> None:
    (question,) = await add(client, "apple?")
    await add(client, "one", parent=question)
    await add(client, "two", "three", parent=question)
    sent = {"sessionId": "s", "throughSeq": 3, "newSessionId": "t"}
    fork = (await client.data(FORK, i=sent))["forkSession"]["session"]
    nodes = [edge["node"] for edge in fork["messages"]["edges"]]
    assert (fork["messageCount"], [node["content"] for node in nodes]) == (2, ["apple?", "two"])
    assert [len(node["siblings"]) for node in nodes] == [1, 1]


async def test_a_session_without_its_messages_is_one_line_again(client: Client, database: Database) -> None:
    (question,) = await add(client, "apple?")
    await add(client, "one", parent=question)
    await add(client, "two", parent=question)
    await client.data('mutation { deleteMemory(input: { sessionId: "s" }) { deletedId } }')
    assert "branches" not in await untyped(database, "sessions").find_one({"_id": "s"})
    assert (await read(client))["session"]["head"] is None
    assert await path(client) == []
    assert await path(client) == [] != await add(client, "apple")
    assert (await read(client))["session"]["messages"]["totalCount"] == 1


async def test_zeps_routes_follow_the_head(client: Client) -> None:
    (question,) = await add(client, "apple?")
    await add(client, "one", parent=question)
    await add(client, "two", "three", parent=question)
    memory = (await client.http.get("/api/v1/sessions/s/memory")).json()
    assert [message["content"] for message in memory["messages"]] == ["apple?", "two", "three"]
    page = (await client.http.get("/api/v1/sessions/s/messages?limit=2&cursor=2")).json()
    assert [message["content"] for message in page["messages"]] == ["three"]
    assert page["total_count"] == 3
    found = (await client.http.post("/api/v1/sessions/s/search", json={"text": "one two apple"})).json()
    assert sorted(hit["message"]["content"] for hit in found) == ["apple?", "two"]


async def test_a_summary_of_a_path_that_was_left_meanwhile_is_not_stored(client: Client, database: Database) -> None:
    line = await add(client, *map(str, range(12)))
    await summarising.mark_due(database, WINDOW)
    due = await summarising.claim_session(database, lease_seconds=60)
    assert due is not None
    standing = await summarising.standing_of(database, due)
    assert standing is not None
    messages = await summarising.contents(database, standing, 1, 6)
    summary = {"firstSeq": 1, "lastSeq": 6, "content": "old", "tokenCount": 1, "source": "EXTRACTIVE", "entities": []}
    await client.data(HEAD, i={"sessionId": "s", "head": line[3]})
    assert not await summarising.store_summary(database, due, standing, messages, summary)
    assert await untyped(database, "summaries").count_documents({}) == 0


async def test_subscribers_get_the_messages_of_all_branches_with_their_parents(client: Client) -> None:
    query = 'subscription { messageAdded(sessionId: "s", afterSeq: 0) { uuid parentUuid } }'
    question, first = await add(client, "apple?", "one")
    async with socket_to(url(client)) as socket:
        await socket.subscribe(query, {})
        given = [(await socket.data())["messageAdded"] for _ in range(2)]
        (second,) = await add(client, "two", parent=question)
        given.append((await socket.data())["messageAdded"])
    assert [(one["uuid"], one["parentUuid"]) for one in given] == [
        (question, None),
        (first, question),
        (second, question),
    ]


async def test_the_branches_of_a_file_must_be_a_tree(client: Client, database: Database) -> None:
    (question,) = await add(client, "apple?")
    await add(client, "one", parent=question)
    await add(client, "two", parent=question)
    file = await exported(database)
    for old, new in (
        (b'"parent":0,"after":1,"first":3', b'"parent":1,"after":1,"first":3'),
        (b'"head":{"branch":1', b'"head":{"branch":2'),
        (b'"branch":1,"sessionId"', b'"branch":7,"sessionId"'),
    ):
        if old in file:
            with pytest.raises(TransferError, match="branch"):
                await imported(database, file.replace(old, new))
