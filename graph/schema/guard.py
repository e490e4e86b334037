"""What is checked of an operation after it was parsed and validated, and before it is executed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import DocumentNode, FieldNode, FragmentSpreadNode, GraphQLError, InlineFragmentNode, SelectionSetNode
from graphql.language import FragmentDefinitionNode, OperationDefinitionNode
from strawberry.extensions import SchemaExtension

from graph.access.rules import needed_right
from graph.errors import OperationError, Unauthenticated
from graph.schema.context import Context


class Guard(SchemaExtension):
    """Refuses operations that the caller may not send. Stands after the validation in the list of extensions."""

    def on_validate(self) -> Iterator[None]:
        """Refuse, as a failed validation does, before anything is executed."""
        execution = self.execution_context
        if not execution.pre_execution_errors and execution.graphql_document is not None:
            try:
                _check_rights(execution.context, execution.graphql_document, execution.operation_name)
            except OperationError as error:
                execution.pre_execution_errors = [GraphQLError(str(error), original_error=error)]
        yield


def _check_rights(context: Context, document: DocumentNode, name: str | None) -> None:
    if context.caller.seconds_left() == 0:
        raise Unauthenticated("the credentials have expired: connect again with new ones")
    operation = operation_named(document, name)
    kind: Any = operation.operation.value
    context.caller.require(needed_right(kind, root_fields(document, operation)))
    context.changes = kind == "mutation"


def operation_named(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is about to be executed; a valid document has it."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    return next((node for node in operations if node.name and node.name.value == name), operations[0])


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> set[str]:
    """The names of the fields that an operation selects at its root, through fragments too."""
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
