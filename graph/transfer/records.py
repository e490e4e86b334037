r"""The format of an export: NDJSON in UTF-8, one record a line.

The first line is the header:

    {"format": "recallql", "version": 1}

An export adds `exportedAt`, and `session` or `user` if it is of one alone, or else `numbers`, the greatest ever used as
the `number` of sessions and users (Zep's clients page by it). Then come users, and session after
session: the session, its memories, its messages in order, its summaries. The records of one session stand together,
so that a file of any length is read in one pass with little memory. The items of users come last.

    {"type": "user", "userId": "mia", "email": "mia@example.com"}
    {"type": "session", "sessionId": "chat-1", "userId": "mia", "metadata": {"channel": "web"}}
    {"type": "message", "sessionId": "chat-1", "role": "user", "content": "Hello", "createdAt": "2026-01-31T09:30:00Z"}
    {"type": "message", "sessionId": "chat-1", "role": "assistant", "content": "Hello, how can I help?"}

    {"type": "item", "userId": "mia", "namespace": ["memories"], "key": "food", "value": {"text": "likes pizza"}}

The last line of an export is `{"type": "end", "users": 1, "sessions": 1, "messages": 2, "items": 1}`: a file whose
header has `exportedAt` and that lacks this line was cut off.

A record is the stored document, with `type` before it and its `_id` under `userId`, `sessionId` or `uuid`. Times are
RFC 3339 with a time zone, cut to milliseconds; outside `metadata`, a value with a name `…At` is a time. The file may be
compressed with gzip, and may begin with a byte order mark.

The example shows the minimum of a file written by hand; even the `session` and `user` records may be left out. Missing
values get the same defaults each time, so that a second import of the file stores nothing twice:

* `uuid`: UUID version 5, of the session's id and the place within it;
* `seq`: one more than that of the message before;
* `memoryId`: the memory whose range holds the message; without memory records, one that holds the whole session;
* `createdAt` and `updatedAt` of a message: the time of the import; of a session: those of its messages;
* `tokenCount`, `messageCount`, `lastSeq` and `summarySeq`: counted;
* `branches` and `head` of a session, `branch` of a message and of a summary: the messages form one line;
* `source` of a summary: `EXTRACTIVE`; its `lastMessageUuid`: that of the message with its `lastSeq`;
* `enrichment`: `PENDING`, so that a worker extracts the entities; `DONE` where the record brings `entities`.

Numbers are at most 2^30, and so is the sum of a session's tokens.

Unknown fields are refused in a file written by hand, since they are likely typing errors, and kept in an export, since
all fields of a document are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, NotRequired

import orjson
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic reads the standard one from Python 3.12 on

from graph.errors import BadUserInput, TransferError, shown
from graph.operations import validation
from graph.operations.item_texts import check_index
from graph.operations.items import MAX_VALUE_BYTES, check_key, check_namespace
from graph.operations.sessions import check_title
from graph.store.documents import AnyDocument
from graph.transfer.values import Count, Days, Minutes, Place, Serial, Time, Uuid, with_times

FORMAT: Final = "recallql"
VERSION: Final = 1
EXAMPLE_HEADER: Final = '{"format": "recallql", "version": 1}'
LONGEST_LINE: Final = 128 * 2**20
"""Bytes. The largest message that can be stored takes less, even with every character escaped."""
ID_OF: Final = {
    "user": "userId",
    "session": "sessionId",
    "memory": "uuid",
    "message": "uuid",
    "summary": "uuid",
    "item": "uuid",
}
"""The name of a document's `_id` in its record, by kind."""

_MOST_METADATA_BYTES = 15 * 2**20  # merged metadata may be larger than the maximum of one call
_OPEN = ConfigDict(strict=True, extra="allow")


@with_config(_OPEN)
class _Header(TypedDict):
    format: str
    version: int
    exportedAt: NotRequired[Time]
    numbers: NotRequired[dict[Literal["sessions", "users"], Serial]]


@with_config(_OPEN)
class _User(TypedDict):
    type: Literal["user"]
    userId: str
    uuid: NotRequired[Uuid]
    email: NotRequired[str | None]
    firstName: NotRequired[str | None]
    lastName: NotRequired[str | None]
    retentionDays: NotRequired[Days | None]
    number: NotRequired[Serial]
    metadata: NotRequired[dict[str, Any]]
    createdAt: NotRequired[Time]
    updatedAt: NotRequired[Time]


@with_config(_OPEN)
class _ForkOrigin(TypedDict):
    sessionId: str
    seq: Count


@with_config(_OPEN)
class _Branch(TypedDict):
    parent: Count
    after: Count
    first: Place
    last: Count


@with_config(_OPEN)
class _Head(TypedDict):
    branch: Count
    seq: Count


