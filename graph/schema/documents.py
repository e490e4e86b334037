"""Parsing and validation, within limits, and once for each text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import DocumentNode, GraphQLError, GraphQLSchema, NameNode, NoSchemaIntrospectionCustomRule, parse
from graphql.language import OperationDefinitionNode, OperationType, SelectionSetNode
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graph.access.limits import Limits, check_limits, check_text, validate_within
from graph.errors import TooCostly
from graph.execution.lru import Lru

_LONGEST_KEPT = 20_000
"""Characters of the longest text that is kept: longer ones are written by hand, with their data in them."""


class _Key(NamedTuple):
    text: str
    limits: Limits
    introspection: bool


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document and what is wrong with it; no document where it can't be parsed."""

    document: DocumentNode | None
    errors: list[GraphQLError]


class Documents(SchemaExtension):
    """Gives Strawberry the parsed and validated document.

    Unlike Strawberry's own caches, it looks at the limits between parsing and validation, keeps no text of megabytes,
    and leaves errors of parsing to Strawberry, whose streams can't take an exception from an extension.
    """

    kept: Lru[_Key, _Prepared] | None

    def __init__(self, kept: Lru[_Key, _Prepared] | None) -> None:
        super().__init__()
        self.kept = kept

    def on_parse(self) -> Iterator[None]:
        """Set the document, when it can be parsed."""
        execution = self.execution_context
        settings = execution.context.backend.settings
        limits = Limits.of(settings)
        if limits.tokens:
            execution.parse_options = {"max_tokens": limits.tokens}
        text = execution.query or ""
        try:
            check_text(text, limits)
        except TooCostly as error:
            refusal = GraphQLError(str(error), original_error=error)
            self._prepared = _Prepared(_stand_in(execution.operation_name), [refusal])
        else:
            self._prepared = self._prepare(_Key(text, limits, settings.introspection))
        execution.graphql_document = self._prepared.document
        yield

    def on_validate(self) -> Iterator[None]:
        """Set what is wrong with it."""
        self.execution_context.pre_execution_errors = list(self._prepared.errors)
        yield

    def _prepare(self, key: _Key) -> _Prepared:
        found = self.kept.get(key) if self.kept is not None else None
        if found is None:
            found = _prepare(key, self.execution_context)
            if self.kept is not None and len(key.text) <= _LONGEST_KEPT:
                self.kept.put(key, found)
        return found


def kept_documents() -> Lru[_Key, _Prepared]:
    """Room for the documents of a process."""
    return Lru(1_000)


def _stand_in(name: str | None) -> DocumentNode:
    """In place of a document that is not parsed: Strawberry would parse it, and looks for the named operation."""
    operation = OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=NameNode(value=name) if name else None,
        selection_set=SelectionSetNode(selections=()),
    )
    return DocumentNode(definitions=(operation,))


def _prepare(key: _Key, execution: Any) -> _Prepared:
    try:
        document = parse(key.text, max_tokens=key.limits.tokens or None)
    except (GraphQLError, RecursionError):
        return _Prepared(None, [])  # Strawberry parses it again and reports it
    try:
        check_limits(document, key.limits)
    except TooCostly as error:
        return _Prepared(document, [GraphQLError(str(error), original_error=error)])
    except RecursionError as error:
        return _Prepared(document, [GraphQLError("", original_error=error)])
    # Strawberry adds its own two to those of an execution in the same way.
    rules = (*execution.validation_rules, MaybeNullValidationRule, OneOfInputValidationRule)
    if not key.introspection:
        rules = (*rules, NoSchemaIntrospectionCustomRule)
    schema: GraphQLSchema = execution.schema._schema  # noqa: SLF001 - graphql-core's own schema
    return _Prepared(document, validate_within(key.limits, schema, document, rules))
