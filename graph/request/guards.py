"""The checks of a request before its operation runs, for one process."""

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
from graph.telemetry.steps import note


class Guards:
    """The checks that all requests of a process share.

    Attributes:
        settings: the limits of requests.
        authenticator: verifies credentials.
        standing: ends the subscriptions of service keys that are revoked.
        budgets: the cost that each caller may cause.
        presence: the connections and subscriptions that each caller has open.
        trusted: the trusted documents.
        texts: the documents that clients send by hash.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self.settings = settings
        self.authenticator = Authenticator(settings)
        self.standing = Standing(database)
        self.budgets = Budgets(settings)
        self.presence = Presence(settings)
        self.trusted = TrustedDocuments(settings)
        self.texts = OperationTexts(settings, self.trusted)

    async def authenticate(self, authorization: str | None) -> Caller:
        """Return the caller of an `Authorization` header, or of the same text from a WebSocket.

        Raises:
            Unauthenticated: the credentials are missing or wrong.
            Unavailable: the credentials can't be verified now.
        """
        caller = await self.authenticator.authenticate(self._database, authorization)
        note(caller=caller.kind)
        return caller
