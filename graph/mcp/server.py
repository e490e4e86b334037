"""The MCP server: tools, resources and a prompt."""

from __future__ import annotations

import logging
from importlib.metadata import version

from mcp.server.mcpserver import MCPServer

from graph.mcp.api import ApiOf, Calls
from graph.mcp.listening import Listening
from graph.mcp.resources import Resources
from graph.mcp.tools import Tools

_INSTRUCTIONS = (
    "A memory of conversations. Call get_context before you answer, and add_memory after you have answered;"
    " search_memory finds messages of all sessions."
)


def create_server(api_of: ApiOf) -> MCPServer:
    """Create the server.

    Args:
        api_of: returns the GraphQL API with the rights of the caller of a request.
    """
    logging.getLogger("mcp").setLevel(logging.WARNING)  # the SDK logs a line for each request without a session
    server: MCPServer = MCPServer(
        "recallql",
        title="RecallQL",
        instructions=_INSTRUCTIONS,
        version=version("recallql"),
        log_level="WARNING",
        middleware=[Listening(api_of)],
    )
    calls = Calls(api_of)
    Tools(calls).add_to(server)
    Resources(calls).add_to(server)
    return server
