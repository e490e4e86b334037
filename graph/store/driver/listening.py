"""The driver's own events, as steps: commands, and waits for connections."""

from __future__ import annotations

import threading
from typing import Any, Final

from cachetools import LRUCache
from pymongo import monitoring

from graph.telemetry.steps import OK, Kind, is_observed, record, record_command, set_level

FAILED: Final = "FAILED"
_MOST_OPEN = 10_000
"""Commands whose collection is known: the last ones, since a cancelled command has no event of its end."""


def listeners() -> list[Any]:
    """The listeners for a new client, of the events that are observed."""
    found: list[Any] = []
    if is_observed(Kind.COMMAND):
        found.append(Commands())
    if is_observed(Kind.CHECKOUT):
        found.append(Connections())
    return found


class Commands(monitoring.CommandListener):
    """Records each command with its name and collection; its filter, documents and answer are not looked at."""

    def __init__(self) -> None:
        self._collections: LRUCache[int, str] = LRUCache(_MOST_OPEN)
        self._lock = threading.Lock()  # Motor's events come from several threads

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Note the collection: the event of the end does not have it."""
        command, name = event.command, event.command_name
        collection = command.get("collection" if name == "getMore" else name)
        if isinstance(collection, str):
            with self._lock:
                self._collections[event.request_id] = collection

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Record a command."""
        self._record(event, OK)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Record a failed command."""
        self._record(event, FAILED)

    def _record(self, event: monitoring.CommandSucceededEvent | monitoring.CommandFailedEvent, outcome: str) -> None:
        with self._lock:
            collection = self._collections.pop(event.request_id, "")
        record_command(event.command_name, collection, event.duration_micros / 1e6, outcome)


class Connections(monitoring.ConnectionPoolListener):
    """Records each wait for a connection, and counts the connections of the process."""

    def __init__(self) -> None:
        self._open = self._used = 0
        self._lock = threading.Lock()  # Motor's events come from several threads
        set_level("mongodb_connections_open", lambda: self._open)
        set_level("mongodb_connections_used", lambda: self._used)

    def connection_created(self, event: monitoring.ConnectionCreatedEvent) -> None:
        """Count it."""
        del event
        with self._lock:
            self._open += 1

    def connection_closed(self, event: monitoring.ConnectionClosedEvent) -> None:
        """Count it no longer."""
        del event
        with self._lock:
            self._open -= 1

    def connection_checked_out(self, event: monitoring.ConnectionCheckedOutEvent) -> None:
        """Record the wait."""
        with self._lock:
            self._used += 1
        record(Kind.CHECKOUT, "connection", event.duration or 0.0)

    def connection_check_out_failed(self, event: monitoring.ConnectionCheckOutFailedEvent) -> None:
        """Record the wait in vain."""
        record(Kind.CHECKOUT, "connection", event.duration or 0.0, FAILED)

    def connection_checked_in(self, event: monitoring.ConnectionCheckedInEvent) -> None:
        """Count it as unused."""
        del event
        with self._lock:
            self._used -= 1

    def pool_created(self, event: monitoring.PoolCreatedEvent) -> None:
        """Do nothing."""

    def pool_ready(self, event: monitoring.PoolReadyEvent) -> None:
        """Do nothing."""

    def pool_cleared(self, event: monitoring.PoolClearedEvent) -> None:
        """Do nothing."""

    def pool_closed(self, event: monitoring.PoolClosedEvent) -> None:
        """Do nothing: its connections are closed one by one."""

    def connection_ready(self, event: monitoring.ConnectionReadyEvent) -> None:
        """Do nothing."""

    def connection_check_out_started(self, event: monitoring.ConnectionCheckOutStartedEvent) -> None:
        """Do nothing: the event of the end has the wait."""
