"""The private names of Strawberry that RecallQL uses, each with its reason.

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
    """Return graphql-core's schema for parsing, validation and execution: Strawberry's public API has only its text."""
    return schema._schema  # noqa: SLF001


def core_info(info: Any) -> Any:
    """Return graphql-core's info of a resolver, the only one with the executor, which has the selection."""
    return info._raw_info  # noqa: SLF001


def strawberry_schema(schema: GraphQLSchema) -> Any:
    """Return Strawberry's schema of graphql-core's, for its registry of scalars, which converts arguments."""
    return schema._strawberry_schema  # type: ignore[attr-defined]  # noqa: SLF001
