"""The end of what goes on for longer than the caller's credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from graph.access.caller import Caller
from graph.errors import Unauthenticated

T = TypeVar("T")


async def until_expiry(source: AsyncGenerator[T, None], caller: Caller) -> AsyncGenerator[T, None]:
    """What the source gives, while the caller's credentials are valid.

    Raises:
        Unauthenticated: they have expired.
    """
    async with aclosing(source):
        while True:
            left = caller.seconds_left()
            try:
                item = await (anext(source) if left is None else asyncio.wait_for(anext(source), left))
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise Unauthenticated("the credentials have expired: connect again with new ones") from None
            yield item
