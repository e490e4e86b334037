"""`recallql import-chatgpt`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from graph.cli.options import given_text, with_settings
from graph.cli.signals import interrupt_on_sigterm
from graph.settings import MongoDBSettings, Settings, TokenSettings

app = typer.Typer()

_IN_MEMORY = 64 * 2**20  # bytes of records that are not written to a temporary file


@app.command("import-chatgpt")
@with_settings(MongoDBSettings, TokenSettings)
def import_chatgpt(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The zip archive of the export, or its conversations.json.")],
    user: Annotated[
        str | None, typer.Option("--user", help="The user to whom the sessions belong.", callback=given_text)
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip conversations that have grown since the last import.")
    ] = False,
) -> None:
    """Store the conversations of a ChatGPT data export.

    A conversation becomes a session with branches; its current message is the head.
    """
    import orjson

    from graph.cli.transfer import file_errors, report_import, run_import
    from graph.transfer.chatgpt import read_conversations, records_of

    interrupt_on_sigterm()
    with file_errors(file), tempfile.SpooledTemporaryFile(_IN_MEMORY) as lines:
        for record in records_of(read_conversations(file), user):
            lines.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        size = lines.tell()
        lines.seek(0)
        done = run_import(settings, lines, size, skip_existing=skip_existing)
    report_import(done)
