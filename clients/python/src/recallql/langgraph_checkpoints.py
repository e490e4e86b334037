"""LangGraph: a checkpoint saver (`pip install recallql-client[langgraph]`)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

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
from recallql.generated.input_types import ItemInput
from recallql.langgraph_places import (
    CHECKPOINTS,
    CHUNKS,
    WRITES,
    backwards,
    chunks_of,
    own_user,
    root_of,
    roots,
    store,
    writes_of,
)
from recallql.langgraph_threads import Thread
from recallql.sync import RecallQL

Result = TypeVar("Result")

_CHARACTERS = 200_000
"""Characters of Base64 in one item, which has at most 256 KiB."""


class RecallQLSaver(BaseCheckpointSaver[int]):
    """Checkpoints of LangGraph's threads, as items.

    A checkpoint is one item, and one further item for each 150 KB of its state, with the values of all channels. A
    pending write is an item. By default, the items of a thread are those of the user `langgraph/{thread_id}`: a thread
    has at most 10,000 items, by which long threads need `prune` or `delete_thread`, and the client needs a service key.

    The item of a checkpoint is stored last, so that a reader finds a checkpoint whole or not at all. Up to 100 writes
    of one `put_writes` are one transaction. A thread id or namespace of more than 255 bytes, as of a graph within
    graphs, is a digest in the places of the items, and a checkpoint has its namespace next to it.

    `delete_thread` and `prune` delete 100 items at once, and `copy_thread` copies the oldest checkpoints first, each
    with its ancestors; after an error, call them again. What others store meanwhile stays: of a thread that is written,
    a copy has the checkpoints that there were. `prune` keeps the latest checkpoint of each namespace, and the ancestors
    that its delta channels are read from. A run that goes on from another checkpoint meanwhile loses its ancestors, and
    what a lost connection leaves of a checkpoint's chunks and writes goes with the thread.
    `delete_for_runs` is not implemented: it names no thread, and the API lists the items of one user.

    Args:
        client: the client; one without asyncio for the methods without asyncio.
        user_of: returns the user of a thread, with whom its items are erased.
        serde: the serializer; by default LangGraph's.
    """

    def __init__(
        self,
        client: RecallQL | AsyncRecallQL,
        *,
        user_of: Callable[[str], str] = own_user,
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
        self._run(lambda client: self._thread(client, thread_id).delete())

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete the checkpoints and writes of a thread."""
        await self._arun(lambda client: self._thread(client, thread_id).delete())

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the checkpoints and writes of a thread to another one, whose own ones stay."""
        self._run(lambda client: self._copy(client, source_thread_id, target_thread_id))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy the checkpoints and writes of a thread to another one, whose own ones stay."""
        await self._arun(lambda client: self._copy(client, source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete threads (`delete`), or all but the latest checkpoint of each of their namespaces (`keep_latest`).

        Raises:
            ValueError: the strategy is another one; nothing is deleted.
        """
        self._run(lambda client: self._prune(client, thread_ids, strategy))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete threads (`delete`), or all but the latest checkpoint of each of their namespaces (`keep_latest`).

        Raises:
            ValueError: the strategy is another one; nothing is deleted.
        """
        await self._arun(lambda client: self._prune(client, thread_ids, strategy))

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
        user_id, root = self._user_of(thread_id), root_of(thread_id, ns)
        if checkpoint_id := get_checkpoint_id(config):
            found = (await client.operations.item(user_id, [*root, CHECKPOINTS], checkpoint_id)).item
        else:
            page = (await client.operations.items(user_id, [*root, CHECKPOINTS], last=1)).items
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
            [root_of(thread_id, only)] if only is not None else await roots(client, user_id, thread_id)
        )
        for root in places:
            async for item in backwards(client, user_id, [*root, CHECKPOINTS]):
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

    async def _tuple(
        self, client: AsyncRecallQL, user_id: str, thread_id: str, ns: str, item: ItemFields
    ) -> CheckpointTuple:
        checkpoint, metadata = await self._read(client, user_id, item)
        writes = [one async for one in writes_of(client, user_id, item)]
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
        if root_of(thread_id, ns)[-1] != f"/{ns}":
            about["ns"] = ns
        head, chunks = self._items([*root_of(thread_id, ns), CHECKPOINTS], checkpoint["id"], about, kept)
        await store(client, self._user_of(thread_id), chunks)
        await store(client, self._user_of(thread_id), [head])
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
        namespace = [*root_of(thread_id, ns), WRITES, str(config["configurable"]["checkpoint_id"])]
        heads: list[ItemInput] = []
        for place, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, place)
            about = {"task": task_id, "path": task_path, "channel": channel, "index": index}
            head, chunks = self._items(namespace, f"{task_id}/{index}", about, value)
            head.expected_revision = 0 if index >= 0 else None
            await store(client, user_id, chunks)
            heads.append(head)
        try:
            await store(client, user_id, heads)
        except Conflict as error:  # some are stored, maybe by an attempt whose answer was lost
            if not _is_stored(error):
                raise
            for head in heads:
                try:
                    await store(client, user_id, [head])
                except Conflict as own:
                    if not _is_stored(own):
                        raise

    def _thread(self, client: AsyncRecallQL, thread_id: str) -> Thread:
        return Thread(client, self._user_of(thread_id), thread_id)

    async def _copy(self, client: AsyncRecallQL, source_id: str, target_id: str) -> None:
        if source_id != target_id:
            await self._thread(client, source_id).copy_to(self._thread(client, target_id))

    async def _prune(self, client: AsyncRecallQL, thread_ids: Sequence[str], strategy: str) -> None:
        if strategy not in {"keep_latest", "delete"}:
            message = f"strategy is {strategy!r}: give keep_latest or delete"
            raise ValueError(message)
        for thread_id in thread_ids:
            thread = self._thread(client, thread_id)
            if strategy == "delete":
                await thread.delete()
            else:
                await thread.keep_latest(partial(self._read, client, thread.user_id))

    def _items(
        self, namespace: Sequence[str], key: str, about: Mapping[str, Any], value: object
    ) -> tuple[ItemInput, Sequence[ItemInput]]:
        """Return the item of a value, and the further items for what is too long for one."""
        kind, data = self.serde.dumps_typed(value)
        text = base64.b64encode(data).decode()
        # Another value never changes the chunks of this one, and the chunks of another item never go with this one's.
        own_data = json.dumps([namespace, key]).encode() + data
        digest = hashlib.sha256(own_data).hexdigest() if len(text) > _CHARACTERS else None
        first, *others = [text[at : at + _CHARACTERS] for at in range(0, max(len(text), 1), _CHARACTERS)]
        own = {**about, "type": kind, "data": first, "chunks": digest}
        chunks = [
            ItemInput(
                namespace=[*namespace[:3], CHUNKS, str(digest)], key=f"{number:06}", value={"data": chunk}, index=[]
            )
            for number, chunk in enumerate(others)
        ]
        return ItemInput(namespace=list(namespace), key=key, value=own, index=[]), chunks

    async def _read(self, client: AsyncRecallQL, user_id: str, item: ItemFields) -> Any:
        text = item.value["data"]
        chunks = [one.value["data"] async for one in chunks_of(client, user_id, item)]
        text += "".join(reversed(chunks))
        return self.serde.loads_typed((item.value["type"], base64.b64decode(text)))


def _place(config: RunnableConfig) -> tuple[str, str]:
    configurable = config["configurable"]
    return str(configurable["thread_id"]), str(configurable.get("checkpoint_ns", ""))


def _is_stored(error: Conflict) -> bool:
    """Whether an item was refused because it exists, rather than for another reason."""
    return bool(error.extensions.get("revision"))


def _config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
