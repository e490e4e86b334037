"""Coercion of variables of built-in scalar types, without graphql-core's recursion through type and value."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphql import GraphQLError, GraphQLNonNull, GraphQLSchema, OperationDefinitionNode
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

_CLASSES: dict[str, type] = {"ID": str, "String": str, "Boolean": bool, "Int": int}
"""The classes of values that are coerced to themselves."""

_MOST_ERRORS = 50  # as graphql-core's `execute`


class _Plain(NamedTuple):
    name: str
    signature: GraphQLVariableSignature
    class_: type
    nullable: bool


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        plain = [_plain(get_variable_signature(schema, definition)) for definition in self._definitions]
        self._plain = [item for item in plain if item is not None]
        self._all_plain = len(self._plain) == len(plain)

    def coerce(self, sent: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the values of the variables, or their errors."""
        values = self._plain_values(sent) if self._all_plain else None
        if values is None:
            return get_variable_values(self._schema, self._definitions, sent, _MOST_ERRORS)
        return values

    def _plain_values(self, sent: dict[str, Any]) -> VariableValues | None:
        """Return the values if no coercion changes them, or None."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, class_, nullable in self._plain:
            value = sent.get(name)
            if value is None:
                if not nullable:
                    return None
                if name not in sent:
                    sources[name] = VariableValueSource(signature)
                    continue
            elif value.__class__ is not class_ or (isinstance(value, int) and not _fits(value)):
                return None
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = value
        return VariableValues(sources, coerced)


def _fits(value: int) -> bool:
    """Whether GraphQL's Int can hold the value; true for a boolean, too."""
    return -(2**31) <= value < 2**31


def _plain(signature: GraphQLVariableSignature | GraphQLError) -> _Plain | None:
    if isinstance(signature, GraphQLError) or signature.default is not None:
        return None
    nullable = not isinstance(signature.type, GraphQLNonNull)
    type_: Any = signature.type if nullable else signature.type.of_type  # type: ignore[union-attr]
    class_ = _CLASSES.get(getattr(type_, "name", ""))
    return None if class_ is None else _Plain(signature.name, signature, class_, nullable)
