"""The documents of the service itself, which belong to no user."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict


class CounterDocument(TypedDict):
    """The last assigned number of sessions or users."""

    _id: str
    last: int


class ModelDocument(TypedDict):
    """The model that workers embed with: the model of the worker that last started with a different model."""

    _id: str
    name: str


class ServiceKeyDocument(TypedDict):
    """A service key: its hash and its right."""

    _id: str
    name: str
    scope: str
    hash: str
    createdAt: datetime
    lastUsedAt: NotRequired[datetime]


class VersionDocument(TypedDict):
    """The version of the schema of the database, with the lease of the worker that migrates the database."""

    _id: str
    number: int
    """The number of migrations that the documents have had."""
    newest: int
    """The version that the newest RecallQL knows that has opened the database."""
    dueAt: NotRequired[datetime]
    """While a migration is pending: see `graph.store.jobs.lease`."""
    lease: NotRequired[str]
    attempts: NotRequired[int]
    after: NotRequired[str]
    """The id of the last document that the running migration has passed."""
    passed: NotRequired[int]
    """The number of documents that the running migration has passed."""


class OperationTimesDocument(TypedDict):
    """The times of the calls of an operation, as `graph.telemetry.operations.Times`."""

    name: str
    kind: str
    buckets: list[list[int]]
    """Pairs of a bucket and its number of calls."""
    longest: float
    lastAt: datetime


class ProcessDocument(TypedDict):
    """The figures of a web process."""

    _id: str
    subscribers: int
    operations: list[OperationTimesDocument]
    expiresAt: datetime
