"""The private names of Strawberry that are needed, each in one place and with its reason.

A release of Strawberry that renames one breaks this module and no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLSchema
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo

if TYPE_CHECKING:
    import strawberry

ResolveInfo = _OperationContextAwareGraphQLResolveInfo
"""The info that Strawberry's executor builds: it has fields that graphql-core's lacks, and no public name."""


def core_schema(schema: strawberry.Schema) -> GraphQLSchema:
    """graphql-core's schema: parsing, validation and execution need it, and Strawberry gives only its text."""
    return schema._schema  # noqa: SLF001


def core_info(info: Any) -> Any:
    """graphql-core's info of a resolver: it alone has the executor, which knows the selection."""
    return info._raw_info  # noqa: SLF001


def strawberry_schema(schema: GraphQLSchema) -> Any:
    """Strawberry's schema behind graphql-core's: it has the registry of scalars that arguments are converted with."""
    return schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001
