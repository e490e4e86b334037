"""A collection as the store uses it: typed, with lists instead of cursors, and with the errors of `graph.errors`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypedDict, TypeVar, Unpack, cast

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from graph.store.documents import Document
from graph.store.driver.abandoned import marked
from graph.store.driver.answer import count_bytes, refuse_answer
from graph.store.driver.client import CODEC
from graph.store.driver.errors import translated_errors
from graph.store.driver.types import RawDatabase, ReturnDocument, Transaction, Write, awaited

if TYPE_CHECKING:
    from pymongo.asynchronous.collection import AsyncCollection
    from pymongo.results import BulkWriteResult, DeleteResult, InsertManyResult, InsertOneResult, UpdateResult

D = TypeVar("D", bound=Mapping[str, Any])

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
"""For the answer of a command, which the driver decodes without the types of `CODEC`."""

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


class Collection(Generic[D]):
    """One collection, behind either driver.

    Reads carry the mark of their query, and end with it. The blocks of `time_limit`, `bounded` and
    `commands_within` around them bound the time of all commands.

    Temporary errors of the driver become `Unavailable`. Those within a transaction pass unchanged, since their labels
    say whether the transaction must be repeated: `write` translates the remaining ones.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: AsyncCollection[D]) -> None:
        self._raw = raw

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._raw.name

    async def find(self, match: Filter | None = None, fields: Fields = None, **options: Unpack[ReadOptions]) -> list[D]:
        """All documents that match."""
        with _translated(options):
            return await self._raw.find(match, fields, **self._marked(options)).to_list(None)

    async def find_at_once(
        self, match: Filter, fields: Fields = None, *, limit: int, **options: Unpack[OrderOptions]
    ) -> list[D]:
        """Return the first documents that match, at most `limit`, in one batch, which MongoDB ends at 16 MiB.

        The driver's method is used within a transaction, or if the connection fails.
        """
        answer = None
        if options.get("session") is None:
            command = {"find": self.name, "filter": match, "limit": limit, "singleBatch": True, "batchSize": limit + 1}
            command |= {"projection": fields or {}, **_ordered(**options)}
            with translated_errors():
                answer = await self._answer(command)
        if answer is None:
            # With a negative limit, the driver reads one batch.
            return await self.find(match, fields, limit=-limit, batch_size=limit + 1, **options)
        return cast("list[D]", bson.decode(answer, CODEC)["firstBatch"])

    async def batches(
        self, match: Filter, fields: Fields = None, *, size: int, **options: Unpack[ReadOptions]
    ) -> AsyncGenerator[list[D], None]:
        """All documents that match, at most `size` at once; the iterator must be closed where it is not used up."""
        cursor = self._raw.find(match, fields, **self._marked(options))
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
        with _translated(options):
            return await self._raw.find_one(match, fields, **self._marked(options))

    async def find_one_and_update(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[FindAndUpdateOptions]
    ) -> D | None:
        """Update a document; return it before the update, or after it with `return_document`."""
        with _translated(options):
            return await self._raw.find_one_and_update(match, update, **options)

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
            return await self._raw.find_one_and_delete(match, **options)

    async def count_documents(self, match: Filter, **options: Unpack[CountOptions]) -> int:
        """The number of documents that match."""
        with _translated(options):
            return await self._raw.count_documents(match, **self._marked(options))

    async def distinct(self, path: str, match: Filter | None = None, **options: Unpack[CommandOptions]) -> list[Any]:
        """The values at a path of the documents that match."""
        with _translated(options):
            return await self._raw.distinct(path, match, **self._marked(options))

    async def aggregate(self, pipeline: Pipeline, **options: Unpack[CommandOptions]) -> list[Document]:
        """All documents that a pipeline gives."""
        with _translated(options):
            return await _aggregate(self._raw, pipeline, **self._marked(options))

    async def aggregate_at_once(
        self, pipeline: Pipeline, codec: CodecOptions[Document], *, most: int
    ) -> list[Document]:
        """Return all documents of a pipeline, at most `most`, from the command's first answer.

        The driver's method is used if the documents exceed the 16 MiB of one answer, or if the connection fails.
        """
        command = {"aggregate": self.name, "pipeline": pipeline, "cursor": {"batchSize": most + 1}}
        with translated_errors():
            answer = await self._answer(command)
            found = None if answer is None else bson.decode(answer, codec)
            if found is not None and found["id"]:
                await self._raw.database.command("killCursors", self.name, cursors=[found["id"]])
                refuse_answer()  # more than 16 MiB
            if answer is None or found is None or found["id"]:
                again = self._raw.with_options(codec_options=codec)
                return await _aggregate(again, pipeline, **self._marked({}))
        count_bytes(len(answer))
        return cast("list[Document]", found["firstBatch"])

    async def _answer(self, command: Document) -> bytes | None:
        """Return the cursor of a read's answer, with its first batch, as BSON; None if the connection failed.

        Without the driver's cursor, a read takes four fifths of the processor time. Unlike the driver's methods, this
        one does not try again.
        """
        majority = {**command, "readConcern": {"level": "majority"}}
        try:
            answer = await self._raw.database.command(self._marked(majority), codec_options=_RAW)
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
            return await self._raw.replace_one(match, document, **options)

    async def update_one(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Update a document."""
        with _translated(options):
            return await self._raw.update_one(match, update, **options)

    async def update_many(
        self, match: Filter, update: Filter | Pipeline, **options: Unpack[UpdateOptions]
    ) -> UpdateResult:
        """Update all documents that match."""
        with _translated(options):
            return await self._raw.update_many(match, update, **options)

    async def delete_one(self, match: Filter, **options: Unpack[CommandOptions]) -> DeleteResult:
        """Delete a document."""
        with _translated(options):
            return await self._raw.delete_one(match, **options)

    async def delete_many(self, match: Filter, **options: Unpack[CommandOptions]) -> DeleteResult:
        """Delete all documents that match."""
        with _translated(options):
            return await self._raw.delete_many(match, **options)

    async def bulk_write(
        self, writes: Sequence[Write], *, ordered: bool = True, **options: Unpack[CommandOptions]
    ) -> BulkWriteResult:
        """Do several writes."""
        with _translated(options):
            return await self._raw.bulk_write(writes, ordered=ordered, **options)

    def _marked(self, options: Mapping[str, Any]) -> Document:
        return marked(dict(options), self._raw.database.client)


AnyCollection: TypeAlias = Collection[Any]
"""A collection of which the caller knows only some fields."""


def collection_of(database: RawDatabase, name: str, of: type[D]) -> Collection[D]:  # noqa: ARG001 - binds D
    """The collection `name`, of documents of a type."""
    return Collection(cast("AsyncCollection[D]", database.get_collection(name, codec_options=CODEC)))


def _ordered(*, sort: Order | None = None, hint: Order | None = None, **_: object) -> dict[str, Document]:
    return {name: dict(order) for name, order in (("sort", sort), ("hint", hint)) if order is not None}


async def _aggregate(collection: AsyncCollection[Any], pipeline: Pipeline, **options: Any) -> list[Document]:
    cursor = await awaited(collection.aggregate(pipeline, **options))
    found: list[Document] = await cursor.to_list(None)
    return found


def _translated(options: CommandOptions) -> AbstractContextManager[None]:
    tx = options.get("session")
    return nullcontext() if tx is not None and tx.in_transaction else translated_errors()
