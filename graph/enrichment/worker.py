"""The enrichment worker: takes pending messages, extracts their entities, stores them.

While one batch is read by the model, the one before it is stored and the next one claimed: the model is the bottleneck
and never waits for MongoDB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from graph.enrichment.documents import entity_documents
from graph.enrichment.embedding import Embedder, EmbeddingJobs
from graph.enrichment.long_texts import LongText, long_text
from graph.enrichment.outcomes import MessageReader
from graph.enrichment.parts import text_of_tools
from graph.enrichment.summaries import SummaryJobs
from graph.errors import Unavailable
from graph.store.documents import EntityDocument, now
from graph.store.driver.availability import until_available
from graph.store.feed.wake import wait_for_work
from graph.store.jobs import enrichment, summarising
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import Claim, Outcome
from graph.store.jobs.lease import Retries, renewing
from graph.store.jobs.turns import Turns
from graph.telemetry.steps import Kind, reason_of, step

if TYPE_CHECKING:
    from graph.enrichment.entities import Extractor
    from graph.enrichment.summariser import Summariser
    from graph.settings import Settings
    from graph.store.database import Database

logger = logging.getLogger(__name__)

_BATCH_MESSAGES = 256
_BATCH_TOKENS = 16_384
_PAUSE_FOR_SUSPECTS = 0.05  # seconds
_DRAIN_POLL = 0.2  # seconds: no event says that the last message is enriched


@dataclass(slots=True)
class WorkCounts:
    """The counts of the messages that a worker has enriched."""

    stored: int = 0
    failed: int = 0
    embedded: int = 0


class Worker:
    """One worker: one batch in the model at a time, and by turns with the batches a part of one long message.

    Args:
        database: the open database.
        extractor: finds the entities; used by one thread at a time.
        settings: lease, attempts, backoff and poll.
        summariser: writes the summaries that become due; without one, this worker writes no summaries.
        embedder: embeds the messages that have their entities; without one, this worker embeds none.
        session_id: only messages of this session.
        on_progress: called after each batch.
    """

    def __init__(
        self,
        database: Database,
        extractor: Extractor,
        settings: Settings,
        *,
        summariser: Summariser | None = None,
        embedder: Embedder | None = None,
        session_id: str | None = None,
        on_progress: Callable[[WorkCounts], None] | None = None,
    ) -> None:
        self._database = database
        self._extractor = extractor
        self._settings = settings
        self._session_id = session_id
        self._on_progress = on_progress
        self._limits = Limits(_BATCH_MESSAGES, _BATCH_TOKENS, settings.enrichment_attempts)
        self._reader = MessageReader(extractor, Retries(settings.enrichment_attempts, settings.enrichment_backoff))
        self._held: dict[str, Claim] = {}
        self._long: LongText | None = None
        self._turns, self._turns_of_long = Turns(), Turns()
        self._storing: asyncio.Task[None] | None = None
        self._model = asyncio.Lock()
        self.summaries = (
            None
            if summariser is None
            else SummaryJobs(
                database,
                summariser,
                self._entities_of,
                settings,
                session_id=session_id,
                busy=lambda: bool(self._held),
            )
        )
        self.vectors = (
            None
            if embedder is None
            else EmbeddingJobs(database, embedder, settings, session_id=session_id, on_stored=self._embedded)
        )
        self.done = WorkCounts()

    async def run(self, stop: asyncio.Event, *, drain: bool = False) -> None:
        """Work until `stop` is set, or, to `drain`, until nothing is pending; release unbegun claims."""
        renewed = renewing(self._renew, seconds=self._settings.enrichment_lease)
        async with renewed, self._summarising(stop), self._embedding(stop):
            try:
                while not stop.is_set():
                    await self._work_until_idle(stop)
                    if drain and await self._is_drained():
                        return
                    if not stop.is_set():
                        await wait_for_work(
                            self._database,
                            self._seconds_to_wait,
                            poll_seconds=min(_DRAIN_POLL, self._settings.enrichment_poll)
                            if drain
                            else self._settings.enrichment_poll,
                            stop=stop,
                        )
                        self._wake_others()
            finally:
                await self._finish(stop)

    async def _work_until_idle(self, stop: asyncio.Event) -> None:
        held = await self._claim(stop)
        while held is not None or self._long is not None:
            if stop.is_set():
                break  # the claim is given back
            if held is not None:
                held = await (self._read_alone if held.suspect else self._read_ahead)(held, stop)
            if self._long is not None and not (held is not None and held.suspect):
                await self._read_part(self._long, stop)
            if held is None:
                held = await self._claim(stop)
        await self._stored()

    async def _read_ahead(self, held: Claim, stop: asyncio.Event) -> Claim | None:
        """Read a batch while the one before it is stored and the next one claimed; returns that one."""
        ahead = asyncio.create_task(self._claim(stop, fresh=True))
        try:
            outcomes, earlier = await self._read(held)
            await self._stored()
            self._storing = asyncio.create_task(self._store(held, outcomes, stop, earlier))
        finally:
            following = await ahead
        return following or await self._claim(stop)

    async def _read_alone(self, held: Claim, stop: asyncio.Event) -> Claim | None:
        """Read messages that may end this worker. It holds no other messages then: they would be suspected as well."""
        await self._stored()
        outcomes, earlier = await self._read(held)
        await self._store(held, outcomes, stop, earlier)
        return await self._claim(stop)

    async def _read(self, held: Claim) -> tuple[list[Outcome], float]:
        """Read messages with the model; returns the outcomes, and the seconds that the model took."""
        async with self._model:
            began = time.perf_counter()
            outcomes = await asyncio.to_thread(self._reader.read, held.messages, held.tool_texts)
        return outcomes, time.perf_counter() - began

    async def _read_part(self, long: LongText, stop: asyncio.Event) -> None:
        """Read the next part of a long message, and store the outcome after the last one."""
        async with self._model:
            await long.read_part()
        if long.result is not None:
            self._long = None
            await self._stored()
            outcome = self._reader.outcome(long.message, long.result)
            self._storing = asyncio.create_task(self._store(long.held, [outcome], stop))

    async def _claim(self, stop: asyncio.Event, *, fresh: bool = False) -> Claim | None:
        """Claim due messages; return None if no message is due. While MongoDB is unavailable, the claim waits.

        A long message is claimed in addition if one is due and no other is being read. The claim then takes no
        suspects, which must be held alone.
        """
        while not stop.is_set():
            try:
                held = await until_available(partial(self._claim_once, fresh=fresh), stop)
            except Unavailable:
                return None  # `stop` is set
            if held.messages:
                return held
            if not held.contended:
                return None
            await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - keeps workers from meeting again
        return None

    async def _claim_once(self, *, fresh: bool) -> Claim:
        fresh = fresh or self._long is not None
        # Not while a summary is read: where it ends this worker, the messages claimed here would be suspected.
        async with contextlib.nullcontext() if fresh else self._model:
            held = await self._claim_messages(fresh=fresh)
            if held.messages:
                self._held[held.lease] = held
            if held.long_waits and self._long is None and not held.suspect:
                with contextlib.suppress(Unavailable):  # the messages that are held already are kept
                    await self._claim_long()
            return held

    async def _claim_messages(self, *, fresh: bool = False, long: bool = False) -> Claim:
        return await enrichment.claim(
            self._database,
            self._limits,
            lease_seconds=self._settings.enrichment_lease,
            session_id=self._session_id,
            fresh=fresh,
            long=long,
            turns=self._turns_of_long if long else self._turns,
            text_of_tools=text_of_tools if self._settings.entity_tools else None,
        )

    async def _claim_long(self) -> None:
        held = await self._claim_messages(long=True)
        if held.messages:
            self._held[held.lease] = held
            self._long = long_text(held, self._extractor)

    async def _store(self, held: Claim, outcomes: list[Outcome], stop: asyncio.Event, earlier: float = 0.0) -> None:
        """Store a batch; until the database takes it, or the worker has to end.

        Args:
            held: the batch.
            outcomes: the outcomes of its messages.
            stop: ends the attempts.
            earlier: seconds for which the model has read the batch.
        """
        links = [trace for message in held.messages if (trace := message["enrichment"].get("trace"))]
        with step(Kind.JOB, "entities", earlier=earlier, links=links) as job, contextlib.suppress(Unavailable):
            # Where it is unavailable, `stop` is set: the lease runs out.
            self.done.stored += await until_available(partial(self._store_once, held, outcomes), stop)
            failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
            self.done.failed += len(failures)
            job.note(items=len(outcomes), failed=len(failures), reasons=[reason_of(text) for text in failures])
        self._held.pop(held.lease, None)
        self._wake_others()
        self._report()

    async def _store_once(self, held: Claim, outcomes: list[Outcome]) -> int:
        if self.summaries is not None:
            # First, so that a worker that ends in between finds the messages, and so the sessions, again.
            session_ids = {message["sessionId"] for message in held.messages}
            await summarising.mark_due(self._database, self._settings.message_window, session_ids)
        return await self._store_or_split(held.lease, outcomes)

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
            logger.exception("the entities of message %s can't be stored", outcome.uuid)
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
        self._long = None
        for held in list(self._held.values()):
            await self._give_back(held)

    async def _give_back(self, held: Claim) -> None:
        self._held.pop(held.lease, None)
        with contextlib.suppress(Unavailable):
            await enrichment.release(self._database, held)

    async def _renew(self) -> None:
        """Renew the leases of the messages that are being read or stored."""
        for held in list(self._held.values()):
            with contextlib.suppress(Unavailable):  # the next one may be renewed
                await enrichment.renew(self._database, held, lease_seconds=self._settings.enrichment_lease)

    @asynccontextmanager
    async def _summarising(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Write summaries meanwhile."""
        if self.summaries is None:
            yield
            return
        with contextlib.suppress(Unavailable):
            # Another message window, an import, or failed messages: no batch of this worker would mark their sessions.
            within = None if self._session_id is None else [self._session_id]
            await summarising.mark_due(self._database, self._settings.message_window, within)
        async with _meanwhile(self.summaries.run, stop):
            yield

    @asynccontextmanager
    async def _embedding(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Embed messages meanwhile."""
        if self.vectors is None:
            yield
            return
        async with _meanwhile(self.vectors.run, stop):
            yield

    def _embedded(self, count: int) -> None:
        self.done.embedded += count
        self._report()

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.done)

    def _wake_others(self) -> None:
        for jobs in (self.summaries, self.vectors):
            if jobs is not None:
                jobs.wake()

    async def _entities_of(self, text: str) -> list[EntityDocument]:
        """The entities of a summary; without them where the model can't read it.

        Not while suspects are held: a summary that ends this worker would count against them.
        """
        while True:
            async with self._model:
                if not any(held.suspect for held in self._held.values()):
                    (found,) = await asyncio.to_thread(self._extractor.extract, [text])
                    return entity_documents(found, text) if isinstance(found, list) else []
            await asyncio.sleep(_PAUSE_FOR_SUSPECTS)

    async def _is_drained(self) -> bool:
        try:
            if await self._dues():
                return False
            return self.vectors is None or self.vectors.away is not None or not await self.vectors.is_any_left()
        except Unavailable:
            return False

    async def _dues(self) -> list[datetime]:
        """When the next message is due, and the next session."""
        dues = [await enrichment.next_due(self._database, self._session_id)]
        if self.summaries is not None:
            dues.append(await summarising.next_due_session(self._database, self._session_id))
        return [due for due in dues if due is not None]

    async def _seconds_to_wait(self) -> float:
        dues = await self._dues()
        return min((max(0.05, (due - now()).total_seconds()) for due in dues), default=self._settings.enrichment_poll)


@asynccontextmanager
async def _meanwhile(run: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Run other work during the block; `stop` is set at its end, and the work's end is waited for."""
    task = asyncio.ensure_future(run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
