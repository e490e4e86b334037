"""The contents of a database, and exports and imports of them."""

from __future__ import annotations

import io
from typing import Any

import orjson

from graph.enrichment.tokens import load_counter
from graph.store.database import Database
from graph.store.documents import Document
from graph.transfer.export import ExportSelection, export
from graph.transfer.import_ import Imported, Importer

TOKENS = load_counter()
COLLECTIONS = (
    "sessions",
    "memories",
    "messages",
    "summaries",
    "users",
    "user_items",
    "entities",
    "erasures",
    "handovers",
    "retentions",
    "forks",
    "counters",
)


async def exported(database: Database, wanted: ExportSelection = ExportSelection()) -> bytes:  # noqa: B008 - it is frozen
    file = io.BytesIO()
    await export(database, wanted, file)
    return file.getvalue()


async def imported(database: Database, file: bytes, *, skip_existing: bool = False) -> Imported:
    return await Importer(database, TOKENS, skip_existing=skip_existing).run(io.BytesIO(file))


async def everything(database: Database) -> dict[str, dict[Any, Document]]:
    """All documents of all collections, raw."""
    # What excludes writers of one session's entities counts them; it says nothing of the session.
    return {
        name: {
            document["_id"]: document
            for document in await getattr(database, name).find()
            if name != "entities" or "key" in document
        }
        for name in COLLECTIONS
    }


def parsed(file: bytes) -> list[Any]:
    """The records after the header."""
    return [orjson.loads(line) for line in file.splitlines()[1:]]
