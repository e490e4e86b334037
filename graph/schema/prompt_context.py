"""The context for a prompt, of a session or of a user."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.execution.fields import as_source, resolved, stored
from graph.execution.selection import Selection
from graph.execution.size import Size
from graph.operations import context as operation
from graph.operations.context import ContextArguments
from graph.schema.context import Info
from graph.schema.messages.types import Message
from graph.schema.node import DocumentType
from graph.schema.summaries import Summary
from graph.store.documents import Document

_LATEST = Size(operation.MAX_RECENT, operation.MAX_RECENT)
_RECALLED = Size(operation.MAX_RECALLED, operation.MAX_RECALLED)

MaxTokens = Annotated[
    int, strawberry.argument(description="The maximum number of tokens of `text`, from 1 to 1,000,000.")
]
ContextQuery = Annotated[
    str | None,
    strawberry.argument(
        description="The text to search for, up to 8 KiB; by default the session's last message of the role user or"
        " human."
    ),
]
Recent = Annotated[
    int | None,
    strawberry.argument(
        description="Take at most this number of the session's latest messages, 0 to 100; by default the message"
        " window."
    ),
]


@strawberry.type(description="A recalled message.")
class RecalledMessage(DocumentType):
    """Built by `graph.operations.context.context`."""

    message: Message = stored("message", description="The message.")
    score: float = stored(
        "score", description="The relevance to the query, from 0 to 1; for a question, the score of its answer."
    )


@strawberry.type(
    description="The context for a prompt, within a number of tokens: the newest summary, the latest messages, and"
    " messages that a search finds in the user's sessions. No message occurs twice."
)
class Context(DocumentType):
    """Built by `graph.operations.context.context`."""

    text: str = stored(
        "text",
        description="The text for the prompt, in time order: recalled messages by session, the summary, the latest"
        " messages, each with its date and speaker (name, or role). A message that does not fit even alone is cut at"
        " the end of a sentence, and marked with […].",
    )
    token_count: int = stored("tokenCount", description="Number of tokens of `text`, never above `maxTokens`.")
    summary: Summary | None = stored("summary", description="The session's newest summary, if it fits.")
    messages: list[Message] = stored(
        "messages", size=_LATEST, description="The session's latest messages that fit, oldest first."
    )
    recalled: list[RecalledMessage] = stored(
        "recalled", size=_RECALLED, description="The recalled messages, best first."
    )
    omitted_messages: int = stored(
        "omittedMessages",
        description="Number of messages between `summary`, or the beginning of the session, and the first of"
        " `messages`.",
    )


async def context_of(
    info: Info,
    max_tokens: int,
    *,
    query: str | None,
    session_id: str | None = None,
    user_id: str | None = None,
    recent: int | None = None,
) -> Document:
    """Return a context as the source of the current field."""
    selected = Selection.of(info)
    recalled = selected.below("recalled")
    of_messages = [selected.below("messages"), recalled.below("message") if recalled else None]
    of_summary = selected.below("summary")
    arguments = ContextArguments(
        max_tokens,
        query,
        session_id,
        user_id,
        recent,
        summary_fields=of_summary.reads() if of_summary else frozenset(),
        message_fields=frozenset().union(*(each.reads() for each in of_messages if each)),
    )
    return await operation.context(info.context.backend, info.context.scope, arguments)


@strawberry.type
class ContextQueries:
    """Queries for prompts."""

    @resolved(
        description="The context for a prompt, of a session, or without `sessionId` of a user's sessions. Empty for an"
        " unknown session.",
    )
    async def context(
        self,
        info: Info,
        *,
        max_tokens: MaxTokens,
        query: ContextQuery = None,
        user_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The user whose sessions are searched; by default, the session's user."),
        ] = None,
        session_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The session of the summary and the latest messages."),
        ] = None,
        recent: Recent = None,
    ) -> Context:
        found = await context_of(info, max_tokens, query=query, session_id=session_id, user_id=user_id, recent=recent)
        return as_source(found)
