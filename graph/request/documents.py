"""Parsing and validation, within limits, and once for each text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from sys import getsizeof
from typing import NamedTuple

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
)
from graphql.language import OperationDefinitionNode
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.graphql import OperationType

from graph.errors import BadUserInput, TooCostly
from graph.request.limits import Limits, check_limits, check_text, validate_within
from graph.request.operation import Operation, copies_of
from graph.settings import Settings

BYTES_KEPT = 64 * 1_048_576
"""Of prepared documents in a process: a thousand of the usual size, some thirty of the largest."""


class _Key(NamedTuple):
    text: str
    limits: Limits
    introspection: bool


class InvalidDocument(Exception):
    """The document can't be executed.

    Attributes:
        errors: what is wrong with it.
    """

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("the document is invalid")
        self.errors = errors


class UnknownOperation(BadUserInput):
    """The document has no operation of the name."""

    def __init__(self, name: str | None) -> None:
        super().__init__("Can't get GraphQL operation type" if name is None else f'Unknown operation named "{name}".')


class WrongKind(BadUserInput):
    """The transport does not serve operations of this kind.

    Attributes:
        kind: the operation's.
    """

    def __init__(self, kind: OperationType) -> None:
        super().__init__(f"a {kind.value} is not accepted here")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document and what is wrong with it.

    Attributes:
        document: None where the text was not parsed.
        errors: those of parsing and validation, and of limits.
        operations: those of a valid document, by name; the only one also under None.
        size: bytes that it may come to hold.
    """

    document: DocumentNode | None
    errors: list[GraphQLError] = field(default_factory=list)
    operations: dict[str | None, Operation] = field(default_factory=dict)
    size: int = 0

    def kind(self, name: str | None) -> OperationType | None:
        """The kind of an operation of a document, valid or not; of the first where no name is given."""
        for node in self.document.definitions if self.document else ():
            if isinstance(node, OperationDefinitionNode) and name in {None, node.name and node.name.value}:
                return OperationType(node.operation.value)
        return None


class Documents:
    """The documents of a process, each parsed and validated when it is first met.

    Args:
        schema: what they must be valid for.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._kept: LRUCache[_Key, Prepared] = LRUCache(BYTES_KEPT, lambda prepared: prepared.size)

    def operation(self, text: str, name: str | None, kinds: Collection[OperationType], settings: Settings) -> Operation:
        """The operation that is to be executed.

        Args:
            text: the document.
            name: the operation's; None for the only one of the document.
            kinds: those that are accepted.
            settings: say which documents are accepted.

        Raises:
            InvalidDocument: the document is not valid, or has several operations and no name is given.
            UnknownOperation: no operation of the document has the name.
            WrongKind: the operation is of another kind.
        """
        prepared = self.prepare(text, settings)
        operation = prepared.operations.get(name)
        if operation is not None and operation.kind in kinds:
            return operation
        if prepared.document is not None:
            kind = prepared.kind(name)
            if kind is None:
                raise UnknownOperation(name)
            if kind not in kinds:
                raise WrongKind(kind)
        raise InvalidDocument(prepared.errors or [GraphQLError(_NO_NAME)])

    def prepare(self, text: str, settings: Settings) -> Prepared:
        """A document, parsed and validated.

        Args:
            text: the document.
            settings: say what is accepted.
        """
        key = _Key(text, Limits.of(settings), settings.introspection)
        try:
            check_text(text, key.limits)
        except TooCostly as error:
            return Prepared(None, [GraphQLError(str(error), original_error=error)])
        found = self._kept.get(key)
        if found is None:
            found = _prepare(key, self._schema)
            if found.size <= BYTES_KEPT:
                self._kept[key] = found
        return found


_NO_NAME = "Must provide operation name if query contains multiple operations."
"""As graphql-core says it: clients know the text."""


def _prepare(key: _Key, schema: GraphQLSchema) -> Prepared:
    size = _BYTES + getsizeof(key.text)
    try:
        document = parse(key.text, max_tokens=key.limits.tokens or None)
    except GraphQLError as error:
        return Prepared(None, [error.with_traceback(None)], size=size)
    except RecursionError as error:
        return Prepared(None, [_refusal("", error)], size=size)
    tokens = _unlink_tokens(document)
    size += tokens * _BYTES_A_TOKEN
    try:
        check_limits(document, key.limits)
    except TooCostly as error:
        return Prepared(document, [_refusal(str(error), error)], size=size)
    except RecursionError as error:
        return Prepared(document, [_refusal("", error)], size=size)
    errors = validate_within(key.limits, schema, document, _RULES if key.introspection else _RULES_OF_THE_HIDDEN)
    if errors:
        return Prepared(document, errors, size=size)
    operations = _operations(schema, document)
    size += sum(operation.size(tokens) for operation in set(operations.values()))
    return Prepared(document, [], operations, size)


def _refusal(message: str, error: Exception) -> GraphQLError:
    """An error that may be kept: without the frames of its traceback, which hold what is prepared, and it with them."""
    return GraphQLError(message, original_error=error.with_traceback(None))


_BYTES = 2_000
_BYTES_A_TOKEN = 700
"""Of a parsed document: each node holds its tokens. A little more than was measured."""


def _unlink_tokens(document: DocumentNode) -> int:
    """The number of a document's tokens, which hold each other no more.

    Such a ring would stay in memory, with all nodes, until the collector looks at old objects, which it seldom does.
    """
    count = 0
    token = document.loc.start_token if document.loc else None
    while token is not None:
        count += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return count


_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
"""GraphQL's, and the two that Strawberry adds."""

_RULES_OF_THE_HIDDEN = (*_RULES, NoSchemaIntrospectionCustomRule)
"""The rules where introspection is turned off."""


def _operations(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Operation]:
    copies = copies_of(document)  # once, not for each operation: a document may hold two hundred
    found = [
        Operation(schema, document, node, copies)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    by_name: dict[str | None, Operation] = {
        operation.node.name.value: operation for operation in found if operation.node.name
    }
    return {**by_name, None: found[0]} if len(found) == 1 else by_name
