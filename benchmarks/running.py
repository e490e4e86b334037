"""Servers as processes, and what the parts of the benchmark share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from benchmarks.load import Load
from benchmarks.report import Report

APOLLO = Path(__file__).parent / "apollo"
_START_SECONDS = 90.0  # for machines with much else to do


@dataclass
class Bench:
    """One run of the benchmarks.

    Attributes:
        uri: the mongod.
        client: a client of it.
        report: where results go.
        stack: ends the servers.
        messages: how many messages the main database holds.
        rounds: rounds of each comparison.
        seconds: seconds of each run.
        logs: where what the servers complain about is kept.
    """

    uri: str
    client: MongoClient[dict[str, Any]]
    report: Report
    stack: ExitStack
    messages: int
    rounds: int
    seconds: float
    logs: Path
    _servers: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def database(self) -> str:
        """The main database's name."""
        return f"bench_{self.messages}"

    def server(self, kind: str, database: str | None = None) -> str:
        """The address of a server, started when it is first asked for."""
        key = (kind, database or self.database)
        if key not in self._servers:
            self._servers[key] = self._start(*key)
        return self._servers[key]

    def _start(self, kind: str, database: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        if kind == "apollo":
            command = ["node", "server.mjs", self.uri, database, str(port)]
            directory, environment = APOLLO, {**os.environ, "NODE_ENV": "production"}
        else:
            command = [sys.executable, "-m", "benchmarks.servers", kind, self.uri, database, str(port)]
            directory, environment = Path.cwd(), dict(os.environ)
        log = self.logs / f"{kind}.log"
        # wrk hangs up in the middle of its last requests; their work is cancelled, which some servers complain about.
        with log.open("w") as complaints:
            process = subprocess.Popen(command, cwd=directory, env=environment, stderr=complaints)
        self.stack.callback(_stop, process)
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return f"http://127.0.0.1:{port}"
        message = f"the server {kind} did not start: see {log}"
        raise RuntimeError(message)

    def ask(self, base: str, query: str, **variables: Any) -> Any:
        """The data of a GraphQL answer.

        Raises:
            RuntimeError: it has errors.
        """
        answer = httpx.post(f"{base}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        if "errors" in answer:
            message = f"{base}: {answer['errors'][:2]}"
            raise RuntimeError(message)
        return answer["data"]


def graphql(base: str, query: str, variables: list[dict[str, Any]], **options: Any) -> Load:
    """A load of one query with different variables."""
    bodies = [json.dumps({"query": query, "variables": item}, separators=(",", ":")) for item in variables]
    return Load(base, [f"POST /graphql {body}" for body in bodies], **options)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
