"""The Python samples of Zep's documentation: add a memory, get it, and an unknown session.

Usage: samples.py BASE_URL; prints what it got as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys

from zep_python import APIError, Memory, Message, NotFoundError, ZepClient

HISTORY: list[dict[str, object]] = [
    {"role": "human", "content": "Who was Octavia Butler?"},
    {
        "role": "ai",
        "content": "Octavia Estelle Butler (June 22, 1947 – February 24, 2006) was an American science fiction author.",  # noqa: RUF001
    },
    {"role": "human", "content": "Which books of hers were made into movies?", "metadata": {"foo": "bar"}},
]


async def main(base_url: str, session_id: str) -> None:
    async with ZepClient(base_url, None) as client:
        try:
            await client.memory.aget_memory("nobody-" + session_id)
        except NotFoundError as error:
            not_found = str(error)
        messages = [Message(**message) for message in HISTORY]
        try:
            answer = await client.memory.aadd_memory(session_id, Memory(messages=messages))
        except APIError as error:
            sys.exit(f"Error: {error}")
        memory = await client.memory.aget_memory(session_id)
        got = [message.to_dict() for message in memory.messages]
        sys.stdout.write(json.dumps({"not_found": not_found, "answer": answer, "messages": got}))


asyncio.run(main(*sys.argv[1:]))
