"""An operation of a valid document, with all that is the same for each request worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution.collect_fields import FragmentDetails, collect_fields
from graphql.execution.values import VariableValues
from strawberry.execution import optimized_is_awaitable
from strawberry.types.graphql import OperationType as Kind

from graph.execution.form import Form, form_of
from graph.execution.plan import conditions_of
from graph.execution.variables import Variables

if TYPE_CHECKING:
    from graph.execution.executor import SelectingExecutor

Outcome: TypeAlias = tuple[dict[str, Any] | None, list[GraphQLError]]
"""The data, and the errors of whatever is missing in it."""

_MOST_FORMS = 8
"""Outcomes of `@skip` and `@include` that are kept of one operation."""


class PreparedOperation:
    """One operation, ready to be run with variables.

    Attributes:
        document: the document that holds it.
        node: the operation's node.
        kind: what it is, in Strawberry's words.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode, executor: type[Any]
    ) -> None:
        self.document = document
        self.node = node
        self.kind = Kind(node.operation.value)
        self._schema = schema
        self._executor: type[SelectingExecutor] = executor
        self._fragment_nodes = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._fragments = {name: FragmentDetails(definition, None) for name, definition in self._fragment_nodes.items()}
        self._variables = Variables(schema, node)
        self._conditions = conditions_of(node, self._fragment_nodes.values())
        self._forms: LRUCache[tuple[Any, ...], Form] = LRUCache(_MOST_FORMS)

    @property
    def forms(self) -> int:
        """The maximum number of forms that are kept."""
        outcomes: int = 3 ** len(self._conditions)  # each is true, false, or absent
        return min(_MOST_FORMS, outcomes)

    async def run(self, variables: dict[str, Any], context: object, extensions: dict[str, Any] | None) -> Outcome:
        """Execute it, by the steps of graphql-core's `execute`.

        Args:
            variables: as they were sent.
            context: what resolvers find in `info.context`.
            extensions: those of the request.
        """
        values = self._variables.coerce(variables)
        if isinstance(values, list):
            return None, values
        executor = self._make(values, context, extensions)
        try:
            data = self._start(executor)
            if executor.is_awaitable(data):
                data = await data
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            data = None
        return data, executor.collected_errors.errors

    def _make(self, values: VariableValues, context: object, extensions: dict[str, Any] | None) -> SelectingExecutor:
        executor = self._executor(
            self._schema,
            self._fragment_nodes,
            self._fragments,
            None,
            context,
            self.node,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
            operation_extensions=extensions,
        )
        executor.form = self._form(values)
        return executor

    def _form(self, values: VariableValues) -> Form:
        outcome = tuple([values.coerced.get(name, Undefined) for name in self._conditions])
        form = self._forms.get(outcome)
        if form is None:
            form = self._forms[outcome] = Form()
        return form

    def _start(self, executor: SelectingExecutor) -> Any:
        root = self._schema.get_root_type(self.node.operation)
        assert root is not None  # noqa: S101 - a valid operation has one
        form = form_of(executor)
        if form.roots is None:
            form.roots = collect_fields(self._schema, self._fragments, executor.variable_values, root, self.node)
        serially = self.node.operation is OperationType.MUTATION
        return executor.execute_collected_root_fields(
            root, None, form.roots.grouped_field_set, serially, form.roots.new_defer_usages
        )
