"""What the driver sends to MongoDB, by PyMongo's own command monitoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo import monitoring

from graph.store.jobs.expiry import AT_ONCE


class Commands(monitoring.CommandListener):
    """Records the commands that are sent while a recording is on."""

    def __init__(self) -> None:
        self._seen: list[tuple[str, dict[str, Any]]] | None = None

    @contextmanager
    def recorded(self) -> Iterator[list[tuple[str, dict[str, Any]]]]:
        """The name and body of each command sent within the block."""
        seen: list[tuple[str, dict[str, Any]]] = []
        self._seen = seen
        try:
            yield seen
        finally:
            self._seen = None

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        # A ping asks whether MongoDB answers while a read takes long, as on a busy machine.
        if self._seen is None or event.command_name in ("hello", "endSessions", "getMore", "ping"):
            return
        if not _is_look_for_jobs(event.command):
            self._seen.append((event.command_name, dict(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""


def _is_look_for_jobs(command: Mapping[str, Any]) -> bool:
    """Whether the command looks for unfinished jobs, as each process does every few seconds beside the test."""
    if command.get("find") == "erasures":
        return "whole" in command["filter"]
    if command.get("find") == "sessions":  # that have expired
        of_users = command.get("projection") == {"_id": 0, "retentionDays": 1}
        return of_users or (command.get("projection") == {"_id": 1} and command.get("limit") == AT_ONCE)
    if command.get("find") in ("streams", "forks"):
        return "dueAt" in command["filter"]
    if command.get("find") == "versions" or command.get("update") == "processes":
        return True
    return command.get("findAndModify") in ("erasures", "handovers", "retentions", "forks")


COMMANDS = Commands()
monitoring.register(COMMANDS)  # for clients opened from now on
