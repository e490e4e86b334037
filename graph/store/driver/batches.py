"""The events of a change stream that come with one answer of MongoDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graph.store.documents import Document


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one read of a change stream.

    Attributes:
        events: the events in order; may be empty.
        token: the resume token after the events and the filtered-out events: MongoDB advances it
            (`postBatchResumeToken`) even if no event passes the filter.
    """

    events: list[Document]
    token: Mapping[str, object] | None


def has_more(stream: Any) -> bool:
    """Whether a driver's change stream holds events that it was sent already: the driver has no public way to ask."""
    more: bool = stream._cursor._has_next()  # noqa: SLF001
    return more
