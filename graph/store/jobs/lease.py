"""Leases: the worker that holds a piece of work, the end of its lease, and the number of attempts.

The state is in the document that the work is about, or in a document of the work:

- `dueAt`: the time from which the work may be claimed. A claim sets it ahead, so that the work of a dead worker becomes
  due again.
- `lease`: the name of the claim, which the worker checks with each write.
- `attempts`: the number of claims since the last success, without claims that were given back unbegun.

A job that several processes may run at the same time has `dueAt` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from graph.errors import Unavailable
from graph.store.documents import Document, now
from graph.store.driver.collection import Collection
from graph.store.driver.types import ReturnDocument, Transaction

D = TypeVar("D", bound=Mapping[str, Any])

_LONGEST_BACKOFF = 300.0  # seconds
_RENEWALS = 3  # in the time of a lease


@dataclass(frozen=True, slots=True)
class Lease:
    """The leases of one kind of work.

    Args:
        path: the path of the map with the fields; "" for the top of the document.
    """

    path: str = ""

    def field(self, name: str) -> str:
        """Return the path of a field of the lease."""
        return f"{self.path}.{name}" if self.path else name

    def due(self, at: datetime) -> Document:
        """Return the filter of the work that may be claimed at a time."""
        return {self.field("dueAt"): {"$lte": at}}

    def held(self, token: str) -> Document:
        """Return the filter of the work that a claim still holds."""
        return {self.field("lease"): token}

    async def claim(
        self, collection: Collection[D], match: Document, token: str, *, seconds: float, also: Document | None = None
    ) -> int:
        """Claim all work that matches.

        Args:
            collection: the collection of the work.
            match: the filter, with `due`: other workers may have claimed the work meanwhile.
            token: the name of the claim.
            seconds: the duration of the lease, which may be renewed.
            also: other fields to set.

        Returns:
            The number of claimed documents.
        """
        claimed = await collection.update_many(match, self._claimed(token, seconds, also or {}))
        return claimed.modified_count

    async def claim_next(
        self, collection: Collection[D], match: Document, token: str, *, seconds: float, fields: Document
    ) -> D | None:
        """Claim the matching work that has been due longest; return None if no work is due."""
        return await collection.find_one_and_update(
            {**match, **self.due(now())},
            self._claimed(token, seconds, {}),
            sort=[(self.field("dueAt"), 1)],
            projection=fields,
            return_document=ReturnDocument.AFTER,
        )

    async def renew(
        self, collection: Collection[D], held: Document, *, seconds: float, tx: Transaction | None = None
    ) -> bool:
        """Extend the lease of the held work by `seconds`; return False if no work is held."""
        return await _updated(collection, held, {"$set": self._until(seconds)}, tx)

    async def join(
        self, collection: Collection[D], match: Document, *, seconds: float, unset: Document | None = None
    ) -> D | None:
        """Hold a job that has `dueAt` alone for a time, and return it; return None if it is done.

        With the filter of `due`, that is a claim.
        """
        update = {"$set": self._until(seconds), **({"$unset": unset} if unset else {})}
        return await collection.find_one_and_update(
            match, update, sort=[(self.field("dueAt"), 1)], return_document=ReturnDocument.AFTER
        )

    async def release(self, collection: Collection[D], held: Document, *, unset: Document | None = None) -> None:
        """Give back work that was not begun: it is due at once, and the attempt does not count."""
        update = {
            "$set": self._until(0),
            "$unset": {self.field("lease"): "", **(unset or {})},
            "$inc": {self.field("attempts"): -1},
        }
        await _updated(collection, held, update)

    async def postpone(self, collection: Collection[D], held: Document, until: datetime) -> None:
        """Give back failed work, due at a time."""
        update = {"$set": {self.field("dueAt"): until}, "$unset": {self.field("lease"): ""}}
        await _updated(collection, held, update)

    async def end(self, collection: Collection[D], held: Document) -> bool:
        """End the work, because it is done or given up; return False if it is no longer held."""
        names = [self.path] if self.path else ["dueAt", "lease", "attempts"]
        return await _updated(collection, held, {"$unset": dict.fromkeys(names, "")})

    def _claimed(self, token: str, seconds: float, also: Document) -> Document:
        return {
            "$set": {**self._until(seconds), self.field("lease"): token, **also},
            "$inc": {self.field("attempts"): 1},
        }

    def _until(self, seconds: float) -> Document:
        return {self.field("dueAt"): now() + timedelta(seconds=seconds)}


async def _updated(collection: Collection[D], held: Document, update: Document, tx: Transaction | None = None) -> bool:
    """Update the documents; return whether there were any."""
    # After a fail-over, the driver repeats only the writes of one document.
    write = collection.update_one if isinstance(held.get("_id"), str) else collection.update_many
    return (await write(held, update, session=tx)).matched_count > 0


@dataclass(frozen=True, slots=True)
class Retries:
    """The number and times of retries of failed work.

    Attributes:
        attempts: maximum number of attempts.
        backoff: seconds after the first failure, doubled with each further one up to five minutes.
    """

    attempts: int
    backoff: float

    def due_at(self, attempts: int) -> datetime | None:
        """Return the time of the next attempt after a number of failures; None if the work must be given up."""
        if attempts >= self.attempts:
            return None
        longest = min(_LONGEST_BACKOFF, self.backoff * 2 ** (attempts - 1))
        return now() + timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - jitter


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[object]], *, seconds: float) -> AsyncIterator[None]:
    """Renew leases of `seconds` until the block ends, since one piece of work may take longer than a lease lasts.

    A lease that can't be renewed, because MongoDB does not answer, is renewed later, or runs out.
    """

    async def keep() -> None:
        while True:
            await asyncio.sleep(seconds / _RENEWALS)
            with contextlib.suppress(Unavailable):
                await renew()

    renewal = asyncio.create_task(keep())
    try:
        yield
    finally:
        renewal.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await renewal
