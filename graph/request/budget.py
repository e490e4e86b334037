"""The cost that a caller may cause in a minute."""

from __future__ import annotations

import math

from aiolimiter import AsyncLimiter
from cachetools import LRUCache

from graph.access.caller import Caller
from graph.errors import TooCostly
from graph.settings import Settings
from graph.telemetry.steps import add

_PERIOD = 60.0  # seconds
_CALLERS = 100_000


class Budgets:
    """A leaky bucket for each caller, in this process alone: each process has its own buckets."""

    def __init__(self, settings: Settings) -> None:
        self._of_users = settings.user_budget
        self._of_services = settings.service_budget
        self._buckets: LRUCache[str, AsyncLimiter] = LRUCache(_CALLERS)

    async def spend(self, caller: Caller, cost: int) -> None:
        """Take the cost of an operation from the caller's budget.

        Raises:
            TooCostly: less is left; `extensions.retryAfter` has the seconds until the cost can be taken.
        """
        try:
            await self._spend(caller, cost)
        except TooCostly:
            add("refused", cost)
            raise
        add("cost", cost)

    async def _spend(self, caller: Caller, cost: int) -> None:
        is_user = caller.scope.user_id is not None
        most = self._of_users if is_user else self._of_services
        setting = "RECALLQL_USER_BUDGET" if is_user else "RECALLQL_SERVICE_BUDGET"
        if not most:
            return
        details = {"requested": cost, "allowed": most}
        if cost > most:
            message = (
                f"the operation costs {cost:,}, and your budget is {most:,} a minute: request fewer objects at once"
            )
            raise TooCostly(message, cost=details, setting=setting)
        bucket = self._buckets.get(caller.name)
        if bucket is None:
            bucket = self._buckets[caller.name] = AsyncLimiter(most, _PERIOD)
        if not bucket.has_capacity(cost):
            seconds = math.ceil(cost / most * _PERIOD)
            message = (
                f"the operation costs {cost:,}, and less is left of your budget of {most:,} a minute: try again later"
            )
            raise TooCostly(message, cost=details, retryAfter=seconds, setting=setting)
        await bucket.acquire(cost)
