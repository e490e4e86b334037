"""A selection as one Python function that turns documents into the response.

The stock executor determines, for every field of every object, the type, the resolver, whether the value is awaitable,
and the path in the response: about 4 microseconds a field. Only the value differs between the objects of a list, so
the rest is computed once, here, and compiled to a function.

The function returns the result of the stock executor or raises: a null in a non-null field, a value of another type, or
a source that is not a document raises, and the caller takes the stock path, which gives the value or the error. The
functions of fields are pure, so that they can be called again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from threading import Lock
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias

from cachetools import LRUCache, cached
from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails

from graph.execution.arguments import argument_values
from graph.execution.fields import DEFAULT, PATH, READ, DocumentType, definition_of
from graph.execution.leaves import Unusual, leaf_expression
from graph.execution.size import SIZE

if TYPE_CHECKING:
    from graphql.execution.executor import Executor


class Selected(Protocol):
    """A selection on an object type, as `graph.execution.plan` makes it.

    Attributes:
        type: the object type.
        groups: the selected fields by response name.
        usual: whether the selection has no parts that only the stock executor supports.
    """

    type: GraphQLObjectType
    groups: Mapping[str, list[FieldDetails]]
    usual: bool


_PlanOf: TypeAlias = Callable[[GraphQLObjectType, list[FieldDetails]], Selected]
_Arguments: TypeAlias = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Writer:
    """A compiled selection.

    Attributes:
        rest: the fields that can't be compiled, by response name; `one` writes null for them.
        is_document: whether every document is of the selection's type.
        one: converts a document to its object in the response.
        many: converts a list of documents, whose items must not be null.
        many_or_null: converts a list of documents whose items may be null.
        with_arguments: the compiled fields that have arguments.
        source: the code, for tests and debugging.
    """

    rest: dict[str, list[FieldDetails]]
    is_document: bool
    one: Callable[[Any, _Arguments], dict[str, Any]]
    many: Callable[[Any, _Arguments], list[Any]]
    many_or_null: Callable[[Any, _Arguments], list[Any]]
    with_arguments: tuple[tuple[GraphQLField, FieldDetails], ...]
    source: str

    def arguments(self, executor: Executor[Any]) -> _Arguments:
        """Return the values of the arguments in this operation, for `one` and `many`."""
        return tuple([argument_values(executor, field, details) for field, details in self.with_arguments])


def compile_writer(plan: Selected, plan_of: _PlanOf) -> Writer | None:
    """Compile the fields of a selection that can be compiled; return None if there are too few.

    Args:
        plan: the selection.
        plan_of: returns the plans of the selections below.
    """
    code = _Code(plan_of)
    rest = code.add(plan)
    if len(rest) == len(plan.groups):
        return None
    source = code.source()
    functions = _functions(source, tuple(sorted(code.names.items())))
    return Writer(
        rest,
        _is_document_type(plan.type),
        functions["one_0"],
        functions["many_0"],
        functions["many_or_null_0"],
        tuple(code.with_arguments),
        source,
    )


class _NotPlainError(Exception):
    """A field that can't be compiled."""


