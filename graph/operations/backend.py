"""The open parts of a process that operations use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from graph.enrichment.tokens import TokenCounter
from graph.live.hub import Hub
from graph.live.memory import Memory
from graph.operations.deployment import Deployment
from graph.operations.processes import Processes
from graph.operations.search_cache import SearchCache
from graph.recall.embedding import Embedder, embedder_of
from graph.settings import Settings
from graph.store.database import Database
from graph.telemetry.operations import Operations
from graph.telemetry.steps import set_level

_MIB = 1_048_576


@dataclass(frozen=True, slots=True)
class Backend:
    """The open parts of one process that operations use, shared by all its requests.

    Attributes:
        operations: the times of the operations of the process, where they are observed.
        item_searches: the locks of the searches in items, by user.
    """

    settings: Settings
    database: Database
    tokens: TokenCounter
    hub: Hub = field(init=False)
    embedder: Embedder | None = field(init=False)
    search_cache: SearchCache = field(init=False)
    operations: Operations = field(init=False, default_factory=Operations)
    processes: Processes = field(init=False)
    deployment: Deployment = field(init=False)
    item_searches: WeakValueDictionary[str, asyncio.Lock] = field(init=False, default_factory=WeakValueDictionary)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hub", Hub(self.database, Memory(self.settings.live_memory)))
        set_level("subscribers", lambda: self.hub.followers)
        object.__setattr__(self, "embedder", embedder_of(self.settings))
        cache = SearchCache(
            self.database,
            tools=self.settings.search_tools,
            most_bytes=self.settings.search_cache_mb * _MIB,
        )
        object.__setattr__(self, "search_cache", cache)
        object.__setattr__(self, "processes", Processes(self.database, self.hub, self.operations))
        deployment = Deployment(self.settings, self.database, self.processes, self.embedder)
        object.__setattr__(self, "deployment", deployment)

    async def close(self) -> None:
        """Close the parts that the backend opened."""
        await self.deployment.close()
        await self.processes.close()
        await self.hub.close()
        if self.embedder is not None:
            await self.embedder.aclose()

    async def embedding_model(self) -> str | None:
        """The name of the model that embeds messages; None without one."""
        return None if self.embedder is None else await self.embedder.name()
