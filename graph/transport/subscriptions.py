"""Subscriptions as transports serve them: what subscribers with the same request get is made once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson
from graphql import ExecutionResult, FieldNode, GraphQLError, VariableNode, Visitor, visit
from graphql.execution import execute_subscription_event
from strawberry.http import process_result
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult as OperationResult
from strawberry.types.execution import PreExecutionError

from graph.access.expiry import until_expiry
from graph.errors import OperationError
from graph.live.source import Source
from graph.request.masking import public_error
from graph.schema.context import Context
from graph.transport.http import encode_json

_AFTER_SEQ = "afterSeq"


class OperationFailed(Exception):
    """The operation ends with errors instead of a result.

    Attributes:
        errors: as callers see them.
    """

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("the operation failed")
        self.errors = errors


@dataclass(slots=True)
class Operation:
    """One operation of a transport that streams: a query or mutation gives one result, a subscription any number.

    Attributes:
        context: of the operation; made anew for each event, so that each sees the database as it is then.
        taken: what the subscription's resolver handed over.
    """

    schema: BaseSchema
    context: Context
    query: str
    variables: dict[str, Any] | None = None
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    taken: list[tuple[Any, Source]] = field(default_factory=list)

    async def results(self) -> AsyncGenerator[str, None]:
        """Each result as JSON. Ends early, without an error, when the service stops: see `Hub.is_closing`.

        Raises:
            OperationFailed: the request is refused, or the subscription turns out not to be the caller's.
        """
        context = replace(self.context, take_over=lambda executor, source: self.taken.append((executor, source)))
        stream = await self.schema.stream(
            self.query,
            variable_values=self.variables,
            context_value=context,
            operation_name=self.name,
            **self.options,
        )
        async with aclosing(stream):
            async for result in cast("AsyncGenerator[OperationResult, None]", stream):
                errors = result.errors or []
                if isinstance(result, PreExecutionError) or (errors and all(error.path is None for error in errors)):
                    raise OperationFailed(errors)
                yield encode_json(process_result(result)).decode()
        for executor, source in self.taken:
            async with aclosing(self._follow(executor, source)) as results:
                async for payload in results:
                    yield payload

    async def _follow(self, executor: Any, source: Source) -> AsyncGenerator[str, None]:
        context = replace(self.context, take_over=None, request=None)
        hub = context.backend.hub
        follower = hub.follow(source, _request_of(executor, context), _execution(executor, context))
        try:
            async with aclosing(until_expiry(follower.payloads(), context.caller)) as payloads:
                async for payload in payloads:
                    yield payload
        except OperationError as error:
            raise OperationFailed([public_error(GraphQLError(str(error), original_error=error))]) from None
        finally:
            follower.close()


def _execution(executor: Any, context: Context) -> Callable[[Any], Awaitable[str]]:
    """What makes the JSON of a result from an event."""

    async def execute(event: Any) -> str:
        of_event = executor.build_per_event_executor(event)
        of_event.context_value = replace(context)
        result = execute_subscription_event(of_event)
        if of_event.is_awaitable(result):
            result = await cast("Awaitable[ExecutionResult]", result)
        result = cast("ExecutionResult", result)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [public_error(error).formatted for error in result.errors]
        return encode_json(answer).decode()

    return execute


def _request_of(executor: Any, context: Context) -> Hashable:
    """What results depend on besides the event. Where a subscriber starts is no part of it."""
    operation = executor.operation
    variables = dict(executor.variable_values.coerced)
    name = _only_used_to_start(operation)
    if name is not None:
        variables.pop(name, None)
    text = operation.loc.source.body
    encoded = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS, default=repr)
    return text, operation.name.value if operation.name else None, encoded, context.scope


def _only_used_to_start(operation: Any) -> str | None:
    """The variable whose one use in the whole document is the root field's `afterSeq`."""
    name = None
    for selection in operation.selection_set.selections:
        if isinstance(selection, FieldNode):
            for argument in selection.arguments or ():
                if argument.name.value == _AFTER_SEQ and isinstance(argument.value, VariableNode):
                    name = argument.value.name.value
    if name is None:
        return None
    uses = _Uses(name)
    visit(operation, uses)
    # A fragment may use it, too; the definition and the one use are both found in the operation itself.
    return name if uses.count == 2 and operation.loc.source.body.count(f"${name}") == 2 else None


class _Uses(Visitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.count = 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.count += node.name.value == self.name
