"""A replica set of real mongods, each in a network namespace of its own: the network between them can be cut."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from graph.mongod.address import REPLICA_SET, Address
from graph.mongod.program import command_line, find_mongod
from tests.support.server_process import until

PORT = 27017
DELAY = 4  # seconds by which the delayed member follows
VOTERS = 3


class PartitionedSet:
    """Three members that vote, and a hidden one that follows with a delay.

    Attributes:
        uri: the connection string.
        hosts: the addresses of the members; the last one is of the delayed member.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mongod = find_mongod(None, copy_to=directory / "bin")
        self._name = f"rql{os.getpid()}"
        self._net = f"10.213.{os.getpid() % 256}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.hosts = [f"{self._net}.{10 + number}" for number in range(VOTERS + 1)]
        self.uri = f"mongodb://{','.join(self.hosts[:VOTERS])}/?replicaSet={REPLICA_SET}"

    def build(self) -> None:
        """Make the network: a bridge, and a namespace for each member.

        Raises:
            CalledProcessError: this user may not.
        """
        _ip("link", "add", "name", self._name, "type", "bridge")
        _ip("addr", "add", f"{self._net}.1/24", "dev", self._name)
        _ip("link", "set", self._name, "up")
        for number, host in enumerate(self.hosts):
            space, cable = self._space(host), f"{self._name}v{number}"
            _ip("netns", "add", space)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", cable, "master", self._name, "up")
            _ip("-n", space, "addr", "add", f"{host}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")

    def initiate(self) -> None:
        """Start the members, and make them a replica set."""
        for host in self.hosts:
            self.start(host)
        members: list[dict[str, Any]] = [
            {"_id": place, "host": f"{host}:{PORT}"} for place, host in enumerate(self.hosts)
        ]
        members[-1] |= {"priority": 0, "votes": 0, "hidden": True, "secondaryDelaySecs": DELAY}
        config = {"_id": REPLICA_SET, "members": members, "settings": {"electionTimeoutMillis": 2000}}
        for host in self.hosts:
            until(lambda host=host: self._answer(host, "ping"))
        with self.direct(self.hosts[0]) as client:
            client.admin.command("replSetInitiate", config)
        self.primary()

    def start(self, host: str) -> None:
        """Start a member."""
        dbpath = self._directory / host
        dbpath.mkdir(exist_ok=True)
        command = command_line(
            self._mongod,
            dbpath=dbpath,
            log=self._directory / f"{host}.log",
            address=Address(host, PORT),
            cache_mb=256,
            oplog_mb=990,
        )
        command = ["ip", "netns", "exec", self._space(host), *command]
        self._processes[host] = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def direct(self, host: str) -> MongoClient[dict[str, Any]]:
        """A client of this member alone."""
        return MongoClient(host, PORT, directConnection=True, serverSelectionTimeoutMS=1000, socketTimeoutMS=5000)

    def primary(self, *, other_than: str = "") -> str:
        """The address of the member that takes writes, waited for."""

        def look() -> str | None:
            for host in self.hosts[:VOTERS]:
                if host != other_than and self._answer(host, "hello").get("isWritablePrimary"):
                    return host
            return None

        return str(until(look))

    def step_down(self, host: str) -> None:
        """Have a primary become a secondary."""
        with self.direct(host) as client:
            client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)

    def kill(self, host: str) -> None:
        """SIGKILL."""
        process = self._processes[host]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def unplug(self, host: str) -> None:
        """Let nobody reach a member, without a word to either side."""
        _ip("-n", self._space(host), "link", "set", "eth0", "down")

    def plug(self, host: str) -> None:
        """Undo `unplug`."""
        _ip("-n", self._space(host), "link", "set", "eth0", "up")

    def separate(self, host: str) -> None:
        """Drop all that a member sends to other members: clients reach it."""
        for other in set(self.hosts) - {host}:
            _ip("-n", self._space(host), "route", "add", "blackhole", f"{other}/32")

    def unite(self, host: str) -> None:
        """Undo `separate`."""
        for other in set(self.hosts) - {host}:
            _ip("-n", self._space(host), "route", "del", "blackhole", f"{other}/32")

    def remove(self) -> None:
        """End the members, and remove the network."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", self._space(host)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", self._name], check=False, capture_output=True)

    def _space(self, host: str) -> str:
        return f"{self._name}n{host.rpartition('.')[2]}"

    def _answer(self, host: str, command: str) -> dict[str, Any]:
        with suppress(PyMongoError), self.direct(host) as client:
            return client.admin.command(command)
        return {}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def partitioned_set(directory: Path) -> Iterator[PartitionedSet]:
    """Run one for the length of a block, or skip the test where this user may make no network."""
    if shutil.which("ip") is None:
        pytest.skip("this system has no ip of iproute2")
    members = PartitionedSet(directory)
    try:
        try:
            members.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
        members.initiate()
        yield members
    finally:
        members.remove()
