"""LangGraph's threads as wholes: deleted, copied, and cut to their latest checkpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from recallql.client import AsyncRecallQL
from recallql.generated.fragments import ItemFields
from recallql.generated.input_types import ItemInput, ItemPlace
from recallql.langgraph_places import (
    CHECKPOINTS,
    PAGE,
    backwards,
    chunks_of,
    delete,
    of_thread,
    place_of,
    roots,
    store,
    writes_of,
)

Read: TypeAlias = Callable[[ItemFields], Awaitable[Any]]
"""Returns the checkpoint and the metadata of an item."""


@dataclass(frozen=True, slots=True)
class Thread:
    """The items of a thread.

    Attributes:
        client: the client.
        user_id: the user whose items they are.
        thread_id: the thread.
    """

    client: AsyncRecallQL
    user_id: str
    thread_id: str

    async def delete(self) -> None:
        """Delete the thread, 100 items at once."""
        prefix = of_thread(self.thread_id)
        while edges := (await self.client.operations.items(self.user_id, prefix, first=PAGE)).items.edges:
            await delete(self.client, self.user_id, [place_of(edge.node) for edge in edges])

    async def copy_to(self, target: Thread) -> None:
        """Copy the checkpoints and writes, of each namespace the oldest first, so that each one has its ancestors."""
        for place in await roots(self.client, self.user_id, self.thread_id):
            after: str | None = None
            while True:
                page = (
                    await self.client.operations.items(self.user_id, [*place, CHECKPOINTS], first=PAGE, after=after)
                ).items
                for edge in page.edges:
                    await self._copy(edge.node, target)
                after = page.page_info.end_cursor
                if not page.page_info.has_next_page:
                    break

    async def _copy(self, checkpoint: ItemFields, target: Thread) -> None:
        async for item in self._parts(checkpoint):
            await target.put(item)
        # A deletion takes the checkpoint before or with its parts: while it is there, all of them were.
        there = await self.client.operations.item(self.user_id, checkpoint.namespace, checkpoint.key)
        if there.item is not None:
            await target.put(checkpoint)

    async def put(self, item: ItemFields) -> None:
        """Store the item of another thread."""
        namespace = [*of_thread(self.thread_id), *item.namespace[2:]]
        copy = ItemInput(namespace=namespace, key=item.key, value=item.value, index=[])
        await store(self.client, self.user_id, [copy])

    async def keep_latest(self, read: Read) -> None:
        """Delete all checkpoints but the latest one of each namespace, and what that one is read from."""
        for place in await roots(self.client, self.user_id, self.thread_id):
            kept: Collection[str] | None = None
            doomed: list[ItemPlace] = []
            async for checkpoint in backwards(self.client, self.user_id, [*place, CHECKPOINTS]):
                if kept is None:
                    kept = await self._kept(checkpoint, read)
                if checkpoint.key in kept:
                    continue
                doomed.append(place_of(checkpoint))
                async for part in self._parts(checkpoint):
                    doomed.append(place_of(part))
                    if len(doomed) >= PAGE - 1:
                        await delete(self.client, self.user_id, doomed)
                        doomed = []
            await delete(self.client, self.user_id, doomed)

    async def _kept(self, latest: ItemFields, read: Read) -> Collection[str]:
        """Return the ids of the latest checkpoint and of its ancestors back to the snapshots of its delta channels.

        The value of a delta channel is its last snapshot and the writes since, those of the ancestors. The metadata of
        the latest checkpoint name the channels with such writes.
        """
        checkpoint, metadata = await read(latest)
        missing = set(metadata.get("counters_since_delta_snapshot") or ())
        kept, item = {latest.key}, latest
        while missing := missing - checkpoint["channel_values"].keys():
            parent = item.value["parent"]
            found = None
            if parent is not None:
                found = (await self.client.operations.item(self.user_id, latest.namespace, parent)).item
            if found is None:
                break
            item = found
            kept.add(item.key)
            checkpoint, _ = await read(item)
        return kept

    async def _parts(self, checkpoint: ItemFields) -> AsyncIterator[ItemFields]:
        """Yield what belongs to a checkpoint: its chunks, its writes, and before each of them its chunks."""
        async for chunk in chunks_of(self.client, self.user_id, checkpoint):
            yield chunk
        async for write in writes_of(self.client, self.user_id, checkpoint):
            async for chunk in chunks_of(self.client, self.user_id, write):
                yield chunk
            yield write
