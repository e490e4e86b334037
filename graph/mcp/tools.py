"""The tools."""

from __future__ import annotations

from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from graph.mcp import documents
from graph.mcp.api import Calls, present
from graph.mcp.shapes import (
    EntityEntry,
    EntityList,
    Forgotten,
    FoundMessage,
    MessageList,
    NewMessage,
    SearchHit,
    SearchResult,
    SessionEntry,
    SessionList,
    StoredMemory,
)

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)
_DELETES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

SessionId = Annotated[str | None, Field(description="Only this session.")]
UserId = Annotated[str | None, Field(description="Only the sessions of this user.")]
Limit = Annotated[int, Field(ge=1, le=100, description="Maximum number of items.")]
Cursor = Annotated[str | None, Field(description="The cursor of an earlier result.")]


class Tools:
    """The tools, which call the GraphQL API."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add_to(self, server: MCPServer) -> None:
        """Add all tools to a server."""
        server.add_tool(self.add_memory, title="Store messages", annotations=_ADDS)
        server.add_tool(self.get_context, title="Get the context for a prompt", annotations=_READS)
        server.add_tool(self.search_memory, title="Search messages", annotations=_READS)
        server.add_tool(self.list_sessions, title="List sessions", annotations=_READS)
        server.add_tool(self.get_messages, title="Read a session's messages", annotations=_READS)
        server.add_tool(self.get_entity, title="Look up a name", annotations=_READS)
        server.add_tool(self.forget, title="Delete a session or a message", annotations=_DELETES)

    async def add_memory(
        self,
        context: Context,
        *,
        session_id: Annotated[str, Field(description="The session; an unknown session is created.")],
        messages: Annotated[list[NewMessage], Field(min_length=1, max_length=100)],
        user_id: Annotated[str | None, Field(description="The user to whom a new session belongs.")] = None,
        idempotency_key: Annotated[
            str | None, Field(description="A key of your choice: calls with the same key store the messages once.")
        ] = None,
    ) -> StoredMemory:
        """Store messages at the end of a session, in order."""
        sent: dict[str, object] = {
            "sessionId": session_id,
            "messages": [message.as_input() for message in messages],
            "userId": user_id,
            "idempotencyKey": idempotency_key,
        }
        added = (await self._calls.mutate(context, documents.ADD_MEMORY, sent))["addMemory"]
        return StoredMemory(
            session_id=added["session"]["sessionId"],
            message_uuids=[message["uuid"] for message in added["memory"]["messages"]],
            messages_in_session=added["session"]["messageCount"],
            replayed=added["replayed"],
        )

    async def get_context(
        self,
        context: Context,
        *,
        query: Annotated[
            str | None,
            Field(description="A question or topic to recall messages for; by default the last user message."),
        ] = None,
        session_id: Annotated[
            str | None, Field(description="The session whose summary and latest messages come first.")
        ] = None,
        user_id: UserId = None,
        max_tokens: Annotated[int, Field(ge=1, le=100_000, description="Maximum tokens of the text.")] = 2_000,
        recent: Annotated[int | None, Field(ge=0, le=100, description="Number of latest messages.")] = None,
    ) -> str:
        """Return text for a prompt: the newest summary, the latest messages, and older messages that fit the query."""
        data = await self._calls.query(
            context,
            documents.GET_CONTEXT,
            {"maxTokens": max_tokens, "query": query, "userId": user_id, "sessionId": session_id, "recent": recent},
        )
        text: str = data["context"]["text"]
        return text

    async def search_memory(
        self,
        context: Context,
        *,
        query: Annotated[str, Field(description='Words or a question; text in "double quotes" must occur as it is.')],
        session_id: SessionId = None,
        user_id: UserId = None,
        roles: Annotated[list[str] | None, Field(description="Only messages of these roles.")] = None,
        since: Annotated[str | None, Field(description="Only messages since this time (RFC 3339).")] = None,
        until: Annotated[str | None, Field(description="Only messages before this time (RFC 3339).")] = None,
        limit: Limit = 10,
        after: Cursor = None,
    ) -> SearchResult:
        """Find messages by words and by meaning, best first."""
        conditions = {"roles": roles, "since": since, "until": until}
        data = await self._calls.query(
            context,
            documents.SEARCH_MEMORY,
            {
                "query": query,
                "first": limit,
                "after": after,
                "userId": user_id,
                "sessionId": session_id,
                "filter": present(conditions) or None,
            },
        )
        found = data["search"]
        hits = [SearchHit(**FoundMessage.of(edge["node"]).model_dump(), score=edge["score"]) for edge in found["edges"]]
        return SearchResult(messages=hits, next_cursor=_next(found))

    async def list_sessions(
        self, context: Context, *, user_id: UserId = None, limit: Limit = 20, after: Cursor = None
    ) -> SessionList:
        """List sessions, the last changed first."""
        chosen = None if user_id is None else {"userId": user_id}
        data = await self._calls.query(
            context, documents.LIST_SESSIONS, {"first": limit, "after": after, "filter": chosen}
        )
        return SessionList(
            sessions=[_session(edge["node"]) for edge in data["sessions"]["edges"]],
            next_cursor=_next(data["sessions"]),
        )

    async def get_messages(
        self,
        context: Context,
        *,
        session_id: Annotated[str, Field(description="The session.")],
        limit: Limit = 20,
        before: Cursor = None,
    ) -> MessageList:
        """Read the latest messages of a session, or those before a cursor, oldest first."""
        variables = {"sessionId": session_id, "last": limit, "before": before}
        session = (await self._calls.query(context, documents.GET_MESSAGES, variables))["session"]
        if session is None:
            raise ToolError(_unknown("session_id"))
        page = session["messages"]
        return MessageList(
            messages=[FoundMessage.of(edge["node"], session_id) for edge in page["edges"]],
            earlier_cursor=page["pageInfo"]["startCursor"] if page["pageInfo"]["hasPreviousPage"] else None,
        )

    async def get_entity(
        self,
        context: Context,
        *,
        name: Annotated[str, Field(description="A name or a part of a name.")],
        session_id: SessionId = None,
        user_id: UserId = None,
        limit: Annotated[int, Field(ge=1, le=20, description="Maximum number of entities.")] = 5,
    ) -> EntityList:
        """Look up a person, place or organisation: how often and where messages mention the name."""
        if (session_id is None) == (user_id is None):
            raise ToolError("give either session_id or user_id")
        variables = {"name": name, "first": limit, "sessionId": session_id, "userId": user_id}
        if session_id is not None:
            owner = (await self._calls.query(context, documents.SESSION_ENTITY, variables))["session"]
        else:
            owner = (await self._calls.query(context, documents.USER_ENTITY, variables))["user"]
        if owner is None:
            raise ToolError(_unknown("session_id" if user_id is None else "user_id"))
        return EntityList(entities=[_entity(edge["node"]) for edge in owner["entities"]["edges"]])

    async def forget(
        self,
        context: Context,
        *,
        session_id: Annotated[str | None, Field(description="The session to delete with all its messages.")] = None,
        message_uuid: Annotated[str | None, Field(description="The one message to delete.")] = None,
    ) -> Forgotten:
        """Delete a session or a message for good. The deletion can't be undone."""
        if (session_id is None) == (message_uuid is None):
            raise ToolError("give either session_id or message_uuid")
        if session_id is not None:
            await self._calls.mutate(context, documents.FORGET_SESSION, {"sessionId": session_id})
        else:
            await self._calls.mutate(context, documents.FORGET_MESSAGE, {"uuid": message_uuid})
        return Forgotten(session_id=session_id, message_uuid=message_uuid)


def _unknown(argument: str) -> str:
    return f"NOT_FOUND: {argument} is unknown, or outside your rights"


def _next(connection: dict[str, Any]) -> str | None:
    info = connection["pageInfo"]
    cursor: str | None = info["endCursor"] if info["hasNextPage"] else None
    return cursor


def _session(node: dict[str, Any]) -> SessionEntry:
    return SessionEntry(
        session_id=node["sessionId"],
        title=node["title"],
        user_id=node["user"] and node["user"]["userId"],
        message_count=node["messageCount"],
        created_at=node["createdAt"],
        updated_at=node["updatedAt"],
    )


def _entity(node: dict[str, Any]) -> EntityEntry:
    return EntityEntry(
        name=node["name"],
        label=node["label"],
        mention_count=node["mentionCount"],
        first_seen_at=node["firstSeenAt"],
        last_seen_at=node["lastSeenAt"],
        latest_messages=[FoundMessage.of(edge["node"]) for edge in node["messages"]["edges"]],
    )
