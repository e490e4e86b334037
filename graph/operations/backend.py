"""What every operation works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from graph.access.authenticator import Authenticator
from graph.access.standing import Standing
from graph.enrichment.tokens import TokenCounter
from graph.live.hub import Hub
from graph.live.memory import Memory
from graph.request.budget import Budgets
from graph.request.persisted import OperationTexts
from graph.request.presence import Presence
from graph.request.trusted import TrustedDocuments
from graph.settings import Settings
from graph.store.database import Database


@dataclass(frozen=True, slots=True)
class Backend:
    """The open parts of one process, shared by all its requests."""

    settings: Settings
    database: Database
    tokens: TokenCounter
    authenticator: Authenticator = field(init=False)
    hub: Hub = field(init=False)
    budgets: Budgets = field(init=False)
    trusted: TrustedDocuments = field(init=False)
    texts: OperationTexts = field(init=False)
    presence: Presence = field(init=False)
    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "authenticator", Authenticator(self.settings))
        object.__setattr__(self, "hub", Hub(self.database, Memory(self.settings.live_memory)))
        object.__setattr__(self, "budgets", Budgets(self.settings))
        object.__setattr__(self, "presence", Presence(self.settings))
        object.__setattr__(self, "standing", Standing(self.database))
        object.__setattr__(self, "trusted", TrustedDocuments(self.settings))
        object.__setattr__(self, "texts", OperationTexts(self.settings, self.trusted))
