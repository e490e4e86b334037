"""A collection as the store uses it: typed, with lists instead of cursors, and with the errors of `graph.errors`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar, Unpack, cast

from bson.codec_options import CodecOptions
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from graph.store.documents import Document
from graph.store.driver.abandoned import marked
from graph.store.driver.answer import count_bytes, refuse_answer
from graph.store.driver.client import CODEC
from graph.store.driver.decoding import RAW, decoded_cursor
from graph.store.driver.errors import translated_errors
from graph.store.driver.types import RawDatabase, ReturnDocument, Transaction, Write, awaited

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.results import BulkWriteResult, DeleteResult, InsertManyResult, InsertOneResult, UpdateResult

D = TypeVar("D", bound=Mapping[str, Any])


Filter: TypeAlias = Mapping[str, object]
Fields: TypeAlias = Mapping[str, object] | None
Pipeline: TypeAlias = Sequence[Mapping[str, object]]
Order: TypeAlias = Sequence[tuple[str, int | Mapping[str, object]]]


class CommandOptions(TypedDict, total=False):
    """An option of every command: the transaction or snapshot that it is part of."""

    session: Transaction | None


class OrderOptions(CommandOptions, total=False):
    """Options that choose the order of a read, and the index for it."""

    sort: Order | None
    hint: Order | None


class ReadOptions(OrderOptions, total=False):
    """Options of a read."""

    limit: int
    skip: int
    batch_size: int


class UpdateOptions(CommandOptions, total=False):
    """Options of an update."""

    upsert: bool


class UpsertOptions(CommandOptions, total=False):
    """Options of an update that returns the document, and creates a missing one."""

    projection: Fields


class FindAndUpdateOptions(UpsertOptions, total=False):
    """Options of an update that returns the document."""

    sort: Order | None
    return_document: bool


class CountOptions(CommandOptions, total=False):
    """Options of a count."""

    hint: Order | None
    limit: int


@dataclass(frozen=True, slots=True)
class Existing:
    """The condition under which a document of a collection exists for its callers.

    Attributes:
        only: the filter that they meet, with `$expr` alone.
        others: returns a filter that finds the other documents by an index.
        fields: the fields on which the filter depends.
        surely: whether a document, read with `fields`, meets the filter; False where only MongoDB can say so.
    """

    only: Filter
    others: Callable[[], Filter]
    fields: tuple[str, ...]
    surely: Callable[[Mapping[str, Any]], bool]


class Collection(Generic[D]):
    """One collection, behind either driver.

    Reads carry the mark of their query, and end with it. The blocks of `time_limit`, `bounded` and
    `commands_within` around them bound the time of all commands.

    Temporary errors of the driver become `Unavailable`. Those within a transaction pass unchanged, since their labels
    say whether the transaction must be repeated: `write` translates the remaining ones.

    Args:
        raw: the driver's collection.
        existing: the documents that exist for the caller; None for all. Inserts and `bulk_write` do not regard it, and
            MongoDB refuses an upsert with it.
    """

    __slots__ = ("_existing", "_raw")

    def __init__(self, raw: AsyncCollection[D], existing: Existing | None = None) -> None:
        self._raw = raw
        self._existing = existing

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._raw.name

    @property
    def fields_of_existence(self) -> tuple[str, ...]:
        """The fields by which `has` sees whether a document exists for the caller."""
        return () if self._existing is None else self._existing.fields

    async def find(self, match: Filter | None = None, fields: Fields = None, **options: Unpack[ReadOptions]) -> list[D]:
        """All documents that match."""
        with _translated(options):
            return await self._raw.find(self._those(match), fields, **self._marked(options)).to_list(None)

    async def find_at_once(
        self, match: Filter, fields: Fields = None, *, limit: int, **options: Unpack[OrderOptions]
    ) -> list[D]:
        """Return the first documents that match, at most `limit`, in one batch, which MongoDB ends at 16 MiB.

        The driver's method is used within a transaction, or if the connection fails.
        """
        answer = None
        if options.get("session") is None:
            command = {"find": self.name, "filter": self._those(match), "limit": limit, "singleBatch": True}
            command |= {"batchSize": limit + 1, "projection": fields or {}, **_ordered(**options)}
            with translated_errors():
                answer = await self._answer(command)
        if answer is None:
            # With a negative limit, the driver reads one batch.
            return await self.find(match, fields, limit=-limit, batch_size=limit + 1, **options)
        _, found = await decoded_cursor(answer, CODEC)
        return cast("list[D]", found)

    async def batches(
        self, match: Filter, fields: Fields = None, *, size: int, **options: Unpack[ReadOptions]
    ) -> AsyncGenerator[list[D], None]:
        """All documents that match, at most `size` at once; the iterator must be closed where it is not used up."""
        cursor = self._raw.find(self._those(match), fields, **self._marked(options))
        try:
            while True:
                with _translated(options):
                    found = await cursor.to_list(size)
                if not found:
                    return
                yield found
        finally:
            await cursor.close()

    async def find_one(
        self, match: Filter | None = None, fields: Fields = None, **options: Unpack[ReadOptions]
    ) -> D | None:
        """The first document that matches."""
        existing = self._existing
        with _translated(options):
            if existing is None or match is None or match.keys() != {"_id"}:
                return await self._raw.find_one(self._those(match), fields, **self._marked(options))
            # MongoDB plans a read by `_id` and another condition, which takes a tenth longer than a read by `_id`.
            added = [name for name in existing.fields if fields and name not in fields]
            read = {**dict.fromkeys(added, 1), **fields} if fields else None
            found = await self._raw.find_one(match, read, **self._marked(options))
            if found is None or not await self.has(match["_id"], found, session=options.get("session")):
                return None
            return cast("D", {name: value for name, value in found.items() if name not in added})

    async def has(self, key: object, document: Mapping[str, Any], **options: Unpack[CommandOptions]) -> bool:
        """Whether a document exists for the caller.

        Args:
            key: its `_id`.
            document: the document, read with `fields_of_existence`.
            options: the options of the read.
        """
        if self._existing is None or self._existing.surely(document):
            return True
        with _translated(options):
            found = await self._raw.find_one(self._those({"_id": key}), {"_id": 1}, **self._marked(options))
        return found is not None

    async def find_one_and_update(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[FindAndUpdateOptions]
    ) -> D | None:
        """Update a document; return it before the update, or after it with `return_document`."""
        with _translated(options):
            return await self._raw.find_one_and_update(self._those(match), update, **options)

    async def upsert_one(self, match: Filter, update: Filter, **options: Unpack[UpsertOptions]) -> D:
        """Update a document, or create a missing one; return it after the update."""
        with _translated(options):
            found = await self._raw.find_one_and_update(
                match, update, upsert=True, return_document=ReturnDocument.AFTER, **options
            )
        return cast("D", found)

    async def find_one_and_delete(self, match: Filter, **options: Unpack[CommandOptions]) -> D | None:
        """Delete a document, and return it."""
        with _translated(options):
            return await self._raw.find_one_and_delete(self._those(match), **options)

    async def count_documents(self, match: Filter, **options: Unpack[CountOptions]) -> int:
        """The number of documents that match."""
        with _translated(options):
            if self._existing is None or "hint" not in options or "limit" in options:
                return await self._raw.count_documents(self._those(match), **self._marked(options))
            # The index covers the count of all documents, which takes a fourth of the time of the filtered count.
            others = {"$and": [match, self._existing.others()]}
            unhinted = {name: value for name, value in options.items() if name != "hint"}
            absent = await self._raw.count_documents(others, **self._marked(unhinted))
            return await self._raw.count_documents(match, **self._marked(options)) - absent

    async def distinct(self, path: str, match: Filter | None = None, **options: Unpack[CommandOptions]) -> list[Any]:
        """The values at a path of the documents that match."""
        with _translated(options):
            return await self._raw.distinct(path, self._those(match), **self._marked(options))

    async def aggregate(self, pipeline: Pipeline, **options: Unpack[CommandOptions]) -> list[Document]:
        """All documents that a pipeline gives."""
        with _translated(options):
            return await _aggregate(self._raw, self._of_those(pipeline), **self._marked(options))

    async def aggregate_at_once(
        self, pipeline: Pipeline, codec: CodecOptions[Document], *, most: int
    ) -> list[Document]:
        """Return all documents of a pipeline, at most `most`, from the command's first answer.

        The driver's method is used if the documents exceed the 16 MiB of one answer, or if the connection fails.
        """
        command = {"aggregate": self.name, "pipeline": self._of_those(pipeline), "cursor": {"batchSize": most + 1}}
        with translated_errors():
            answer = await self._answer(command)
            if answer is not None:
                cursor, found = await decoded_cursor(answer, codec)
                if not cursor:
                    count_bytes(len(answer))
                    return found
                await self._raw.database.command("killCursors", self.name, cursors=[cursor])
                refuse_answer()  # more than 16 MiB
            again = self._raw.with_options(codec_options=codec)
            return await _aggregate(again, self._of_those(pipeline), **self._marked({}))

    async def _answer(self, command: Document) -> bytes | None:
        """Return the cursor of a read's answer, with its first batch, as BSON; None if the connection failed.

        Without the driver's cursor, a read takes four fifths of the processor time. Unlike the driver's methods,
        it does not try again.
        """
        majority = {**command, "readConcern": {"level": "majority"}}
        try:
            answer = await self._raw.database.command(self._marked(majority), codec_options=RAW)
        except ServerSelectionTimeoutError:
            raise  # a subclass of AutoReconnect, but the driver has waited for a server already
        except AutoReconnect:
            return None
        return bytes(answer["cursor"].raw)

    async def insert_one(self, document: D, **options: Unpack[CommandOptions]) -> InsertOneResult:
        """Store a document."""
        with _translated(options):
            return await self._raw.insert_one(document, **options)

    async def insert_many(
        self, documents: Sequence[D], *, ordered: bool = True, **options: Unpack[CommandOptions]
    ) -> InsertManyResult:
        """Store documents."""
        with _translated(options):
            return await self._raw.insert_many(documents, ordered=ordered, **options)

    async def replace_one(self, match: Filter, document: D, **options: Unpack[UpdateOptions]) -> UpdateResult:
        """Replace a document."""
        with _translated(options):
            return await self._raw.replace_one(self._those(match), document, **options)

    async def update_one(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Update a document."""
        with _translated(options):
            return await self._raw.update_one(self._those(match), update, **options)

    async def update_many(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Update all documents that match."""
        with _translated(options):
            return await self._raw.update_many(self._those(match), update, **options)

    async def delete_one(self, match: Filter, **options: Unpack[CommandOptions]) -> DeleteResult:
        """Delete a document."""
        with _translated(options):
            return await self._raw.delete_one(self._those(match), **options)

    async def delete_many(self, match: Filter, **options: Unpack[CommandOptions]) -> DeleteResult:
        """Delete all documents that match."""
        with _translated(options):
            return await self._raw.delete_many(self._those(match), **options)

    async def bulk_write(
        self, writes: Sequence[Write], *, ordered: bool = True, **options: Unpack[CommandOptions]
    ) -> BulkWriteResult:
        """Do several writes."""
        with _translated(options):
            return await self._raw.bulk_write(writes, ordered=ordered, **options)

    def _those(self, match: Filter | None) -> Filter:
        """Return a filter of the matching documents that exist for the caller."""
        if self._existing is None:
            return match or {}
        only = self._existing.only
        return {"$and": [match, only]} if match and "$expr" in match else {**(match or {}), **only}

    def _of_those(self, pipeline: Pipeline) -> Pipeline:
        """Return a pipeline that begins with the documents that exist for the caller."""
        return pipeline if self._existing is None else [{"$match": self._existing.only}, *pipeline]

    def _marked(self, options: Mapping[str, Any]) -> Document:
        return marked(dict(options), self._raw.database.client)


AnyCollection: TypeAlias = Collection[Any]
"""A collection of which the caller knows only some fields."""


def collection_of(
    database: RawDatabase,
    name: str,
    of: type[D],  # noqa: ARG001 - binds D
    *,
    existing: Existing | None = None,
) -> Collection[D]:
    """The collection `name`, of documents of a type: of the existing ones alone, or of all."""
    return Collection(cast("AsyncCollection[D]", database.get_collection(name, codec_options=CODEC)), existing)


def _ordered(*, sort: Order | None = None, hint: Order | None = None, **_: object) -> dict[str, Document]:
    return {name: dict(order) for name, order in (("sort", sort), ("hint", hint)) if order is not None}


async def _aggregate(collection: AsyncCollection[Any], pipeline: Pipeline, **options: Any) -> list[Document]:
    cursor = await awaited(collection.aggregate(pipeline, **options))
    found: list[Document] = await cursor.to_list(None)
    return found


def _translated(options: CommandOptions) -> AbstractContextManager[None]:
    tx = options.get("session")
    return nullcontext() if tx is not None and tx.in_transaction else translated_errors()