@with_config(_OPEN)
class _Session(TypedDict):
    type: Literal["session"]
    sessionId: str
    uuid: NotRequired[Uuid]
    userId: NotRequired[str | None]
    title: NotRequired[str]
    archived: NotRequired[bool]
    readSeq: NotRequired[Count]
    forkedFrom: NotRequired[_ForkOrigin]
    expiresAt: NotRequired[Time]
    number: NotRequired[Serial]
    metadata: NotRequired[dict[str, Any]]
    createdAt: NotRequired[Time]
    updatedAt: NotRequired[Time]
    lastSeq: NotRequired[Count]
    messageCount: NotRequired[Count]
    tokenCount: NotRequired[Count]
    summarySeq: NotRequired[Count]
    revision: NotRequired[Count]
    branches: NotRequired[list[_Branch]]
    head: NotRequired[_Head]


@with_config(_OPEN)
class _Memory(TypedDict):
    type: Literal["memory"]
    uuid: Uuid
    sessionId: str
    firstSeq: Place
    lastSeq: Place
    tokenCount: NotRequired[Count]
    metadata: NotRequired[dict[str, Any]]
    createdAt: NotRequired[Time]
    idempotencyKey: NotRequired[str]
    payloadDigest: NotRequired[str]
    replacesFrom: NotRequired[Place]


@with_config(_OPEN)
class _Match(TypedDict):
    start: Count
    end: Count
    text: str
    wide: NotRequired[Count]


@with_config(_OPEN)
class _Entity(TypedDict):
    key: str
    name: str
    label: str
    matches: list[_Match]
    inTools: NotRequired[Count]


@with_config(_OPEN)
class _Enrichment(TypedDict):
    state: Literal["PENDING", "DONE", "FAILED"]
    attempts: Count
    at: NotRequired[Time]
    dueAt: NotRequired[Time]


@with_config(_OPEN)
class _Message(TypedDict):
    type: Literal["message"]
    uuid: NotRequired[Uuid]
    sessionId: str
    memoryId: NotRequired[Uuid]
    seq: NotRequired[Place]
    role: str
    content: str
    status: NotRequired[Literal["COMPLETE", "STREAMING", "INTERRUPTED", "ABORTED"]]
    name: NotRequired[str]
    toolCallId: NotRequired[str]
    toolCalls: NotRequired[list[str]]
    toolResults: NotRequired[list[str]]
    parts: NotRequired[list[dict[str, Any]]]
    metadata: NotRequired[dict[str, Any]]
    tokenCount: NotRequired[Count]
    entities: NotRequired[list[_Entity]]
    createdAt: NotRequired[Time]
    updatedAt: NotRequired[Time]
    enrichment: NotRequired[_Enrichment]
    revision: NotRequired[Count]
    branch: NotRequired[Place]


@with_config(_OPEN)
class _Summary(TypedDict):
    type: Literal["summary"]
    uuid: NotRequired[Uuid]
    sessionId: str
    firstSeq: Place
    lastSeq: Place
    lastMessageUuid: NotRequired[Uuid]
    content: str
    source: NotRequired[Literal["EXTRACTIVE", "LLM"]]
    stale: NotRequired[bool]
    fellBackReason: NotRequired[str]
    tokenCount: NotRequired[Count]
    entities: NotRequired[list[_Entity]]
    createdAt: NotRequired[Time]
    branch: NotRequired[Place]


@with_config(_OPEN)
class _Item(TypedDict):
    type: Literal["item"]
    uuid: NotRequired[Uuid]
    userId: str
    namespace: list[str]
    key: str
    value: dict[str, Any]
    revision: NotRequired[Place]
    createdAt: NotRequired[Time]
    updatedAt: NotRequired[Time]
    expiresAt: NotRequired[Time]
    ttl: NotRequired[Minutes]
    index: NotRequired[list[str]]


@with_config(_OPEN)
class _End(TypedDict):
    type: Literal["end"]
    users: Count
    sessions: Count
    messages: Count
    items: NotRequired[Count]


_HEADER: TypeAdapter[Any] = TypeAdapter(_Header)
_RECORD: TypeAdapter[Any] = TypeAdapter(
    Annotated[_User | _Session | _Memory | _Message | _Summary | _Item | _End, Field(discriminator="type")]
)
_KINDS: Final[dict[str, type]] = {
    "user": _User,
    "session": _Session,
    "memory": _Memory,
    "message": _Message,
    "summary": _Summary,
    "item": _Item,
    "end": _End,
}


def header(**more: Any) -> bytes:
    """The first line."""
    return orjson.dumps({"format": FORMAT, "version": VERSION, **more}, option=_OPTIONS)


_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z


