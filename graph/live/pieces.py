"""A message that is being written, as a source: its pieces, and the message at its end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from graph.live.memory import Memory
from graph.live.messages import is_number
from graph.live.paging import paged
from graph.live.source import Feed, Gone, InSession, Place, Topic, no_mark
from graph.store.documents import Document, MessageDocument
from graph.store.feed import following
from graph.store.feed.changes import Moment
from graph.store.streams.documents import MessageStatus, Piece, PiecesDocument, pieces_in
from graph.store.streams.reading import is_streaming
from graph.store.visible import Visible

BEGINNING: Final = -1
"""The place before the first piece."""
END: Final = math.inf
"""The place of the end, after every piece."""
_END_MARK = "end"


@dataclass(slots=True, kw_only=True)
class MessageStreamed(InSession):
    """The pieces of a message, by index, and its end; events have `index`, `text`, `data`, `done`, `status`, `message`.

    The pieces go with the end of the message, so that a follower behind some of them gets the end next.

    Attributes:
        uuid: of the message.
        seq: differs from that of a later message with the same uuid.
    """

    starts_with_stored = True

    uuid: str
    seq: int

    @property
    def topic(self) -> Topic:
        """The message's pieces."""
        return Feed.PIECES, (self.session_id, self.uuid)

    @property
    def is_over(self) -> bool:
        """Whether the end was given."""
        return bool(self.place == END)

    @property
    def mark(self) -> str:
        """The index of a piece."""
        return _END_MARK if self.is_over else str(self.place)

    def _place_of(self, mark: str) -> Place:
        if mark == _END_MARK:
            return END
        if not is_number(mark):
            raise no_mark("the index of a piece")
        return int(mark)

    async def stored(self, memory: Memory, after: Moment | None) -> AsyncGenerator[Document, None]:
        """The pieces after the place, or the end of the message.

        A message that ends during the read loses its pieces; its end then comes as a live event.
        """
        if self.is_over:
            return
        visible, message = await self._message(after)
        if not is_streaming(message):
            self.place = END
            yield end_of(message)
            return

        async def read(_position: following.Position | None) -> following.Page:
            return await following.pieces_after(self.database, visible, self.seq, self.place, after=after)

        async with aclosing(paged(memory, read)) as items:
            async for item in items:
                found = deque(pieces_in(cast("PiecesDocument", item.document)))
                del item
                while found:
                    piece = found.popleft()
                    if piece.index <= self.place:
                        continue
                    if not self.is_next(piece.index):
                        return
                    self.place = piece.index
                    yield event_of(piece)

    def is_next(self, place: Place) -> bool | None:
        """By index: they have no gaps, and the end is published after all of them."""
        if place <= self.place:
            return False
        return True if place in (self.place + 1, END) else None

    async def check_life(self, after: Moment | None) -> None:
        """Look at the message."""
        await self._message(after)

    async def _message(self, after: Moment | None) -> tuple[Visible, MessageDocument]:
        """The whole message, and the visible part of its session.

        Raises:
            Gone: the message is not visible any more.
        """
        session = await self.session(after)
        if session is None:
            raise Gone
        visible = Visible.of(session)
        message = await following.message_of(self.database, visible, self.uuid, self.seq, after)
        if message is None:
            raise Gone
        return visible, message


def event_of(piece: Piece) -> Document:
    """Return the event of a piece."""
    return {
        "index": piece.index,
        "text": piece.text,
        "data": piece.data,
        "done": False,
        "status": MessageStatus.STREAMING.value,
        "message": None,
    }


def end_of(message: MessageDocument) -> Document:
    """The event of the end of a message."""
    status = message.get("status", MessageStatus.COMPLETE.value)
    return {"index": None, "text": "", "data": None, "done": True, "status": status, "message": message}
