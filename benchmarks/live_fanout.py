"""What a live subscriber waits for, and what it costs: `python -m benchmarks.live_fanout`.

Two runs against one `recallql serve` without workers: 1,000 subscribers, ten to a session, with 200 messages a second
in all; then 1,000 subscribers of one session. Delivery is timed from the moment at which the writer had the write's
acknowledgement, in the process of the subscribers; one that comes before it counts as 0. The server's processor time
for deliveries is what is left of its time after the same writes without subscribers.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import httpx
import orjson
import psutil
import typer
import uvloop

from tests.support.server_process import served

SUBSCRIBE = "subscription S($id: ID!) { messageAdded(sessionId: $id) { uuid seq role content createdAt } }"
ADD = "mutation A($input: AddMemoryInput!) { addMemory(input: $input) { memory { uuid } } }"
WORDS = "Octavia Butler wrote Kindred, and a chat message is about this long, on the whole. " * 2


_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A  # first bytes of a frame


class Subscriber(asyncio.Protocol):
    """A graphql-transport-ws client that does no more than it must, so that it is not what is measured."""

    def __init__(self, session_id: str, received: dict[str, list[float]]) -> None:
        self.session_id = session_id
        self.received = received
        self.buffer = bytearray()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.upgraded = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )

    def send(self, message: dict[str, Any]) -> None:
        data = orjson.dumps(message)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.transport.write(b"\x81" + length + b"\0\0\0\0" + data)  # masked with zeros

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self.buffer += data
        if not self.upgraded:
            head, end, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self.upgraded, self.buffer = True, bytearray(rest)
            self.send({"type": "connection_init"})
        while (frame := self._frame()) is not None:
            self._take(frame, at)

    def _frame(self) -> bytes | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, start = int.from_bytes(buffer[2:4], "big"), 4
        if len(buffer) < start + length:
            return None
        frame = bytes(buffer[start : start + length])
        kind = buffer[0]
        del buffer[: start + length]
        if kind == _PING:
            self.transport.write(bytes([_PONG, 0x80 | length]) + b"\0\0\0\0" + frame)
        assert kind != _CLOSE, frame
        return frame if kind == _TEXT else b""

    def _take(self, frame: bytes, at: float) -> None:
        if b'"next"' in frame:
            uuid = frame[(start := frame.index(b'"uuid":"') + 8) : start + 36].decode()
            self.received.setdefault(uuid, []).append(at)
        elif b"connection_ack" in frame:
            self.send(
                {"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIBE, "variables": {"id": self.session_id}}}
            )
            self.ready.set_result(None)
        elif b'"ping"' in frame:
            self.send({"type": "pong"})
        else:
            assert not frame, frame


async def write(
    http: httpx.AsyncClient, sessions: list[str], *, rate: float, batch: int, seconds: float
) -> dict[str, float]:
    """Add messages at a steady rate; when each was acknowledged, by its uuid."""
    acknowledged: dict[str, float] = {}
    writes: set[asyncio.Task[None]] = set()

    async def add(session_id: str, number: int) -> None:
        uuids = [f"{number:08x}-0000-4000-8000-{place:04x}{os.urandom(4).hex()}" for place in range(batch)]
        messages = [{"uuid": uuid, "role": "human", "content": WORDS} for uuid in uuids]
        body = {"query": ADD, "variables": {"input": {"sessionId": session_id, "messages": messages}}}
        answer = (await http.post("/graphql", content=orjson.dumps(body))).json()
        at = time.perf_counter()
        assert "errors" not in answer, answer
        acknowledged.update(dict.fromkeys(uuids, at))

    began = time.perf_counter()
    for number in range(int(rate * seconds / batch)):
        await asyncio.sleep(began + number * batch / rate - time.perf_counter())
        task = asyncio.create_task(add(sessions[number % len(sessions)], number))
        writes.add(task)
        task.add_done_callback(writes.discard)
    await asyncio.gather(*writes)
    return acknowledged


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def run(
    url: str,
    server: psutil.Process,
    *,
    name: str,
    sessions: list[str],
    each: int,
    rate: float,
    batch: int,
    seconds: float,
) -> None:
    address = httpx.URL(url)
    loop = asyncio.get_running_loop()
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, timeout=60, headers=headers) as http:
        await write(http, sessions, rate=rate, batch=batch, seconds=2)  # the sessions exist
        before = sum(server.cpu_times()[:2])
        await write(http, sessions, rate=rate, batch=batch, seconds=seconds)
        alone = sum(server.cpu_times()[:2]) - before

        memory = server.memory_info().rss
        received: dict[str, list[float]] = {}
        subscribers: list[Subscriber] = []
        for number in range(each * len(sessions)):
            _, subscriber = await loop.create_connection(
                lambda number=number: Subscriber(sessions[number % len(sessions)], received),  # type: ignore[misc]
                str(address.host),
                address.port or 80,
            )
            await subscriber.ready
            subscribers.append(subscriber)
        await asyncio.sleep(2)
        memory = server.memory_info().rss - memory

        before = sum(server.cpu_times()[:2])
        acknowledged = await write(http, sessions, rate=rate, batch=batch, seconds=seconds)
        expected = len(acknowledged) * each
        deadline = time.perf_counter() + 30
        while sum(map(len, received.values())) < expected and time.perf_counter() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        together = sum(server.cpu_times()[:2]) - before
        for subscriber in subscribers:
            subscriber.transport.close()
        await asyncio.sleep(1)
    delays = [max(0.0, at - acknowledged[uuid]) for uuid, times in received.items() for at in times]
    print(f"{name}: {len(subscribers):,} subscribers, {rate:g} messages a second for {seconds:g} s")
    print(f"  delivered             {len(delays):,} of {expected:,}")
    print(f"  median                {median(delays) * 1000:.1f} ms after the acknowledgement")
    print(f"  p99                   {percentile(delays, 0.99) * 1000:.1f} ms")
    print(f"  processor time        {(together - alone) / len(delays) * 1e6:.0f} µs a delivery")
    print(f"                        {(together - alone) / len(acknowledged) * 1e3:.1f} ms a message")
    print(
        f"  of the server in all  {together / seconds * 100:.0f} % of a core, {alone / seconds * 100:.0f} % for writes"
    )
    if memory > 0:  # a later run goes on in the memory of the first
        print(f"  memory                {memory / len(subscribers) / 1024:.0f} KiB a subscriber")


def main(
    subscribers: int = 1000,
    seconds: float = 10,
    rate: float = 200,
    rate_of_one: Annotated[float, typer.Option(help="Messages a second to the one session.")] = 5,
    batch: Annotated[int, typer.Option(help="Messages in one addMemory.")] = 2,
) -> None:
    """Serve, write and follow."""
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        data_dir.mkdir()
        with served(data_dir, "--enrichment-processes", "0") as process:
            server = psutil.Process(process.process.pid)
            url = process.url
            many = [f"session-{number}" for number in range(subscribers // 10)]
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(
                    run(
                        url,
                        server,
                        name="Ten to a session",
                        sessions=many,
                        each=10,
                        rate=rate,
                        batch=batch,
                        seconds=seconds,
                    )
                )
                runner.run(
                    run(
                        url,
                        server,
                        name="One session",
                        sessions=["one"],
                        each=subscribers,
                        rate=rate_of_one,
                        batch=1,
                        seconds=seconds,
                    )
                )


if __name__ == "__main__":
    typer.run(main)
