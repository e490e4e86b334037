"""An operation with its required right and its cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, cast

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    Visitor,
    visit,
)
from graphql.execution.collect_fields import GroupedFieldSet
from graphql.language import FragmentDefinitionNode, OperationDefinitionNode

from graph.execution.executor import RecallQLExecutor, SelectingExecutor
from graph.execution.operation import PreparedOperation
from graph.execution.size import all_named
from graph.operations.concurrency import run_on_thread
from graph.request.cost import operation_cost
from graph.request.lists import Lists
from graph.schema.rights import needed_right
from graph.settings import Settings

_INTROSPECTION = frozenset({"__schema", "__type"})
"""Fields whose values may be large, and take long to write."""

_MOST_COSTS = 20
"""Maximum cached costs of one operation, for different variables."""

_BYTES = 12_000
_BYTES_A_TOKEN = 150
_BYTES_A_TOKEN_AND_FORM = 100
"""Bytes of an operation for each token of its document, a little more than measured."""


class Operation(PreparedOperation):
    """One operation of a valid document.

    Attributes:
        right: the right that its caller needs.
        changes: whether the operation is a mutation.
        lists: the variables that may hold lists.
        copies: maximum times that the answer repeats one value, under several aliases.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode, copies: int
    ) -> None:
        super().__init__(schema, document, node, RecallQLExecutor)
        kind: Any = node.operation.value
        roots = root_fields(document, node)
        self.right = needed_right(schema, kind, roots)
        self._introspects = not roots.isdisjoint(_INTROSPECTION)
        self.changes = kind == "mutation"
        self.lists = Lists(schema, node.variable_definitions or ())
        self.copies = copies
        self._names = [definition.variable.name.value for definition in node.variable_definitions or ()]
        self._costs: LRUCache[tuple[Any, ...], int] = LRUCache(_MOST_COSTS)

    def size(self, tokens: int) -> int:
        """Return the maximum bytes that the operation can use.

        Args:
            tokens: the number of tokens of its document.
        """
        return _BYTES + tokens * (_BYTES_A_TOKEN + self.forms * _BYTES_A_TOKEN_AND_FORM)

    async def cost(self, variables: Mapping[str, object], settings: Settings) -> int:
        """Return the cost, computed once for all variables with the same cost."""
        key = (settings.message_window, *[_deciding(variables, name) for name in self._names])
        cost = self._costs.get(key)
        if cost is None:
            cost = self._costs[key] = await self._new_cost(variables, settings)
        return cost

    async def _new_cost(self, variables: Mapping[str, object], settings: Settings) -> int:
        arguments = self._schema, self.document, self.node, variables, settings
        return await run_on_thread(operation_cost, *arguments) if self._introspects else operation_cost(*arguments)

    async def _data(self, executor: SelectingExecutor, roots: GroupedFieldSet) -> dict[str, Any]:
        """The data; introspection, which waits for nothing until it is whole, on a thread."""
        if not self._introspects:
            return await super()._data(executor, roots)
        apart = {name: details for name, details in roots.items() if details[0].node.name.value in _INTROSPECTION}
        found = cast("dict[str, Any]", await run_on_thread(self._start, executor, apart))
        found |= await super()._data(executor, {name: roots[name] for name in roots if name not in apart})
        return {name: found[name] for name in roots}


def _deciding(variables: Mapping[str, object], name: str) -> Any:
    """Return the part of a variable's value that affects the cost."""
    value = variables.get(name, _ABSENT)
    if value is None or value.__class__ is bool:
        return value
    if value.__class__ in (int, float):
        return float, max(-_LARGE, min(value, _LARGE))
    if isinstance(value, list):
        return len(value), all_named(value)
    if isinstance(value, dict) and len(value) <= _MOST_KEYS:
        return tuple([(key, _deciding_below(item)) for key, item in value.items()])
    return value.__class__


def _deciding_below(item: object) -> Any:
    """Return the part of a field's value that affects the cost."""
    if isinstance(item, dict):  # as a list of one item
        item = [item]
    return (len(item), all_named(item)) if isinstance(item, list) else item is None


_MOST_KEYS = 50
"""Maximum keys of an input object: no input type has more fields."""
_ABSENT = object()
_LARGE = 2**31
"""A number greater than any Int of GraphQL."""


def copies_of(document: DocumentNode) -> int:
    """Return the maximum times that an answer repeats one value, under several aliases."""
    names = _Names()
    visit(document, names)
    return max(map(len, names.found.values()), default=1)


class _Names(Visitor):
    """Collects the response names of each leaf field."""

    def __init__(self) -> None:
        super().__init__()
        self.found: defaultdict[str, set[str]] = defaultdict(set)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        if node.selection_set is None:
            self.found[node.name.value].add((node.alias or node.name).value)


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """Return the names of an operation's root fields, including the fields in fragments."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: set[str] = set()
    waiting: list[SelectionSetNode] = [operation.selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                found.add(selection.name.value)
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = fragments.pop(selection.name.value, None)
                if fragment is not None:
                    waiting.append(fragment.selection_set)
    return found
