"""The resources and the prompt."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.resources.templates import ResourceSecurity

from graph.mcp import documents
from graph.mcp.api import Calls

MESSAGES = "recallql://sessions/{session_id}/messages"
SUMMARY = "recallql://sessions/{session_id}/summary"
_SHOWN = 50
"""Number of latest messages in the resource of a session."""

_ANY_ID = ResourceSecurity(reject_path_traversal=False, reject_absolute_paths=False, reject_null_bytes=False)
"""An id is a key of a document, never a path of a file; the GraphQL API checks its characters."""

_HOW_TO = """\
You have a memory of conversations, RecallQL. Use it like this:

1. Before you answer, call get_context with the session's id and the user's question as the query. Read the text: it \
holds the newest summary, the latest messages, and older messages that fit the question.
2. If the text lacks a detail, call search_memory with the words of the detail, or get_entity with a name.
3. After you answer, call add_memory with the user's message and your answer. Send one uuid for each message, so that \
a repeated call stores nothing twice.
4. Call forget only when the user asks you to forget something: a deletion can't be undone.
"""


class Resources:
    """The resources of a session, which call the GraphQL API."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add_to(self, server: MCPServer) -> None:
        """Add the resources and the prompt to a server."""
        server.resource(MESSAGES, title="The latest messages of a session", mime_type="text/plain", security=_ANY_ID)(
            self.messages
        )
        server.resource(SUMMARY, title="The newest summary of a session", mime_type="text/plain", security=_ANY_ID)(
            self.summary
        )
        server.prompt(name="use_memory", title="Use the memory")(use_memory)

    async def messages(self, session_id: str, context: Context) -> str:
        """The latest messages of a session, oldest first, one line each."""
        session = await self._session(context, documents.GET_MESSAGES, {"sessionId": session_id, "last": _SHOWN})
        return "\n".join(_line(edge["node"]) for edge in session["messages"]["edges"])

    async def summary(self, session_id: str, context: Context) -> str:
        """The newest summary of a session; empty before the first one."""
        session = await self._session(context, documents.GET_SUMMARY, {"sessionId": session_id})
        edges = session["summaries"]["edges"]
        text: str = edges[0]["node"]["content"] if edges else ""
        return text

    async def _session(self, context: Context, document: str, variables: dict[str, object]) -> dict[str, Any]:
        session: dict[str, Any] | None = (await self._calls.query(context, document, variables))["session"]
        if session is None:
            raise ResourceNotFoundError("the session is unknown, or outside your rights")
        return session


def _line(node: dict[str, Any]) -> str:
    speaker = f"{node['role']} ({node['name']})" if node["name"] else node["role"]
    return f"{node['createdAt']} {speaker}: {node['content']}"


def use_memory() -> str:
    """Explain how an agent uses the memory."""
    return _HOW_TO
