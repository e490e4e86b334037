"""Read marks: the last message that the user of a session has read."""

from __future__ import annotations

from graph.errors import BadUserInput
from graph.store.database import Database
from graph.store.documents import SessionDocument
from graph.store.driver.types import Transaction
from graph.store.scope import Scope
from graph.store.sessions import session_to_change
from graph.store.writes import write_session


async def mark_read(database: Database, scope: Scope, session_id: str, seq: int) -> SessionDocument:
    """Note that the user of a session has read its messages up to a number; a smaller number changes nothing.

    Neither the revision nor the time of the last change of the session changes: no reader sees other contents.

    Returns:
        The whole session.

    Raises:
        BadUserInput: the session never had a message with this number.
        NotFound: the session is not within the scope.
    """

    async def attempt(tx: Transaction) -> SessionDocument:
        session = await session_to_change(database, scope, session_id, tx)
        if seq > session["lastSeq"]:
            message = f"seq is {seq:,}, and the newest message has {session['lastSeq']:,}: send the seq of a message"
            raise BadUserInput(message)
        if seq > session.get("readSeq", 0):
            await database.sessions.update_one({"_id": session_id}, {"$set": {"readSeq": seq}}, session=tx)
            session["readSeq"] = seq
        return session

    return await write_session(database, session_id, attempt)
