"""The `chitchat-dataset` of PyPI (MIT) as a file to import: 7,168 real chats of two people each, 258,145 messages.

Each chat of the dataset has an id, the time at which it began, sometimes the prompt that was given and how the two
rated it, and turns: what one of them wrote before the other did, as one or more messages with sender and time. A chat
becomes a session of the same id, its messages in order, each with the sender's place as its role: `user` is who wrote
first, `assistant` the other. The rest goes to the metadata. Uuids, numbers and tokens are left to the import, as a
user who writes such a converter would leave them.

    python -m tests.support.chitchat > chitchat.ndjson && recallql import chitchat.ndjson
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import chitchat_dataset
import orjson

CHATS = 7_168
MESSAGES = 258_145


def records() -> Iterator[dict[str, Any]]:
    """The records of the file, from its header on."""
    yield {"format": "recallql", "version": 1}
    with open(chitchat_dataset._PATH, encoding="utf-8") as file:  # noqa: PTH123 - the package gives a text
        chats = json.load(file)
    for chat_id, chat in chats.items():
        metadata = {name: chat[name] for name in ("prompt", "ratings") if name in chat}
        yield {"type": "session", "sessionId": chat_id, "metadata": metadata, "createdAt": chat["start"]}
        senders: dict[str, str] = {}
        for message in (message for turn in chat["messages"] for message in turn):
            role = senders.setdefault(message["sender"], "assistant" if senders else "user")
            yield {
                "type": "message",
                "sessionId": chat_id,
                "role": role,
                "content": message["text"],
                "metadata": {"sender": message["sender"]},
                "createdAt": message["timestamp"],
            }


def write(target: BinaryIO) -> None:
    """Write the file."""
    target.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records())


if __name__ == "__main__":
    write(sys.stdout.buffer)
