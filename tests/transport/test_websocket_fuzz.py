"""Whatever a client sends over a WebSocket, it gets an answer or a documented close code, and nothing goes wrong."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from tests.support.graphql_client import Client
from tests.support.live_client import ADDED, socket_to

CODES = {4400, 4401, 4403, 4408, 4409, 4429}
TYPES = ["connection_init", "ping", "pong", "subscribe", "subscribe", "subscribe", "complete", "next", "ack"]
QUERIES = [
    "{ __typename }",
    "{",
    "",
    "{ a }",
    "mutation { deleteSession(input: { sessionId: 5 }) { deletedId } }",
    ADDED,
    "\ud800",
]

texts = st.sampled_from(["", "1", "id", "\ud800", "\0", "x" * 200, "\U0001f389" * 40]) | st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2), max_leaves=4
)
payloads = values | st.fixed_dictionaries(
    {},
    optional={
        "query": st.sampled_from(QUERIES) | values,
        "variables": values | st.fixed_dictionaries({"id": values, "after": values}),
        "operationName": texts | values,
        "extensions": values,
        "documentId": values,
        "authorization": values,
    },
)
messages = (
    st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES) | values}, optional={"id": texts | values, "payload": payloads}
    )
    | values
)
DIGITS = '{"type":"ping","payload":{"n":' + "1" * 5_000 + "}}"
SUBSCRIBE: dict[str, Any] = {"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}}


@pytest.mark.timeout(600)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(messages.map(json.dumps) | st.text(max_size=6) | st.binary(max_size=3), max_size=5), st.booleans())
@example([{**SUBSCRIBE, "id": "\ud800"}], True)
@example([{**SUBSCRIBE, "payload": {"query": "\ud800"}}], True)
@example([{**SUBSCRIBE, "payload": {"query": "{ __typename }", "operationName": "\ud800"}}], True)
@example([{**SUBSCRIBE, "payload": {"query": "{ __typename }", "variables": {"\ud800": "\ud800"}}}], True)
@example([{**SUBSCRIBE, "payload": {"documentId": "\ud800"}}], True)
@example([{**SUBSCRIBE, "payload": {"query": ADDED, "variables": {"id": "\ud800"}}}], True)
@example([{**SUBSCRIBE, "payload": {"query": ADDED, "variables": {"id": "s", "after": float("nan")}}}], True)
@example([{"type": "complete", "id": []}], True)
@example([{"type": "complete", "id": {}}], True)
@example([DIGITS], True)
@example([DIGITS], False)
@example([{"type": "ping", "payload": {"\ud800": "\ud800"}}], True)
@example([{"type": "\ud800"}], True)
@example([{"type": "x" * 300}], True)
@example([{"type": "connection_init", "payload": {"authorization": ["\ud800"]}}], False)
async def test_any_frames_are_answered_or_end_with_a_documented_code(
    client: Client, caplog: pytest.LogCaptureFixture, frames: list[Any], acknowledged: bool
) -> None:
    caplog.clear()
    caplog.set_level(logging.WARNING)
    async with socket_to(str(client.http.base_url).rstrip("/"), acknowledged=acknowledged) as socket:
        code = None
        try:
            for frame in frames:
                await socket.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))
            await socket.send(type="ping", payload={"the": "last"})
            while (message := await socket.receive()) != {"type": "pong", "payload": {"the": "last"}}:
                assert "INTERNAL" not in json.dumps(message), message
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
    assert code is None or code in CODES, frames
    assert not [record for record in caplog.records if record.name.startswith("graph.")], caplog.text
