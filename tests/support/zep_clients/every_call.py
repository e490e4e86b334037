"""Every call of zep-python for sessions, memory, messages, users and search, synchronous and asynchronous.

Usage: every_call.py BASE_URL PREFIX sync|async; prints what it saw as JSON. Both run this one scenario: `call` picks
`add_memory` or `aadd_memory`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from collections.abc import Awaitable
from typing import Any

from zep_python import APIError, Memory, MemorySearchPayload, Message, NotFoundError, Session, ZepClient
from zep_python.user import CreateUserRequest, UpdateUserRequest


class Calls:
    """One part of the client, with the same calls whichever way they are made."""

    def __init__(self, part: Any, mode: str) -> None:
        self.part, self.mode = part, mode

    async def __call__(self, name: str, *arguments: Any, **options: Any) -> Any:
        if self.mode == "sync":
            return getattr(self.part, name)(*arguments, **options)
        result = getattr(self.part, f"a{name}")(*arguments, **options)
        return await result if isinstance(result, Awaitable) else result

    async def chunks(self, name: str, size: int) -> list[list[Any]]:
        """All that a chunked listing gives."""
        if self.mode == "sync":
            return list(getattr(self.part, name)(chunk_size=size))
        return [chunk async for chunk in getattr(self.part, f"a{name}")(chunk_size=size)]


async def raises(kind: type[Exception], call: Awaitable[Any]) -> bool:
    try:
        await call
    except kind:
        return True
    return False


async def scenario(client: Any, prefix: str, mode: str) -> dict[str, Any]:
    users, memory, messages = (Calls(part, mode) for part in (client.user, client.memory, client.message))
    seen: dict[str, Any] = {}

    ada, session_id = f"{prefix}-ada", f"{prefix}-session"
    user = await users(
        "add", CreateUserRequest(user_id=ada, email="ada@example.com", first_name="Ada", metadata={"a": {"b": 1}})
    )
    assert user.user_id == ada
    assert user.uuid
    assert user.id
    assert user.created_at
    assert user.deleted_at is None
    assert (user.email, user.first_name, user.last_name) == ("ada@example.com", "Ada", None)
    assert await raises(APIError, users("add", CreateUserRequest(user_id=ada)))
    user = await users("update", UpdateUserRequest(user_id=ada, last_name="Byron", metadata={"a": {"c": 2}}))
    assert (user.first_name, user.last_name, user.metadata) == ("Ada", "Byron", {"a": {"b": 1, "c": 2}})
    assert await users("get", ada) == user
    assert await raises(NotFoundError, users("get", f"{prefix}-nobody"))
    assert user in await users("list")
    seen["users"] = [[user.user_id for user in chunk] for chunk in await users.chunks("list_chunked", 2)]

    session = await memory("add_session", Session(session_id=session_id, user_id=ada, metadata={"topic": "books"}))
    assert session.session_id == session_id
    assert session.user_id == ada
    assert session.uuid
    assert session.id
    assert await raises(APIError, memory("add_session", Session(session_id=session_id)))
    assert await raises(APIError, memory("add_session", Session(session_id=f"{prefix}-x", user_id=f"{prefix}-nobody")))
    session = await memory("update_session", Session(session_id=session_id, metadata={"n": 1, "system": {"x": 1}}))
    assert session.metadata == {"topic": "books", "n": 1}
    assert await memory("get_session", session_id) == session
    assert await raises(NotFoundError, memory("get_session", f"{prefix}-nobody"))
    assert await raises(NotFoundError, memory("update_session", Session(session_id=f"{prefix}-nobody", metadata={})))
    assert await users("get_sessions", ada) == [session]
    assert await raises(NotFoundError, users("get_sessions", f"{prefix}-nobody"))
    assert session in await memory("list_sessions", limit=100, cursor=session.id - 1)
    seen["sessions"] = [
        [session.session_id for session in chunk] for chunk in await memory.chunks("list_all_sessions", 2)
    ]

    assert await raises(NotFoundError, memory("get_memory", session_id)), "it is empty"
    said = [Message(role="human" if n % 2 else "ai", content=f"This is line {n} about movies.") for n in range(1, 6)]
    said[1].metadata = {"foo": "bar", "system": {"intent": "forged"}}
    assert await memory("add_memory", session_id, Memory(messages=said)) == "OK"
    whole = await memory("get_memory", session_id)
    assert [message.content for message in whole.messages] == [message.content for message in said]
    assert all(message.uuid and message.created_at and message.token_count for message in whole.messages)
    assert whole.messages[1].metadata == {"foo": "bar"}
    assert [m.uuid for m in (await memory("get_memory", session_id, 2)).messages] == [
        m.uuid for m in whole.messages[3:]
    ]
    seen["uuids"] = [message.uuid for message in whole.messages]

    assert await messages("get_session_messages", session_id) == whole.messages
    assert await messages("get_session_messages", session_id, limit=2, cursor=2) == whole.messages[2:4]
    first = whole.messages[0]
    assert await messages("get_session_message", session_id, first.uuid) == first
    assert await raises(
        NotFoundError, messages("get_session_message", session_id, "0b3b9a2e-52e9-4e0c-8f5a-6f2f35a1f0aa")
    )
    for change in ({"metadata": {"a": {"b": 1}}}, {"a": {"c": 2}}):
        changed = await messages("update_message_metadata", session_id, first.uuid, change)
    assert changed.metadata == {"a": {"b": 1, "c": 2}}

    found = await memory("search_memory", session_id, MemorySearchPayload(text="movie 3"), 2)
    assert len(found) == 2
    assert found[0].message["content"] == said[2].content
    assert found[0].dist > found[1].dist
    where = {"where": {"and": [{"jsonpath": '$[*] ? (@.foo == "bar")'}]}}
    (hit,) = await memory("search_memory", session_id, MemorySearchPayload(text="line", metadata=where))
    assert hit.message["uuid"] == whole.messages[1].uuid
    assert hit.summary is None
    newest = await memory("search_memory", session_id, MemorySearchPayload(metadata={"start_date": "2020-01-01"}), 3)
    assert [hit.message["content"] for hit in newest] == [message.content for message in said[:1:-1]]
    for kind in ({"search_type": "mmr", "mmr_lambda": 0.7}, {"search_scope": "summary"}):
        await memory("search_memory", session_id, MemorySearchPayload(text="line", **kind))
    assert await memory("search_memory", f"{prefix}-nobody", MemorySearchPayload(text="line")) == []
    assert await raises(APIError, memory("search_memory", session_id, MemorySearchPayload()))

    assert await memory("delete_memory", session_id) == "OK"
    assert await raises(NotFoundError, memory("get_memory", session_id))
    assert await raises(NotFoundError, memory("delete_memory", f"{prefix}-nobody"))
    assert await memory("add_memory", session_id, Memory(messages=said[:1])) == "OK"
    assert [message.content for message in (await memory("get_memory", session_id)).messages] == [said[0].content]
    await users("delete", ada)
    assert await raises(NotFoundError, users("get", ada))
    assert await raises(NotFoundError, users("delete", ada))
    return seen


async def older_names(client: Any, prefix: str, mode: str) -> None:
    """The same calls on the client itself, which it still has for older applications."""
    session_id, call = f"{prefix}-older", Calls(client, mode)
    await call("add_session", Session(session_id=session_id))
    assert (await call("get_session", session_id)).session_id == session_id
    assert (
        await call("add_memory", session_id, Memory(messages=[Message(role="human", content="Hello, movies")])) == "OK"
    )
    assert len((await call("get_memory", session_id, 5)).messages) == 1
    assert len(await call("search_memory", session_id, MemorySearchPayload(text="movie"), 5)) == 1
    assert await call("delete_memory", session_id) == "OK"


async def main(base_url: str, prefix: str, mode: str, api_key: str | None = None) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)  # of the older names
    async with ZepClient(base_url, api_key) as client:
        seen = await scenario(client, prefix, mode)
        await older_names(client, prefix, mode)
        assert await raises(APIError, Calls(client.document, mode)("list_collections")), "collections are out of scope"
        sys.stdout.write(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
