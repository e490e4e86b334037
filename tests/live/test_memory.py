"""What subscriptions may take of a process's memory, and how many of them a caller may have."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed

from benchmarks.live_memory import Attack, Meter
from graph.app import create_app
from graph.live.memory import Memory, Outlet
from graph.live.source import Feed
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.access import SECRET, changed, token
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import add, error, url, watching
from tests.support.live_client import ADDED, Socket, socket_to
from tests.support.server_process import served


async def add_large(client: Client, session_id: str, count: int = 1, size: int = 200_000) -> None:
    messages = [{"role": "human", "content": "x" * size} for _ in range(count)]
    await client.data(ADD, input={"sessionId": session_id, "messages": messages})


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it is no event of the test's
            await asyncio.sleep(0.02)


async def test_a_payload_goes_when_the_slowest_follower_has_it(client: Client, app: Starlette) -> None:
    memory: Memory = app.state.backend.hub.memory
    async with socket_to(url(client)) as first, socket_to(url(client)) as second:
        for socket in (first, second):
            await socket.subscribe(ADDED, {"id": "s"})
        await watching(app, followers=2)
        await add_large(client, "s", 3)
        assert await first.seqs(3) == [1, 2, 3]
        assert await second.seqs(3) == [1, 2, 3]
        await until(lambda: memory.kept == memory.sending == memory.waiting == 0)
        (group,) = app.state.backend.hub._feeds[Feed.ADDED]["s"].values()
        assert not group._entries


SAME = [
    "subscription One($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq content } }",
    "subscription Two($id: ID!, $after: Int) { messageAdded(sessionId: $id, afterSeq: $after) { seq content } }",
    "subscription($id: ID!, $n: Int) {\n # a comment\n messageAdded(afterSeq: $n, sessionId: $id) { seq, content }\n}",
    "subscription A($id: ID!) { ...F } fragment F on Subscription { messageAdded(sessionId: $id) { seq content } }",
    "subscription B($id: ID!) { ...G } fragment G on Subscription { messageAdded(sessionId: $id) { seq content } }",
]
OTHERS = [
    "subscription($id: ID!) { messageAdded(sessionId: $id) { content seq } }",
    "subscription($id: ID!) { messageAdded(sessionId: $id) { seq text: content } }",
    "subscription($id: ID!) { messageAdded(sessionId: $id) { seq content @skip(if: true) } }",
    "subscription($id: ID!, $no: Boolean!) { messageAdded(sessionId: $id) { seq content @skip(if: $no) } }",
]


async def test_groups_are_of_those_who_select_the_same(client: Client, app: Starlette) -> None:
    """Whatever an operation, its variables and fragments are called, and however it is laid out."""
    async with socket_to(url(client)) as socket:
        for number, query in enumerate((*SAME, *OTHERS)):
            await socket.subscribe(query, {"id": "s", "no": False}, str(number))
        await socket.subscribe(OTHERS[3], {"id": "s", "no": True}, "left out")
        await watching(app, followers=len(SAME) + len(OTHERS) + 1)
        groups = app.state.backend.hub._feeds[Feed.ADDED]["s"].values()
        # A fragment at the root is a way of selecting of its own.
        assert sorted(group.followers for group in groups) == [1, 1, 1, 1, 1, 2, 3]
        await add(client, "s")
        came = {}
        for _ in range(len(SAME) + len(OTHERS) + 1):
            message = await socket.receive()
            came[message["id"]] = message["payload"]["data"]["messageAdded"]
        assert came["left out"] == {"seq": 1}
        assert list(came["5"]) == ["content", "seq"]
        assert came["6"] == {"seq": 1, "text": "message 0"}


async def test_errors_of_a_shared_event_name_no_place_in_another_s_text(
    client: Client, app: Starlette, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("graph.schema.context.Context.session", fail)
    query = "subscription($id: ID!) { messageAdded(sessionId: $id) { seq session { messageCount } } }"
    async with socket_to(url(client)) as socket:
        await socket.subscribe(query, {"id": "s"})
        await watching(app)
        await add_memory(database, EVERYTHING, NewMemory("s", [NewMessage("human", "x", 3)]))
        (only,) = (await socket.receive())["payload"]["errors"]
        assert only["path"] == ["messageAdded", "session"]
        assert "locations" not in only


@pytest.mark.parametrize("live_memory", [1, 300_000, 2_000_000])
async def test_little_memory_costs_nobody_a_message(
    settings: Settings, mongodb_uri: str, database: Database, live_memory: int
) -> None:
    """What goes because memory is short is read from the store, page by page."""
    del database
    count, followers = 12, 6
    app = create_app(changed(settings, live_memory=live_memory), mongodb_uri)
    memory_used = 0

    async def follow(socket: Socket) -> list[int]:
        nonlocal memory_used
        seen = []
        for _ in range(count):
            seen += await socket.seqs(1)
            memory_used = max(memory_used, app.state.backend.hub.memory.kept)
        return seen

    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(serving(app))
        await add_large(client, "s", count // 2)
        following = []
        for number in range(followers):
            socket = await stack.enter_async_context(socket_to(url(client)))
            selected = f"seq a{number}: content"
            query = f"subscription($id: ID!) {{ messageAdded(sessionId: $id, afterSeq: 0) {{ {selected} }} }}"
            await socket.subscribe(query, {"id": "s"})
            following.append(asyncio.create_task(follow(socket)))
        for _ in range(count // 2):
            await add_large(client, "s")
        for seen in await asyncio.gather(*following):
            assert seen == list(range(1, count + 1))
    assert memory_used <= live_memory / 2


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("selection", "reads"),
    [("seq content", True), ("ALIAS: content", True), ("ALIAS: content", False)],
    ids=["names of operations", "aliases", "clients that do not read"],
)
async def test_many_subscriptions_with_large_results_are_bounded(
    tmp_path: Path, selection: str, *, reads: bool
) -> None:
    """Before there was a bound, the first took 838 MiB, the last 1,150."""
    attack = Attack(4, 100, 2, selection, 60.0, reads)
    with served(tmp_path / "data", "--enrichment-processes", "0", RECALLQL_LIVE_MEMORY="67108864") as server:
        meter = Meter(server.process.pid, 2_048)
        before = meter.now()
        await attack.run(server.url, meter)
        assert meter.highest - before < 400


async def test_a_slow_caller_takes_a_share_of_what_may_be_sent() -> None:
    memory = Memory(8_000_000)
    async with memory.sent("slow", 900_000), memory.sent("slow", 200_000):
        assert not memory.has_capacity("slow")
        assert memory.has_capacity("another")
        waiting = asyncio.create_task(_enter(memory, "slow"))
        await asyncio.sleep(0)
        async with memory.sent("another", 500_000):
            assert not waiting.done()
    await asyncio.wait_for(waiting, 10)
    assert memory.sending == 0


async def _enter(memory: Memory, caller: str) -> None:
    async with memory.sent(caller, 100_000):
        pass


def test_an_outlet_is_of_one_connection() -> None:
    assert Outlet().lock is not Outlet().lock


ADA, BOB = token("ada"), token("bob")


@pytest.fixture
def bounded(settings: Settings, mongodb_uri: str, database: Database) -> Starlette:
    del database
    bounds = {"user_connections": 2, "user_subscriptions": 3}
    return create_app(changed(settings, jwt_secret=SecretStr(SECRET), **bounds), mongodb_uri)


async def test_a_caller_s_connections_are_bounded(bounded: Starlette) -> None:
    body = {"query": "subscription { sessionUpdated { sessionId } }"}
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {ADA}"}
    async with serving(bounded) as client:
        async with socket_to(url(client), bearer=ADA), socket_to(url(client), bearer=ADA):
            async with socket_to(url(client), acknowledged=False) as third:
                await third.send(type="connection_init", payload={"authorization": f"Bearer {ADA}"})
                with pytest.raises(ConnectionClosed):
                    await third.receive()
                closed = third.connection
                assert closed.close_code == 1013
                assert "you have 2 connections open" in (closed.close_reason or "")
                assert "RECALLQL" not in (closed.close_reason or "")
            refused = (await client.http.post("/graphql", json=body, headers=headers)).text
            assert '"code":"TOO_COSTLY"' in refused
            async with socket_to(url(client), bearer=BOB):
                pass
        async with socket_to(url(client), bearer=ADA):
            pass


async def test_a_caller_s_subscriptions_are_bounded(bounded: Starlette) -> None:
    async with serving(bounded) as client:
        client.http.headers["authorization"] = f"Bearer {ADA}"
        await add(client, "s")
        async with socket_to(url(client), bearer=ADA) as first, socket_to(url(client), bearer=ADA) as second:
            for number, socket in enumerate((first, first, second)):
                await socket.subscribe(ADDED, {"id": "s"}, str(number))
            await watching(bounded, followers=3)
            code, message = await error(second, ADDED, {"id": "s"})
            assert code == "TOO_COSTLY"
            assert "you have 3 subscriptions open" in message
            assert "RECALLQL" not in message
            await first.send(id="0", type="complete")
            await until(lambda: bounded.state.backend.hub._followers == 2)
            await second.subscribe(ADDED, {"id": "s", "after": 0}, "again")
            assert await second.seqs(1) == [1]
