"""Every field of what an import stores can be read, however little a file written by hand says."""

from __future__ import annotations

from typing import Any

import pytest

from graph.errors import TransferError
from graph.operations.backend import Backend
from graph.settings import Settings
from graph.store.database import Database
from graph.store.documents import Document
from graph.store.jobs.batches import Limits
from graph.store.jobs.enrichment import claim
from tests.support.contents import TOKENS, everything, imported
from tests.support.executing import SCHEMA, execute_prepared
from tests.support.selections import every_field
from tests.support.transfer import HEADER, large, ndjson, said

SUMMARY: Document = {"type": "summary", "sessionId": "s", "firstSeq": 1, "lastSeq": 1, "content": "they talked"}
ITEM: Document = {"type": "item", "userId": "mia", "namespace": ["a"], "key": "k", "value": {}}
ENTITY: Document = {"key": "PERSON:mia", "name": "Mia", "label": "PERSON", "matches": []}
MEMORY: Document = {
    "type": "memory",
    "sessionId": "s",
    "uuid": "6f6f0c1e-3f0e-4b5a-8d43-0d6f6a1f1a11",
    "firstSeq": 1,
    "lastSeq": 2**30,
}
MINIMUM = (
    {"type": "user", "userId": "mia"},
    {"type": "session", "sessionId": "s", "userId": "mia"},
    *said("s", "Hello"),
    *said("s", "Mia", entities=[ENTITY, ENTITY | {"key": "", "name": "", "label": ""}]),
    SUMMARY,
    SUMMARY | {"lastSeq": 2, "entities": [ENTITY]},
    ITEM,
)


async def read(database: Database) -> tuple[dict[str, Any], list[Any]]:
    """Every field of the session, the user and the item, and of what is below them."""
    backend = Backend(Settings.model_construct(), database, TOKENS)
    roots = {
        "Session": 'session(sessionId: "s")',
        "User": 'user(userId: "mia")',
        "Memory": 'memory(sessionId: "s")',
        "Item": 'item(userId: "mia", namespace: ["a"], key: "k")',
    }
    data: dict[str, Any] = {}
    errors: list[Any] = []
    for name, field in roots.items():
        found, failed = await execute_prepared(backend, f"{{ {field} {{ {every_field(SCHEMA, name, 4)} }} }}")
        data |= found or {}
        errors += [(error.path, error.message) for error in failed]
    return data, errors


async def test_every_field_of_a_minimal_file_can_be_read(target: Database) -> None:
    await imported(target, ndjson(*MINIMUM))
    data, errors = await read(target)
    assert errors == []
    summaries = data["session"]["summaries"]["edges"]
    messages = data["session"]["messages"]["edges"]
    assert [edge["node"]["source"] for edge in summaries] == ["EXTRACTIVE", "EXTRACTIVE"]
    assert [edge["node"]["lastMessageUuid"] for edge in summaries] == [edge["node"]["uuid"] for edge in messages]
    assert data["item"]["revision"] == 1


@pytest.mark.parametrize("state", ["PENDING", "DONE", "FAILED"])
async def test_a_state_alone_is_completed(target: Database, state: str) -> None:
    state_alone = {"state": state, "attempts": 0}
    await imported(target, ndjson(*said("s", "Hello", enrichment=state_alone), *MINIMUM[:1], ITEM))
    assert (await read(target))[1] == []
    due = await claim(target, Limits(1, 100, 5), lease_seconds=60)
    assert [message["sessionId"] for message in due.messages] == (["s"] if state == "PENDING" else [])


async def test_a_state_alone_is_completed_in_a_large_session(target: Database) -> None:
    state_alone = {"state": "PENDING", "attempts": 0}
    await imported(target, ndjson(*(record | {"enrichment": state_alone} for record in large("s"))))
    assert len((await claim(target, Limits(1, 100, 5), lease_seconds=60)).messages) == 1


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([*said("s", "x"), SUMMARY | {"source": "WRITTEN"}], r"line 3: source: .*'EXTRACTIVE' or 'LLM'"),
        ([*said("s", "x"), SUMMARY | {"stale": 1}], r"line 3: stale: input should be a valid boolean"),
        ([*said("s", "x"), SUMMARY | {"lastMessageUuid": "x"}], r"line 3: lastMessageUuid must be a UUID"),
        ([*said("s", "x"), SUMMARY | {"lastSeq": 2}], r"line 3: lastSeq is 2, .* give lastMessageUuid"),
        (
            [*said("s", "x", tokenCount=2**30 + 1)],
            r"line 2: tokenCount: input .* less than or equal to 1073741824",
        ),
        ([*said("s", "x", "y", tokenCount=2**30)], r"line 3: the tokenCount of the messages up to here"),
        ([*said("s", "x", seq=2**30 + 1)], r"line 2: seq: input should be less"),
        ([MEMORY, *said("s", "x", seq=2**30), *said("s", "y")], r"line 4: seq is 1073741825"),
        ([*said("s", "x", revision=2**30 + 1)], r"line 2: revision: input should be less"),
        (
            [*said("s", "x", entities=[ENTITY | {"inTools": 2**30 + 1}])],
            r"line 2: entities.0.inTools: input",
        ),
        ([ITEM | {"ttl": -1}], r"line 2: ttl: input should be greater than 0"),
    ],
)
async def test_a_value_that_no_field_can_return_is_refused(
    target: Database, records: list[Document], problem: str
) -> None:
    with pytest.raises(TransferError, match=problem):
        await imported(target, ndjson(*records))
    assert not (await everything(target))["messages"]


@pytest.mark.parametrize("number", [b"1e999", b"Infinity", b"NaN"])
async def test_a_ttl_without_an_end_is_refused(target: Database, number: bytes) -> None:
    record = b'{"type":"item","userId":"mia","namespace":["a"],"key":"k","value":{},"ttl":%s}\n' % number
    with pytest.raises(TransferError, match="line 2: "):
        await imported(target, HEADER + record)
