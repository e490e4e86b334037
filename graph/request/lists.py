"""Bounds of the lists in variables, checked before the items are converted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_input_type,
    type_from_ast,
)
from graphql.language import VariableDefinitionNode

from graph.errors import BadUserInput

MAX_ITEMS = 1_000
"""Maximum items of a list of any type, the same as the maximum of `messages`, `ids` and other lists."""


class Lists:
    """The variables of an operation that may hold lists."""

    def __init__(self, schema: GraphQLSchema, definitions: Iterable[VariableDefinitionNode]) -> None:
        types = {item.variable.name.value: type_from_ast(schema, item.type) for item in definitions}
        self._types: dict[str, Any] = {
            name: type_ for name, type_ in types.items() if is_input_type(type_) and _may_hold_list(type_)
        }

    def refuse_long(self, variables: Mapping[str, object]) -> None:
        """Refuse a list with more than `MAX_ITEMS` items.

        Raises:
            BadUserInput: a list is too long; the message names the list.
        """
        for name, type_ in self._types.items():
            _check(type_, variables.get(name), name)


def _may_hold_list(type_: Any) -> bool:
    return isinstance(get_nullable_type(type_), GraphQLList) or bool(_fields(get_named_type(type_)))


def _fields(type_: object) -> dict[str, GraphQLInputType]:
    """The fields of an input object that may hold lists; no input object of this schema holds itself."""
    if not isinstance(type_, GraphQLInputObjectType):
        return {}
    fields: Mapping[str, GraphQLInputField] = type_.fields
    return {name: field.type for name, field in fields.items() if _may_hold_list(field.type)}


def _check(type_: Any, value: object, name: str) -> None:
    type_ = get_nullable_type(type_)
    if isinstance(type_, GraphQLList) and isinstance(value, list):
        if len(value) > MAX_ITEMS:
            raise BadUserInput(f"{name} has {len(value):,} items, and at most {MAX_ITEMS:,} are accepted")
        if _may_hold_list(type_.of_type):
            for place, item in enumerate(value):
                _check(type_.of_type, item, f"{name}[{place}]")
    elif isinstance(value, dict):
        for key, below in _fields(get_named_type(type_)).items():
            _check(below, value.get(key), f"{name}.{key}")
