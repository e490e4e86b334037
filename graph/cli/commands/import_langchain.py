"""`recallql import-langchain`."""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO, Annotated

import typer

from graph.cli.options import given_text, with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.settings import MongoDBSettings, Settings, TokenSettings

app = typer.Typer()

_IN_MEMORY = 64 * 2**20  # bytes of records that are not written to a temporary file


@app.command("import-langchain")
@with_settings(MongoDBSettings, TokenSettings)
def import_langchain(  # noqa: PLR0917 - each is a flag
    settings: Settings,
    source: Annotated[
        str, typer.Argument(metavar="MONGODB_URI", help="The MongoDB of the histories.", callback=given_text)
    ],
    history_database: Annotated[
        str, typer.Option(help="The database of the histories.", callback=given_text)
    ] = "chat_history",
    history_collection: Annotated[
        str, typer.Option(help="The collection of the histories.", callback=given_text)
    ] = "message_store",
    user: Annotated[
        str | None, typer.Option("--user", help="The user to whom the sessions belong.", callback=given_text)
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip sessions that have grown since the last import.")
    ] = False,
) -> None:
    """Store the chat histories of LangChain's MongoDBChatMessageHistory.

    Each history becomes a session of the same id; RecallQLChatMessageHistory returns equal messages.
    """
    from graph.cli.transfer import report_import, run_import

    interrupt_on_sigterm()
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as lines:
        asyncio.run(_copy(source, history_database, history_collection, user, lines, settings=settings))
        size = lines.tell()
        lines.seek(0)
        done = run_import(settings, lines, size, skip_existing=skip_existing)
    report_import(done)


async def _copy(
    uri: str, database: str, collection: str, user: str | None, lines: IO[bytes], *, settings: Settings
) -> None:
    from contextlib import aclosing

    import orjson

    from graph.transfer import langchain

    histories = langchain.Histories(user)
    lines.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in langchain.header(user))
    found = langchain.read_histories(uri, database, collection, settings.mongodb_driver)
    async with aclosing(found) as batches:
        async for documents in batches:
            records = histories.records_of(documents)
            lines.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
