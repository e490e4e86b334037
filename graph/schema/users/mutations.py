"""Mutations on users."""

from __future__ import annotations

from typing import Annotated

import strawberry

from graph.access.caller import Right
from graph.execution.fields import as_source
from graph.operations import users
from graph.operations.users import UNCHANGED, Unchanged
from graph.schema.context import Info
from graph.schema.node import global_id
from graph.schema.rights import mutation
from graph.schema.scalars import JSON, METADATA_PATCH
from graph.schema.users.types import User


@strawberry.input(description="A user to create.")
class CreateUserInput:
    """The argument of `createUser`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user, at most 512 bytes.")
    email: str | None = strawberry.field(
        default=None, description="The email address, at most 320 bytes; stored unchanged."
    )
    first_name: str | None = strawberry.field(default=None, description="The first name, at most 1,024 bytes.")
    last_name: str | None = strawberry.field(default=None, description="The last name, at most 1,024 bytes.")
    retention_days: int | None = strawberry.field(
        default=None,
        description="Days after its last change from which on a session of the user is as deleted, 1 to 36,500. By"
        " default, and at most, the server's retention. FORBIDDEN for end users.",
    )
    metadata: JSON | None = strawberry.field(default=None, description="Any JSON object, at most 256 KiB.")


@strawberry.input(description="Changes of a user. An absent field stays unchanged.")
class UpdateUserInput:
    """The argument of `updateUser`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="The email address; null removes it.")
    first_name: str | None = strawberry.field(default=strawberry.UNSET, description="The first name; null removes it.")
    last_name: str | None = strawberry.field(default=strawberry.UNSET, description="The last name; null removes it.")
    retention_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Days after its last change from which on a session of the user is as deleted, 1 to 36,500: those"
        " that it has, too, at once. Null, and a longer time, stand for the server's retention. FORBIDDEN for"
        " end users.",
    )
    metadata: JSON | None = strawberry.field(
        default=None,
        description=METADATA_PATCH,
    )


@strawberry.type(description="The result of `createUser`.")
class CreateUserPayload:
    """The source's `user` is the whole document."""

    user: User = strawberry.field(description="The new user.")


@strawberry.type(description="The result of `updateUser`.")
class UpdateUserPayload:
    """The source's `user` is the whole document."""

    user: User = strawberry.field(description="The user after the change.")


@strawberry.input(description="The user to delete.")
class DeleteUserInput:
    """The argument of `deleteUser`."""

    user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")


@strawberry.type(description="The result of `deleteUser`.")
class DeleteUserPayload:
    """The identity of the deleted user."""

    deleted_id: strawberry.ID = strawberry.field(description="Global id of the user, for `@deleteRecord`.")
    deleted_user_id: strawberry.ID = strawberry.field(description="Your own id of the user.")


@strawberry.type
class UserMutations:
    """Mutations on users."""

    @mutation(
        description="Create a user; `addMemory` and `createSession` with a `userId` create one, too. CONFLICT when the"
        " id is in use."
    )
    async def create_user(
        self,
        info: Info,
        input: Annotated[CreateUserInput, strawberry.argument(description="The user to create.")],  # noqa: A002
    ) -> CreateUserPayload:
        created = await users.create_user(
            info.context.backend,
            info.context.scope,
            input.user_id,
            email=input.email,
            first_name=input.first_name,
            last_name=input.last_name,
            retention_days=input.retention_days,
            metadata=input.metadata,
        )
        return CreateUserPayload(user=as_source(created))

    @mutation(description="Change a user. NOT_FOUND for an unknown user.")
    async def update_user(
        self,
        info: Info,
        input: Annotated[UpdateUserInput, strawberry.argument(description="The user and its changes.")],  # noqa: A002
    ) -> UpdateUserPayload:
        updated = await users.update_user(
            info.context.backend,
            info.context.scope,
            input.user_id,
            email=_sent(input.email),
            first_name=_sent(input.first_name),
            last_name=_sent(input.last_name),
            retention_days=UNCHANGED if input.retention_days is strawberry.UNSET else input.retention_days,
            metadata=input.metadata,
        )
        return UpdateUserPayload(user=as_source(updated))

    @mutation(
        description="Delete a user with its items and its sessions with their contents. NOT_FOUND for an unknown user.",
        right=Right.ADMIN,
    )
    async def delete_user(
        self,
        info: Info,
        input: Annotated[DeleteUserInput, strawberry.argument(description="The user to delete.")],  # noqa: A002
    ) -> DeleteUserPayload:
        await users.delete_user(info.context.backend, info.context.scope, input.user_id)
        return DeleteUserPayload(deleted_id=global_id("User", input.user_id), deleted_user_id=input.user_id)


def _sent(value: str | None) -> str | Unchanged | None:
    return UNCHANGED if value is strawberry.UNSET else value
