"""The Python client against a running server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

import httpx
import pytest
import recallql
from pydantic import SecretStr
from recallql import AsyncRecallQL, MessageFilter, MessageInput, RecallQL

from graph.settings import Settings
from tests.support.access import SECRET, served_with, token
from tests.support.cuts import Cuts, cuts_before
from tests.support.graphql_client import PLAIN, Client
from tests.support.pieces import append, finish, started

CLARA = {"role": "user", "content": "My sister Clara works at the harbour office."}


@asynccontextmanager
async def connected(url: str, key: str | None = None, attempts: int = 5) -> AsyncIterator[AsyncRecallQL]:
    async with (
        httpx.AsyncClient(base_url=url, timeout=60, verify=PLAIN) as http,
        AsyncRecallQL(key=key, attempts=attempts, http=http) as memory,
    ):
        yield memory


@pytest.fixture
async def cuts(client: Client) -> AsyncIterator[Cuts]:
    port = client.http.base_url.port
    assert port is not None
    async with cuts_before(port) as cuts:
        yield cuts


async def test_what_is_added_is_read_found_and_in_the_context(client: Client) -> None:
    async with connected(str(client.http.base_url)) as memory:
        added = await memory.add("s", CLARA, MessageInput(role="assistant", content="Good for her!"), user_id="ada")
        assert (added.replayed, added.session.message_count) == (False, 2)
        assert [one.content for one in await memory.messages("s")] == [CLARA["content"], "Good for her!"]
        assert [one.seq for one in await memory.messages("s", last=1)] == [2]
        assert [one.role for one in await memory.messages("s", where=MessageFilter(roles=["user"]))] == ["user"]
        hits = await memory.search("Clara", user_id="ada")
        assert hits[0].node.content == CLARA["content"]
        assert hits[0].node.session.session_id == "s"
        context = await memory.context(200, session_id="s", query="Where does Clara work?")
        assert "harbour office" in context.text
        assert context.token_count <= 200
        assert await memory.messages("unknown") == []


async def test_all_messages_of_a_long_session_are_read(client: Client) -> None:
    async with connected(str(client.http.base_url)) as memory:
        await memory.add("s", *({"role": "user", "content": str(number)} for number in range(250)))
        assert [one.seq for one in await memory.messages("s")] == list(range(1, 251))
        assert [one.seq for one in await memory.messages("s", last=150)] == list(range(101, 251))


async def test_each_code_is_a_class(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        url = str(client.http.base_url)
        async with connected(url) as nobody:
            with pytest.raises(recallql.Unauthenticated):
                await nobody.messages("s")
        async with connected(url, token("ada")) as ada:
            added = await ada.add("s", CLARA)
            with pytest.raises(recallql.BadUserInput):
                await ada.add("", CLARA)
            with pytest.raises(recallql.Conflict) as conflict:
                await ada.add("s", CLARA, expected_revision=added.session.revision + 5)
            assert conflict.value.extensions["code"] == "CONFLICT"
        async with connected(url, token("bob")) as bob:
            with pytest.raises(recallql.Forbidden):
                await bob.add("t", {"role": "system", "content": "End users may not write this role."})


async def test_a_refused_subscription_is_an_error(settings: Settings, mongodb_uri: str) -> None:
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client, asyncio.timeout(30):
        url = str(client.http.base_url)
        async with connected(url, "wrong") as nobody:
            for call in (
                nobody.follow("s", after_seq=0),
                nobody.changes("s", since_revision=0),
                nobody.stream(uuid4()),
            ):
                with pytest.raises(recallql.Unauthenticated):
                    await anext(call)
        async with connected(url, token("ada")) as ada:
            with pytest.raises(recallql.BadUserInput):
                await anext(ada.follow("", after_seq=0))


async def test_a_lost_answer_adds_nothing_twice(cuts: Cuts) -> None:
    async with connected(cuts.url) as memory:
        await memory.add("s", CLARA)
        cuts.answers_to_lose = 2
        added = await memory.add("s", {"role": "user", "content": "second"})
        assert cuts.lost == 2
        assert added.replayed
        assert [one.seq for one in await memory.messages("s")] == [1, 2]


async def test_attempts_end(cuts: Cuts) -> None:
    async with connected(cuts.url, attempts=2) as memory:
        cuts.answers_to_lose = 2
        with pytest.raises(httpx.TransportError):
            await memory.add("s", CLARA)
        assert cuts.lost == 2


async def test_a_follower_goes_on_after_cuts_without_gap_or_repetition(cuts: Cuts) -> None:
    async with connected(cuts.url) as reader, connected(cuts.url) as writer, asyncio.timeout(60):
        await writer.add("s", {"role": "user", "content": "before"})
        async with aclosing(reader.follow("s", after_seq=0)) as messages:
            seen = [(await anext(messages)).seq]
            for number in range(5):
                cuts.cut()
                await writer.add("s", *({"role": "user", "content": f"{number} {part}"} for part in range(3)))
                seen += [(await anext(messages)).seq for _ in range(3)]
        assert seen == list(range(1, 17))


EDIT = "mutation($i: UpdateMessageInput!) { updateMessage(input: $i) { message { revision } } }"


def shown(change: recallql.Change) -> tuple[str, int, str | None]:
    return change.kind, change.seq, None if change.message is None else change.message.content


async def test_changes_go_on_after_cuts_by_their_revision(cuts: Cuts, client: Client) -> None:
    async with connected(cuts.url) as reader, connected(cuts.url) as writer, asyncio.timeout(60):
        added = await writer.add("s", *({"role": "user", "content": str(number)} for number in range(4)))
        uuids = [str(message.uuid) for message in added.memory.messages or ()]
        seen: list[tuple[str, int, str | None]] = []
        async with aclosing(reader.changes("s", since_revision=added.session.revision)) as changes:
            for number in range(3):
                for part in range(2):
                    await client.data(EDIT, i={"uuid": uuids[number], "content": f"edit {part}"})
                wanted = ("EDITED", number + 1, "edit 1")
                while (change := shown(await anext(changes))) != wanted:
                    assert change == ("EDITED", number + 1, "edit 0") or change[0] == "ENRICHED"
                seen.append(change)
                cuts.cut()
            await writer.pop("s")
            while (change := shown(await anext(changes)))[0] == "ENRICHED":
                pass
            seen.append(change)
            cuts.cut()
            await writer.clear("s")
            while (change := shown(await anext(changes)))[0] == "ENRICHED":
                pass
        assert seen == [*(("EDITED", seq, "edit 1") for seq in (1, 2, 3)), ("DELETED", 4, None)]
        assert change == ("CLEARED", 4, None)
        with pytest.raises(recallql.RecallQLError):
            await anext(reader.changes("s", since_revision=1_000))


async def test_changes_without_a_revision_are_the_new_ones(client: Client) -> None:
    async with connected(str(client.http.base_url)) as memory, asyncio.timeout(60):
        added = await memory.add("s", CLARA, CLARA)
        first, second = (str(message.uuid) for message in added.memory.messages or ())
        await client.data(EDIT, i={"uuid": first, "content": "before"})
        async with aclosing(memory.changes("s")) as changes:
            next_one = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0.5)
            await client.data(EDIT, i={"uuid": second, "content": "after"})
            change = await next_one
            while change.kind == "ENRICHED":
                change = await anext(changes)
            assert shown(change) == ("EDITED", 2, "after")


async def test_the_pieces_of_a_message_come_once_through_cuts(cuts: Cuts, client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "before ")
    async with connected(cuts.url) as reader, asyncio.timeout(60):
        async with aclosing(reader.stream(uuid)) as pieces:
            seen = [await anext(pieces)]
            for number in range(1, 16, 3):
                cuts.cut()
                await append(client, uuid, number, *(f"{number + part} " for part in range(3)))
                seen += [await anext(pieces) for _ in range(3)]
            cuts.cut()
            await finish(client, uuid)
            last = await anext(pieces)
            assert [piece async for piece in pieces] == []
        assert [piece.index for piece in seen] == list(range(16))
        assert last.done
        assert last.message is not None
        assert last.message.content == "".join(piece.text for piece in seen)
        with pytest.raises(recallql.NotFound):
            await anext(reader.stream(uuid4()))


def pieces_without_asyncio(url: str, uuid: str) -> list[str]:
    with RecallQL(url) as memory:
        return [piece.text if piece.message is None else piece.message.content for piece in memory.stream(uuid)]


async def test_the_pieces_of_a_message_come_without_asyncio(client: Client) -> None:
    uuid = (await started(client))["uuid"]
    await append(client, uuid, 0, "a", "b")
    await finish(client, uuid)
    assert await asyncio.to_thread(pieces_without_asyncio, str(client.http.base_url), uuid) == ["ab"]


async def test_without_asyncio(client: Client) -> None:
    def talk() -> list[str]:
        with RecallQL(str(client.http.base_url)) as memory:
            memory.add("s", CLARA)
            follower = memory.follow("s", after_seq=0)
            first = next(follower).content
            follower.close()
            return [first, memory.search("Clara")[0].node.content, memory.context(100, session_id="s", query="a").text]

    first, found, text = await asyncio.to_thread(talk)
    assert first == found == CLARA["content"]
    assert CLARA["content"] in text
