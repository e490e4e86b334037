"""LangGraph: a checkpoint saver (`pip install recallql-client[langgraph]`)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from recallql.client import AsyncRecallQL
from recallql.errors import Conflict
from recallql.generated.fragments import ItemFields
from recallql.generated.input_types import DeleteItemsInput, ItemInput, ItemPlace, PutItemsInput
from recallql.sync import RecallQL

Result = TypeVar("Result")

_ROOT = "langgraph"
_CHECKPOINTS = "checkpoints"
_WRITES = "writes"
_CHUNKS = "chunks"
_CHARACTERS = 200_000
"""Characters of Base64 in one item, which has at most 256 KiB."""
_PAGE = 100
_BYTES = 4_000_000
"""Characters of one request, whose body has at most 8 MiB."""
_LABEL_BYTES = 256
_USER_BYTES = 512
_HASHED = "sha256:"


def _own_user(thread_id: str) -> str:
    """Return the user of a thread: one of its own, as a user has at most 10,000 items."""
    name = quote(thread_id, safe="")
    return f"{_ROOT}/{_short(name, _USER_BYTES - len(_ROOT) - 1)}"


def _short(name: str, most: int) -> str:
    """Return a name, or the digest of a long one; a name that looks like a digest has one of its own."""
    data = name.encode()
    if len(data) <= most and not name.startswith(_HASHED):
        return name
    return _HASHED + hashlib.sha256(data).hexdigest()


class RecallQLSaver(BaseCheckpointSaver[int]):
    """Checkpoints of LangGraph's threads, as items.

    A checkpoint is one item, and one further item for each 150 KB of its state, with the values of all channels. A
    pending write is an item. By default, the items of a thread are those of the user `langgraph/{thread_id}`: a thread
    has at most 10,000 items, by which long threads need `delete_thread`, and the client needs a service key.

    The item of a checkpoint is stored last, so that a reader finds a checkpoint whole or not at all. Up to 100 writes
    of one `put_writes` are one transaction. A thread id or namespace of more than 255 bytes, as of a graph within
    graphs, is a digest in the places of the items, and a checkpoint has its namespace next to it. `delete_thread`
    deletes 100 items at once; after an error, call it again.

    Args:
        client: the client; one without asyncio for the methods without asyncio.
        user_of: returns the user of a thread, with whom its items are erased.
        serde: the serializer; by default LangGraph's.
    """

    def __init__(
        self,
        client: RecallQL | AsyncRecallQL,
        *,
        user_of: Callable[[str], str] = _own_user,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(serde=serde)
        self._client = client
        self._user_of = user_of

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint, or without an id the latest one of the thread."""
        return self._run(lambda client: self._get(client, config))

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint, or without an id the latest one of the thread."""
        return await self._arun(lambda client: self._get(client, config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - the name is LangGraph's
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Yield the checkpoints of a thread, the latest first."""

        async def found(client: AsyncRecallQL) -> list[CheckpointTuple]:
            return [one async for one in self._list(client, config, filter, before, limit)]

        yield from self._run(found)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield the checkpoints of a thread, the latest first."""
        if isinstance(self._client, AsyncRecallQL):
            async for one in self._list(self._client, config, filter, before, limit):
                yield one
        else:
            listed = await asyncio.to_thread(lambda: [*self.list(config, filter=filter, before=before, limit=limit)])
            for one in listed:
                yield one

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - all values are stored
    ) -> RunnableConfig:
        """Store a checkpoint."""
        return self._run(lambda client: self._put(client, config, checkpoint, metadata))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,  # noqa: ARG002 - all values are stored
    ) -> RunnableConfig:
        """Store a checkpoint."""
        return await self._arun(lambda client: self._put(client, config, checkpoint, metadata))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task; those that are stored stay, but for errors, interrupts and resumptions."""
        self._run(lambda client: self._put_writes(client, config, writes, task_id, task_path))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store the writes of a task; those that are stored stay, but for errors, interrupts and resumptions."""
        await self._arun(lambda client: self._put_writes(client, config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Delete the checkpoints and writes of a thread."""
        self._run(lambda client: self._delete(client, thread_id))

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete the checkpoints and writes of a thread."""
        await self._arun(lambda client: self._delete(client, thread_id))

    def _run(self, call: Callable[[AsyncRecallQL], Coroutine[Any, Any, Result]]) -> Result:
        if isinstance(self._client, AsyncRecallQL):
            message = "the saver has an AsyncRecallQL: call its methods with asyncio, or make it with a RecallQL"
            raise TypeError(message)
        return self._client.run(call)

    async def _arun(self, call: Callable[[AsyncRecallQL], Coroutine[Any, Any, Result]]) -> Result:
        if isinstance(self._client, AsyncRecallQL):
            return await call(self._client)
        return await asyncio.to_thread(self._run, call)

    async def _get(self, client: AsyncRecallQL, config: RunnableConfig) -> CheckpointTuple | None:
        thread_id, ns = _place(config)
        user_id, root = self._user_of(thread_id), _root(thread_id, ns)
        if checkpoint_id := get_checkpoint_id(config):
            found = (await client.operations.item(user_id, [*root, _CHECKPOINTS], checkpoint_id)).item
        else:
            page = (await client.operations.items(user_id, [*root, _CHECKPOINTS], last=1)).items
            found = page.edges[0].node if page.edges else None
        return None if found is None else await self._tuple(client, user_id, thread_id, ns, found)

    async def _list(
        self,
        client: AsyncRecallQL,
        config: RunnableConfig | None,
        where: Mapping[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> AsyncIterator[CheckpointTuple]:
        if config is None:
            message = "RecallQL lists the checkpoints of one thread: give its config"
            raise NotImplementedError(message)
        thread_id, only = str(config["configurable"]["thread_id"]), config["configurable"].get("checkpoint_ns")
        user_id, wanted = self._user_of(thread_id), get_checkpoint_id(config)
        end = get_checkpoint_id(before) if before else None
        left = limit
        places: Sequence[Sequence[str]] = (
            [_root(thread_id, only)] if only is not None else await self._roots(client, user_id, thread_id)
        )
        for root in places:
            async for item in _backwards(client, user_id, [*root, _CHECKPOINTS]):
                if (wanted and item.key != wanted) or (end and item.key >= end):
                    continue
                if left is not None and left <= 0:
                    return
                ns = item.value.get("ns", root[-1].removeprefix("/"))  # a short one is in the place alone
                found = await self._tuple(client, user_id, thread_id, ns, item)
                metadata: Mapping[str, Any] = found.metadata
                if all(metadata.get(key) == value for key, value in (where or {}).items()):
                    left = None if left is None else left - 1
                    yield found

    async def _roots(self, client: AsyncRecallQL, user_id: str, thread_id: str) -> Sequence[Sequence[str]]:
        """Return the places of a thread's checkpoints, one for each namespace."""
        prefix = _root(thread_id, "")[:-1]
        found: deque[Sequence[str]] = deque()
        after: str | None = None
        while True:
            page = (
                await client.operations.item_namespaces(
                    user_id, prefix=prefix, suffix=[_CHECKPOINTS], first=1_000, after=after
                )
            ).item_namespaces
            found += [edge.node.namespace[:-1] for edge in page.edges]
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return tuple(root for root in found if len(root) == len(prefix) + 1)

    async def _tuple(
        self, client: AsyncRecallQL, user_id: str, thread_id: str, ns: str, item: ItemFields
    ) -> CheckpointTuple:
        checkpoint, metadata = await self._read(client, user_id, item)
        writes = [one async for one in _backwards(client, user_id, [*_root(thread_id, ns), _WRITES, item.key])]
        writes.sort(key=lambda one: writes_sort_key(one.value["path"], one.value["task"], one.value["index"]))
        parent = item.value["parent"]
        return CheckpointTuple(
            config=_config(thread_id, ns, item.key),
            checkpoint=checkpoint,
            metadata=metadata,
            parent_config=None if parent is None else _config(thread_id, ns, parent),
            pending_writes=[
                (one.value["task"], one.value["channel"], await self._read(client, user_id, one)) for one in writes
            ],
        )

    async def _put(
        self, client: AsyncRecallQL, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> RunnableConfig:
        thread_id, ns = _place(config)
        kept = (checkpoint, get_serializable_checkpoint_metadata(config, metadata))
        about = {"parent": config["configurable"].get("checkpoint_id")}
        if _root(thread_id, ns)[-1] != f"/{ns}":
            about["ns"] = ns
        head, chunks = self._items([*_root(thread_id, ns), _CHECKPOINTS], checkpoint["id"], about, kept)
        await _store(client, self._user_of(thread_id), chunks)
        await _store(client, self._user_of(thread_id), [head])
        return _config(thread_id, ns, checkpoint["id"])

    async def _put_writes(
        self,
        client: AsyncRecallQL,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> None:
        thread_id, ns = _place(config)
        user_id = self._user_of(thread_id)
        namespace = [*_root(thread_id, ns), _WRITES, str(config["configurable"]["checkpoint_id"])]
        heads: list[ItemInput] = []
        for place, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, place)
            about = {"task": task_id, "path": task_path, "channel": channel, "index": index}
            head, chunks = self._items(namespace, f"{task_id}/{index}", about, value)
            head.expected_revision = 0 if index >= 0 else None
            await _store(client, user_id, chunks)
            heads.append(head)
        try:
            await _store(client, user_id, heads)
        except Conflict as error:  # some are stored, maybe by an attempt whose answer was lost
            if not _is_stored(error):
                raise
            for head in heads:
                try:
                    await _store(client, user_id, [head])
                except Conflict as own:
                    if not _is_stored(own):
                        raise

    async def _delete(self, client: AsyncRecallQL, thread_id: str) -> None:
        user_id = self._user_of(thread_id)
        while edges := (await client.operations.items(user_id, _root(thread_id, "")[:-1], first=_PAGE)).items.edges:
            places = [ItemPlace(namespace=edge.node.namespace, key=edge.node.key) for edge in edges]
            given = {"user_id": user_id, "items": places}
            await client.operations.delete_items(DeleteItemsInput.model_validate(given))

    def _items(
        self, namespace: Sequence[str], key: str, about: Mapping[str, Any], value: object
    ) -> tuple[ItemInput, Sequence[ItemInput]]:
        """Return the item of a value, and the further items for what is too long for one."""
        kind, data = self.serde.dumps_typed(value)
        text = base64.b64encode(data).decode()
        # Another value never changes the chunks of this one.
        digest = hashlib.sha256(data).hexdigest() if len(text) > _CHARACTERS else None
        first, *others = [text[at : at + _CHARACTERS] for at in range(0, max(len(text), 1), _CHARACTERS)]
        own = {**about, "type": kind, "data": first, "chunks": digest}
        chunks = [
            ItemInput(
                namespace=[*namespace[:3], _CHUNKS, str(digest)], key=f"{number:06}", value={"data": chunk}, index=[]
            )
            for number, chunk in enumerate(others)
        ]
        return ItemInput(namespace=list(namespace), key=key, value=own, index=[]), chunks

    async def _read(self, client: AsyncRecallQL, user_id: str, item: ItemFields) -> Any:
        text = item.value["data"]
        if (digest := item.value["chunks"]) is not None:
            namespace = [*item.namespace[:3], _CHUNKS, digest]
            found = [one.value["data"] async for one in _backwards(client, user_id, namespace, most=20)]
            text += "".join(reversed(found))
        return self.serde.loads_typed((item.value["type"], base64.b64decode(text)))


async def _store(client: AsyncRecallQL, user_id: str, items: Sequence[ItemInput]) -> None:
    """Store items, up to 100 and 4 MB in one transaction."""
    some: list[ItemInput] = []
    size = 0
    for item in [*items, None]:
        own = 0 if item is None else len(item.value["data"])
        if some and (item is None or len(some) == _PAGE or size + own > _BYTES):
            given = {"user_id": user_id, "items": some}
            await client.operations.put_items(PutItemsInput.model_validate(given))
            some, size = [], 0
        if item is not None:
            some.append(item)
            size += own


async def _backwards(
    client: AsyncRecallQL, user_id: str, namespace: Sequence[str], *, most: int = _PAGE
) -> AsyncIterator[ItemFields]:
    """Yield the items of a namespace, in the opposite order of their keys."""
    before: str | None = None
    while True:
        page = (await client.operations.items(user_id, list(namespace), last=most, before=before)).items
        for edge in reversed(page.edges):
            yield edge.node
        before = page.page_info.start_cursor
        if not page.page_info.has_previous_page:
            return


def _place(config: RunnableConfig) -> tuple[str, str]:
    configurable = config["configurable"]
    return str(configurable["thread_id"]), str(configurable.get("checkpoint_ns", ""))


def _root(thread_id: str, ns: str) -> list[str]:
    # A label is never empty.
    return [_ROOT, _short(thread_id, _LABEL_BYTES), f"/{_short(ns, _LABEL_BYTES - 1)}"]


def _is_stored(error: Conflict) -> bool:
    """Whether an item was refused because it exists, rather than for another reason."""
    return bool(error.extensions.get("revision"))


def _config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
