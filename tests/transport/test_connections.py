"""What a stranger does to connections of the real server, before any request has a caller."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support.server_process import ServerProcess, served, until
from tests.support.tcp import closed_at_end

pytestmark = pytest.mark.timeout(120)
UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
)
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
TRAILERS = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Big: "
LIMIT = 65_536

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, mongodb_uri: str) -> Iterator[ServerProcess]:
    with started(tmp_path_factory.mktemp("server"), mongodb_uri) as running:
        yield running


def started(path: Path, mongodb_uri: str, **environment: str) -> AbstractContextManager[ServerProcess]:
    return served(
        path / "data",
        RECALLQL_MONGODB_URI=mongodb_uri,
        RECALLQL_DATABASE=f"test_{uuid.uuid4().hex}",
        RECALLQL_ENRICHMENT_PROCESSES="0",
        **environment,
    )


def opened(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=30)


def sent(connection: socket.socket, data: bytes) -> bool:
    """Whether all of it could be sent."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except OSError:
        pass
    return received


@pytest.mark.parametrize("beginning", [GET + b"X-Big: ", UPGRADE + b"X-Big: ", b"GET /", TRAILERS])
def test_headers_are_refused_before_the_rest_is_read(server: ServerProcess, beginning: bytes) -> None:
    process = psutil.Process(server.process.pid)
    before = sum(process.cpu_times()[:2])
    with opened(server) as connection:
        connection.sendall(beginning)
        megabyte = b"x" * 1_000_000
        assert not all(sent(connection, megabyte) for _ in range(200))
    assert sum(process.cpu_times()[:2]) - before < 2


