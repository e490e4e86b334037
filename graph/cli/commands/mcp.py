"""`recallql mcp`."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Annotated

import typer

from graph.cli.options import with_settings
from graph.cli.signals import exit_on_signals
from graph.settings import LoggingSettings, MCPSettings, Settings

app = typer.Typer()


@app.command()
@with_settings(MCPSettings, LoggingSettings)
def mcp(
    settings: Settings,
    url: Annotated[
        str | None, typer.Argument(help="The server, such as http://localhost:8000; without it, one is started.")
    ] = None,
) -> None:
    """Serve MCP on standard input and output, for agents on this machine; RECALLQL_MCP_KEY has the credentials."""
    from graph.mcp.stdio import serve_stdio, started_server
    from graph.runtime.logs import configure_logging

    exit_on_signals()
    configure_logging(settings)
    key = settings.mcp_key.get_secret_value() if settings.mcp_key else None
    with nullcontext(url) if url else started_server() as address:
        asyncio.run(serve_stdio(address, key))
