"""Coercion of variables with one function for each type, without graphql-core's recursion through type and value.

The functions coerce the values that clients usually send. Any other value is left to graphql-core, which coerces or
refuses the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    is_required_input_field,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.utilities.coerce_input_value import coerce_default_value

_CLASSES: dict[str, type] = {"ID": str, "String": str, "Boolean": bool}
"""The classes of values that are coerced to themselves."""

_MOST_ERRORS = 50  # as graphql-core's `execute`


_OTHER: Final = object()
"""In place of a coerced value: graphql-core must coerce or refuse the value."""

_Coerce: TypeAlias = Callable[[Any], Any]


class _Simple(NamedTuple):
    """A variable without a default value."""

    name: str
    signature: GraphQLVariableSignature
    coerce: _Coerce
    nullable: bool


class Variables:
    """The variables of one operation."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._definitions = operation.variable_definitions or ()
        simple = [_simple(get_variable_signature(schema, definition)) for definition in self._definitions]
        self._simple = [item for item in simple if item is not None]
        self._all_simple = len(self._simple) == len(simple)

    def coerce(self, sent: dict[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the values of the variables, or their errors."""
        values = self._simple_values(sent) if self._all_simple else None
        if values is None:
            return get_variable_values(self._schema, self._definitions, sent, _MOST_ERRORS)
        return values

    def _simple_values(self, sent: dict[str, Any]) -> VariableValues | None:
        """Return the values, or None if graphql-core must coerce one of them."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, coerce, nullable in self._simple:
            if name not in sent:
                if not nullable:
                    return None
                sources[name] = VariableValueSource(signature)
                continue
            value = sent[name]
            found = coerce(value)
            if found is _OTHER:
                return None
            sources[name] = VariableValueSource(signature, value)
            coerced[name] = found
        return VariableValues(sources, coerced)


def _simple(signature: GraphQLVariableSignature | GraphQLError) -> _Simple | None:
    if isinstance(signature, GraphQLError) or signature.default is not None:
        return None
    coerce = _coerce_of(signature.type, frozenset())
    nullable = not isinstance(signature.type, GraphQLNonNull)
    return None if coerce is None else _Simple(signature.name, signature, coerce, nullable)


def _coerce_of(type_: GraphQLInputType, around: frozenset[str]) -> _Coerce | None:
    """Return the function that coerces the values of a type; None if graphql-core must coerce them all.

    Args:
        type_: the type.
        around: the names of the input objects that the type is part of.
    """
    if isinstance(type_, GraphQLNonNull):
        return _coerce_present(type_.of_type, around)
    coerce = _coerce_present(type_, around)
    return None if coerce is None else lambda value: None if value is None else coerce(value)


def _coerce_present(type_: GraphQLInputType, around: frozenset[str]) -> _Coerce | None:
    """Return the function that coerces the values of a type other than null."""
    if isinstance(type_, GraphQLList):
        item = _coerce_of(type_.of_type, around)
        return None if item is None else partial(_list, item)
    if isinstance(type_, GraphQLInputObjectType):
        return _coerce_object(type_, around)
    if isinstance(type_, GraphQLScalarType | GraphQLEnumType):
        if type_.name == "Int":
            return _int
        class_ = _CLASSES.get(type_.name)
        return partial(_leaf, type_) if class_ is None else partial(_scalar, class_)
    return None


def _scalar(class_: type, value: Any) -> Any:
    return value if type(value) is class_ else _OTHER


def _int(value: Any) -> Any:
    return value if type(value) is int and -(2**31) <= value < 2**31 else _OTHER


def _leaf(type_: GraphQLLeafType, value: Any) -> Any:
    if value is None:
        return _OTHER
    try:
        found = type_.coerce_input_value(value)
    except Exception:  # noqa: BLE001 - graphql-core raises the same, and reports the error
        return _OTHER
    return _OTHER if found is Undefined else found


def _list(coerce: _Coerce, value: Any) -> Any:
    if value.__class__ is not list:
        return _OTHER
    found = list(map(coerce, value))
    return _OTHER if any(item is _OTHER for item in found) else found


class _Field(NamedTuple):
    """A field of an input object.

    Attributes:
        name: the name.
        out_name: the name in the coerced object.
        coerce: coerces the value.
        missing: the default value, `_LEFT_OUT` without one, or `_OTHER` for a field that is required.
    """

    name: str
    out_name: str
    coerce: _Coerce
    missing: Any


_LEFT_OUT: Final = object()


def _coerce_object(type_: GraphQLInputObjectType, around: frozenset[str]) -> _Coerce | None:
    if type_.is_one_of or type_.name in around:
        return None
    fields = [_field(name, field, around | {type_.name}) for name, field in type_.fields.items()]
    known = [field for field in fields if field is not None]
    return partial(_object, type_.out_type, known) if len(known) == len(fields) else None


def _field(name: str, field: GraphQLInputField, around: frozenset[str]) -> _Field | None:
    coerce = _coerce_of(field.type, around)
    if coerce is None:
        return None
    if is_required_input_field(field):
        return _Field(name, field.out_name or name, coerce, _OTHER)
    default = coerce_default_value(field)
    if default is Undefined:
        return _Field(name, field.out_name or name, coerce, _LEFT_OUT)
    if default is not None and not isinstance(default, bool | int | float | str):
        return None  # a later change of the value would change the default
    return _Field(name, field.out_name or name, coerce, default)


def _object(out_type: _Coerce, fields: Sequence[_Field], value: Any) -> Any:
    if value.__class__ is not dict:
        return _OTHER
    found: dict[str, Any] = {}
    sent = 0
    for name, out_name, coerce, missing in fields:
        if name in value:
            sent += 1
            item = coerce(value[name])
        else:
            item = missing
        if item is _OTHER:
            return _OTHER
        if item is not _LEFT_OUT:
            found[out_name] = item
    return out_type(found) if sent == len(value) else _OTHER  # another field is unknown
