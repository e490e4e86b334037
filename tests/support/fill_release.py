"""Fill a server of an earlier release, and keep its documents and indexes as an archive, for the tests of upgrades.

Run once for a release, with the interpreter of an environment that has the release installed:

    git worktree add --detach ../release 9e996b2 && cd ../release
    python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e . && cd -
    .venv/bin/python -m tests.support.fill_release ../release/.venv/bin/python tests/data/schema-0.bson.gz

Everything goes through the release's own server, worker and commands. No key is archived, only the hash of one.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from tests.support.archives import save

NAMESPACE = uuid.UUID("6f1d3a52-7d0c-4c2b-9b7e-0d9a6b0f4f10")
TRIP, NOTES, CLEARED, WAITING, ERASED = "trip", "notes", "cleared", "waiting", "erased"
NAMES = ("Lisbon", "Octavia Butler", "Oslo", "Marie Curie", "Kyoto", "Grace Hopper", "Nairobi", "Ada Lovelace")
WIDE = "\N{CANOE}\N{CANOE} "
"""Characters with two units of UTF-16 before each name."""

ADD = "mutation($input: AddMemoryInput!) { addMemory(input: $input) { memory { uuid } } }"
DELETE_MEMORY = 'mutation { deleteMemory(sessionId: "ID") { __typename } }'
DELETE_MESSAGE = 'mutation { deleteMessage(uuid: "ID") { __typename } }'
_SECONDS = 60

_SHOW_ADDRESS = """
import pathlib, sys
from graph.store.embedded import running_uri
print(running_uri(pathlib.Path(sys.argv[1])))
"""

_LEAVE_AN_ERASURE = """
import asyncio, sys
from graph.store import erasure, sessions
from graph.store.database import open_database
from graph.store.scope import EVERYTHING
async def run():
    erasure.SMALL = 2
    database = await open_database(sys.argv[1], name="recallql")
    job = await sessions.delete_session(database, EVERYTHING, sys.argv[2])
    assert job, "no job is left"
    await database.close()
asyncio.run(run())
"""
"""Deletes a session with the release's own store, as if its process had been killed after the transaction."""


def message_uuid(session_id: str, number: int) -> str:
    """The UUID of a message of the data."""
    return str(uuid.uuid5(NAMESPACE, f"{session_id} {number}"))


def text_of(number: int) -> str:
    """The text of a message of the data."""
    name, other = NAMES[number % len(NAMES)], NAMES[(number * 3 + 1) % len(NAMES)]
    return f"{WIDE if number % 3 == 0 else ''}{name} comes up again on day {number}, and so does {other}."


def messages_of(session_id: str, count: int, first: int = 1) -> list[dict[str, Any]]:
    """The messages of an add."""
    return [
        {
            "uuid": message_uuid(session_id, number),
            "role": "human" if number % 2 else "ai",
            "content": text_of(number),
            "metadata": {"number": number},
        }
        for number in range(first, first + count)
    ]


class _Server:
    """A running server of the release."""

    def __init__(self, python: Path, data: Path, *, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [str(python), "-m", "graph", "serve", "--port", str(port), "--data-dir", str(data)]
        environment = {**os.environ, "RECALLQL_WORKER_PROCESSES": str(workers), "RECALLQL_MESSAGE_WINDOW": "12"}
        self.process = subprocess.Popen(command, env=environment, cwd=data.parent)
        self._await(lambda: httpx.get(f"{self.url}/graphql", params={"query": "{ __typename }"}).status_code == 200)

    def send(self, query: str, **given: Any) -> Any:
        answer = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": {"input": given}}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def add(self, session_id: str, count: int, first: int = 1, **more: Any) -> None:
        self.send(ADD, sessionId=session_id, messages=messages_of(session_id, count, first), **more)

    def enriched(self, *session_ids: str, summaries: int) -> None:
        """Wait until nothing is pending, and a number of summaries is there."""
        query = "{ session(sessionId: %s) { enrichment { pending } summaries(first: 5) { edges { node { uuid } } } } }"

        def done() -> bool:
            found = [self.send(query.replace("%s", f'"{one}"'))["session"] for one in session_ids]
            made = sum(len(one["summaries"]["edges"]) for one in found)
            return made == summaries and not any(one["enrichment"]["pending"] for one in found)

        self._await(done)

    def _await(self, condition: Any) -> None:
        until = time.monotonic() + _SECONDS
        while True:
            try:
                if condition():
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < until, "it did not come true in time"
            time.sleep(0.2)


@contextmanager
def _serving(python: Path, data: Path, *, workers: int = 1) -> Iterator[_Server]:
    server = _Server(python, data, workers=workers)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_SECONDS)


def fill(server: _Server) -> None:
    """Write what the release can hold."""
    server.send(
        "mutation($input: CreateUserInput!) { createUser(input: $input) { user { uuid } } }",
        userId="ana",
        email="ana@example.com",
        firstName="Ana",
        lastName="Example",
        metadata={"plan": "basic"},
    )
    server.add(TRIP, 14, userId="ana", metadata={"topic": "travel", "tags": ["a", "b"]}, idempotencyKey="first")
    server.enriched(TRIP, summaries=1)
    server.add(TRIP, 14, first=15, userId="ana", idempotencyKey="second")
    server.add(NOTES, 3)
    server.add(CLEARED, 5, userId="ben")
    server.enriched(TRIP, NOTES, CLEARED, summaries=2)
    server.send(DELETE_MEMORY.replace("ID", CLEARED))
    server.add(CLEARED, 2, first=6)
    edit = "mutation($input: UpdateMessageInput!) { updateMessage(input: $input) { message { uuid } } }"
    server.send(edit, uuid=message_uuid(TRIP, 27), content="Grace Hopper visits Lisbon instead.")
    server.send(DELETE_MESSAGE.replace("ID", message_uuid(TRIP, 26)))
    server.enriched(TRIP, NOTES, CLEARED, summaries=2)
    for path in ("sessions", "user"):  # numbers them
        httpx.get(f"{server.url}/api/v1/{path}").raise_for_status()


def leave_work(server: _Server) -> None:
    """Write what no worker has seen."""
    server.add(WAITING, 3, userId="ana")
    server.add(ERASED, 4, userId="ben")


def main(python: Path, archive: Path) -> None:
    """Fill a release, and write the archive."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with _serving(python, data) as server:
            fill(server)
            key = [str(python), "-m", "graph", "token", "create", "backend", "--data-dir", str(data)]
            subprocess.run(key, check=True, capture_output=True, cwd=folder)
        with _serving(python, data, workers=0) as server:
            leave_work(server)
            uri = _uri_of(python, data)
            subprocess.run([str(python), "-c", _LEAVE_AN_ERASURE, uri, ERASED], check=True, cwd=folder)
            with MongoClient[dict[str, Any]](uri, directConnection=True) as client:
                save(client["recallql"], archive)
    print(f"{archive}: {archive.stat().st_size:,} bytes")


def _uri_of(python: Path, data: Path) -> str:
    """The address of the release's own mongod."""
    found = subprocess.run(
        [str(python), "-c", _SHOW_ADDRESS, str(data)], check=True, capture_output=True, text=True, cwd=data.parent
    )
    return found.stdout.strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
