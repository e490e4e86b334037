"""What every operation works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from graph.enrichment.tokens import TokenCounter
from graph.live.hub import Hub
from graph.live.memory import Memory
from graph.settings import Settings
from graph.store.database import Database


@dataclass(frozen=True, slots=True)
class Backend:
    """The open parts of one process that operations use, shared by all its requests."""

    settings: Settings
    database: Database
    tokens: TokenCounter
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hub", Hub(self.database, Memory(self.settings.live_memory)))
