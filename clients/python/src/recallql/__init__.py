"""Client of RecallQL, the conversation memory API."""

from recallql.client import (
    AddedMemory,
    AsyncRecallQL,
    Change,
    Message,
    NewMessage,
    Piece,
    PoppedMessage,
    PromptContext,
    SearchHit,
)
from recallql.errors import (
    BadUserInput,
    Conflict,
    Forbidden,
    Internal,
    NotFound,
    RecallQLError,
    TooCostly,
    Unauthenticated,
    Unavailable,
)
from recallql.generated.enums import SearchMode
from recallql.generated.input_types import MessageFilter, MessageInput
from recallql.sync import RecallQL

__all__ = [
    "AddedMemory",
    "AsyncRecallQL",
    "BadUserInput",
    "Change",
    "Conflict",
    "Forbidden",
    "Internal",
    "Message",
    "MessageFilter",
    "MessageInput",
    "NewMessage",
    "NotFound",
    "Piece",
    "PoppedMessage",
    "PromptContext",
    "RecallQL",
    "RecallQLError",
    "SearchHit",
    "SearchMode",
    "TooCostly",
    "Unauthenticated",
    "Unavailable",
]
