"""A MongoDB that goes silent: a proxy on loopback that takes connections and passes nothing on."""

from __future__ import annotations

import select
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.tcp import connected

_LOOK_SECONDS = 0.05


class Hanging(socketserver.ThreadingTCPServer):
    """The proxy.

    Attributes:
        uri: names it as the MongoDB.
        target: the connection string of what it passes on to.
        passes: whether it does.
        ends: whether its connections are to end.
    """

    allow_reuse_address = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _PassOn)
        self.uri = f"mongodb://127.0.0.1:{self.server_address[1]}/?directConnection=true"
        self.target = target
        self.passes = threading.Event()
        self.passes.set()
        self.ends = threading.Event()

    def hang(self) -> None:
        """Pass nothing on from now on."""
        self.passes.clear()

    def go_away(self) -> None:
        """End all connections, and refuse others."""
        self.ends.set()
        self.shutdown()
        self.server_close()

    def go_on(self) -> None:
        """Pass on what came meanwhile, and what comes."""
        self.passes.set()


class _PassOn(socketserver.BaseRequestHandler):
    server: Hanging

    def handle(self) -> None:
        with suppress(OSError), connected(self.server.target) as beyond:
            sinks = {self.request: beyond, beyond: self.request}
            while not self.server.ends.is_set():
                if not self.server.passes.wait(_LOOK_SECONDS):
                    continue
                for source in select.select(list(sinks), [], [], _LOOK_SECONDS)[0]:
                    data = source.recv(65_536)
                    if not data:
                        return
                    if not self.server.passes.is_set():
                        self.server.passes.wait()
                    sinks[source].sendall(data)


@contextmanager
def hanging_mongodb(uri: str) -> Iterator[Hanging]:
    """A proxy before the MongoDB at `uri`, which can be made to hang."""
    with Hanging(uri) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, args=(_LOOK_SECONDS,))
        serving.start()
        try:
            yield proxy
        finally:
            proxy.ends.set()
            proxy.go_on()
            proxy.shutdown()
            serving.join()
