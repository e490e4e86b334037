"""How much memory subscribers with large results take: `python -m benchmarks.live_memory`.

One user opens WebSockets with many subscriptions to one session on each, each with an operation name of its own; then
messages of 1 MB are added. The resident memory of the web process is read before, at its highest, and at the end while
the sockets are still open. The run ends early where it passes the limit.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import psutil
import typer
from websockets.asyncio.client import connect

from tests.support.server_process import served

ADD = "mutation A($input: AddMemoryInput!) { addMemory(input: $input) { memory { uuid } } }"
MIB = 1_048_576


class Meter:
    """Watches the resident memory of a process."""

    def __init__(self, pid: int, limit: int) -> None:
        self.process = psutil.Process(pid)
        self.limit = limit
        self.highest = 0
        self.over = asyncio.Event()

    def now(self) -> int:
        return int(self.process.memory_info().rss) // MIB

    async def watch(self) -> None:
        while not self.over.is_set():
            self.highest = max(self.highest, self.now())
            if self.highest > self.limit:
                self.process.kill()
                self.over.set()
            await asyncio.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Attack:
    """What is tried.

    Attributes:
        sockets: WebSockets of one caller.
        subscriptions: on each.
        messages: of 1 MB, which are added one after the other.
        selection: of each subscription; ALIAS in it is different in each.
        seconds: for which the results of one message are waited for at most.
        reads: whether the clients read their results.
    """

    sockets: int
    subscriptions: int
    messages: int
    selection: str
    seconds: float
    reads: bool

    async def run(self, url: str, meter: Meter) -> None:
        """Attack a server, and say what memory it takes."""
        print(f"{meter.now()} MiB before")
        watching = asyncio.create_task(meter.watch())
        counts = [0] * self.sockets
        opened = [asyncio.Event() for _ in counts]
        followers = [
            asyncio.create_task(self._follow(url, counts, place, opened[place])) for place in range(self.sockets)
        ]
        await asyncio.gather(*(event.wait() for event in opened))
        await asyncio.sleep(3)
        print(f"{meter.now()} MiB with {self.sockets} x {self.subscriptions} subscriptions")
        await self._add(url, meter, counts)
        if meter.over.is_set():
            print(f"stopped above the limit, at {meter.highest} MiB; {sum(counts)} results read")
        else:
            await asyncio.sleep(2)
            print(f"{meter.now()} MiB at the end, with the sockets open; highest {meter.highest} MiB")
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)
        watching.cancel()

    async def _follow(self, url: str, counts: list[int], place: int, opened: asyncio.Event) -> None:
        address = f"{url.replace('http', 'ws', 1)}/graphql"
        async with connect(
            address,
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            max_size=None,
            open_timeout=60,
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()
            for number in range(self.subscriptions):
                selection = self.selection.replace("ALIAS", f"a{place}x{number}")
                query = f'subscription S{place}x{number} {{ messageAdded(sessionId: "s") {{ {selection} }} }}'
                await socket.send(json.dumps({"id": str(number), "type": "subscribe", "payload": {"query": query}}))
            opened.set()
            if not self.reads:
                await asyncio.Event().wait()
            async for text in socket:
                counts[place] += json.loads(text)["type"] == "next"

    async def _add(self, url: str, meter: Meter, counts: list[int]) -> None:
        message = {"role": "human", "content": "x" * 1_000_000}
        body = {"query": ADD, "variables": {"input": {"sessionId": "s", "messages": [message]}}}
        async with httpx.AsyncClient(timeout=120) as client:
            for number in range(1, self.messages + 1):
                try:
                    answer = (await client.post(f"{url}/graphql", json=body)).json()
                except httpx.HTTPError as error:
                    print(f"the server answers no more: {error!r}")
                    return
                assert "errors" not in answer, answer
                expected = number * self.sockets * self.subscriptions if self.reads else 1
                until = time.monotonic() + (self.seconds if self.reads else self.seconds / 10)
                while time.monotonic() < until and sum(counts) < expected and not meter.over.is_set():  # noqa: ASYNC110 - three reasons to end
                    await asyncio.sleep(0.05)
                print(f"{meter.now()} MiB after message {number}; {sum(counts)} results read")


def main(  # noqa: PLR0917
    sockets: int = 4,
    subscriptions: int = 100,
    messages: int = 3,
    selection: Annotated[str, typer.Option(help="ALIAS in it is different in each subscription.")] = "seq content",
    limit: Annotated[int, typer.Option(help="MiB at which the server is killed.")] = 2_048,
    seconds: Annotated[float, typer.Option(help="Most seconds to wait for the results of one message.")] = 60.0,
    reads: Annotated[bool, typer.Option(help="Whether the clients read their results.")] = True,
) -> None:
    """Measure the memory that subscribers with large results take."""
    attack = Attack(sockets, subscriptions, messages, selection, seconds, reads)
    with (
        tempfile.TemporaryDirectory() as directory,
        served(Path(directory) / "data", "--enrichment-processes", "0") as server,
    ):
        asyncio.run(attack.run(server.url, Meter(server.process.pid, limit)))


if __name__ == "__main__":
    typer.run(main)
