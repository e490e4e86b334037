"""The root type of mutations, composed of the domains."""

from __future__ import annotations

import strawberry

from graph.schema.enrichment.mutations import EnrichmentMutations
from graph.schema.items.mutations import ItemMutations
from graph.schema.memory.mutations import MemoryMutations
from graph.schema.messages.mutations import MessageMutations
from graph.schema.messages.newest import NewestMessageMutations
from graph.schema.sessions.forks import ForkMutations
from graph.schema.sessions.mutations import SessionMutations
from graph.schema.sessions.read_marks import ReadMarkMutations
from graph.schema.streaming import StreamingMutations
from graph.schema.typing_notices import TypingMutations
from graph.schema.users.mutations import UserMutations


@strawberry.type(
    description="All changes. A refused change changes nothing and is an error with one of these values of"
    " `extensions.code`:\n\n"
    "- `BAD_USER_INPUT`: a value is refused; the message names the value and the allowed ones.\n"
    "- `NOT_FOUND`: the object to change does not exist, or is not yours.\n"
    "- `CONFLICT`: the change contradicts the stored data.\n"
    "- `UNAUTHENTICATED`: no valid credentials came with the request.\n"
    "- `FORBIDDEN`: the credentials do not allow the change.\n"
    "- `TOO_COSTLY`: the operation exceeds a limit; `retryAfter`, where present, is in seconds.\n"
    "- `UNAVAILABLE`: the database does not answer now; `outcome: UNKNOWN` if the change may have been stored.\n"
    "- `INTERNAL`: a defect of the service; `id` identifies it in the service's log."
)
class Mutation(
    MemoryMutations,
    SessionMutations,
    MessageMutations,
    NewestMessageMutations,
    ReadMarkMutations,
    ForkMutations,
    StreamingMutations,
    TypingMutations,
    UserMutations,
    ItemMutations,
    EnrichmentMutations,
):
    """Each domain's mutations; add a domain as a further base."""
