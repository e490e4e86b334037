"""The enrichment worker: takes pending messages, extracts their entities, stores them.

While one batch is read by the model, the one before it is stored and the next one claimed: the model is the bottleneck
and never waits for MongoDB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from graph.errors import Unavailable
from graph.store import enrichment
from graph.store.documents import Document, EntityDocument, now
from graph.store.enrichment import Claim, Limits, Outcome
from graph.store.wake import sleep, wait_for_work

if TYPE_CHECKING:
    from graph.enrichment.entities import ExtractedEntity, Extractor
    from graph.settings import Settings
    from graph.store.database import Database

log = logging.getLogger("recallql")

_BATCH_MESSAGES = 256
_BATCH_TOKENS = 16_384
_LONGEST_BACKOFF = 300.0  # seconds
_RENEWALS = 3  # in the time of a lease
_PAUSE_WITHOUT_DATABASE = 1.0  # seconds


@dataclass(slots=True)
class Done:
    """What a worker has done so far."""

    stored: int = 0
    failed: int = 0


class Worker:
    """One worker: one batch in the model at a time.

    Args:
        database: the open database.
        extractor: finds the entities; used by one thread at a time.
        settings: lease, attempts, backoff and poll.
        session_id: only messages of this session.
        on_progress: told after each batch.
    """

    def __init__(
        self,
        database: Database,
        extractor: Extractor,
        settings: Settings,
        *,
        session_id: str | None = None,
        on_progress: Callable[[Done], None] | None = None,
    ) -> None:
        self._database = database
        self._extractor = extractor
        self._settings = settings
        self._session_id = session_id
        self._on_progress = on_progress
        self._limits = Limits(_BATCH_MESSAGES, _BATCH_TOKENS, settings.enrichment_attempts)
        self._held: dict[str, Claim] = {}
        self._storing: asyncio.Task[None] | None = None
        self.done = Done()

    async def run(self, stop: asyncio.Event, *, drain: bool = False) -> None:
        """Work until `stop` is set, or, to `drain`, until nothing is pending. What was not begun is given back."""
        async with self._renewing():
            try:
                while not stop.is_set():
                    await self._work_while_there_is_any(stop)
                    if drain and await self._database_answers(self._due_in) is None:
                        return
                    if not stop.is_set():
                        await wait_for_work(
                            self._database,
                            self._seconds_to_wait,
                            poll_seconds=self._settings.enrichment_poll,
                            stop=stop,
                        )
            finally:
                await self._finish(stop)

    async def _work_while_there_is_any(self, stop: asyncio.Event) -> None:
        held = await self._claim(stop)
        while held is not None:
            if stop.is_set():
                await self._give_back(held)
                return
            ahead = asyncio.create_task(self._claim(stop))
            try:
                outcomes = await asyncio.to_thread(self._extract, held.messages)
                await self._stored()
                self._storing = asyncio.create_task(self._store(held, outcomes, stop))
            finally:
                held = await ahead
        await self._stored()

    async def _claim(self, stop: asyncio.Event) -> Claim | None:
        """Due messages, or None when there are none; waits while the database is away."""
        while not stop.is_set():
            try:
                held = await enrichment.claim(
                    self._database,
                    self._limits,
                    lease_seconds=self._settings.enrichment_lease,
                    session_id=self._session_id,
                )
            except Unavailable as error:
                log.warning("%s", error)
                await sleep(_PAUSE_WITHOUT_DATABASE, stop)
                continue
            if held.messages:
                self._held[held.lease] = held
                return held
            if not held.contended:
                return None
            await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - keeps workers from meeting again
        return None

    def _extract(self, messages: Sequence[Document]) -> list[Outcome]:
        """Read the messages with the model. Whatever it raises is a message's failure, not the worker's."""
        try:
            results = self._extractor.extract([message["content"] for message in messages])
        except Exception as error:
            if len(messages) > 1:
                return [outcome for message in messages for outcome in self._extract([message])]
            log.warning("message %s can't be read", messages[0]["_id"], exc_info=True)
            return [self._failure(messages[0], f"{type(error).__name__}: {error}"[:300])]
        return [
            self._failure(message, result.reason)
            if not isinstance(result, list)
            else Outcome(message["_id"], message["enrichment"]["attempts"], _documents(result))
            for message, result in zip(messages, results, strict=True)
        ]

    def _failure(self, message: Document, reason: str) -> Outcome:
        attempts = message["enrichment"]["attempts"]
        if attempts >= self._settings.enrichment_attempts:
            return Outcome(message["_id"], attempts, failure=reason)
        longest = min(_LONGEST_BACKOFF, self._settings.enrichment_backoff * 2 ** (attempts - 1))
        pause = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - jitter
        return Outcome(message["_id"], attempts, failure=reason, due_at=now() + pause)

    async def _store(self, held: Claim, outcomes: list[Outcome], stop: asyncio.Event) -> None:
        """Store a batch; until the database takes it, or the worker has to end."""
        while True:
            try:
                stored = await self._store_or_split(held.lease, outcomes)
            except Unavailable as error:
                log.warning("%s", error)
                if stop.is_set():
                    break  # the lease runs out
                await sleep(_PAUSE_WITHOUT_DATABASE, stop)
            else:
                self.done.stored += stored
                self.done.failed += sum(outcome.failure is not None for outcome in outcomes)
                break
        self._held.pop(held.lease, None)
        if self._on_progress is not None:
            self._on_progress(self.done)

    async def _store_or_split(self, lease: str, outcomes: list[Outcome]) -> int:
        """Store the outcomes; one that can't be stored is a failure of its own and not of the batch."""
        try:
            return await enrichment.complete(self._database, lease, outcomes)
        except Unavailable:
            raise
        except Exception as error:
            if len(outcomes) > 1:
                half = len(outcomes) // 2
                return await self._store_or_split(lease, outcomes[:half]) + await self._store_or_split(
                    lease, outcomes[half:]
                )
            (outcome,) = outcomes
            if outcome.failure is not None:
                raise
            log.exception("the entities of message %s can't be stored", outcome.uuid)
            reason = f"its entities can't be stored: {type(error).__name__}"
            return await enrichment.complete(
                self._database, lease, [Outcome(outcome.uuid, outcome.attempts, failure=reason)]
            )

    async def _stored(self) -> None:
        """Wait for the batch that is being stored."""
        if self._storing is not None:
            storing, self._storing = self._storing, None
            await storing

    async def _finish(self, stop: asyncio.Event) -> None:
        stop.set()
        await self._stored()
        for held in list(self._held.values()):
            await self._give_back(held)

    async def _give_back(self, held: Claim) -> None:
        self._held.pop(held.lease, None)
        with contextlib.suppress(Unavailable):
            await enrichment.release(self._database, held)

    @asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing

    async def _renew(self) -> None:
        """Keep the leases of what is being read or stored: a long text may take longer than one."""
        lease_seconds = self._settings.enrichment_lease
        while True:
            await asyncio.sleep(lease_seconds / _RENEWALS)
            for held in list(self._held.values()):
                with contextlib.suppress(Unavailable):
                    await enrichment.renew(self._database, held, lease_seconds=lease_seconds)

    async def _due_in(self) -> float | None:
        """Seconds until the next pending message is due; None when none is pending."""
        due = await enrichment.next_due(self._database, self._session_id)
        return None if due is None else max(0.0, (due - now()).total_seconds())

    async def _seconds_to_wait(self) -> float:
        due = await self._due_in()
        return self._settings.enrichment_poll if due is None else due

    async def _database_answers(self, ask: Callable[[], object]) -> float | None:
        """The answer, or 0 while the database is away: there may be work."""
        try:
            return await ask()  # type: ignore[misc, no-any-return]
        except Unavailable:
            return 0.0


def _documents(found: Sequence[ExtractedEntity]) -> list[EntityDocument]:
    return [
        {
            "key": entity.key,
            "name": entity.name,
            "label": entity.label,
            "matches": [{"start": match.start, "end": match.end, "text": match.text} for match in entity.matches],
        }
        for entity in found
    ]
