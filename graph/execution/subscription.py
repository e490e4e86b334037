"""A subscription whose field has been resolved, ready to execute its selection for each event."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from graphql import ExecutionResult, GraphQLError, GraphQLOutputType, located_error
from graphql.execution import execute_subscription_event
from graphql.execution.collect_fields import FieldDetails
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from graph.execution.identity import selection_digest

if TYPE_CHECKING:
    from graph.execution.executor import SelectingExecutor

Outcome: TypeAlias = tuple[dict[str, Any] | None, list[GraphQLError]]
"""The data, and the errors of its missing parts."""


class ResolvedSubscription:
    """One subscription.

    Attributes:
        source: the result of the field's resolver.
    """

    def __init__(
        self,
        executor: SelectingExecutor,
        source: object,
        name: str,
        return_type: GraphQLOutputType,
        details: list[FieldDetails],
    ) -> None:
        self.source = source
        self._executor = executor
        self._name = name
        self._type = return_type
        self._details = details

    def digest(self, *, without: frozenset[str]) -> bytes:
        """Return a digest of the selection, see `selection_digest`."""
        executor = self._executor
        fragments = {name: details.definition for name, details in executor.fragments.items()}
        variables = executor.variable_values.coerced
        return selection_digest(executor.operation.selection_set, fragments, variables, without=without)

    def write(self, event: object) -> dict[str, Any] | None:
        """Return the data for one event whose selected fields are all compiled, which reads nothing; or else None.

        Most events are such, and the steps of graphql-core take several times as long.
        """
        written = self._executor.write_whole(self._type, self._details, event)
        return None if written is None else {self._name: written}

    async def execute(self, event: object, context: object) -> Outcome:
        """Execute the selection for one event.

        Args:
            event: the value of the subscription's field.
            context: the value of `info.context` in resolvers.
        """
        of_event = self._executor.build_per_event_executor(event)
        of_event.context_value = context
        result = execute_subscription_event(of_event)
        if of_event.is_awaitable(result):
            result = await cast("Awaitable[ExecutionResult]", result)
        result = cast("ExecutionResult", result)
        return result.data, result.errors or []


async def resolve_subscription(
    executor: SelectingExecutor, name: str, details: list[FieldDetails]
) -> ResolvedSubscription:
    """Resolve the field of a subscription, by the steps of graphql-core's `execute_subscription`.

    graphql-core's function requires an event stream, but these resolvers return a source that subscribers share.

    Args:
        executor: the executor of the operation.
        name: the field's name in the response.
        details: the field's nodes.

    Raises:
        GraphQLError: the arguments are wrong, or the resolver failed.
    """
    root = executor.schema.subscription_type
    assert root is not None  # noqa: S101 - the operation is valid
    nodes = [item.node for item in details]
    field = root.fields[nodes[0].name.value]
    path = Path(None, name, root.name)
    try:
        info = executor.build_resolve_info(field, nodes, root, path)
        arguments = get_argument_values(
            field,
            nodes[0],
            executor.variable_values,
            details[0].fragment_variable_values,
            executor.hide_suggestions,
        )
        assert field.subscribe is not None  # noqa: S101 - each root field of the schema has a resolver
        source = field.subscribe(executor.root_value, info, **arguments)
        if executor.is_awaitable(source):
            source = await source
    except Exception as error:
        raise located_error(error, nodes, path.as_list()) from error
    return ResolvedSubscription(executor, source, name, field.type, details)
