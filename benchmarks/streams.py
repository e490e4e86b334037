"""What a reader of a message that is being written waits for: `python -m benchmarks.streams`.

One `recallql serve` of one web process without workers. Each stream has a writer and a reader, each with a WebSocket.
The time of a piece is from its sending by the writer to its arrival at the reader, all in the process of the clients.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from uuid import uuid4

import orjson
import psutil
import typer
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.server_process import served

START = "mutation S($i: StartMessageInput!) { startMessage(input: $i) { message { seq } } }"
APPEND = "mutation A($i: AppendMessageInput!) { appendMessage(input: $i) { nextIndex } }"
FINISH = "mutation F($i: FinishMessageInput!) { finishMessage(input: $i) { message { content } } }"
STREAM = "subscription P($u: UUID!) { messageStream(uuid: $u) { index text done message { content } } }"

MOST_UNANSWERED = 50
"""Appends that a writer sends without an answer."""


@dataclass
class Stream:
    """One message, and when its pieces were sent and received."""

    uuid: str = field(default_factory=lambda: str(uuid4()))
    sent: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    size: int = 0
    """Bytes of the results of pieces."""


@asynccontextmanager
async def socket_to(url: str) -> AsyncIterator[ClientConnection]:
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    protocol = Subprotocol("graphql-transport-ws")
    async with connect(address, subprotocols=[protocol], max_size=None, compression=None) as socket:
        await socket.send('{"type":"connection_init"}')
        assert b"connection_ack" in await socket.recv(decode=False)
        yield socket


async def send(socket: ClientConnection, key: str, query: str, variables: dict[str, Any]) -> None:
    message = {"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}}
    await socket.send(orjson.dumps(message).decode())


async def answers(socket: ClientConnection, count: int, window: asyncio.Semaphore | None = None) -> None:
    """Wait until so many operations are complete, each of which makes room in a window."""
    while count:
        message = orjson.loads(await socket.recv())
        if message["type"] == "next":
            assert "errors" not in message["payload"], message
        if message["type"] == "complete":
            count -= 1
            if window is not None:
                window.release()
        assert message["type"] != "error", message


async def read(url: str, stream: Stream, following: asyncio.Event) -> None:
    async with socket_to(url) as socket:
        await send(socket, "1", STREAM, {"u": stream.uuid})
        following.set()
        while True:
            raw = await socket.recv(decode=False)
            at = time.perf_counter()
            message = orjson.loads(raw)
            assert message["type"] in ("next", "ping"), message
            if message["type"] == "ping":
                continue
            piece = message["payload"]["data"]["messageStream"]
            if piece["done"]:
                return
            assert piece["index"] == len(stream.received)
            stream.received.append(at)
            stream.size += len(raw)


async def write(url: str, stream: Stream, *, pieces: int, rate: float, batch: int, wait: float) -> None:
    following = asyncio.Event()
    async with socket_to(url) as socket, asyncio.TaskGroup() as group:
        await send(socket, "start", START, {"i": {"sessionId": stream.uuid, "uuid": stream.uuid, "role": "assistant"}})
        await answers(socket, 1)
        group.create_task(read(url, stream, following))
        await following.wait()
        await asyncio.sleep(1 + wait)
        began = time.perf_counter()
        window = asyncio.Semaphore(MOST_UNANSWERED)
        receiving = group.create_task(answers(socket, -(-pieces // batch), window))
        for index in range(0, pieces, batch):
            await asyncio.sleep(began + index / rate - time.perf_counter())
            sent = [{"index": place, "text": f"word{place:05} "} for place in range(index, min(index + batch, pieces))]
            stream.sent += [began + index / rate] * len(sent)  # late sending counts
            await window.acquire()
            await send(socket, str(index), APPEND, {"i": {"uuid": stream.uuid, "pieces": sent}})
        await receiving
        async with asyncio.timeout(60):
            while len(stream.received) < pieces:  # noqa: ASYNC110 - the reader only counts
                await asyncio.sleep(0.01)
        await send(socket, "finish", FINISH, {"i": {"uuid": stream.uuid}})
        await answers(socket, 1)


def waits_of(streams: list[Stream]) -> list[float]:
    return sorted(
        1_000 * (received - sent)
        for stream in streams
        for sent, received in zip(stream.sent, stream.received, strict=True)
    )


async def run(url: str, server: psutil.Process, *, count: int, pieces: int, rate: float, batch: int) -> list[Stream]:
    streams = [Stream() for _ in range(count)]
    before = sum(server.cpu_times()[:2])
    async with asyncio.TaskGroup() as group:
        for number, stream in enumerate(streams):
            wait = number / count * batch / rate  # so that the appends are spread over the time
            group.create_task(write(url, stream, pieces=pieces, rate=rate, batch=batch, wait=wait))
    took = max(stream.received[-1] for stream in streams) - min(stream.sent[0] for stream in streams)
    waits = waits_of(streams)
    first = median(1_000 * (stream.received[0] - stream.sent[0]) for stream in streams)
    print(
        f"{count} streams, {pieces} pieces each, {rate:g} a second, {batch} in a call: first piece"
        f" {first:.1f} ms median; all {median(waits):.1f} ms median, {waits[int(len(waits) * 0.99)]:.1f} ms p99;"
        f" {count * pieces / took:,.0f} pieces a second;"
        f" server {(sum(server.cpu_times()[:2]) - before) / took:.2f} of a core;"
        f" {sum(stream.size for stream in streams) / count / pieces:.1f} bytes a piece"
    )
    return streams


def main(
    streams: Annotated[int, typer.Option(help="Streams at once, in the last run.")] = 100,
    rate: Annotated[float, typer.Option(help="Pieces a second of each stream.")] = 50,
    batch: Annotated[int, typer.Option(help="Pieces in a call, in the last run.")] = 25,
    seconds: Annotated[float, typer.Option(help="Length of each run.")] = 10,
) -> None:
    """Measure one stream with one piece in a call, the same twice as long, and many streams."""
    with tempfile.TemporaryDirectory() as directory:
        (data_dir := Path(directory) / "data").mkdir()
        with served(data_dir, "--enrichment-processes", "0", "--log-level", "warning") as server:
            process = psutil.Process(server.process.pid)
            pieces = int(rate * seconds)
            for count, length, each in ((1, pieces, 1), (1, 2 * pieces, 1), (streams, pieces, batch)):
                uvloop.run(run(server.url, process, count=count, pieces=length, rate=rate, batch=each))


if __name__ == "__main__":
    typer.run(main)
