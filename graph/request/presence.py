"""The number of open connections and subscriptions of a caller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from graph.access.caller import Caller
from graph.errors import TooCostly
from graph.settings import Settings


class Presence:
    """Counts by caller, in this process alone: each process has its own counts."""

    def __init__(self, settings: Settings) -> None:
        self._connections = _Bound(
            "connections", settings.user_connections, settings.service_connections, "RECALLQL_{}_CONNECTIONS"
        )
        self._subscriptions = _Bound(
            "subscriptions", settings.user_subscriptions, settings.service_subscriptions, "RECALLQL_{}_SUBSCRIPTIONS"
        )

    @contextmanager
    def connection(self, caller: Caller) -> Iterator[None]:
        """Count a WebSocket or stream for the length of a block.

        Raises:
            TooCostly: the caller has the maximum number open.
        """
        with self._connections.one_more(caller):
            yield

    @contextmanager
    def subscription(self, caller: Caller) -> Iterator[None]:
        """Count a subscription for the length of a block.

        Raises:
            TooCostly: the caller has the maximum number open.
        """
        with self._subscriptions.one_more(caller):
            yield


class _Bound:
    def __init__(self, things: str, of_users: int, of_services: int, setting: str) -> None:
        self._things = things
        self._of_users = of_users
        self._of_services = of_services
        self._setting = setting
        self._open: Counter[str] = Counter()

    @contextmanager
    def one_more(self, caller: Caller) -> Iterator[None]:
        is_user = caller.scope.user_id is not None
        most = self._of_users if is_user else self._of_services
        if most and self._open[caller.name] >= most:
            setting = self._setting.format("USER" if is_user else "SERVICE")
            message = f"you have {most:,} {self._things} open, the maximum: close one first"
            raise TooCostly(message, limit={"requested": most + 1, "allowed": most}, setting=setting)
        self._open[caller.name] += 1
        try:
            yield
        finally:
            self._open[caller.name] -= 1
            if not self._open[caller.name]:
                del self._open[caller.name]
