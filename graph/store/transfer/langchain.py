"""Reading the chat histories that LangChain's `MongoDBChatMessageHistory` keeps in a MongoDB of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from graph.store.documents import Document
from graph.store.driver import client as driver
from graph.store.driver.collection import collection_of
from graph.store.driver.types import DriverName

SESSION: Final = "SessionId"
HISTORY: Final = "History"
"""The fields of a document: the session's id, and one message as the text of its JSON."""
_AT_ONCE = 1_000
_TIMEOUT = 10.0
"""Seconds to wait for a usable server."""


async def read_histories(
    uri: str, database: str, collection: str, driver_name: DriverName
) -> AsyncGenerator[list[Document], None]:
    """Yield all documents, session after session, each session's in the order of their creation.

    Args:
        uri: the connection string of the MongoDB with the histories.
        database: the name of the database.
        collection: the name of the collection.
        driver_name: the driver.

    Raises:
        StartupError: `uri` is not a connection string.
        Unavailable: the MongoDB does not answer.
    """
    client = driver.connect(uri, pool_size=1, timeout=_TIMEOUT, driver=driver_name, named="MONGODB_URI")
    try:
        found = collection_of(client.get_database(database), collection, Document)
        order = [(SESSION, 1), ("_id", 1)]
        async with aclosing(found.batches({}, {SESSION: 1, HISTORY: 1}, size=_AT_ONCE, sort=order)) as batches:
            async for documents in batches:
                yield documents
    finally:
        await driver.close(client)
