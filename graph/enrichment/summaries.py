"""Writing the rolling summaries that are due: the other kind of job of a worker."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from graph.enrichment.llm import ChatCompletionsSummariser, llm_options
from graph.enrichment.rolling import Coverage, StepLimits, UncoveredMessage, cover, next_step
from graph.enrichment.summariser import Summariser
from graph.enrichment.tokens import load_counter
from graph.errors import Unavailable
from graph.store.documents import Document, EntityDocument, MessageDocument, now
from graph.store.driver.availability import sleep, sleep_until_any, until_available
from graph.store.jobs import summarising
from graph.store.jobs.lease import Retries, renewing
from graph.store.jobs.summarising import ClaimedSession, Standing
from graph.telemetry.steps import Kind, outcome_of, step

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.database import Database

logger = logging.getLogger(__name__)

_LIMITS = StepLimits()
_PAUSE_AFTER_DEFECT = 30.0  # seconds
_SHARE = 0.1  # of the time, while messages wait for their entities


@asynccontextmanager
async def open_summariser(settings: Settings) -> AsyncIterator[Summariser]:
    """The summariser that the settings name: a model's, or the extractive one.

    Raises:
        StartupError: a setting can't work.
    """
    counter = await asyncio.to_thread(load_counter, settings.token_encoding)  # a table of tokens takes 0.2 seconds
    options = llm_options(settings)
    if options is None:
        yield Summariser(counter=counter, max_tokens=settings.summary_max_tokens)
        return
    async with ChatCompletionsSummariser(options, counter.count) as llm:
        yield Summariser(llm, counter=counter, max_tokens=settings.summary_max_tokens)


class SummaryJobs:
    """Writes due summaries, one session at a time.

    Args:
        database: the open database.
        summariser: writes the text.
        extract: finds the entities of a text, away from the event loop.
        settings: lease, attempts, backoff and message window.
        session_id: only this session.
        busy: whether messages wait for their entities, which go first: summaries then take a tenth of the time.
    """

    def __init__(
        self,
        database: Database,
        summariser: Summariser,
        extract: Callable[[str], Awaitable[list[EntityDocument]]],
        settings: Settings,
        *,
        session_id: str | None = None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._summariser = summariser
        self._extract = extract
        self._settings = settings
        self._retries = Retries(settings.enrichment_attempts, settings.enrichment_backoff)
        self._session_id = session_id
        self._busy = busy
        self._wake = asyncio.Event()
        self.written = 0

    def wake(self) -> None:
        """There may be a due session now."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write due summaries until `stop` is set."""
        while not stop.is_set():
            self._wake.clear()
            started = time.monotonic()
            try:
                found = await until_available(partial(self.write_next, stop), stop)
            except Unavailable:
                return  # `stop` is set
            except Exception:
                logger.exception("summaries can't be written; trying again in %g seconds", _PAUSE_AFTER_DEFECT)
                await sleep(_PAUSE_AFTER_DEFECT, stop)
                continue
            if not found:
                await sleep_until_any(self._wake, stop, seconds=self._settings.enrichment_poll)
            elif self._busy():
                await sleep((time.monotonic() - started) * (1 / _SHARE - 1), stop)

    async def write_next(self, stop: asyncio.Event) -> bool:
        """Write the summaries of the next due session, or one of them when `stop` is set; False if nothing is due."""
        lease = self._settings.enrichment_lease
        due = await summarising.claim_session(self._database, lease_seconds=lease, session_id=self._session_id)
        if due is None:
            return False
        if due.attempts > self._settings.enrichment_attempts:
            logger.error("session %r can't be summarised: the worker ended at each attempt", due.session_id)
            await summarising.give_up(self._database, due)
            return True
        before = self.written
        with step(Kind.JOB, "summaries", links=[due.trace] if due.trace else []) as job:
            async with renewing(
                partial(summarising.renew_session, self._database, due, lease_seconds=lease), seconds=lease
            ):
                try:
                    while not await self._step(due):
                        if stop.is_set():
                            await summarising.postpone(self._database, due, now())  # for another worker, at once
                            break
                except Unavailable:
                    raise
                except Exception as error:
                    logger.exception("session %r can't be summarised", due.session_id)
                    job.fail(outcome_of(error))
                    job.note(reasons=[type(error).__name__])
                    await self._put_off(due)
            job.note(items=self.written - before)
        return True

    async def _put_off(self, due: ClaimedSession) -> None:
        due_at = self._retries.due_at(due.attempts)
        if due_at is None:
            await summarising.give_up(self._database, due)
        else:
            await summarising.postpone(self._database, due, due_at)

    async def _step(self, due: ClaimedSession) -> bool:
        """Write one summary; True when there is nothing more to do, or the session is not held any more."""
        standing = await summarising.standing_of(self._database, due)
        if standing is None:
            return True
        window = self._settings.message_window
        size = _LIMITS.page_size(window)
        found = await summarising.uncovered(self._database, standing, size + 1)
        page = [UncoveredMessage(message["seq"], message["tokenCount"]) for message in found[:size]]
        step = next_step(page, more=len(found) > size, window=window, limits=_LIMITS)
        if step is None:
            return await summarising.finish(self._database, due, standing)
        messages = await summarising.contents(self._database, standing, step.first_seq, step.last_seq)
        if messages:
            before = standing.previous
            covered = cover(Coverage(before["firstSeq"], before["lastSeq"]) if before else None, step)
            summary = await self._write(standing, messages)
            summary |= {"firstSeq": covered.first_seq, "lastSeq": covered.last_seq}
            self.written += await summarising.store_summary(self._database, due, standing, messages, summary)
        return False

    async def _write(self, standing: Standing, messages: Sequence[MessageDocument]) -> Document:
        previous = standing.previous["content"] if standing.previous else None
        text = await self._summariser.summarise(
            previous, [(message["role"], message["content"]) for message in messages]
        )
        return {
            "content": text.content,
            "tokenCount": text.token_count,
            "source": text.source,
            "entities": await self._extract(text.content),
            **({"fellBackReason": text.fell_back_reason} if text.fell_back_reason else {}),
        }
