"""Random queries over a schema, valid by construction."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_composite_type,
)
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

_DEEPEST = 6
_MOST_FIELDS = 9


@dataclass
class Query:
    """A query in the making.

    Attributes:
        draw: hypothesis's choice.
        values: for each argument name, or type name, what to choose from.
    """

    schema: GraphQLSchema
    draw: Draw
    values: dict[str, list[Any]]
    variables: dict[str, Any] = field(default_factory=dict)
    declarations: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    aliases: int = 0
    fields_left: int = 40

    def text(self) -> str:
        """The document."""
        root = self.schema.query_type
        assert root is not None
        body = self.selection(root, 0, "")
        head = f"query Q({', '.join(self.declarations)})" if self.declarations else "query Q"
        return "\n".join([f"{head} {body}", *self.fragments])

    def selection(self, type_: Any, depth: int, prefix: str) -> str:
        """A selection set. `prefix` keeps response names of different types apart."""
        parts = ["__typename"] if self.draw(st.integers(0, 3)) == 0 else []
        deeper = depth < _DEEPEST and self.fields_left > 0
        names = [name for name in sorted(type_.fields) if deeper or not _has_fields(type_.fields[name])]
        plain = [name for name in names if not _has_fields(type_.fields[name])]
        if not self.draw(st.integers(0, 4)):
            chosen = plain  # everything that is plain
        else:
            chosen = self.draw(st.lists(st.sampled_from(names), min_size=1, max_size=_MOST_FIELDS)) if names else []
        self.fields_left -= len(chosen)
        parts += [self.one_field(name, type_.fields[name], depth, prefix) for name in chosen]
        if depth < _DEEPEST and self.fields_left > 0 and self.draw(st.integers(0, 3)) == 0:
            parts.append(self.fragment(type_, depth, prefix))
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def one_field(self, name: str, field_: GraphQLField, depth: int, prefix: str) -> str:
        """A field with alias, arguments, directives and what is below."""
        arguments = [
            f"{argument_name}: {value}"
            for argument_name, argument in sorted(field_.args.items())
            if (value := self.argument(argument_name, argument)) is not None
        ]
        alias = ""
        if prefix or field_.args or self.draw(st.integers(0, 3)) == 0:
            if field_.args:
                self.aliases += 1
            alias = f"{prefix}{name}{self.aliases if field_.args else ''}: "
        below = ""
        named = get_named_type(field_.type)
        if is_composite_type(named):
            below = " " + self.selection(named, depth + 1, "")
        written = f"({', '.join(arguments)})" if arguments else ""
        return f"{alias}{name}{written}{self.directive()}{below}"

    def fragment(self, type_: Any, depth: int, prefix: str) -> str:
        """An inline fragment or a spread, on the type or on one that it can be."""
        condition = type_
        if isinstance(type_, GraphQLInterfaceType):
            condition = self.draw(st.sampled_from(sorted(self.schema.get_possible_types(type_), key=str)))
        elif isinstance(type_, GraphQLObjectType) and type_.interfaces and self.draw(st.booleans()):
            condition = type_.interfaces[0]
        body = self.selection(condition, depth + 1, prefix if condition is type_ else f"{prefix}{condition.name}_")
        kind = self.draw(st.integers(0, 2))
        if kind == 0:
            self.fragments.append(f"fragment F{len(self.fragments)} on {condition.name} {body}")
            return f"...F{len(self.fragments) - 1}{self.directive()}"
        on = f" on {condition.name}" if kind == 1 or condition is not type_ else ""
        return f"...{on}{self.directive()} {body}"

    def directive(self) -> str:
        """`@skip` or `@include`, rarely, with a literal or a variable."""
        kind = self.draw(st.integers(0, 19))
        if kind > 2:
            return ""
        value = self.draw(st.booleans())
        written = self.variable("Boolean!", value) if self.draw(st.booleans()) else json.dumps(value)
        return f" @{'skip' if kind == 0 else 'include'}(if: {written})"

    def variable(self, type_: str, value: Any) -> str:
        """A variable with the value."""
        name = f"v{len(self.variables)}"
        self.variables[name] = value
        self.declarations.append(f"${name}: {type_}")
        return f"${name}"

    def argument(self, name: str, argument: GraphQLArgument) -> str | None:
        """A value, literal or variable; None leaves the argument out."""
        required = isinstance(argument.type, GraphQLNonNull)
        if not required and self.draw(st.booleans()):
            return None
        if self.draw(st.booleans()):
            return self.variable(str(argument.type), self.value(name, argument.type))
        return _literal(self.value(name, argument.type), argument.type)

    def value(self, name: str, type_: Any) -> Any:
        """A value of an input type, as JSON."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(name, type_.of_type)
        if isinstance(type_, GraphQLList):
            return [self.value(name, type_.of_type) for _ in range(self.draw(st.integers(0, 3)))]
        if isinstance(type_, GraphQLEnumType):
            return self.draw(st.sampled_from(sorted(type_.values)))
        if isinstance(type_, GraphQLInputObjectType):
            return {
                key: self.value(key, inner.type)
                for key, inner in sorted(type_.fields.items())
                if isinstance(inner.type, GraphQLNonNull) or self.draw(st.integers(0, 4)) == 0
            }
        return self.draw(st.sampled_from(self.values.get(name) or self.values[type_.name]))


def _has_fields(field_: GraphQLField) -> bool:
    return is_composite_type(get_named_type(field_.type))


def _literal(value: Any, type_: Any) -> str:
    """A JSON value as a GraphQL literal."""
    if isinstance(type_, GraphQLNonNull):
        return _literal(value, type_.of_type)
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    if isinstance(type_, GraphQLList):
        return "[" + ", ".join(_literal(item, type_.of_type) for item in value) + "]"
    if isinstance(type_, GraphQLInputObjectType):
        return "{" + ", ".join(f"{key}: {_literal(item, type_.fields[key].type)}" for key, item in value.items()) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_literal(item, None)}" for key, item in value.items()) + "}"
    return json.dumps(value)
