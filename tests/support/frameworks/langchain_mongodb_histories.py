"""Histories in MongoDB by LangChain's own class. Usage: COMMAND MONGODB_URI DATABASE.

`write` stores two sessions; `compare` checks that RecallQL at RECALLQL_URL returns equal messages; `drop` drops the
database.
"""

from __future__ import annotations

import os
import sys

from langchain_core.messages import HumanMessage
from langchain_mongodb import MongoDBChatMessageHistory
from langchain_suite import EVERY_KIND
from recallql import RecallQL
from recallql.langchain import RecallQLChatMessageHistory

SESSIONS = {"talk": EVERY_KIND, "other/talk": [HumanMessage("Where is Clara?")]}


def main(command: str, uri: str, database: str) -> None:
    """Execute a command."""
    for session, messages in SESSIONS.items():
        stored = MongoDBChatMessageHistory(uri, session, database_name=database)
        if command == "write":
            for message in messages:
                stored.add_message(message)
        elif command == "compare":
            with RecallQL(os.environ["RECALLQL_URL"]) as client:
                imported = RecallQLChatMessageHistory(client, session).messages
            assert imported == stored.messages == messages
        else:
            stored.client.drop_database(database)
        stored.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
