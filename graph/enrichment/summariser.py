"""One summary, by the language model where one is set up and answers, and extractive otherwise."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from graph.enrichment.extractive import DEFAULT_MAX_TOKENS, summarise_extractively
from graph.enrichment.llm import LLMUnavailable
from graph.enrichment.tokens import TokenCounter, load_counter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graph.enrichment.llm import ChatCompletionsSummariser

logger = logging.getLogger(__name__)

_FAILURES_IN_A_ROW: Final = 3
_PAUSE: Final = 15.0  # seconds


@dataclass(frozen=True, slots=True)
class SummaryText:
    """A summary as written.

    Attributes:
        token_count: its tokens, without any prefix.
        fell_back_reason: why the configured model did not write it; None if it did, or if no model is configured.
    """

    content: str
    source: Literal["EXTRACTIVE", "LLM"]
    token_count: int
    fell_back_reason: str | None = None


class Summariser:
    """Writes summaries for a worker process.

    When the model has failed for several summaries in a row, it isn't asked for a short while: otherwise each session
    would wait for all attempts while the model is down, and summaries would pile up.
    """

    def __init__(
        self,
        llm: ChatCompletionsSummariser | None = None,
        *,
        counter: TokenCounter | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._llm = llm
        self._counter = counter or load_counter()
        self._max_tokens = max_tokens
        self._clock = clock
        self._failures = 0
        self._paused_until = float("-inf")
        self._last_reason = ""

    async def summarise(self, previous: str | None, messages: Sequence[tuple[str, str]]) -> SummaryText:
        """Return a summary of the messages (`(role, content)`, oldest first), with the previous one taken in."""
        reason = None
        if self._llm is not None:
            if self._clock() < self._paused_until:
                reason = f"not asked, having failed before: {self._last_reason}"
            else:
                try:
                    return self._text(await self._llm.summarise(previous, messages), "LLM")
                except LLMUnavailable as error:
                    reason = error.reason
                    self._failed(reason)
        extract = partial(
            summarise_extractively, previous, messages, max_tokens=self._max_tokens, count_tokens=self._counter.count
        )
        return self._text(await asyncio.to_thread(extract), "EXTRACTIVE", reason)

    def _text(
        self, content: str, source: Literal["EXTRACTIVE", "LLM"], fell_back_reason: str | None = None
    ) -> SummaryText:
        if source == "LLM":
            self._failures = 0
        return SummaryText(content, source, self._counter.count(content), fell_back_reason)

    def _failed(self, reason: str) -> None:
        self._failures += 1
        self._last_reason = reason
        if self._failures >= _FAILURES_IN_A_ROW:
            self._paused_until = self._clock() + _PAUSE
        logger.warning("an extractive summary replaces the language model's: %s", reason)