def lines(kind: str, documents: Iterable[AnyDocument]) -> bytes:
    """Return the records of stored documents, one line each."""
    name = ID_OF[kind]
    return b"".join(
        orjson.dumps(
            {"type": kind, name: document["_id"], **{key: value for key, value in document.items() if key != "_id"}},
            option=_OPTIONS,
        )
        for document in documents
    )


def end(users: int, sessions: int, messages: int, items: int = 0) -> bytes:
    """The last line; it counts the items of a file that has some."""
    counts = {"users": users, "sessions": sessions, "messages": messages} | ({"items": items} if items else {})
    return orjson.dumps({"type": "end", **counts}, option=_OPTIONS)


def parse_header(line: bytes) -> dict[str, Any]:
    """Read the first line of a file.

    Raises:
        TransferError: the line is not a header, or has another version.
    """
    try:
        found: dict[str, Any] = _HEADER.validate_json(line)
    except ValidationError:
        raise TransferError(f"line 1: this is not a header: the first line must be such as {EXAMPLE_HEADER}") from None
    if found["format"] != FORMAT:
        raise TransferError(f"line 1: the format is {shown(found['format'])}; the header must be {EXAMPLE_HEADER}")
    if found["version"] != VERSION:
        raise TransferError(
            f"line 1: version {shown(found['version'])} is unknown: this RecallQL reads version {VERSION}, a newer one"
            " may read it"
        )
    return found


def parse(line: bytes, number: int, *, exported: bool) -> dict[str, Any]:
    """Read a line after the first.

    Args:
        line: its bytes.
        number: its number in the file, from 1, for error messages.
        exported: whether the file is an export, in which unknown fields are kept.

    Raises:
        TransferError: the line breaks the format; the message gives the line and the reason.
    """
    if len(line) > LONGEST_LINE:
        raise TransferError(f"line {number}: the line has more than {LONGEST_LINE:,} bytes, the maximum")
    try:
        record: dict[str, Any] = _RECORD.validate_json(line)
    except ValidationError as error:
        raise TransferError(f"line {number}: {_reason(error)}") from None
    fields = _KINDS[record["type"]].__annotations__.keys()
    unknown = record.keys() - fields
    if unknown and not exported:
        raise TransferError(
            f"line {number}: the {record['type']} has the unknown field {shown(min(unknown))}: the fields are"
            f" {', '.join(sorted(fields))}"
        )
    try:
        _check(record)
        _take_undeclared(record, _KINDS[record["type"]])
        if "enrichment" in record:
            _take_undeclared(record["enrichment"], _Enrichment)
        for entity in record.get("entities", ()):
            _take_undeclared(entity, _Entity)
            for match in entity["matches"]:
                _take_undeclared(match, _Match)
    except BadUserInput as error:
        raise TransferError(f"line {number}: {error}") from None
    return record


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    if first["type"] == "json_invalid":
        return f"it is not JSON: {first['ctx']['error']}" if "ctx" in first else "it is not JSON"
    if first["type"].startswith("union_tag"):
        return f"type must be one of {', '.join(_KINDS)}"
    if not place:
        return "it is not a JSON object" if not first["loc"] else first["msg"]
    text = first["msg"][0].lower() + first["msg"][1:]
    if first["type"] == "value_error":
        return f"{place} {first['ctx']['error']}"
    return f"{place} is missing" if first["type"] == "missing" else f"{place}: {text}"


def _check(record: dict[str, Any]) -> None:
    """Check the values by the same rules as the GraphQL interface."""
    if "sessionId" in record:
        validation.check_id(record["sessionId"], "sessionId")
    if record.get("userId") is not None:
        validation.check_id(record["userId"], "userId")
    if record["type"] == "session":
        validation.check_optional(record.get("title"), "title", check_title)
    if record["type"] == "message":
        validation.check_role(record["role"], "role")
        validation.check_content(record["content"], "content")
        validation.check_parts(record.get("parts", ()), "parts")
        validation.check_optional(record.get("name"), "name", validation.check_speaker)
        validation.check_optional(record.get("toolCallId"), "toolCallId", validation.check_id)
    if record["type"] == "item":
        check_namespace(record["namespace"])
        check_key(record["key"])
        check_index(record.get("index", ()), "index")
        validation.check_metadata(record["value"], "value", most_bytes=MAX_VALUE_BYTES)
    if record.get("metadata"):
        validation.check_metadata(record["metadata"], most_bytes=_MOST_METADATA_BYTES)


def _take_undeclared(values: dict[str, Any], kind: type) -> None:
    """Check the values of undeclared names, and read their times."""
    for name in values.keys() - kind.__annotations__.keys():
        if name.startswith(("$", "_")):
            raise BadUserInput(f"{shown(name)} can't be a field's name")
        validation.check_json({name: values[name]}, "the record")
        values[name] = with_times(name, values[name])
