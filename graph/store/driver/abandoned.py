"""Kills MongoDB operations whose caller was cancelled.

Motor runs each operation in a thread. If the waiting task is cancelled, the thread and the operation in MongoDB
continue. So the reads of a query carry a comment, by which they are found and killed.

PyMongo's own client for asyncio closes the connection of a cancelled operation. MongoDB checks twice a second whether
the connection is open, and ends the read.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pymongo.errors import PyMongoError

from graph.store.driver.deadline import commands_within
from graph.store.driver.types import is_motor

logger = logging.getLogger(__name__)

_AGAIN = (0.0, 0.5)
"""Seconds before each look for operations: at the first look, an operation may not have arrived yet."""
_LONGEST = 5.0
"""Maximum seconds of one look: MongoDB may hang."""
_THREADS = ThreadPoolExecutor(4, thread_name_prefix="abandoned")
"""Separate from asyncio's threads, since a hanging MongoDB blocks many of them for ever."""


class _Query:
    """A query whose reads are marked.

    Attributes:
        mark: their comment.
        client: PyMongo's client that sent them, once there are any.
    """

    __slots__ = ("client", "mark")

    def __init__(self) -> None:
        self.mark = f"{_PROCESS}-{next(_NUMBERS)}"
        self.client: Any = None


_PROCESS = f"recallql-{secrets.token_hex(8)}"
_NUMBERS = itertools.count()
_query: ContextVar[_Query | None] = ContextVar("query", default=None)
_killing: set[asyncio.Task[None]] = set()


def marked(options: dict[str, Any], client: Any) -> dict[str, Any]:
    """Return the options of a read with the mark of its query.

    Args:
        options: the options without the mark.
        client: the client of the read. Only Motor's client needs the mark.
    """
    query = _query.get()
    if query is not None and is_motor(client):
        query.client = client.delegate
        options.setdefault("comment", query.mark)
    return options


@contextmanager
def ended_when_cancelled() -> Iterator[None]:
    """End the reads of the block in MongoDB, too, if the block is cancelled."""
    query = _Query()
    token = _query.set(query)
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):
        if query.client is not None:
            task = asyncio.ensure_future(_end(query))
            _killing.add(task)
            task.add_done_callback(_killing.discard)
        raise
    finally:
        _query.reset(token)


async def _end(query: _Query) -> None:
    """Find the running operations of the query, and kill them."""
    try:
        for pause in _AGAIN:
            await asyncio.sleep(pause)
            await asyncio.get_running_loop().run_in_executor(_THREADS, _kill, query)
    except PyMongoError as error:
        logger.warning("an abandoned query continues in MongoDB until its time limit: %s", error)


def _kill(query: _Query) -> None:
    """Kill the operations with the query's mark by their operation ids, so that no other operation is killed."""
    admin = query.client.admin
    with commands_within(_LONGEST):
        found = admin.command({"currentOp": 1, "$ownOps": True, "command.comment": query.mark})
        for operation in found["inprog"]:
            admin.command({"killOp": 1, "op": operation["opid"]})
