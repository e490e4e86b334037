"""HAProxy in front of servers, as a load balancer that asks `/ready`."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.graphql_client import PLAIN
from tests.support.server_process import until
from tests.support.tcp import free_port

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

_CONFIGURATION = """
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s
    option http-server-close
    option redispatch

frontend clients
    bind 127.0.0.1:{port}
    stats enable
    stats uri /balancer
    default_backend recallql

backend recallql
    option httpchk GET /ready
{servers}
"""


class Balancer:
    """A running HAProxy.

    Attributes:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def is_up(self, port: int) -> bool:
        """Whether it sends requests to the server on this port."""
        try:
            page = httpx.get(f"{self.url}/balancer;csv", timeout=30, verify=PLAIN).text
        except httpx.ConnectError:  # it has just been started
            return False
        rows = csv.DictReader(page.removeprefix("# ").splitlines())
        return any(row["svname"] == f"s{port}" and row["status"] == "UP" for row in rows)


@contextmanager
def balanced(directory: Path, ports: Sequence[int]) -> Iterator[Balancer]:
    """Balance requests between servers on ports of loopback for the length of a block."""
    assert HAPROXY is not None
    port = free_port()
    servers = "\n".join(f"    server s{number} 127.0.0.1:{number} check inter 200ms fall 1 rise 2" for number in ports)
    file = directory / "haproxy.cfg"
    file.write_text(_CONFIGURATION.format(port=port, servers=servers))
    with subprocess.Popen([HAPROXY, "-q", "-db", "-f", str(file)]) as process:
        try:
            balancer = Balancer(f"http://127.0.0.1:{port}")
            until(lambda: all(balancer.is_up(number) for number in ports))
            yield balancer
        finally:
            process.terminate()
