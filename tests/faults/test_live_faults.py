"""Faults under subscribers: cut sockets, a restarted mongod, a killed primary, an oplog that is outrun, a shutdown."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from graph.app import create_app
from graph.mongod.embedded import EmbeddedMongo
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database, open_database
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.driver import DRIVER
from tests.support.graphql_client import ADD, Client, serving
from tests.support.live import add, url
from tests.support.live_client import ADDED, socket_to
from tests.support.node_project import NODE, install
from tests.support.replica_set import ReplicaSet, replica_set
from tests.support.server_process import served

pytestmark = pytest.mark.slow


async def write(client: Client, session_id: str, keys: Iterator[int], acknowledged: list[int]) -> None:
    """One writer: each write is tried until it is acknowledged, with one idempotency key."""
    for number in keys:
        message = {"role": "human", "content": f"number {number}"}
        given = {"sessionId": session_id, "messages": [message], "idempotencyKey": f"key {number}"}
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.send(ADD, input=given)
                if "errors" not in answer:
                    break
                assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer
            await asyncio.sleep(0.05)
        acknowledged.extend(message["seq"] for message in answer["data"]["addMemory"]["memory"]["messages"])


async def follow(client: Client, session_id: str, count: int) -> list[int]:
    """What one subscriber gets over one socket."""
    async with socket_to(url(client)) as socket:
        await socket.subscribe(ADDED, {"id": session_id, "after": 0})
        return await socket.seqs(count)


@pytest.mark.timeout(300)
async def test_a_socket_that_is_cut_a_hundred_times_brings_each_message_once(
    client: Client, database: Database
) -> None:
    total, cuts = 10_000, 100
    chance = random.Random(5)

    async def insert(count: int) -> None:
        while count:
            size = min(count, chance.randint(1, 20))
            messages = [NewMessage("human", f"of {size}", 3) for _ in range(size)]
            await add_memory(database, EVERYTHING, NewMemory("s", messages))
            count -= size

    seen: list[int] = []
    writers = [asyncio.create_task(insert(total // 4)) for _ in range(4)]
    for cut in itertools.count():
        async with socket_to(url(client)) as socket:
            await socket.subscribe(ADDED, {"id": "s", "after": seen[-1] if seen else 0})
            here = chance.randint(0, 2 * total // cuts) if cut < cuts else total
            with suppress(ConnectionClosed):
                while len(seen) < total and here:
                    seen.extend(await socket.seqs(1))
                    here -= 1
            socket.connection.transport.abort()
        if cut >= cuts and len(seen) == total:
            break
    await asyncio.gather(*writers)
    assert seen == list(range(1, total + 1))


@pytest.mark.timeout(300)
async def test_a_mongod_that_is_restarted_is_only_a_delay(tmp_path: Path, settings: Settings) -> None:
    mongo = EmbeddedMongo(tmp_path / "mongo", min_free_mb=64)
    mongo.start()
    try:
        async with serving(create_app(settings, mongo.uri)) as client:
            keys, acknowledged = iter(range(300)), list[int]()
            following = [asyncio.create_task(follow(client, "s", 300)) for _ in range(3)]
            writers = [asyncio.create_task(write(client, "s", keys, acknowledged)) for _ in range(3)]
            for _ in range(2):
                await asyncio.sleep(0.7)
                await anyio.to_thread.run_sync(mongo.stop)
                following.append(asyncio.create_task(follow_through(client, "s", 300)))
                await anyio.to_thread.run_sync(mongo.start)
            await asyncio.gather(*writers)
            assert sorted(acknowledged) == list(range(1, 301))
            for seqs in await asyncio.gather(*following):
                assert seqs == list(range(1, 301))
    finally:
        await anyio.to_thread.run_sync(mongo.stop)


async def follow_through(client: Client, session_id: str, count: int) -> list[int]:
    """As `follow`, by one who comes while the database is away, and tries again."""
    seen: list[int] = []
    while len(seen) < count:
        async with socket_to(url(client)) as socket:
            await socket.subscribe(ADDED, {"id": session_id, "after": len(seen)})
            while len(seen) < count:
                message = await socket.receive()
                if message["type"] == "error":
                    assert message["payload"][0]["extensions"]["code"] == "UNAVAILABLE"
                    break
                seen.append(message["payload"]["data"]["messageAdded"]["seq"])
    return seen


@pytest.mark.timeout(300)
async def test_a_killed_primary_costs_no_acknowledged_message(tmp_path: Path, settings: Settings) -> None:
    total = 400
    with replica_set(tmp_path) as members:
        async with serving(create_app(settings, members.uri)) as client:
            keys, acknowledged = iter(range(total)), list[int]()
            following = [asyncio.create_task(follow(client, "s", total)) for _ in range(3)]
            writers = [asyncio.create_task(write(client, "s", keys, acknowledged)) for _ in range(4)]
            while len(acknowledged) < total // 4:  # noqa: ASYNC110 - the writers only count
                await asyncio.sleep(0.01)
            await anyio.to_thread.run_sync(lambda: members.kill(members.primary()))
            following.append(asyncio.create_task(follow_through(client, "s", total)))
            await asyncio.gather(*writers)
            assert sorted(acknowledged) == list(range(1, total + 1))
            for seqs in await asyncio.gather(*following):
                assert seqs == list(range(1, total + 1))


@pytest.mark.timeout(300)
async def test_when_the_oplog_is_outrun_subscribers_read_the_store(
    tmp_path: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with replica_set(tmp_path, size=1, oplog_mb=2) as members:
        app = create_app(settings, members.uri)
        async with serving(app) as client, socket_to(url(client)) as socket:
            await socket.subscribe(ADDED, {"id": "s", "after": 0})
            await add(client, "s", 2)
            assert await socket.seqs(2) == [1, 2]
            # This blocks the loop that the service runs on, so that it follows nothing meanwhile.
            behind = threading.Thread(target=write_behind_its_back, args=(members, settings))
            behind.start()
            behind.join()
            assert await socket.seqs(3) == [3, 4, 5]
            await add(client, "s")
            assert await socket.seqs(1) == [6]
    assert "opened again" in caplog.text


def write_behind_its_back(members: ReplicaSet, settings: Settings) -> None:
    async def write() -> None:
        database = await open_database(members.uri, name=settings.database, driver_name=DRIVER)
        for _ in range(3):
            await add_memory(database, EVERYTHING, NewMemory("s", [NewMessage("human", "x", 3)]))
        await database.close()

    time.sleep(1.5)  # the look at the stream that is under way ends
    asyncio.run(write())
    with members.direct(members.ports[0]) as client:
        outrun_oplog(client)


def outrun_oplog(client: Any) -> None:
    """Write until the oplog begins after what is its end now."""
    oplog = client.local["oplog.rs"]
    end = oplog.find_one(sort=[("$natural", -1)])["ts"]
    while oplog.find_one(sort=[("$natural", 1)])["ts"] <= end:
        client.junk.junk.insert_many([{"text": "x" * 100_000} for _ in range(20)])


async def test_a_shutdown_ends_streams_so_that_clients_come_back(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with served(data_dir, "--enrichment-processes", "0") as server:
        async with socket_to(server.url) as socket, httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            await socket.subscribe(ADDED, {"id": "s", "after": 0})
            body = {"query": ADDED, "variables": {"id": "s", "after": 0}}
            async with http.stream("POST", "/graphql", json=body, headers={"accept": "text/event-stream"}) as stream:
                await Client(http).data(ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "x"}]})
                assert await socket.seqs(1) == [1]
                chunks = stream.aiter_text()
                assert '"seq":1' in await anext(chunks)
                server.process.send_signal(signal.SIGTERM)
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code in {1001, 1012}
                rest = "".join([chunk async for chunk in chunks])
                assert "complete" not in rest
            assert await anyio.to_thread.run_sync(lambda: server.process.wait(30)) == 0


@pytest.mark.timeout(300)
async def test_graphql_ws_comes_back_after_a_restart(tmp_path: Path) -> None:
    install()
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    flags = ["--enrichment-processes", "0"]
    with served(data_dir, *flags) as server:
        port = httpx.URL(server.url).port
        script = await asyncio.create_subprocess_exec(
            "node",
            str(NODE / "reconnects.mjs"),
            f"{server.url}/graphql",
            "s",
            cwd=NODE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert script.stdout
        await add_over_http(server.url)
        assert json.loads(await script.stdout.readline()) == {"seq": 1}
    with served(data_dir, *flags, "--port", str(port)) as server:
        assert json.loads(await script.stdout.readline()) == {"connected": 2}
        await add_over_http(server.url)
        assert json.loads(await script.stdout.readline()) == {"seq": 2}
        rest, _ = await script.communicate()
        assert not rest
    assert script.returncode == 0


async def add_over_http(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        await add(Client(http), "s")


async def test_what_a_worker_finds_is_told(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    updated = 'subscription S { messageUpdated(sessionId: "s") { kind seq message { entities { name } } } }'
    summaries = "subscription S { sessionUpdated { session { memory { summary { lastSeq } } } } }"
    with served(data_dir) as server:
        async with socket_to(server.url) as messages, socket_to(server.url) as sessions:
            await messages.subscribe(updated, {})
            await sessions.subscribe(summaries, {})
            for socket in (messages, sessions):  # a later operation is answered: these have begun
                await socket.subscribe("{ __typename }", {}, "2")
                assert (await socket.receive())["id"] == "2"
                assert (await socket.receive())["type"] == "complete"
            await asyncio.sleep(0.5)
            sent = [{"role": "human", "content": f"Octavia Butler wrote book {number}."} for number in range(20)]
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
                await Client(http).data(ADD, input={"sessionId": "s", "messages": sent})
            update = (await messages.data())["messageUpdated"]
            assert update["kind"] == "ENRICHED"
            assert "Octavia Butler" in {entity["name"] for entity in update["message"]["entities"]}
            while (await sessions.data())["sessionUpdated"]["session"]["memory"]["summary"] is None:
                pass
