"""Errors of the driver, as errors of `graph.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

from graph.errors import TooCostly, Unavailable
from graph.store.driver.waiting import lost_cancellation_raised

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


_TRY_AGAIN = "MongoDB can't answer at the moment: try again"

# Errors of a server that stops, or is no longer the primary; some arrive as a failed write concern.
_UNAVAILABLE_CODES = frozenset({6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})


_UNLABELLED = "'RawBSONDocument' object has no attribute 'update'"
"""The words of the AttributeError that PyMongo raises for an answer to `findAndModify` with a failed write concern and
labels, as of a primary that steps down, where a codec decodes types of its own: it can't label the error."""
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
    """Turn the driver's errors that are temporary into `Unavailable`; others pass unchanged.

    A cancellation that the driver lost is raised at the end of the block.
    """
    try:
        with lost_cancellation_raised():
            yield
    except AttributeError as error:
        if str(error) != _UNLABELLED:
            raise
        raise Unavailable(_TRY_AGAIN) from error
    except PyMongoError as error:
        if _may_pass(error):
            raise Unavailable(_TRY_AGAIN) from error
        if isinstance(error, OperationFailure) and error.code == _TOO_LARGE:
            raise TooCostly("the change is larger than MongoDB's cache takes at once: send less at once") from error
        raise
