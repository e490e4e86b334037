"""Moves what mem0 keeps of a user into RecallQL: each memory becomes an item, which LangGraph's agents find.

recallql serve
pip install './clients/python[langgraph]' mem0ai
python examples/move_from_mem0.py mem0.json ada http://localhost:8000

`mem0.json` is what your application gives to `Memory.from_config`. A memory is moved with its text, metadata and expiry
under its id, so that a second run changes nothing. No model is asked.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mem0 import Memory
from recallql import AsyncRecallQL
from recallql.generated.input_types import ItemInput, PutItemsInput
from recallql.langgraph import RecallQLStore

MOST = 10_000
"""Items of one user."""
AT_ONCE = 100
"""Items of one call."""


def item_of(memory: dict[str, Any]) -> ItemInput:
    """Return the item of a memory, which expires after its last day."""
    last_day = memory.get("expiration_date")
    end = None if last_day is None else datetime.fromisoformat(last_day).replace(tzinfo=UTC) + timedelta(days=1)
    value = {"text": memory.pop("memory"), **memory}
    return ItemInput(namespace=["memories"], key=memory["id"], value=value, index=["text"], expires_at=end)


def memories_of(config: str, user_id: str) -> list[dict[str, Any]]:
    """Return the memories of a user that have not expired."""
    mem0 = Memory.from_config(json.loads(Path(config).read_text(encoding="utf-8")))
    found: list[dict[str, Any]] = mem0.get_all(filters={"user_id": user_id}, top_k=MOST + 1)["results"]
    if len(found) > MOST:
        sys.exit(f"mem0 has more than {MOST:,} memories of {user_id}, the most items that a user may have")
    return found


async def main(config: str, user_id: str, url: str) -> None:
    """Move the memories of a user, and search them."""
    items = [item_of(memory) for memory in memories_of(config, user_id)]
    async with AsyncRecallQL(url) as client:
        for first in range(0, len(items), AT_ONCE):
            await client.operations.put_items(PutItemsInput(user_id=user_id, items=items[first : first + AT_ONCE]))
        print(f"moved {len(items)} memories of {user_id}")
        store = RecallQLStore(client, user_id)
        for best in await store.asearch(("memories",), query="What do I like to eat?", limit=1):
            print(f"What do I like to eat? {best.value['text']}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
