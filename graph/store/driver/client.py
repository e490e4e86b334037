"""The MongoDB driver: which one it is, and the few places where Motor and PyMongo's async client differ.

Everything else in the store is written against what both share, so that the choice is the one line `DRIVER`.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import pymongo
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.dbref import DBRef
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    CursorNotFound,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)
from pymongo.read_concern import ReadConcern

from graph.errors import StartupError, TooCostly, Unavailable
from graph.store.driver.abandoned import ended_when_cancelled
from graph.store.driver.motor import AsyncIOMotorChangeStream, AsyncIOMotorClient, AsyncIOMotorClientSession
from graph.store.driver.types import Transaction

DRIVER: type[AsyncIOMotorClient[Any] | AsyncMongoClient[Any]] = AsyncIOMotorClient


class _ReferenceDecoder(TypeDecoder):
    """Gives a map with `$ref` and `$id` as it is: the driver makes a DBRef of it, and metadata may hold both keys."""

    bson_type = DBRef

    def transform_bson(self, value: DBRef) -> dict[str, Any]:
        """The map that the reference was made of."""
        return dict(value.as_doc())


_TYPES = TypeRegistry([_ReferenceDecoder()])
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(document_class=dict, tz_aware=True, type_registry=_TYPES)
RESPONSE_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(document_class=dict, tz_aware=False, type_registry=_TYPES)
"""For documents that go straight into a response: times without a zone, in UTC, decode four times as fast."""
MAJORITY = WriteConcern("majority")
_ABORT_SECONDS = 2.0
"""Seconds for ending a transaction that failed, beyond the time that it had: MongoDB ends it later by itself."""


def connect(uri: str, *, pool_size: int, timeout: float) -> Any:
    """A client with majority concerns; no connection is made yet.

    Args:
        uri: a MongoDB connection string.
        pool_size: most connections in the pool.
        timeout: seconds to wait for a usable server or a free connection.

    Raises:
        StartupError: the string is no connection string, or names a file that can't be read.
    """
    milliseconds = int(timeout * 1000)
    try:
        with warnings.catch_warnings():
            # The driver passes over an option that it does not know, and one whose value is wrong.
            warnings.simplefilter("error", UserWarning)
            return DRIVER(
                uri,
                appname="recallql",
                tz_aware=True,
                w="majority",
                readConcernLevel="majority",
                retryWrites=True,
                retryReads=True,
                maxPoolSize=pool_size,
                serverSelectionTimeoutMS=milliseconds,
                waitQueueTimeoutMS=milliseconds,
            )
    except KeyError as error:  # of an option whose value is not in its list of values
        raise StartupError(f"RECALLQL_MONGODB_URI has an option with the unknown value {error}") from None
    except (PyMongoError, ValueError, TypeError, OSError, UserWarning) as error:
        raise StartupError(f"RECALLQL_MONGODB_URI is not a usable MongoDB connection string: {error}") from None


async def close(client: Any) -> None:
    """Close the client's connections."""
    closing = client.close()
    if closing is not None:
        await closing