def test_headers_up_to_the_limit_are_accepted(server: ServerProcess) -> None:
    for size, status in ((LIMIT - 1_000, b"200"), (LIMIT, b"431")):
        for separator in (b"", b"\r\nX-Another: "):
            value = b"x" * (size // 2) + separator + b"x" * (size // 2)
            with opened(server) as connection:
                connection.sendall(GET + b"Connection: close\r\nX-Big: " + value + b"\r\n\r\n")
                assert answer(connection).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("size", [9_000, LIMIT])
def test_a_web_socket_whose_headers_are_too_large_is_answered(server: ServerProcess, size: int) -> None:
    with opened(server) as connection:
        connection.sendall(UPGRADE + b"X-Big: " + b"x" * size + b"\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 431")
    with opened(server) as connection:
        connection.sendall(UPGRADE + b"".join(b"X-%d: x\r\n" % number for number in range(200)) + b"\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 431")
    with opened(server) as connection:
        connection.sendall(UPGRADE + b"X-Big: " + b"x" * 8_000 + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 101")


def test_pipelined_requests_each_have_the_limit(server: ServerProcess) -> None:
    one = GET + b"X-Big: " + b"x" * 40_000 + b"\r\n\r\n"
    with opened(server) as connection:
        connection.sendall(one * 4 + GET + b"Connection: close\r\n\r\n")
        assert answer(connection).count(b"HTTP/1.1 200") == 5


def test_a_body_larger_than_the_limit_of_headers_is_accepted(server: ServerProcess) -> None:
    text = "# " + "x" * 15_000
    query = "{ __typename }" + text
    chunks = (part for part in [b'{"query": "' + query.encode() + b'", "extensions": {"a": "', b"x" * 200_000, b'"}}'])
    response = httpx.post(f"{server.url}/graphql", content=chunks, headers=JSON, timeout=60)
    assert response.json() == {"data": {"__typename": "Query"}}


QUIET = {
    "nothing": b"",
    "half a header": GET + b"X-Half: ",
    "half an upgrade": UPGRADE,
    "the end of an answer, then half a header": GET + b"\r\n" + GET,
    "the end of an answer, then an empty line": GET + b"\r\n\r\n",
    "the end of an answer": GET + b"\r\n",
    "an answer that does not wait for the body": b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nx",
}


def test_silent_connections_end(tmp_path: Path, mongodb_uri: str) -> None:
    short = {"RECALLQL_HEADER_TIMEOUT": "1", "RECALLQL_IDLE_TIMEOUT": "1"}
    with started(tmp_path, mongodb_uri, **short) as server:
        connections = {name: opened(server) for name in QUIET}
        for name, data in QUIET.items():
            connections[name].sendall(data)
        ends = {name: answer(connection) for name, connection in connections.items()}  # waits for each to end
        assert ends["half a header"].startswith(b"HTTP/1.1 408")
        assert ends["the end of an answer"].startswith(b"HTTP/1.1 200")
        for connection in connections.values():
            connection.close()
        assert "Traceback" not in server.stderr()


def test_a_client_that_drips_a_header_does_not_stay(tmp_path: Path, mongodb_uri: str) -> None:
    with started(tmp_path, mongodb_uri, RECALLQL_HEADER_TIMEOUT="1", RECALLQL_IDLE_TIMEOUT="1") as server:
        for beginning, drip in ((GET + b"X-Slow: x", b"x"), (b"", b"\r\n"), (GET + b"\r\n", b"\r\n")):
            with opened(server) as connection:
                connection.sendall(beginning)
                connection.settimeout(0.2)
                until(lambda connection=connection, drip=drip: not takes(connection, drip), 60)


def takes(connection: socket.socket, drip: bytes) -> bool:
    """Whether the server still waits for more; otherwise it has ended the connection."""
    if not sent(connection, drip):
        return False
    try:
        while connection.recv(65_536):
            pass
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def test_a_client_that_reads_nothing_is_dropped(tmp_path: Path, mongodb_uri: str) -> None:
    with started(tmp_path, mongodb_uri, RECALLQL_SEND_TIMEOUT="1") as server:
        process = psutil.Process(server.process.pid)
        with opened(server) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            port = connection.getsockname()[1]
            # Answers of a megabyte and more in all, which fit into no buffer of the kernel.
            introspection = httpx.QueryParams(query="{ __schema { types { fields { description name } } } }")
            request = b"GET /graphql?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % str(introspection).encode()
            sent(connection, request * 400)
            until(
                lambda: all(
                    not found.raddr or found.raddr.port != port
                    for found in process.net_connections("tcp")
                    if found.status == psutil.CONN_ESTABLISHED
                )
            )
        assert httpx.get(f"{server.url}/health", timeout=60).status_code == 200


async def test_connections_beyond_the_limit_are_refused_and_others_go_on(tmp_path: Path, mongodb_uri: str) -> None:
    with started(tmp_path, mongodb_uri, RECALLQL_MAX_CONNECTIONS="20", RECALLQL_HEADER_TIMEOUT="0") as server:
        port = urlsplit(server.url).port
        async with httpx.AsyncClient(timeout=60) as client:
            assert (await client.get(f"{server.url}/health")).status_code == 200
            async with AsyncExitStack() as opened:
                streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(19)]
                for _, writer in streams:
                    await opened.enter_async_context(closed_at_end(writer))
                for _, writer in streams[:10]:
                    writer.write(UPGRADE + b"\r\n")
                for reader, _ in streams[:10]:
                    assert (await reader.readline()).startswith(b"HTTP/1.1 101")
                beyond, last = await asyncio.open_connection("127.0.0.1", port)
                await opened.enter_async_context(closed_at_end(last))
                assert (await beyond.read()).startswith(b"HTTP/1.1 503")
                assert (await client.get(f"{server.url}/health")).status_code == 200
        await asyncio.to_thread(until, lambda: httpx.get(f"{server.url}/health", timeout=60).status_code == 200)


def text_frame(text: str) -> bytes:
    """A client's frame, masked with zeros."""
    data = text.encode()
    assert len(data) < 65_536
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + length + b"\0\0\0\0" + data


@pytest.mark.slow
def test_a_websocket_whose_client_reads_nothing_ends(tmp_path: Path, mongodb_uri: str) -> None:
    """What is sent to it counts against what may be sent at once, so it must not stay for ever."""
    query = 'subscription { messageAdded(sessionId: "s", afterSeq: 0) { content } }'
    add = "mutation A($input: AddMemoryInput!) { addMemory(input: $input) { replayed } }"
    messages = [{"role": "human", "content": "x" * 1_000_000} for _ in range(5)]
    with started(tmp_path, mongodb_uri, RECALLQL_SEND_TIMEOUT="1") as server:
        for _ in range(2):
            server.graphql(add, input={"sessionId": "s", "messages": messages})
        with opened(server) as connection:
            port = connection.getsockname()[1]
            connection.sendall(UPGRADE + b"\r\n")
            assert connection.recv(4_096).startswith(b"HTTP/1.1 101")
            connection.sendall(text_frame('{"type":"connection_init"}'))
            assert b"connection_ack" in connection.recv(4_096)
            connection.sendall(text_frame(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}})))
            assert is_connected(server, port)
            until(lambda: not is_connected(server, port))


def is_connected(server: ServerProcess, port: int) -> bool:
    """Whether the server has a connection from this port."""
    return any(
        bool(one.raddr) and one.raddr.port == port
        for one in psutil.Process(server.process.pid).net_connections("tcp")
        if one.status == psutil.CONN_ESTABLISHED
    )
