"""What an import is read from, and the values in it that are refused or read as the API reads them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import orjson
import pytest

from graph.enrichment.tokens import load_counter
from graph.errors import TransferError
from graph.store.database import Database
from graph.store.documents import Document
from graph.transfer.export import ExportSelection, export
from graph.transfer.import_ import Imported, Importer
from tests.support.transfer import HEADER, ndjson, said

TOKENS = load_counter()
EXPORT = HEADER.replace(b"}", b', "exportedAt": "2026-01-31T10:30:00Z"}')
RECORD = b'{"type": "message", "sessionId": "s", "role": "user", "content": "Hello", %s}\n'


async def imported(database: Database, file: bytes) -> Imported:
    return await Importer(database, TOKENS).run(io.BytesIO(file))


async def exported(database: Database) -> bytes:
    file = io.BytesIO()
    await export(database, ExportSelection(), file)
    return file.getvalue()


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e400"])
@pytest.mark.parametrize(
    ("file", "named"),
    [
        (HEADER + RECORD % b'"metadata": {"a": [1, {"b": @}]}', "metadata"),
        (HEADER + b'{"type": "session", "sessionId": "s", "metadata": {"a": @}}\n', "metadata"),
        (HEADER + b'{"type": "user", "userId": "u", "metadata": {"a": @}}\n', "metadata"),
        (EXPORT + RECORD % b'"score": @', "the record"),
        (EXPORT + RECORD % b'"score": {"deep": [@]}', "the record"),
        (EXPORT + RECORD % b'"enrichment": {"state": "DONE", "attempts": 0, "took": @}', "the record"),
        (
            EXPORT + RECORD % b'"entities": [{"key": "k", "name": "n", "label": "l", "matches": [], "score": @}]',
            "the record",
        ),
        (
            EXPORT + RECORD % b'"entities": [{"key": "k", "name": "n", "label": "l",'
            b' "matches": [{"start": 0, "end": 1, "text": "H", "score": @}]}]',
            "the record",
        ),
    ],
)
async def test_a_number_that_json_does_not_hold_is_refused(
    database: Database, file: bytes, named: str, number: bytes
) -> None:
    with pytest.raises(TransferError, match=f"^line 2: {named} has NaN, Infinity or a number too large for a float"):
        await imported(database, file.replace(b"@", number))
    assert await database.sessions.count_documents({}) == await database.users.count_documents({}) == 0


@pytest.mark.parametrize("number", [2**53, 2**63, 10**40])
@pytest.mark.parametrize("field", ["seq", "tokenCount"])
async def test_a_count_that_mongodb_does_not_hold_is_refused(database: Database, field: str, number: int) -> None:
    line = HEADER + RECORD % f'"{field}": {number}'.encode()
    with pytest.raises(TransferError, match=f"^line 2: {field}: input should be less than or equal to"):
        await imported(database, line)


@pytest.mark.parametrize("name", ["_id", "$set", "a\\u0000b"])
async def test_an_undeclared_field_that_mongodb_reads_otherwise_is_refused(database: Database, name: str) -> None:
    with pytest.raises(TransferError, match=r"^line 2: "):
        await imported(database, EXPORT + RECORD % f'"{name}": 1'.encode())
    assert await database.messages.count_documents({}) == 0


async def test_numbers_that_an_earlier_version_stored_come_out_as_null_and_in_again(
    database: Database, target: Database
) -> None:
    await imported(database, ndjson(*said("s", "Hello", metadata={"a": 1})))
    await database.messages.update_one({}, {"$set": {"metadata.a": float("nan")}})
    await database.sessions.update_one({}, {"$set": {"metadata.a": [float("inf")]}})
    file = await exported(database)
    assert (await imported(database, file)).present == 1
    await imported(target, file)
    (message,) = await target.messages.find()
    assert message["metadata"] == {"a": None}


@pytest.mark.parametrize(
    ("time", "problem"),
    [
        ("0001-01-01T00:00:00+05:00", "must be in the years 1 to 9999 in UTC"),
        ("0001-01-01T00:00:00.000001+00:01", "must be in the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-00:01", "must be in the years 1 to 9999 in UTC"),
        ("0000-06-01T00:00:00Z", "must be a time of the calendar"),
        ("2026-01-31", "write 2026-01-31T00:00:00Z if that is UTC"),
        ("2026-01-31 10:30:00Z", "must be a time in the format of RFC 3339"),
        ("1700000000", "must be a time in the format of RFC 3339"),
    ],
)
@pytest.mark.parametrize("field", ["createdAt", "updatedAt", "enrichment.at", "madeAt"])
async def test_a_time_that_can_not_be_kept_is_refused(database: Database, field: str, time: str, problem: str) -> None:
    value: Document = {field: time}
    if field == "enrichment.at":
        value = {"enrichment": {"state": "DONE", "attempts": 0, "at": time}}
    line = orjson.dumps({**said("s", "Hello")[0], **value}) + b"\n"
    with pytest.raises(TransferError, match=f"^line 2: '?{field}'? {problem}|^line 2: '?{field}'? .*{problem}$"):
        await imported(database, EXPORT + line)


async def test_times_at_the_edges_are_kept(database: Database) -> None:
    edges = ["0001-01-01T00:00:00Z", "0001-01-01T05:00:00+05:00", "9999-12-31T23:59:59.999999z"]
    file = ndjson(*(said("s", "x", createdAt=edge)[0] for edge in edges))
    for _ in range(2):
        await imported(database, file)
    assert (await exported(database)).count(b'"createdAt":"0001-01-01T00:00:00Z"') == 4  # session, memory, messages


async def test_an_import_with_microseconds_goes_on(database: Database) -> None:
    first, second = "2024-05-01T10:00:00.123456Z", "2024-05-01T10:00:00.123999+00:00"
    file = ndjson(
        {"type": "user", "userId": "u", "createdAt": first, "updatedAt": second},
        {"type": "session", "sessionId": "us", "userId": "u", "createdAt": first, "updatedAt": second},
        *said("us", "Hello", createdAt=first, updatedAt=second),
        *said("us", "there", createdAt=second),
    )
    assert (await imported(database, file)).sessions == 1
    again = await imported(database, file)
    assert (again.sessions, again.present, again.users) == (0, 1, 0)
    for collection in (database.users, database.sessions, database.messages, database.memories):
        for document in await collection.find():
            assert document["createdAt"].isoformat() == "2024-05-01T10:00:00.123000+00:00"


async def test_uuids_are_read_as_the_api_reads_them(database: Database) -> None:
    upper = "6F6F0C1E-3F0E-4B5A-8D43-0D6F6A1F1A11"
    memory = {"type": "memory", "sessionId": "s", "uuid": upper.replace("-", ""), "firstSeq": 1, "lastSeq": 1}
    file = ndjson(memory, *said("s", "Hello", uuid=upper.replace("6F", "7F"), memoryId=upper))
    await imported(database, file)
    assert (await imported(database, file)).present == 1
    (message,) = await database.messages.find()
    assert (message["_id"], message["memoryId"]) == (upper.lower().replace("6f", "7f"), upper.lower())


FILE = ndjson(*said("s", "Hello", "ü"))


@pytest.mark.parametrize(
    "file",
    [
        b"\xef\xbb\xbf" + FILE,
        gzip.compress(FILE, mtime=0),
        gzip.compress(b"\xef\xbb\xbf" + FILE, mtime=0),
        gzip.compress(FILE[:50], mtime=0) + gzip.compress(FILE[50:], mtime=0),
    ],
    ids=["mark", "gzip", "gzip of a mark", "two gzip members"],
)
async def test_a_byte_order_mark_and_gzip_are_read(database: Database, file: bytes) -> None:
    done = await imported(database, file)
    assert (done.messages, done.bytes_read) == (2, len(file))
    assert await database.messages.count_documents({"content": "ü"}) == 1


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (FILE.decode().encode("utf-16"), "the file is UTF-16: write it in UTF-8"),
        (FILE.decode().encode("utf-16-le"), "the file is UTF-16: write it in UTF-8"),
        (FILE.decode().encode("utf-16-be"), "the file is UTF-16: write it in UTF-8"),
        (FILE.decode().encode("utf-32"), "the file is UTF-32: write it in UTF-8"),
        (gzip.compress(FILE.decode().encode("utf-16")), "the file is UTF-16: write it in UTF-8"),
        (b"\x28\xb5\x2f\xfd\x00", "the file is compressed with zstd: only gzip is read"),
        (gzip.compress(FILE, mtime=0)[:-9], "the file has gzip data that is damaged or cut off"),
        (b"\x1f\x8bnonsense", "the file has gzip data that is damaged or cut off"),
        (gzip.compress(FILE, mtime=0) + b"more", "the file has gzip data that is damaged or cut off"),
    ],
)
async def test_a_file_in_another_form_is_named(database: Database, file: bytes, problem: str) -> None:
    with pytest.raises(TransferError, match=problem):
        await imported(database, file)


async def test_an_empty_file_is_named(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.touch()
    with path.open("rb") as file, pytest.raises(TransferError, match=f"^{path} is empty"):
        await Importer(database, TOKENS).run(file)
