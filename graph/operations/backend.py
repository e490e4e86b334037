"""What every operation works with."""

from __future__ import annotations

from dataclasses import dataclass

from graph.enrichment.tokens import TokenCounter
from graph.settings import Settings
from graph.store.database import Database


@dataclass(frozen=True, slots=True)
class Backend:
    """The open parts of one process, shared by all its requests."""

    settings: Settings
    database: Database
    tokens: TokenCounter
