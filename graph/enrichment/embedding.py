"""Embedding messages for searches: the third kind of job of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from graph.enrichment.parts import searched_text
from graph.errors import Unavailable
from graph.store.driver.availability import sleep, sleep_until_any, until_available
from graph.store.jobs import embedding
from graph.store.jobs.embedding import Claimed, TextToEmbed, Vector, Words
from graph.store.jobs.lease import Retries, renewing
from graph.telemetry.steps import Kind, step

if TYPE_CHECKING:
    from graph.settings import Settings
    from graph.store.database import Database

logger = logging.getLogger(__name__)

_BATCH = 128  # messages: a second for the packaged model, which pads each text to the longest one of its pass
_PAUSE_AFTER_DEFECT = 30.0  # seconds
_AWAY_SECONDS = 10.0
"""Without an answer of the model, after which nobody waits for it who could end."""


class FoundWords(Protocol):
    """The facts of a text: see `graph.recall.entries.Words`."""

    @property
    def language(self) -> str:
        """The language of the text."""
        ...

    @property
    def terms(self) -> bytes:
        """The terms, packed."""
        ...

    @property
    def question(self) -> bool:
        """Whether the text is a question."""
        ...


class Embedder(Protocol):
    """Embeds texts: see `graph.recall.embedding`."""

    async def name(self) -> str:
        """The name of the model."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[tuple[bytes, float]]:
        """The vectors of texts, each with its scale."""
        ...

    async def words(self, texts: Sequence[str]) -> Sequence[FoundWords]:
        """The facts of texts that a search needs in addition to their vectors."""
        ...


def _searched(texts: Sequence[TextToEmbed]) -> list[str]:
    return [searched_text(text.content, text.parts) for text in texts]


class EmbeddingJobs:
    """Embeds messages that have no vector of the model, one batch at a time.

    Args:
        database: the open database.
        embedder: makes the vectors.
        settings: lease, attempts, backoff and poll.
        session_id: only messages of this session.
        on_stored: called with the number of vectors of each batch.
    """

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        settings: Settings,
        *,
        session_id: str | None = None,
        on_stored: Callable[[int], None] | None = None,
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._settings = settings
        self._retries = Retries(settings.enrichment_attempts, settings.enrichment_backoff)
        self._session_id = session_id
        self._on_stored = on_stored
        self._wake = asyncio.Event()
        self._announced = False
        self._stands_down = False
        self._refused_since: float | None = None
        self.away: str | None = None
        """Why the model has not answered for some seconds; None while it answers."""

    def wake(self) -> None:
        """There may be messages without a vector now."""
        self._wake.set()

    async def model(self) -> str:
        """The name of the model."""
        return await self._embedder.name()

    async def is_any_left(self) -> bool:
        """Whether a message that has its entities waits for its vector."""
        if not self._announced:
            return True
        model = await self._embedder.name()
        return await self._is_current(model) and await embedding.is_any_left(self._database, model, self._session_id)

    async def run(self, stop: asyncio.Event) -> None:
        """Embed until `stop` is set."""
        while not stop.is_set():
            self._wake.clear()
            try:
                found = await until_available(partial(self.embed_next, stop), stop)
            except Unavailable:
                return  # `stop` is set
            except Exception:
                logger.exception("messages can't be embedded; trying again in %g seconds", _PAUSE_AFTER_DEFECT)
                await sleep(_PAUSE_AFTER_DEFECT, stop)
            else:
                if not found:
                    await sleep_until_any(self._wake, stop, seconds=self._settings.enrichment_poll)

    async def embed_next(self, stop: asyncio.Event) -> bool:
        """Embed the next batch; False if nothing is due."""
        model = await self._embedder.name()
        if not self._announced:
            await embedding.announce(self._database, model)
            self._announced = True
        if not await self._is_current(model):
            return False
        lease = self._settings.enrichment_lease
        claimed = await embedding.claim(
            self._database,
            model,
            _BATCH,
            lease_seconds=lease,
            attempts=self._settings.enrichment_attempts,
            session_id=self._session_id,
            of_tools=self._settings.search_tools,
        )
        if not claimed.texts:
            return claimed.looked > 0
        with step(Kind.JOB, "embeddings", links=list(claimed.traces)) as job:
            try:
                renewal = partial(embedding.renew, self._database, claimed, lease_seconds=lease)
                async with renewing(renewal, seconds=lease):
                    vectors = await self._embed(claimed, model, claimed.texts)
                    stored = await self._store(claimed, model, vectors, stop)
            except BaseException:
                with contextlib.suppress(Unavailable):
                    await embedding.release(self._database, claimed)
                raise
            job.note(items=len(claimed.texts), failed=len(claimed.texts) - len(vectors))
        if self._on_stored is not None:
            self._on_stored(stored)
        return True

    async def _is_current(self, model: str) -> bool:
        """Whether no worker has started later with another model: two would replace each other's vectors for ever."""
        current = await embedding.current_model(self._database)
        stands_down = current not in {None, model}
        if stands_down and not self._stands_down:
            logger.warning(
                "a worker with the embedding model %s started later: this one, with %s, embeds no more", current, model
            )
        self._stands_down = stands_down
        return not stands_down

    async def _embed(self, claimed: Claimed, model: str, texts: Sequence[TextToEmbed]) -> dict[str, Vector]:
        """The vectors. A text that the model refuses is a failure of its own and not of the batch."""
        read = await asyncio.to_thread(_searched, texts)
        try:
            made = await self._embedder.embed(read)
        except Unavailable as error:
            self._note_away(error)
            raise
        except Exception as error:
            if len(texts) > 1:
                return {
                    uuid: vector
                    for text in texts
                    for uuid, vector in (await self._embed(claimed, model, [text])).items()
                }
            logger.warning("message %s can't be embedded", texts[0].uuid, exc_info=True)
            await self._put_off(claimed, model, texts[0], f"{type(error).__name__}: {error}"[:300])
            return {}
        self._refused_since = self.away = None
        found = await self._embedder.words(read)
        return {
            text.uuid: Vector(*vector, Words(words.language, words.terms, words.question))
            for text, vector, words in zip(texts, made, found, strict=True)
        }

    def _note_away(self, error: Unavailable) -> None:
        if self._refused_since is None:
            self._refused_since = time.monotonic()
            logger.warning("messages are not embedded while the model does not answer: %s", error)
        elif time.monotonic() - self._refused_since >= _AWAY_SECONDS:
            self.away = str(error)

    async def _put_off(self, claimed: Claimed, model: str, text: TextToEmbed, reason: str) -> None:
        due_at = self._retries.due_at(text.attempts)
        if due_at is None:
            await embedding.give_up(self._database, claimed, model, text.uuid, reason)
        else:
            await embedding.put_off(self._database, claimed, text.uuid, due_at)

    async def _store(self, claimed: Claimed, model: str, vectors: dict[str, Vector], stop: asyncio.Event) -> int:
        """Store the vectors; until the database takes them, or the worker has to end."""
        return await until_available(partial(embedding.complete, self._database, claimed, model, vectors), stop)
