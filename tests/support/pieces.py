"""What tests of messages that are written in pieces share."""

from __future__ import annotations

from typing import Any

from tests.support.graphql_client import Client

MESSAGE = "uuid seq role name content parts metadata status tokenCount revision enrichment { state }"
START = f"""mutation($i: StartMessageInput!) {{ startMessage(input: $i) {{
  replayed message {{ {MESSAGE} }} session {{ messageCount tokenCount revision }} }} }}"""
APPEND = "mutation($i: AppendMessageInput!) { appendMessage(input: $i) { uuid nextIndex } }"
FINISH = f"mutation($i: FinishMessageInput!) {{ finishMessage(input: $i) {{ message {{ {MESSAGE} }} }} }}"
ABORT = f"mutation($i: AbortMessageInput!) {{ abortMessage(input: $i) {{ message {{ {MESSAGE} }} }} }}"


async def started(client: Client, **more: Any) -> dict[str, Any]:
    sent = {"sessionId": "s", "role": "assistant", **more}
    message: dict[str, Any] = (await client.data(START, i=sent))["startMessage"]["message"]
    return message


async def append(client: Client, uuid: str, first: int, *texts: str, **more: str) -> int:
    index: int = (await client.data(APPEND, i=pieces(uuid, first, *texts, **more)))["appendMessage"]["nextIndex"]
    return index


def pieces(uuid: str, first: int, *texts: str, **more: str) -> dict[str, Any]:
    """The argument of `appendMessage`; the fields of `more` are those of each piece."""
    return {"uuid": uuid, "pieces": [{"index": index, "text": text, **more} for index, text in enumerate(texts, first)]}


async def finish(client: Client, uuid: str, **more: Any) -> dict[str, Any]:
    message: dict[str, Any] = (await client.data(FINISH, i={"uuid": uuid, **more}))["finishMessage"]["message"]
    return message
