"""Facts of the whole deployment, for its operators: versions, storage, subscribers, and the findings of checks."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from graph.errors import Forbidden, StartupError
from graph.operations import diagnosis
from graph.operations.diagnosis import Finding, Grade
from graph.operations.kept import Kept
from graph.operations.processes import Figures, Processes
from graph.recall.embedding import Embedder
from graph.settings import Settings
from graph.store.checkup import Checkup, check_up_within
from graph.store.database import Database
from graph.store.scope import Scope
from graph.store.storage import Space, mongodb_version, space

SECONDS: Final = 8.0
"""Maximum seconds of each check, and of each fact that MongoDB is asked for."""
_KEPT = 5.0
"""Seconds for which a result holds: the checks are some thirty commands."""
_EMBEDDING_KEPT = 30.0  # seconds; the server of a model may ask money for each text
_VERSION_KEPT = 60.0  # seconds; MongoDB may be replaced meanwhile


class Deployment:
    """The facts, as one process knows them; all who ask within some seconds get the same ones.

    Args:
        settings: the settings of the process.
        database: the open database.
        processes: the figures of all web processes.
        embedder: the model that embeds; None without one.
    """

    def __init__(self, settings: Settings, database: Database, processes: Processes, embedder: Embedder | None) -> None:
        self._settings = settings
        self._database = database
        self._processes = processes
        self._embedder = embedder
        self._version = Kept(lambda: mongodb_version(database, SECONDS), _VERSION_KEPT)
        self._space = Kept(lambda: space(database, SECONDS), _KEPT)
        self._findings = Kept(self._examine, _KEPT)
        self._embeds = Kept(lambda: diagnosis.embeddings(settings, embedder, loads=False), _EMBEDDING_KEPT)

    def for_caller(self, scope: Scope) -> Deployment:
        """Return the facts, if the caller may read them.

        Raises:
            Forbidden: the caller's scope is one user.
        """
        if scope.user_id is not None:
            raise Forbidden("end users can't read the state of the deployment: send a service key")
        return self

    async def figures(self) -> Figures:
        """Return the subscribers and the slowest operations of all web processes.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        return await self._processes.figures()

    async def mongodb_version(self) -> str:
        """Return the version of MongoDB.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        return await self._version.get()

    async def space(self) -> Space:
        """Return the space that the collections take.

        Raises:
            Unavailable: MongoDB did not answer in time.
        """
        return await self._space.get()

    async def findings(self) -> list[Finding]:
        """Return the findings of `recallql doctor`: the checks change nothing, and load no model."""
        return await self._findings.get()

    async def close(self) -> None:
        """Cancel running checks."""
        for kept in (self._version, self._space, self._findings, self._embeds):
            await kept.close()

    async def _examine(self) -> list[Finding]:
        settings = self._settings
        found, embeddings = await asyncio.gather(self._of_mongodb(), self._of_embeddings())

        def findings() -> list[Finding]:
            return [
                diagnosis.authentication(settings),
                *diagnosis.of_mongodb(found, settings),
                diagnosis.installed_models(settings),
                diagnosis.tokens(settings),
                diagnosis.summaries(settings),
                embeddings,
            ]

        return await asyncio.to_thread(findings)  # they look at disks, and at the name of a host

    async def _of_mongodb(self) -> Checkup:
        model = None
        try:
            async with asyncio.timeout(SECONDS + 1):  # after the limit of the driver, whose error says more
                with suppress(StartupError):  # which has a finding of its own
                    model = None if self._embedder is None else await self._embedder.name()
                return await check_up_within(SECONDS, self._database, model=model)
        except TimeoutError:
            return Checkup(error=f"it did not answer within {SECONDS:g} seconds")

    async def _of_embeddings(self) -> Finding:
        try:
            async with asyncio.timeout(SECONDS):
                return await self._embeds.get()
        except TimeoutError:
            return Finding("Embeddings", Grade.WARNING, f"no word was embedded within {SECONDS:g} seconds")