class _Code:
    """The code of one writer, and the functions that it calls."""

    def __init__(self, plan_of: _PlanOf) -> None:
        self.names: dict[str, Any] = {}
        self.with_arguments: list[tuple[GraphQLField, FieldDetails]] = []
        self._plan_of = plan_of
        self._bodies: list[str] = []

    def source(self) -> str:
        """Return the code of `one_n`, `many_n` and `many_or_null_n` of each selection; 0 is the outermost."""
        return "\n".join(
            f"def one_{number}(d, a):\n"
            "    if d.__class__ is not dict: raise Unusual\n"
            f"    return {body}\n"
            f"def many_{number}(items, a):\n"
            "    if items.__class__ is not list: raise Unusual\n"
            "    result = []\n"
            "    add = result.append\n"
            "    for d in items:\n"
            "        if d.__class__ is not dict: raise Unusual\n"
            f"        add({body})\n"
            "    return result\n"
            f"def many_or_null_{number}(items, a):\n"
            "    if items.__class__ is not list: raise Unusual\n"
            f"    return [None if d is None else one_{number}(d, a) for d in items]\n"
            for number, body in enumerate(self._bodies)
        )

    def add(self, plan: Selected) -> dict[str, list[FieldDetails]]:
        """Add the functions of a selection; return the fields that can't be compiled."""
        number = len(self._bodies)
        self._bodies.append("")
        self._bodies[number], rest = self._object(plan, "d")
        return rest

    def _object(self, plan: Selected, document: str) -> tuple[str, dict[str, list[FieldDetails]]]:
        """Return the expression that converts the named document to an object, and the fields that it leaves null."""
        rest: dict[str, list[FieldDetails]] = {}
        items: list[str] = []
        for response_name, group in plan.groups.items():
            before = len(self._bodies), len(self.with_arguments)
            try:
                expression = self._field(plan.type, group, document)
            except _NotPlainError:
                del self._bodies[before[0] :], self.with_arguments[before[1] :]
                rest[response_name] = group
                expression = "None"
            items.append(f"{response_name!r}: {expression}")
        return "{" + ", ".join(items) + "}", rest

    def _field(self, parent: GraphQLObjectType, group: list[FieldDetails], document: str) -> str:
        name = group[0].node.name.value
        if name == "__typename":
            return repr(parent.name)
        field = parent.fields.get(name)
        if field is None or any(
            directive.name.value == "stream" for item in group for directive in item.node.directives or ()
        ):
            raise _NotPlainError
        return self._value(field.type, self._read(parent, group[0], document), group, document)

    def _read(self, parent: GraphQLObjectType, details: FieldDetails, document: str) -> str:
        """Return the expression that reads a field's value from the named document."""
        name = details.node.name.value
        field = parent.fields[name]
        definition = definition_of(field)
        metadata = definition.metadata
        if READ not in metadata or definition.extensions or definition.permission_classes:
            raise _NotPlainError
        if PATH in metadata and not details.node.arguments:
            return self._at_path(metadata, document)
        function = f"read_{parent.name}_{name}"
        self.names[function] = metadata[READ]
        if not details.node.arguments or len(signature(metadata[READ]).parameters) == 1:
            return f"{function}({document})"
        self.with_arguments.append((field, details))
        return f"{function}({document}, **a[{len(self.with_arguments) - 1}])"

    def _at_path(self, metadata: dict[str, Any], document: str) -> str:
        """Return the expression of a value that is stored in the document."""
        path, size = metadata[PATH], metadata.get(SIZE)
        if DEFAULT in metadata:
            return f"{document}.get({path!r}, {metadata[DEFAULT]!r})"
        return f"{document}[{path!r}]" + (f"[:{size.default}]" if size is not None and size.default else "")

    def _value(self, type_: GraphQLOutputType, read: str, group: list[FieldDetails], document: str) -> str:
        """Return the expression that completes a value."""
        nullable = not isinstance(type_, GraphQLNonNull)
        inner: Any = type_ if nullable else type_.of_type  # type: ignore[union-attr]
        if is_leaf_type(inner):
            return leaf_expression(inner, read, self.names, nullable=nullable)
        value = "v" if nullable else read
        if isinstance(inner, GraphQLList):
            call = self._list(inner.of_type, value, group)
        else:
            below = f"{document}_"
            call = f"({self._inline(inner, group, below)} if ({below} := {value}).__class__ is dict else unusual())"
        return f"(None if (v := {read}) is None else {call})" if nullable else call

    def _list(self, item: Any, value: str, group: list[FieldDetails]) -> str:
        """Return the expression that completes a list."""
        nullable = not isinstance(item, GraphQLNonNull)
        item = item if nullable else item.of_type
        if is_leaf_type(item):
            return f"[{leaf_expression(item, 'e', self.names, nullable=nullable)} for e in a_list({value})]"
        many = f"{'many_or_null' if nullable else 'many'}_{self._below(item, group)}"
        # Most nested lists are empty, and the test is cheaper than a call.
        return f"([] if (w := {value}).__class__ is list and not w else {many}(w, a))"

    def _below(self, type_: object, group: list[FieldDetails]) -> int:
        """Add the functions of a nested selection; return their number."""
        plan = self._plan_below(type_, group)
        number = len(self._bodies)
        if self.add(plan):
            raise _NotPlainError
        return number

    def _inline(self, type_: object, group: list[FieldDetails], document: str) -> str:
        """Return the expression of a nested selection on one object."""
        expression, rest = self._object(self._plan_below(type_, group), document)
        if rest:
            raise _NotPlainError
        return expression

    def _plan_below(self, type_: object, group: list[FieldDetails]) -> Selected:
        if not isinstance(type_, GraphQLObjectType) or not _is_document_type(type_):
            raise _NotPlainError
        plan = self._plan_of(type_, group)
        if not plan.usual:
            raise _NotPlainError
        return plan


def _is_document_type(type_: GraphQLObjectType) -> bool:
    """Whether every document is of the type, so that `is_type_of` need not be called."""
    origin = definition_of(type_).origin
    return type_.is_type_of is None or issubclass(origin, DocumentType)


def _unusual() -> NoReturn:
    raise Unusual


def _a_list(value: object) -> list[Any]:
    if value.__class__ is not list:
        raise Unusual
    items: list[Any] = value
    return items


_CACHE_BYTES = 16 * 1_048_576
"""Maximum bytes of compiled functions in the cache that operations with equal selections share."""

_BYTES_A_CHARACTER = 12
"""Bytes of the functions and their source, for each character of the source: 7 to 10 were measured."""


def _size_of(functions: dict[str, Any]) -> int:
    size: int = functions["size"]
    return size


@cached(LRUCache(_CACHE_BYTES, _size_of), lock=Lock())  # introspection is executed on a thread
def _functions(source: str, names: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """Return the functions of a source, cached: requests that differ only in literal arguments share them."""
    scope: dict[str, Any] = {"Unusual": Unusual, "unusual": _unusual, "a_list": _a_list, **dict(names)}
    scope["size"] = 2_000 + _BYTES_A_CHARACTER * len(source)
    exec(compile(source, "<selection>", "exec"), scope)  # noqa: S102 - written above from names of the schema alone
    return scope
