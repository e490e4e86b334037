"""The reading of messages by the model: their contents, the text of their tools, and the outcomes to store."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graph.enrichment.documents import entity_documents
from graph.enrichment.entities import ExtractionFailure
from graph.store.jobs.enrichment import Outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from graph.enrichment.entities import ExtractedEntity, Extractor
    from graph.store.documents import MessageDocument
    from graph.store.jobs.lease import Retries

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The entities of one message.

    Attributes:
        content: those in the content.
        tools: those in the arguments and results of tools.
    """

    content: Sequence[ExtractedEntity]
    tools: Sequence[ExtractedEntity] = ()


class MessageReader:
    """Reads messages with the model; used by one thread at a time.

    Args:
        extractor: finds the entities.
        retries: decides when a message whose extraction failed is read again.
    """

    def __init__(self, extractor: Extractor, retries: Retries) -> None:
        self._extractor = extractor
        self._retries = retries

    def read(self, messages: Sequence[MessageDocument], tool_texts: Mapping[str, str]) -> list[Outcome]:
        """Return the outcomes of messages. Any exception is the failure of a message, not of the worker.

        Args:
            messages: the messages.
            tool_texts: the text of the tools, by the uuid of the message.
        """
        try:
            results = self._results(messages, tool_texts)
        except Exception as error:
            if len(messages) > 1:
                return [outcome for message in messages for outcome in self.read([message], tool_texts)]
            logger.warning("message %s can't be read", messages[0]["_id"], exc_info=True)
            results = [ExtractionFailure(f"{type(error).__name__}: {error}"[:300])]
        return [self.outcome(message, result) for message, result in zip(messages, results, strict=True)]

    def _results(
        self, messages: Sequence[MessageDocument], tool_texts: Mapping[str, str]
    ) -> list[Found | ExtractionFailure]:
        uuids = [message["_id"] for message in messages if message["_id"] in tool_texts]
        texts = [message["content"] for message in messages] + [tool_texts[uuid] for uuid in uuids]
        results = self._extractor.extract(texts)
        of_tools = dict(zip(uuids, results[len(messages) :], strict=True))
        of_contents = zip(messages, results[: len(messages)], strict=True)
        return [_both(result, of_tools.get(message["_id"], [])) for message, result in of_contents]

    def outcome(self, message: MessageDocument, result: Found | ExtractionFailure) -> Outcome:
        """Return the outcome of a message."""
        attempts = message["enrichment"]["attempts"]
        if isinstance(result, ExtractionFailure):
            return Outcome(message["_id"], attempts, failure=result.reason, due_at=self._retries.due_at(attempts))
        return Outcome(message["_id"], attempts, entity_documents(result.content, message["content"], result.tools))


def read_in_parts(extractor: Extractor, content: str, tools: str) -> Generator[None, None, Found | ExtractionFailure]:
    """Read one message, a pass of the model at a time: yields before each, returns the result."""
    of_content = yield from extractor.extract_in_parts(content)
    if not tools or isinstance(of_content, ExtractionFailure):
        return _both(of_content, [])
    return _both(of_content, (yield from extractor.extract_in_parts(tools)))


def _both(
    content: list[ExtractedEntity] | ExtractionFailure, tools: list[ExtractedEntity] | ExtractionFailure
) -> Found | ExtractionFailure:
    if isinstance(content, ExtractionFailure):
        return content
    return tools if isinstance(tools, ExtractionFailure) else Found(content, tools)
