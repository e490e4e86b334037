"""What a reader of a message that is being written waits for: `python -m benchmarks.streams`.

One `recallql serve` of one web process without workers. Each stream has a writer and a reader, each with a WebSocket.
The time of a piece is from its sending by the writer to its arrival at the reader, all in the process of the clients.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Annotated, Any, TypeAlias
from uuid import uuid4

import orjson
import psutil
import typer
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

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


Took: TypeAlias = Callable[[dict[str, Any], float, int], None]
"""Takes the data of a result, the time of its arrival and its bytes."""


def ignore(_data: dict[str, Any], _at: float, _size: int) -> None:
    """Take a result that is not measured."""


class Socket(WSListener):
    """A connection of the client: its compiled library calls `on_ws_frame`, so that no task waits for each message."""

    def __init__(self) -> None:
        self._acknowledged = asyncio.Event()
        self._keys = count()
        self._transport: WSTransport | None = None
        self._took: dict[str, Took] = {}
        self._complete: dict[str, asyncio.Future[None]] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._send({"type": "connection_init"})

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        at = time.perf_counter()
        if frame.msg_type != WSMsgType.TEXT:
            return
        raw = frame.get_payload_as_bytes()
        message = orjson.loads(raw)
        match message["type"]:
            case "connection_ack":
                self._acknowledged.set()
            case "next":
                assert "errors" not in message["payload"], message
                self._took[message["id"]](message["payload"]["data"], at, len(raw))
            case "complete":
                del self._took[message["id"]]
                self._complete.pop(message["id"]).set_result(None)
            case other:
                assert other == "ping", message

    def begin(self, query: str, variables: dict[str, Any], took: Took = ignore) -> asyncio.Future[None]:
        """Start an operation; return what is done at its end."""
        key = str(next(self._keys))
        self._took[key] = took
        self._complete[key] = done = asyncio.get_running_loop().create_future()
        self._send({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})
        return done

    def _send(self, message: dict[str, Any]) -> None:
        assert self._transport is not None
        self._transport.send(WSMsgType.TEXT, orjson.dumps(message))

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator[Socket]:
        address = f"{url.replace('http', 'ws', 1)}/graphql"
        headers = {"Sec-WebSocket-Protocol": "graphql-transport-ws"}
        socket = cls()
        transport, _ = await ws_connect(lambda: socket, address, extra_headers=headers)
        try:
            async with asyncio.timeout(30):
                await socket._acknowledged.wait()
            yield socket
        finally:
            transport.disconnect()


def take(stream: Stream, data: dict[str, Any], at: float, size: int) -> None:
    """Note the arrival of a piece."""
    piece = data["messageStream"]
    if not piece["done"]:
        assert piece["index"] == len(stream.received)
        stream.received.append(at)
        stream.size += size


async def write(url: str, stream: Stream, *, pieces: int, rate: float, batch: int, wait: float) -> None:
    async with Socket.to(url) as writer, Socket.to(url) as reader, asyncio.timeout(300):
        await writer.begin(START, {"i": {"sessionId": stream.uuid, "uuid": stream.uuid, "role": "assistant"}})
        read = reader.begin(STREAM, {"u": stream.uuid}, partial(take, stream))
        await asyncio.sleep(1 + wait)
        began = time.perf_counter()
        window = asyncio.Semaphore(MOST_UNANSWERED)
        appended = []
        for index in range(0, pieces, batch):
            await asyncio.sleep(began + index / rate - time.perf_counter())
            places = range(index, min(index + batch, pieces))
            stream.sent += [began + index / rate] * len(places)  # late sending counts
            await window.acquire()
            sent = [{"index": place, "text": f"word{place:05} "} for place in places]
            appended.append(writer.begin(APPEND, {"i": {"uuid": stream.uuid, "pieces": sent}}))
            appended[-1].add_done_callback(lambda _: window.release())
        await asyncio.gather(*appended)
        while len(stream.received) < pieces:  # noqa: ASYNC110 - the reader only counts
            await asyncio.sleep(0.01)
        await writer.begin(FINISH, {"i": {"uuid": stream.uuid}})
        await read


def waits_of(streams: list[Stream]) -> list[float]:
    return sorted(
        1_000 * (received - sent)
        for stream in streams
        for sent, received in zip(stream.sent, stream.received, strict=True)
    )


async def run(url: str, server: psutil.Process, *, number: int, pieces: int, rate: float, batch: int) -> list[Stream]:
    streams = [Stream() for _ in range(number)]
    before = sum(server.cpu_times()[:2])
    async with asyncio.TaskGroup() as group:
        for place, stream in enumerate(streams):
            wait = place / number * batch / rate  # so that the appends are spread over the time
            group.create_task(write(url, stream, pieces=pieces, rate=rate, batch=batch, wait=wait))
    took = max(stream.received[-1] for stream in streams) - min(stream.sent[0] for stream in streams)
    waits = waits_of(streams)
    first = median(1_000 * (stream.received[0] - stream.sent[0]) for stream in streams)
    print(
        f"{number} streams, {pieces} pieces each, {rate:g} a second, {batch} in a call: first piece"
        f" {first:.1f} ms median; all {median(waits):.1f} ms median, {waits[int(len(waits) * 0.99)]:.1f} ms p99;"
        f" {number * pieces / took:,.0f} pieces a second;"
        f" server {(sum(server.cpu_times()[:2]) - before) / took:.2f} of a core;"
        f" {sum(stream.size for stream in streams) / number / pieces:.1f} bytes a piece"
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
            for number, length, each in ((1, pieces, 1), (1, 2 * pieces, 1), (streams, pieces, batch)):
                uvloop.run(run(server.url, process, number=number, pieces=length, rate=rate, batch=each))


if __name__ == "__main__":
    typer.run(main)
