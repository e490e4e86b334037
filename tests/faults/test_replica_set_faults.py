"""A replica set that loses its primary in every way, under a load of all kinds of operations."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.graphql_client import PLAIN, Client
from tests.support.live_client import socket_to
from tests.support.partitioned import VOTERS, PartitionedSet, partitioned_set
from tests.support.server_process import served, until

ADD = (
    """mutation A($input: AddMemoryInput!) { addMemory(input: $input) { memory { messages { uuid seq content } } } }"""
)
EDIT = "mutation E($input: UpdateMessageInput!) { updateMessage(input: $input) { message { content } } }"
DELETE = "mutation D($input: DeleteMessageInput!) { deleteMessage(input: $input) { deletedMessage { seq } } }"
READ = """query R($id: ID!) { memory(sessionId: $id) { messages(last: 50) { seq uuid content } } }"""
SEARCH = """query S($id: ID!) { search(query: "of number", sessionId: $id, first: 5) { edges { node { seq } } } }"""
PAGE = """query P($id: ID!, $after: String) { session(sessionId: $id) { messages(first: 100, after: $after) {
  edges { node { seq uuid content } } pageInfo { hasNextPage endCursor } } } }"""
ADDED = "subscription S($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq } }"
UPDATED = """subscription U($id: ID!, $after: Int) { messageUpdated(sessionId: $id, sinceRevision: $after) {
  kind uuid revision message { content } } }"""

GROWS, CHANGES = "grows", "changes"
"""The session that is only added to, and the one whose messages are edited and deleted, too."""


class Load:
    """The clients, and what the service acknowledged to them.

    Attributes:
        seqs: the `seq` of each message that was added to the session that only grows, by its content.
        contents: the last content of each message of the other session that exists; by its uuid.
        deleted: the messages that were deleted there.
        refused: number of refused operations, by code.
        ends: set when the clients are to end.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seqs: dict[str, int] = {}
        self.contents: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.refused: dict[str, int] = {}
        self.reads = 0
        self.ends = asyncio.Event()
        self._numbers = itertools.count()
        self._busy: set[str] = set()
        self._chance = random.Random(11)

    async def attempt(self, query: str, **variables: Any) -> Any | None:
        """The data of an answer; None where the operation was refused for now."""
        try:
            answer = await self.client.send(query, **variables)
        except httpx.HTTPError as error:  # the server itself is never away
            raise AssertionError(repr(error)) from error
        if "errors" not in answer:
            return answer["data"]
        codes = [error["extensions"]["code"] for error in answer["errors"]]
        assert codes == ["UNAVAILABLE"], answer
        self.refused["UNAVAILABLE"] = self.refused.get("UNAVAILABLE", 0) + 1
        await asyncio.sleep(0.1)
        return None

    async def sure(self, query: str, **variables: Any) -> Any:
        """As `attempt`, until the operation is acknowledged."""
        while (data := await self.attempt(query, **variables)) is None:
            pass
        return data

    async def add(self) -> None:
        number = next(self._numbers)
        session_id = GROWS if number % 2 else CHANGES
        texts = [f"{part} of number {number}" for part in range(1 + number % 3)]
        given = [{"role": "human", "content": text} for text in texts]
        sent = {"sessionId": session_id, "messages": given, "idempotencyKey": f"key {number}"}
        stored = (await self.sure(ADD, input=sent))["addMemory"]["memory"]["messages"]
        assert [message["content"] for message in stored] == texts
        for message in stored:
            if session_id == GROWS:
                assert message["content"] not in self.seqs
                self.seqs[message["content"]] = message["seq"]
            else:
                self.contents[message["uuid"]] = message["content"]

    def _choose(self) -> str | None:
        free = [uuid for uuid in self.contents if uuid not in self._busy]
        return self._chance.choice(free) if free else None

    async def edit(self) -> None:
        if (uuid := self._choose()) is not None:
            self._busy.add(uuid)
            text = f"{self.contents[uuid].partition(', edit')[0]}, edit {next(self._numbers)}"
            await self.sure(EDIT, input={"uuid": uuid, "content": text})
            self.contents[uuid] = text
            self._busy.discard(uuid)
        await asyncio.sleep(0.05)

    async def delete(self) -> None:
        if (uuid := self._choose()) is not None:
            self._busy.add(uuid)
            attempts = 0
            while True:
                attempts += 1
                answer = await self.client.send(DELETE, input={"uuid": uuid})
                codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
                if not codes or (attempts > 1 and codes == ["NOT_FOUND"]):  # the first one was stored after all
                    break
                assert codes == ["UNAVAILABLE"], answer
                await asyncio.sleep(0.1)
            del self.contents[uuid]
            self.deleted.add(uuid)
        await asyncio.sleep(0.3)

    async def read(self) -> None:
        for session_id in (GROWS, CHANGES):
            sure = set(self.seqs.values())
            data = await self.attempt(READ, id=session_id)
            if data is None or data["memory"] is None:
                continue
            self.reads += 1
            seqs = [message["seq"] for message in data["memory"]["messages"]]
            assert seqs == sorted(set(seqs))
            if session_id == GROWS and seqs:  # the newest ones, all that were acknowledged before among them
                assert seqs == list(range(seqs[0], seqs[-1] + 1))
                assert max(sure, default=0) <= seqs[-1]
        await asyncio.sleep(0.05)

    async def search(self) -> None:
        await self.attempt(SEARCH, id=CHANGES)
        await asyncio.sleep(0.2)

    async def repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self.ends.is_set():
            await work()

    async def all_of(self, session_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = (await self.sure(PAGE, id=session_id, after=after))["session"]["messages"]
            found += [edge["node"] for edge in page["edges"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]


class Follower:
    """One subscriber, which comes back with the last number that it has."""

    def __init__(self, url: str, query: str, session_id: str) -> None:
        self._url, self._query, self._session_id = url, query, session_id
        self.last = 0
        self.events: list[dict[str, Any]] = []
        self.begun = 0

    async def run(self) -> None:
        while True:
            with suppress(ConnectionClosed):
                async with socket_to(self._url) as socket:
                    await socket.subscribe(self._query, {"id": self._session_id, "after": self.last})
                    self.begun += 1
                    while (message := await socket.receive())["type"] == "next":
                        assert "errors" not in message["payload"], message
                        (event,) = message["payload"]["data"].values()
                        self.events.append(event)
                        self.last = max(self.last, event.get("revision", event.get("seq")))
                    assert message["type"] == "error", message
                    assert message["payload"][0]["extensions"]["code"] in {"UNAVAILABLE", "NOT_FOUND"}, message
            await asyncio.sleep(0.2)


async def lose_primaries(members: PartitionedSet) -> None:
    """Each way once, with some seconds for the load before and after it."""

    async def do(work: Callable[..., Any], *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: work(*arguments))

    async def without(host: str) -> None:
        await do(lambda: members.primary(other_than=host))
        await asyncio.sleep(4)

    await asyncio.sleep(4)
    await do(members.step_down, host := await do(members.primary))
    await without(host)
    await do(members.kill, host := await do(members.primary))
    await without(host)
    await do(members.start, host)
    await asyncio.sleep(4)
    for cut, heal in ((members.unplug, members.plug), (members.separate, members.unite)):
        await do(cut, host := await do(members.primary))
        await without(host)
        await do(heal, host)
        await asyncio.sleep(4)


def stored(members: PartitionedSet, host: str) -> list[tuple[Any, ...]]:
    """The messages that a member has."""
    with members.direct(host) as client:
        found = client.recallql.messages.find({}, {"sessionId": 1, "seq": 1, "content": 1, "revision": 1})
        return sorted((each["sessionId"], each["seq"], each["_id"], each["content"]) for each in found)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_primaries_are_lost_in_every_way_under_load(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with (
        partitioned_set(tmp_path) as members,
        served(tmp_path / "home" / "data", RECALLQL_MONGODB_URI=members.uri) as server,
    ):
        async with httpx.AsyncClient(base_url=server.url, timeout=90, verify=PLAIN) as http:
            load = Load(Client(http))
            await load.add()
            await load.add()
            followers = [Follower(server.url, ADDED, GROWS) for _ in range(3)]
            watchers = [Follower(server.url, UPDATED, CHANGES) for _ in range(2)]
            following = [asyncio.create_task(each.run()) for each in (*followers, *watchers)]
            works = [load.add, load.add, load.add, load.edit, load.edit, load.delete, load.read, load.read, load.search]
            working = [asyncio.create_task(load.repeat(work)) for work in works]
            losing = asyncio.create_task(lose_primaries(members))
            await asyncio.wait([losing, *working, *following], return_when=asyncio.FIRST_COMPLETED)
            load.ends.set()
            await losing
            await asyncio.gather(*working)

            grown = await load.all_of(GROWS)
            changed = await load.all_of(CHANGES)
            assert {message["content"]: message["seq"] for message in grown} == load.seqs
            assert [message["seq"] for message in grown] == list(range(1, len(load.seqs) + 1))
            assert {message["uuid"]: message["content"] for message in changed} == load.contents
            async with asyncio.timeout(60):
                while any(each.last < len(grown) for each in followers):  # noqa: ASYNC110 - they only count
                    await asyncio.sleep(0.1)
                while not all(has_all(each, load) for each in watchers):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.1)
            for task in following:
                assert not task.done() or task.exception() is None
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            for each in followers:
                assert [event["seq"] for event in each.events] == list(range(1, len(grown) + 1))
            assert min(len(load.seqs), load.reads) > 100
            assert len(load.deleted) > 10
        log = server.stderr()
        await anyio.to_thread.run_sync(lambda: same_everywhere(members))
    assert "Traceback" not in log


def has_all(watcher: Follower, load: Load) -> bool:
    """Whether a subscriber was told of each edit and deletion: of a message that changed twice, of the last state."""
    told = {event["uuid"]: event for event in watcher.events}
    gone = {uuid for uuid, event in told.items() if event["kind"] == "DELETED"}
    edited = {uuid: text for uuid, text in load.contents.items() if ", edit" in text}
    return load.deleted <= gone and all(
        uuid in told and told[uuid]["message"] and told[uuid]["message"]["content"] == text
        for uuid, text in edited.items()
    )


def same_everywhere(members: PartitionedSet) -> None:
    """Each member, the delayed one included, comes to have the same messages."""
    expected = stored(members, members.primary())
    for host in members.hosts:
        until(lambda host=host: stored(members, host) == expected)
    assert len(members.hosts) == VOTERS + 1
