"""A long message at work: read a part at a time, so that the short ones of others need not wait for its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.enrichment.entities import ExtractionFailure
from graph.enrichment.outcomes import read_in_parts

if TYPE_CHECKING:
    from collections.abc import Generator

    from graph.enrichment.entities import Extractor
    from graph.enrichment.outcomes import Found
    from graph.store.documents import MessageDocument
    from graph.store.jobs.enrichment import Claim

    _Result = Found | ExtractionFailure
    _Parts = Generator[None, None, _Result]


@dataclass(slots=True)
class LongText:
    """A long message that is being read.

    Attributes:
        held: the claim of it, which holds nothing else.
        result: the outcome; None until it is read to its end.
    """

    held: Claim
    _parts: _Parts
    result: _Result | None = None

    @property
    def message(self) -> MessageDocument:
        """The message."""
        return self.held.messages[0]

    async def read_part(self) -> None:
        """Read the next part, away from the event loop."""
        self.result = await asyncio.to_thread(_next, self._parts)


def long_text(held: Claim, extractor: Extractor) -> LongText:
    """Begin with the message of a claim."""
    message = held.messages[0]
    return LongText(held, read_in_parts(extractor, message["content"], held.tool_texts.get(message["_id"], "")))


def _next(parts: _Parts) -> _Result | None:
    try:
        next(parts)
    except StopIteration as end:
        result: _Result = end.value
        return result
    except Exception as error:  # noqa: BLE001 - any exception is the failure of the message, not of the worker
        return ExtractionFailure(f"{type(error).__name__}: {error}"[:300])
    return None
