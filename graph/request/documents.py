"""Parsing and validation of documents, within limits, and once for each text."""

from __future__ import annotations

import asyncio
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
from graph.operations.concurrency import run_on_thread
from graph.request.limits import Limits, check_limits, check_text, validate_within
from graph.request.operation import Operation, copies_of
from graph.settings import Settings

CACHE_BYTES = 64 * 1_048_576
"""Maximum bytes of prepared documents in a process: about a thousand of the usual size, or thirty of the largest."""

_SHORT = 500
"""Characters of a text that is prepared at once, in at most 10 ms: for most of them a thread would be the slower way.

Longer ones may take a tenth of a second within the default limits, and any time where these are raised.
"""


class _Key(NamedTuple):
    text: str
    limits: Limits
    introspection: bool


class InvalidDocument(Exception):
    """The document can't be executed.

    Attributes:
        errors: the errors of parsing, validation and limits.
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
        super().__init__(f"a {kind.value} is not accepted on this transport")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed and validated document, or its errors.

    Attributes:
        document: None if the text was not parsed.
        errors: the errors of parsing, validation and limits.
        operations: the operations of a valid document, by name; the only one also under None.
        size: maximum bytes that the prepared document can use.
    """

    document: DocumentNode | None
    errors: list[GraphQLError] = field(default_factory=list)
    operations: dict[str | None, Operation] = field(default_factory=dict)
    size: int = 0

    def kind(self, name: str | None) -> OperationType | None:
        """Return the kind of an operation, of a valid or invalid document; without a name, of the first."""
        for node in self.document.definitions if self.document else ():
            if isinstance(node, OperationDefinitionNode) and name in {None, node.name and node.name.value}:
                return OperationType(node.operation.value)
        return None


class Documents:
    """The documents of a process, each parsed and validated at its first use.

    Args:
        schema: the schema for the validation.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._cache: LRUCache[_Key, Prepared] = LRUCache(CACHE_BYTES, lambda prepared: prepared.size)
        self._one_at_a_time = asyncio.Lock()

    async def operation(
        self, text: str, name: str | None, kinds: Collection[OperationType], settings: Settings
    ) -> Operation:
        """Return the operation to execute.

        Args:
            text: the document.
            name: the operation's name; None for the only operation of the document.
            kinds: the accepted kinds.
            settings: the limits of documents.

        Raises:
            InvalidDocument: the document is not valid, or has several operations and no name is given.
            UnknownOperation: no operation of the document has the name.
            WrongKind: the operation is of another kind.
        """
        prepared = await self.prepare(text, settings)
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

    async def prepare(self, text: str, settings: Settings) -> Prepared:
        """Return a parsed and validated document, prepared on a thread where that could hold the event loop.

        Args:
            text: the document.
            settings: the limits of documents.
        """
        key = _Key(text, Limits.of(settings), settings.introspection)
        try:
            check_text(text, key.limits)
        except TooCostly as error:
            return Prepared(None, [GraphQLError(str(error), original_error=error)])
        return self._cache.get(key) or await self._first(key)

    async def _first(self, key: _Key) -> Prepared:
        if len(key.text) <= _SHORT:
            return self._keep(key, _prepare(key, self._schema))
        async with self._one_at_a_time:  # the thread is one; who waits for it may find the same text prepared
            return self._cache.get(key) or self._keep(key, await run_on_thread(_prepare, key, self._schema))

    def _keep(self, key: _Key, prepared: Prepared) -> Prepared:
        if prepared.size <= CACHE_BYTES:
            self._cache[key] = prepared
        return prepared


_NO_NAME = "Must provide operation name if query contains multiple operations."
"""The text of graphql-core, which clients know."""


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
    """Return an error that may be kept: the frames of its traceback would keep the prepared document in memory."""
    return GraphQLError(message, original_error=error.with_traceback(None))


_BYTES = 2_000
_BYTES_A_TOKEN = 700
"""Bytes of a parsed document for each token, a little more than measured; each node holds its tokens."""


def _unlink_tokens(document: DocumentNode) -> int:
    """Remove the links between a document's tokens; return the number of tokens.

    The links form a reference cycle: it would stay in memory, with all nodes, until the garbage collector visits its
    oldest generation, which is rare.
    """
    count = 0
    token = document.loc.start_token if document.loc else None
    while token is not None:
        count += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return count


_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
"""The rules of the GraphQL specification, and two of Strawberry."""

_RULES_OF_THE_HIDDEN = (*_RULES, NoSchemaIntrospectionCustomRule)
"""The rules for a server with introspection turned off."""


def _operations(schema: GraphQLSchema, document: DocumentNode) -> dict[str | None, Operation]:
    copies = copies_of(document)  # once, not for each operation: a document may have two hundred
    found = [
        Operation(schema, document, node, copies)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    by_name: dict[str | None, Operation] = {
        operation.node.name.value: operation for operation in found if operation.node.name
    }
    return {**by_name, None: found[0]} if len(found) == 1 else by_name