@asynccontextmanager
async def session_of(client: Any, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
    """A driver session (MongoDB's, not a conversation).

    Args:
        client: the MongoDB client.
        snapshot: all reads in it are of the moment of the first one. MongoDB holds that for five minutes by default.
    """
    if isinstance(client, AsyncIOMotorClient):
        # Nothing is sent to start a session, and Motor would change threads for it: a fifth of a transaction's hops.
        session: Any = AsyncIOMotorClientSession(client.delegate.start_session(snapshot=snapshot), client)
    else:
        session = client.start_session(snapshot=snapshot)
    async with session:
        yield session


@asynccontextmanager
async def transaction_of(tx: Transaction) -> AsyncIterator[None]:
    """A transaction with snapshot reads and majority commit, which the block commits; aborted when the block raises."""
    started = tx.start_transaction(
        read_concern=ReadConcern("snapshot"), write_concern=MAJORITY, read_preference=ReadPreference.PRIMARY
    )
    if hasattr(started, "__await__"):
        await started
    try:
        yield
    except BaseException:
        if tx.in_transaction:
            # Outside of every time limit but its own: a transaction that is left open locks what it wrote for a minute.
            await asyncio.create_task(_abort(tx), context=Context())
        raise


async def _abort(tx: Transaction) -> None:
    with pymongo.timeout(_ABORT_SECONDS):
        await tx.abort_transaction()


@asynccontextmanager
async def change_stream(source: Any, pipeline: Sequence[Mapping[str, Any]], **options: Any) -> AsyncIterator[Any]:
    """A change stream, from now on by default: `await stream.try_next()` gives an event or None."""
    stream = source.watch(pipeline, **options)
    if hasattr(stream, "__await__"):
        stream = await stream
    async with stream:
        yield stream


@dataclass(frozen=True, slots=True)
class Batch:
    """What one look at a change stream brought.

    Attributes:
        events: in order; empty where nothing happened that the pipeline lets through.
        token: resumes after all of it, and after all that the pipeline held back: MongoDB moves it on (as
            `postBatchResumeToken`) while the oplog fills with what is of no interest.
    """

    events: list[dict[str, Any]]
    token: Mapping[str, Any] | None


async def next_batch(stream: Any) -> Batch:
    """All events that the next answer of MongoDB brings; waits for it as long as the stream's look takes."""
    if isinstance(stream, AsyncIOMotorChangeStream):
        # One change of threads for each batch. Motor's own way is one for each event.
        return await asyncio.get_running_loop().run_in_executor(None, _batch_of, stream.delegate)
    events = []
    event = await stream.try_next()
    while event is not None:
        events.append(event)
        event = await stream.try_next() if _has_more(stream) else None
    return Batch(events, stream.resume_token)


def _batch_of(stream: Any) -> Batch:
    events = []
    event = stream.try_next()
    while event is not None:
        events.append(event)
        event = stream.try_next() if _has_more(stream) else None
    return Batch(events, stream.resume_token)


def _has_more(stream: Any) -> bool:
    """Whether a driver's change stream holds events that it was sent already: the driver has no public way to ask."""
    more: bool = stream._cursor._has_next()  # noqa: SLF001
    return more


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Bound the time that all reads within the block take together; MongoDB stops what is not done by then.

    They also end there when the block is cancelled.

    Args:
        seconds: how long they may take; 0 for no limit.
    """
    with ended_when_cancelled(), pymongo.timeout(seconds or None):
        yield


_UNAVAILABLE = (
    AutoReconnect,
    ConnectionFailure,
    CursorNotFound,  # of a server that was restarted between two batches
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WTimeoutError,
)


# What a server says that is stopping, or is no primary any more; some of it comes as a failed write concern.
_UNAVAILABLE_CODES = frozenset({6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})


_TOO_LARGE = 388  # TransactionTooLargeForCache


def _may_pass(error: PyMongoError) -> bool:
    """Whether a later try may succeed."""
    if isinstance(error, _UNAVAILABLE):
        return True
    if error.has_error_label("TransientTransactionError") or error.has_error_label("RetryableWriteError"):
        return True
    if not isinstance(error, OperationFailure):
        return False
    details = error.details or {}
    codes = {error.code, *(part.get("code") for part in details.get("writeConcernErrors", ()))}
    return not codes.isdisjoint(_UNAVAILABLE_CODES)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the driver's errors that are temporary into `Unavailable`; others pass unchanged."""
    try:
        yield
    except PyMongoError as error:
        if _may_pass(error):
            raise Unavailable("MongoDB can't answer at the moment: try again") from error
        if isinstance(error, OperationFailure) and error.code == _TOO_LARGE:
            raise TooCostly("the change is larger than MongoDB's cache takes at once: send less at once") from error
        raise
