"""The data: the 258,145 messages of real people in `chitchat-dataset`, a long conversation, and long messages."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import chitchat_dataset
from langchain_core.messages import HumanMessage, message_to_dict
from pymongo import MongoClient
from pymongo.database import Database

from graph.enrichment.tokens import load_counter
from graph.store.documents import new_uuid

FORMAT = 3
"""Counts up when what is loaded changes, so that older data is loaded anew."""
LONG_SESSION = "one-long-session"
BIG_SESSION = "big-messages"
PAGED = 100_000
_NAME = re.compile(r"\b[A-Z][a-z]{2,}\b")
_START = datetime(2026, 1, 31, 12, tzinfo=UTC)

Chat = list[tuple[str, str, datetime]]


@cache
def chats() -> list[tuple[str, Chat]]:
    """All chats as (id, [(role, text, time)]), those with at least 100 messages first."""
    found = []
    for name, chat in chitchat_dataset.Dataset().items():
        messages: Chat = []
        senders: list[str] = []
        for message in itertools.chain.from_iterable(chat["messages"]):
            if message["sender"] not in senders:
                senders.append(message["sender"])
            role = "human" if message["sender"] == senders[0] else "ai"
            messages.append((role, message["text"], datetime.fromisoformat(message["timestamp"])))
        found.append((name, messages))
    return sorted(found, key=lambda chat: len(chat[1]) < 100)


def long_chats() -> list[str]:
    """Ids of some chats with at least 100 messages, which every store of at least 1,000 messages has."""
    return [name for name, _ in chats()[:5]]


def load_chats(client: MongoClient[dict[str, Any]], name: str, count: int) -> None:
    """A database in the store's own shape with the first `count` messages; loaded once."""

    def sessions() -> Iterator[tuple[str, Chat]]:
        left = count
        for chat_id, messages in chats():
            if left <= 0:
                return
            yield chat_id, messages[:left]
            left -= len(messages)

    _load(client[name], sessions())


def load_long_session(client: MongoClient[dict[str, Any]], name: str) -> None:
    """A database with one conversation of 100,000 messages."""
    texts = itertools.cycle(itertools.chain.from_iterable(messages for _, messages in chats()))
    _load(client[name], [(LONG_SESSION, list(itertools.islice(texts, PAGED)))])


def load_big_messages(client: MongoClient[dict[str, Any]], name: str) -> None:
    """A database with one conversation of 100 messages of about 16 KiB."""
    text = "Octavia Butler wrote Kindred, and Grace Hopper wrote a compiler. " * 256
    _load(client[name], [(BIG_SESSION, [("human", text, _START)] * 100)])


def load_langchain(client: MongoClient[dict[str, Any]], name: str, count: int) -> None:
    """The same messages as `langchain-mongodb` keeps them."""
    database = client[name]
    if _is_loaded(database):
        return
    collection = database["message_store"]
    left = count
    for chat_id, messages in chats():
        if left <= 0:
            break
        from json import dumps

        collection.insert_many(
            [
                {"SessionId": chat_id, "History": dumps(message_to_dict(HumanMessage(text)))}
                for _, text, _ in messages[:left]
            ]
        )
        left -= len(messages)
    collection.create_index([("SessionId", 1)])
    _note(database)


def _is_loaded(database: Database[dict[str, Any]]) -> bool:
    if database["benchmark"].find_one({"_id": "format", "is": FORMAT}):
        return True
    database.client.drop_database(database.name)
    return False


def _note(database: Database[dict[str, Any]]) -> None:
    database["benchmark"].insert_one({"_id": "format", "is": FORMAT})


def _load(database: Database[dict[str, Any]], sessions: Iterable[tuple[str, Chat]]) -> None:
    if _is_loaded(database):
        return
    counter = load_counter("cl100k_base")
    for session_id, messages in sessions:
        counts = [counter.count(f"{role}: {text}") for role, text, _ in messages]
        documents = [
            document_of(session_id, seq, message, tokens)
            for seq, (message, tokens) in enumerate(zip(messages, counts, strict=True), 1)
        ]
        database["sessions"].insert_one(
            {
                "_id": session_id,
                "uuid": new_uuid(),
                "metadata": {"source": "chitchat"},
                "createdAt": messages[0][2],
                "updatedAt": messages[-1][2],
                "lastSeq": len(messages),
                "messageCount": len(messages),
                "tokenCount": sum(counts),
                "summarySeq": 0,
            }
        )
        for start in range(0, len(documents), 5_000):
            database["messages"].insert_many(documents[start : start + 5_000], ordered=False)
    _note(database)


def document_of(session_id: str, seq: int, message: tuple[str, str, datetime], tokens: int) -> dict[str, Any]:
    """A message in the store's own shape."""
    role, text, at = message
    return {
        "_id": new_uuid(),
        "sessionId": session_id,
        "memoryId": "loaded",
        "seq": seq,
        "role": role,
        "content": text,
        "metadata": {"n": seq},
        "tokenCount": tokens,
        "entities": _entities(text),
        "createdAt": at,
        "updatedAt": at,
        "enrichment": {"state": "DONE", "attempts": 1},
    }


def _entities(text: str) -> list[dict[str, Any]]:
    """Names, found by their capital letter: what matters here is how many there are, not which."""
    found: dict[str, dict[str, Any]] = {}
    for match in _NAME.finditer(text):
        name = match[0]
        entity = found.setdefault(
            name, {"key": f"PERSON:{name.lower()}", "name": name, "label": "PERSON", "matches": []}
        )
        entity["matches"].append({"start": match.start(), "end": match.end(), "text": name})
    return list(found.values())
