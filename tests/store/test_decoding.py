"""Answers of MongoDB are decoded alike in one piece and in parts."""

from __future__ import annotations

import asyncio
from typing import Any

import bson
import pytest

from graph.store.driver.client import CODEC
from graph.store.driver.decoding import decoded_cursor


def answer(*documents: dict[str, Any], cursor: int = 0) -> bytes:
    return bson.encode({"id": cursor, "ns": "a.b", "firstBatch": list(documents)})


@pytest.mark.parametrize("values", [1, 60_000])
async def test_a_batch_of_any_size_is_decoded_to_the_same_documents(values: int) -> None:
    documents = [{"_id": n, "a": {"b": [1.5] * values}} for n in range(8)]
    assert await decoded_cursor(answer(*documents, cursor=7), CODEC) == (7, documents)


async def test_other_tasks_run_between_the_documents_of_a_large_batch() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    encoded = answer(*({"a": [1.5] * 60_000} for _ in range(8)))
    counting = asyncio.create_task(count())
    await decoded_cursor(encoded, CODEC)
    counting.cancel()
    assert turns >= 7
