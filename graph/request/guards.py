"""What decides whether a request of one process is accepted, before an operation runs."""

from __future__ import annotations

from graph.access.authenticator import Authenticator
from graph.access.caller import Caller
from graph.access.standing import Standing
from graph.request.budget import Budgets
from graph.request.persisted import OperationTexts
from graph.request.presence import Presence
from graph.request.trusted import TrustedDocuments
from graph.settings import Settings
from graph.store.database import Database


class Guards:
    """Shared by all requests of a process.

    Attributes:
        authenticator: verifies credentials.
        standing: ends the subscriptions of service keys that are revoked.
        budgets: the cost that each caller may cause.
        presence: the connections and subscriptions that each caller has open.
        trusted: the trusted documents.
        texts: the documents that clients send by hash.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self.authenticator = Authenticator(settings)
        self.standing = Standing(database)
        self.budgets = Budgets(settings)
        self.presence = Presence(settings)
        self.trusted = TrustedDocuments(settings)
        self.texts = OperationTexts(settings, self.trusted)

    async def authenticate(self, authorization: str | None) -> Caller:
        """The caller that an Authorization header, or the same text of a WebSocket, stands for.

        Raises:
            Unauthenticated: the credentials are missing or wrong.
            Unavailable: they can't be verified now.
        """
        return await self.authenticator.authenticate(self._database, authorization)
