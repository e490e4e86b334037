"""An operation of a valid document, with its constant parts computed once for all requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from graphql.execution.collect_fields import CollectedFields, FragmentDetails, GroupedFieldSet, collect_fields
from graphql.execution.values import VariableValues
from graphql.pyutils import AwaitableOrValue
from strawberry.execution import optimized_is_awaitable
from strawberry.types.graphql import OperationType as Kind

from graph.execution.form import Form, form_of
from graph.execution.plan import conditions_of
from graph.execution.subscription import Outcome, ResolvedSubscription, resolve_subscription
from graph.execution.variables import Variables

if TYPE_CHECKING:
    from graph.execution.executor import SelectingExecutor

_MOST_FORMS = 8
"""Maximum outcomes of `@skip` and `@include` that are cached for one operation."""


class PreparedOperation:
    """One operation, ready for execution with variables.

    Attributes:
        document: the document of the operation.
        node: the operation's node.
        kind: query, mutation or subscription, as Strawberry's type.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode, executor: type[Any]
    ) -> None:
        self.document = document
        self.node = node
        self.kind = Kind(node.operation.value)
        root = schema.get_root_type(node.operation)
        assert root is not None  # noqa: S101 - a valid operation has one
        self._root = root
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
        """Return the maximum number of cached forms."""
        outcomes: int = 3 ** len(self._conditions)  # each variable is true, false, or absent
        return min(_MOST_FORMS, outcomes)

    async def run(self, variables: dict[str, Any], context: object, extensions: dict[str, Any] | None) -> Outcome:
        """Execute the operation, by the steps of graphql-core's `execute`.

        Args:
            variables: the values of the request, unchecked.
            context: the value of `info.context` in resolvers.
            extensions: the `extensions` of the request.
        """
        values = self._variables.coerce(variables)
        if isinstance(values, list):
            return None, values
        executor = self._make(values, context, extensions)
        try:
            data = await self._data(executor, self._roots(executor).grouped_field_set)
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            data = None
        return data, executor.collected_errors.errors

    async def subscribe(
        self, variables: dict[str, Any], context: object, extensions: dict[str, Any] | None
    ) -> ResolvedSubscription | list[GraphQLError]:
        """Resolve the field of a subscription.

        Args:
            variables: the values of the request, unchecked.
            context: the value of `info.context` in the field's resolver.
            extensions: the `extensions` of the request.

        Returns:
            The subscription that executes events, or the errors of a refused one.
        """
        values = self._variables.coerce(variables)
        if isinstance(values, list):
            return values
        executor = self._make(values, context, extensions)
        name, details = next(iter(self._roots(executor).grouped_field_set.items()))
        try:
            return await resolve_subscription(executor, name, details)
        except GraphQLError as error:
            return [error]

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

    async def _data(self, executor: SelectingExecutor, roots: GroupedFieldSet) -> dict[str, Any]:
        data = self._start(executor, roots)
        return data if isinstance(data, dict) else await data

    def _start(self, executor: SelectingExecutor, roots: GroupedFieldSet) -> AwaitableOrValue[dict[str, Any]]:
        serially = self.node.operation is OperationType.MUTATION
        return executor.execute_collected_root_fields(self._root, None, roots, serially, ())

    def _roots(self, executor: SelectingExecutor) -> CollectedFields:
        form = form_of(executor)
        if form.roots is None:
            form.roots = collect_fields(self._schema, self._fragments, executor.variable_values, self._root, self.node)
        return form.roots
