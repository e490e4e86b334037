"""Mutations on users."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.operations import users
from graph.operations.users import UNCHANGED, Unchanged
from graph.schema.context import Info
from graph.schema.deletion import DeletePayload
from graph.schema.node import global_id
from graph.schema.scalars import JSON
from graph.schema.users.queries import UserId
from graph.schema.users.types import User


@strawberry.input(description="A user to make.")
class CreateUserInput:
    """The argument of `createUser`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user, at most 512 bytes.")
    email: str | None = strawberry.field(default=None, description="Its address, at most 320 bytes; kept as it is.")
    first_name: str | None = strawberry.field(default=None, description="Its first name, at most 1,024 bytes.")
    last_name: str | None = strawberry.field(default=None, description="Its last name, at most 1,024 bytes.")
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")


@strawberry.input(description="What to change of a user. What is left out stays as it is.")
class UpdateUserInput:
    """The argument of `updateUser`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Its address; null removes it.")
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description="Its first name; null removes it.")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description="Its last name; null removes it.")
    metadata: JSON | None = strawberry.field(
        default=None,
        description="A JSON object that is merged in: objects merge deeply, everything else overwrites, and a null"
        " inside removes its key.",
    )


@strawberry.type(description="What became of a user.")
class UserPayload:
    """The source's `user` is the whole document."""

    user: User = strawberry.field(description="The user as it is now.")


@strawberry.type
class UserMutations:
    """Mutations on users."""

    @strawberry.mutation(
        description="Make a user (naming one in addMemory or createSession does so too). CONFLICT when the id is taken."
    )
    async def create_user(
        self,
        info: Info,
        input: Annotated[CreateUserInput, strawberry.argument(description="The user.")],  # noqa: A002
    ) -> UserPayload:
        created = await users.create_user(
            info.context.backend,
            info.context.scope,
            input.user_id,
            email=input.email,
            first_name=input.first_name,
            last_name=input.last_name,
            metadata=input.metadata,
        )
        return UserPayload(user=created)  # type: ignore[arg-type]

    @strawberry.mutation(description="Change a user. NOT_FOUND when there is none.")
    async def update_user(
        self,
        info: Info,
        input: Annotated[UpdateUserInput, strawberry.argument(description="What to change.")],  # noqa: A002
    ) -> UserPayload:
        updated = await users.update_user(
            info.context.backend,
            info.context.scope,
            input.user_id,
            email=_sent(input.email),
            first_name=_sent(input.first_name),
            last_name=_sent(input.last_name),
            metadata=input.metadata,
        )
        return UserPayload(user=updated)  # type: ignore[arg-type]

    @strawberry.mutation(
        description="Delete a user with all its sessions and what they hold. NOT_FOUND when there is none."
    )
    async def delete_user(self, info: Info, user_id: UserId) -> DeletePayload:
        await users.delete_user(info.context.backend, info.context.scope, user_id)
        return DeletePayload(deleted=True, deleted_id=global_id("User", user_id))


def _sent(value: str | None) -> str | Unchanged | None:
    return UNCHANGED if value is strawberry.UNSET else value
