"""The reading of listings page by page, with a bound on the kept pages."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from graph.live.memory import Memory
from graph.store.documents import Document
from graph.store.feed import following

Read: TypeAlias = Callable[[following.Position | None], Awaitable[following.Page]]
"""Reads the page of a listing that begins after a position, or the first one."""

Placed: TypeAlias = tuple[int, Document]
"""An event with the number of its place."""


async def paged(memory: Memory, read: Read) -> AsyncGenerator[following.Item, None]:
    """All items of a listing, page by page. A page that was dropped when memory was short is read again.

    Args:
        memory: where pages are kept while their documents are sent.
        read: reads the page that begins after a position, or the first one.
    """
    key = object()
    position: following.Position | None = None
    more = True
    try:
        while more:
            page = await read(position)
            end, left = page.end, len(page.items)
            memory.keep(key, deque(page.items), page.size)
            del page
            while left and (item := memory.take(key)) is not None:
                left -= 1
                position = item.position
                only_reference = [item]
                del item
                yield only_reference.pop()
            if not left:
                position, more = end, end is not None
    finally:
        memory.drop(key)


async def merged(
    first: AsyncGenerator[Placed, None], second: AsyncGenerator[Placed, None]
) -> AsyncGenerator[Placed, None]:
    """The events of two sources in the order of their places; of equal places, that of the first source comes first."""
    sources = (first, second)
    waiting = [await anext(source, None) for source in sources]
    while any(waiting):
        index = _earlier(*waiting)
        only_reference = [waiting[index]]
        waiting[index] = None
        if (event := only_reference.pop()) is not None:
            yield event
        del event
        waiting[index] = await anext(sources[index], None)


def _earlier(first: Placed | None, second: Placed | None) -> int:
    return int(first is None or (second is not None and second[0] < first[0]))
