"""A replica set of three real mongods on loopback, whose primary can be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from graph.mongod.address import REPLICA_SET, Address
from graph.mongod.program import command_line, find_mongod

START_SECONDS = 60.0


class ReplicaSet:
    """The members, by port."""

    def __init__(self, directory: Path, *, size: int = 3, oplog_mb: int = 990, fails: bool = False) -> None:
        self._mongod = find_mongod(None, copy_to=directory / "bin")
        self._directory = directory
        self._oplog_mb = oplog_mb
        self._fails = fails
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for port in _free_ports(size):
            self.start(port)

    @property
    def ports(self) -> list[int]:
        return list(self._processes)

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._processes)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def start(self, port: int) -> None:
        dbpath = self._directory / str(port)
        dbpath.mkdir(exist_ok=True)
        log = self._directory / f"{port}.log"
        command = command_line(
            self._mongod,
            dbpath=dbpath,
            log=log,
            address=Address("127.0.0.1", port),
            cache_mb=256,
            oplog_mb=self._oplog_mb,
        )
        command += ["--syncdelay", "1"]  # the oplog is cut up to the last checkpoint
        if self._fails:
            command += ["--setParameter", "enableTestCommands=1"]
        self._processes[port] = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def initiate(self) -> None:
        members = [{"_id": place, "host": f"127.0.0.1:{port}"} for place, port in enumerate(self._processes)]
        config = {"_id": REPLICA_SET, "members": members, "settings": {"electionTimeoutMillis": 1500}}
        for port in self.ports:
            with self.direct(port) as client:
                _until(lambda: bool(client.admin.command("ping")))
        with self.direct(self.ports[0]) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()

    def direct(self, port: int) -> MongoClient[dict[str, Any]]:
        """A client of this member alone."""
        return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000)

    def primary(self) -> int:
        """The port of the member that takes writes, waited for."""
        found: list[int] = []

        def look() -> bool:
            for port, process in self._processes.items():
                if process.poll() is None:
                    with suppress(PyMongoError), self.direct(port) as client:
                        if client.admin.command("hello").get("isWritablePrimary"):
                            found.append(port)
                            return True
            return False

        _until(look)
        return found[0]

    def kill(self, port: int) -> None:
        """SIGKILL."""
        process = self._processes[port]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()


@contextmanager
def replica_set(directory: Path, *, size: int = 3, oplog_mb: int = 990, fails: bool = False) -> Iterator[ReplicaSet]:
    """Run one for the length of a block.

    Args:
        directory: for the files of the members.
        size: number of members.
        oplog_mb: size of the oplog in MiB.
        fails: whether MongoDB's own fail points can be set.
    """
    members = ReplicaSet(directory, size=size, oplog_mb=oplog_mb, fails=fails)
    try:
        members.initiate()
        yield members
    finally:
        members.stop()


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _until(ready: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(PyMongoError):
            if ready():
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)
