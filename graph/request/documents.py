"""Parsing and validation, within limits, and once for each text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from sys import getsizeof
from typing import NamedTuple

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
)
from graphql.language import OperationDefinitionNode, OperationType, SelectionSetNode
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.errors import TooCostly
from graph.request.limits import Limits, check_limits, check_text, validate_within
from graph.request.operation import Operation, copies_of
from graph.settings import Settings

BYTES_KEPT = 64 * 1_048_576
"""Of prepared documents in a process: a thousand of the usual size, some thirty of the largest."""


class _Key(NamedTuple):
    text: str
    limits: Limits
    introspection: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document and what is wrong with it; no document where it isn't or can't be parsed.

    Attributes:
        operations: those of a valid document, by name; the only one also under None.
        size: bytes that it may come to hold.
    """

    document: DocumentNode | None
    errors: list[GraphQLError] = field(default_factory=list)
    operations: dict[str | None, Operation] = field(default_factory=dict)
    size: int = 0

    def operation(self, name: str | None) -> Operation:
        """The operation that is about to be executed; a valid document has it."""
        return self.operations.get(name) or next(iter(self.operations.values()))


class Documents:
    """The documents of a process, each parsed and validated when it is first met."""

    def __init__(self, *, cached: bool) -> None:
        self._kept: LRUCache[_Key, Prepared] | None = (
            LRUCache(BYTES_KEPT, lambda prepared: prepared.size) if cached else None
        )

    def prepare(self, text: str, settings: Settings, schema: GraphQLSchema) -> Prepared:
        """A document, parsed and validated.

        Args:
            text: the document.
            settings: say what is accepted.
            schema: what it must be valid for; always the same.
        """
        key = _Key(text, Limits.of(settings), settings.introspection)
        try:
            check_text(text, key.limits)
        except TooCostly as error:
            return Prepared(None, [GraphQLError(str(error), original_error=error)])
        found = self._kept.get(key) if self._kept is not None else None
        if found is None:
            found = _prepare(key, schema)
            if self._kept is not None and found.size <= BYTES_KEPT:
                self._kept[key] = found
        return found


class PreparedDocuments(SchemaExtension):
    """Gives Strawberry the parsed and validated document.

    Unlike Strawberry's own caches, it looks at the limits between parsing and validation, keeps no text of megabytes,
    and leaves errors of parsing to Strawberry, whose streams can't take an exception from an extension.
    """

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents

    def on_parse(self) -> Iterator[None]:
        """Set the document, when it can be parsed."""
        execution = self.execution_context
        settings = execution.context.backend.settings
        tokens = Limits.of(settings).tokens
        if tokens:
            execution.parse_options = {"max_tokens": tokens}
        schema: GraphQLSchema = execution.schema._schema  # noqa: SLF001 - graphql-core's own schema
        self._prepared = self._documents.prepare(execution.query or "", settings, schema)
        execution.graphql_document = self._prepared.document
        if self._prepared.document is None and self._prepared.errors:
            execution.graphql_document = _stand_in(execution.operation_name)
        yield

    def on_validate(self) -> Iterator[None]:
        """Set what is wrong with it."""
        self.execution_context.pre_execution_errors = list(self._prepared.errors)
        yield


def _prepare(key: _Key, schema: GraphQLSchema) -> Prepared:
    size = _BYTES + getsizeof(key.text)
    try:
        document = parse(key.text, max_tokens=key.limits.tokens or None)
    except (GraphQLError, RecursionError):
        return Prepared(None, size=size)  # Strawberry parses it again and reports it
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


def _stand_in(name: str | None) -> DocumentNode:
    """In place of a document that is not parsed: Strawberry would parse it, and looks for the named operation."""
    operation = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=NameNode(value=name) if name else None,
        selection_set=SelectionSetNode(selections=()),
    )
    return DocumentNode(definitions=(operation,))


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
