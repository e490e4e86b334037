"""What a deletion answers."""

from __future__ import annotations

import strawberry


@strawberry.type(description="What a deletion did. Deleting what is not there is an error with the code NOT_FOUND.")
class DeletePayload:
    """The answer of every `delete…` mutation."""

    deleted: bool = strawberry.field(
        description="True: it is gone for every reader now, and no trace of it is stored soon after."
    )
    deleted_id: strawberry.ID = strawberry.field(
        description="Global id of what was deleted, for taking it out of a client's cache."
    )
