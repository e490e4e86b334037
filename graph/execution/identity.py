"""Equality of selections, independent of the text of operations and of the names in them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode
from graphql.language import ListValueNode, ObjectValueNode, ValueNode, VariableNode, print_ast

_NOTHING: frozenset[str] = frozenset()


def selection_digest(
    selection_set: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, object],
    *,
    without: frozenset[str] = _NOTHING,
) -> bytes:
    """Return a digest of an operation's selection, equal for operations with equal answers to the same event.

    The digest does not depend on the operation's name, the names of variables and fragments, or white space.

    Args:
        selection_set: the selection set of the operation.
        fragments: the fragments of the document, by name.
        variables: the coerced values.
        without: arguments of the root fields that are ignored.
    """
    return _Digests(fragments, variables).of(selection_set, without)


class _Digests:
    """The digests of one operation; a fragment's digest is computed once, in time proportional to its text."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, object]) -> None:
        self._fragments = fragments
        self._variables = variables
        self._digests: dict[tuple[str, frozenset[str]], bytes] = {}

    def of(self, selection_set: SelectionSetNode, without: frozenset[str] = _NOTHING) -> bytes:
        parts = [self._of_selection(selection, without) for selection in selection_set.selections]
        return _digest(parts)

    def _of_selection(self, selection: Any, without: frozenset[str]) -> Any:
        directives = [[node.name.value, self._arguments(node, _NOTHING)] for node in selection.directives or ()]
        if isinstance(selection, FieldNode):
            below = selection.selection_set
            return [
                "field",
                selection.alias.value if selection.alias else None,
                selection.name.value,
                directives,
                self._arguments(selection, without),
                None if below is None else self.of(below).hex(),
            ]
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            return [
                "fragment",
                condition.name.value if condition else None,
                directives,
                self.of(selection.selection_set, without).hex(),
            ]
        assert isinstance(selection, FragmentSpreadNode)  # noqa: S101 - there is no fourth kind
        fragment = self._fragments[selection.name.value]
        condition = fragment.type_condition
        return ["fragment", condition.name.value, directives, self._of_fragment(fragment, without).hex()]

    def _of_fragment(self, fragment: FragmentDefinitionNode, without: frozenset[str]) -> bytes:
        key = fragment.name.value, without
        if key not in self._digests:
            self._digests[key] = self.of(fragment.selection_set, without)
        return self._digests[key]

    def _arguments(self, node: Any, without: frozenset[str]) -> list[Any]:
        return sorted(
            [argument.name.value, self._value(argument.value)]
            for argument in node.arguments or ()
            if argument.name.value not in without
        )

    def _value(self, node: ValueNode) -> str:
        """Return the value as text; a variable's coerced value is marked, since it can differ from an equal literal."""
        if isinstance(node, VariableNode):
            name = node.name.value
            if name not in self._variables:
                return "absent"
            return "variable " + _digest(self._variables[name]).hex()
        if isinstance(node, ListValueNode):
            return f"[{','.join(map(self._value, node.values))}]"
        if isinstance(node, ObjectValueNode):
            fields = [f"{field.name.value}:{self._value(field.value)}" for field in node.fields]
            return f"{{{','.join(fields)}}}"
        return "literal " + print_ast(node)


def _digest(value: object) -> bytes:
    encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=repr)
    return blake2b(encoded, digest_size=16).digest()
