"""Documents that are prepared once: how many bytes they hold, and that what is known of them goes with them."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable

import pytest
from starlette.applications import Starlette

from graph.request.documents import CACHE_BYTES, Documents
from graph.request.pipeline import EVERY_KIND
from graph.schema.node import global_id, parse_global_id
from graph.settings import Settings
from graph.store.database import Database
from tests.support.executing import SCHEMA
from tests.support.graphql_client import ADD, OCTAVIA, Client

SETTINGS = Settings.model_construct()
FIELDS = "uuid seq role content metadata tokenCount createdAt updatedAt entities { name label matches { start text } }"


def small(number: int) -> str:
    return f'query Q{number} {{ memory(sessionId: "octavia") {{ uuid messages(last: {number + 1}) {{ uuid }} }} }}'


def large(number: int) -> str:
    parts = [f'm{n}: memory(sessionId: "octavia") {{ messages(last: {number + 1}) {{ {FIELDS} }} }}' for n in range(15)]
    return f"query Q{number} {{ {' '.join(parts)} }}"


def conditional(number: int) -> str:
    parts = [f"a{n}: uuid @include(if: $c{n % 4})" for n in range(25)]
    variables = " ".join(f"$c{n}: Boolean!" for n in range(4))
    return f'query Q{number}({variables}) {{ memory(sessionId: "octavia") {{ {" ".join(parts)} }} }}'


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("text", "texts"), [(small, 60), (large, 6), (conditional, 4)])
async def test_prepared_documents_hold_no_more_than_is_counted(
    app: Starlette, client: Client, text: Callable[[int], str], texts: int
) -> None:
    await client.data(ADD, input={"sessionId": "octavia", "messages": OCTAVIA})
    variables = [{f"c{n}": bool(outcome >> n & 1) for n in range(4)} for outcome in range(16)]
    chosen = variables if text is conditional else [{}]
    for given in chosen:
        await client.data(text(0), **given)
    documents: Documents = app.state.pipeline._documents
    documents._cache.clear()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1, texts + 1):
            for given in chosen:
                await client.data(text(number), **given)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(documents._cache) == texts
    assert held < documents._cache.currsize < 5 * held


@pytest.mark.slow
async def test_the_bytes_of_all_documents_are_bounded() -> None:
    documents = Documents(SCHEMA)
    first = weakref.ref(await documents.operation(large(0), None, EVERY_KIND, SETTINGS))
    for number in range(1, 150):
        assert (await documents.prepare(large(number), SETTINGS)).errors == []
        assert documents._cache.currsize <= CACHE_BYTES
    assert len(documents._cache) < 150
    gc.collect()
    assert first() is None


@pytest.mark.parametrize(
    "text",
    [
        "query Q { " + " ".join(f"a{number}: __typename" for number in range(190)) + " }",
        "query Q { unknown(list: [" + "1 " * 500 + "]) }",
    ],
    ids=["too much", "invalid"],
)
async def test_a_refused_document_is_freed_without_the_collector(text: str) -> None:
    """It seldom looks at what was kept for a while: 3,000 texts held 600 MB until then."""
    documents = Documents(SCHEMA)
    gc.collect()
    gc.disable()
    try:
        prepared = await documents.prepare(text, SETTINGS)
        assert prepared.errors
        gc.collect(0)  # what validation leaves is young
        del prepared
        documents._cache.clear()
        assert gc.collect() < 200  # some rings of a few objects are always there; a document has 500 tokens or more
    finally:
        gc.enable()


async def test_a_document_that_can_not_be_parsed_counts_too() -> None:
    documents = Documents(SCHEMA)
    for number in range(5_000):
        await documents.prepare("{" * 1_000 + " " * (15_000 + number % 4_000), SETTINGS)
        assert documents._cache.currsize <= CACHE_BYTES
    assert documents._cache.currsize > CACHE_BYTES / 2


def test_long_ids_are_not_kept() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(200):
            value = global_id("Session", f"{number}" + "x" * 50_000)
            assert parse_global_id(value) is not None
        assert tracemalloc.get_traced_memory()[0] - before < 2_000_000
    finally:
        tracemalloc.stop()


async def test_a_global_id_of_megabytes_is_the_id_of_nothing(client: Client, database: Database) -> None:
    del database
    assert await client.data("query ($id: ID!) { node(id: $id) { id } }", id="x" * 4_000_000) == {"node": None}
