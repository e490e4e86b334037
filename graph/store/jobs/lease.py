"""Leases: which worker has a piece of work, until when, and how often it was begun.

The state of the work stands in a document that the work is about, or in one of its own:

- `dueAt`: when it may be claimed. A claim sets it ahead, so that the work of a dead worker is due again by itself.
- `lease`: the name of the claim, of which the worker makes sure with each write.
- `attempts`: how often it was claimed since it last succeeded. Work that was given back unbegun does not count.

A job that any process may do a part of, at the same time as others, has `dueAt` alone.
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
        path: the map within the document that has the fields; "" where the document itself has them.
    """

    path: str = ""

    def field(self, name: str) -> str:
        """The path of a field of the lease."""
        return f"{self.path}.{name}" if self.path else name

    def due(self, at: datetime) -> Document:
        """The filter of the work that may be claimed at a time."""
        return {self.field("dueAt"): {"$lte": at}}

    def held(self, token: str) -> Document:
        """The filter of the work that a claim still has."""
        return {self.field("lease"): token}

    async def claim(
        self, collection: Collection[D], match: Document, token: str, *, seconds: float, also: Document | None = None
    ) -> int:
        """Claim all work that matches.

        Args:
            collection: has the work.
            match: the filter, with `due`: other workers may have been quicker.
            token: the name of the claim.
            seconds: how long the work is the claim's, unless it is renewed.
            also: other fields to set.

        Returns:
            How much was claimed.
        """
        claimed = await collection.update_many(match, self._claimed(token, seconds, also or {}))
        return claimed.modified_count

    async def claim_next(
        self, collection: Collection[D], match: Document, token: str, *, seconds: float, fields: Document
    ) -> D | None:
        """Claim the work that matches and has been due longest; None where nothing is due."""
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
        """Keep what is still held for another `seconds`; False where nothing is."""
        return await _updated(collection, held, {"$set": self._until(seconds)}, tx)

    async def join(
        self, collection: Collection[D], match: Document, *, seconds: float, unset: Document | None = None
    ) -> D | None:
        """Keep a job that has `dueAt` alone from other runners for a time, and return it; None where it is done.

        With the filter of `due`, that is a claim.
        """
        update = {"$set": self._until(seconds), **({"$unset": unset} if unset else {})}
        return await collection.find_one_and_update(
            match, update, sort=[(self.field("dueAt"), 1)], return_document=ReturnDocument.AFTER
        )

    async def release(self, collection: Collection[D], held: Document, *, unset: Document | None = None) -> None:
        """Give back what was not begun: it is due at once, and the attempt does not count."""
        update = {
            "$set": self._until(0),
            "$unset": {self.field("lease"): "", **(unset or {})},
            "$inc": {self.field("attempts"): -1},
        }
        await _updated(collection, held, update)

    async def postpone(self, collection: Collection[D], held: Document, until: datetime) -> None:
        """Give back what failed, due at a time."""
        update = {"$set": {self.field("dueAt"): until}, "$unset": {self.field("lease"): ""}}
        await _updated(collection, held, update)

    async def end(self, collection: Collection[D], held: Document) -> bool:
        """Note that nothing is to be done, because it is done or given up; False where it is not held any more."""
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
    """Whether there was something to update."""
    # After a fail-over, the driver repeats only the writes of one document.
    write = collection.update_one if isinstance(held.get("_id"), str) else collection.update_many
    return (await write(held, update, session=tx)).matched_count > 0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often failed work is tried again, and when.

    Attributes:
        attempts: most attempts.
        backoff: seconds after the first failure, doubled with each further one up to five minutes.
    """

    attempts: int
    backoff: float

    def due_at(self, attempts: int) -> datetime | None:
        """When work that has failed so often is due again; None where it is to be given up."""
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
