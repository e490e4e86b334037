"""Subscriptions as transports serve them: what subscribers with the same request get is made once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError
from graphql.execution import execute_subscription_event
from strawberry.http import process_result
from strawberry.schema import BaseSchema
from strawberry.types import ExecutionResult as OperationResult
from strawberry.types.execution import PreExecutionError

from graph.errors import OperationError
from graph.execution.identity import selection_digest
from graph.live.memory import Outlet
from graph.live.source import Source
from graph.request.admission import event_limit
from graph.request.masking import public_error, public_failure
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


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a stream.

    Attributes:
        payload: as JSON.
        mark: with which the subscription resumes after it; None for what is no subscription.
    """

    payload: str
    mark: str | None


@dataclass(slots=True)
class Operation:
    """One operation of a transport that streams: a query or mutation gives one result, a subscription any number.

    Attributes:
        context: of the operation; created again for each event, so that each sees the database as it is then.
        outlet: where the results go.
        resume_after: the mark of the last result that the subscriber has, see `Source.mark`.
        source: what the subscription follows, once it does.
        taken: what the subscription's resolver handed over.
    """

    schema: BaseSchema
    context: Context
    query: str
    variables: dict[str, Any] | None = None
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    outlet: Outlet = field(default_factory=Outlet)
    resume_after: str | None = None
    source: Source | None = None
    taken: list[tuple[Any, Source]] = field(default_factory=list)

    async def check_caller(self) -> None:
        """Look again at the credentials of a caller who was known before this operation.

        Raises:
            OperationFailed: they are void by now, or that can't be found out.
        """
        try:
            await self.context.guards.standing.check(self.context.caller)
        except OperationError as error:
            raise self._failed(error) from None

    async def streamed(self) -> AsyncGenerator[Result, None]:
        """Each result, as a connection of its own.

        Raises:
            OperationFailed: as from `results`, or the caller has too many connections.
        """
        try:
            with self.context.guards.presence.connection(self.context.caller):
                async with aclosing(self.results()) as results:
                    async for payload in results:
                        result = [Result(payload, None if self.source is None else self.source.mark)]
                        del payload
                        yield result.pop()
        except OperationError as error:
            raise self._failed(error) from None

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
        while self.taken:
            async with aclosing(self._follow(*self.taken.pop())) as results:
                async for payload in results:
                    yield payload
                    del payload  # while the next one is waited for, which may be long

    async def _follow(self, executor: object, source: Source) -> AsyncGenerator[str, None]:
        context = replace(self.context, take_over=None, request=None)
        backend = context.backend
        self.outlet.caller = context.caller.name
        try:
            if self.resume_after:
                source.resume(self.resume_after)
            self.source = source
            with context.guards.presence.subscription(context.caller):
                follower = backend.hub.follow(
                    source, _request_of(executor, context), _execution(executor, context), self.outlet
                )
                del executor  # the first of a group keeps its document; the others need not
                with closing(follower), context.guards.standing.watched(context.caller, follower.refuse):
                    async with aclosing(follower.payloads()) as payloads:
                        async for payload in payloads:
                            yield payload
                            del payload
        except OperationError as error:
            raise self._failed(error) from None

    def _failed(self, error: OperationError) -> OperationFailed:
        return OperationFailed([public_failure(error, self.context.caller)])


def _execution(executor: Any, context: Context) -> Callable[[Any], Awaitable[str]]:
    """What makes the JSON of a result from an event."""

    async def execute(event: Any) -> str:
        of_event = executor.build_per_event_executor(event)
        of_event.context_value = replace(context)
        with event_limit(context):
            result = execute_subscription_event(of_event)
            if of_event.is_awaitable(result):
                result = await cast("Awaitable[ExecutionResult]", result)
        result = cast("ExecutionResult", result)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [_shared(public_error(error)) for error in result.errors]
        return encode_json(answer).decode()

    return execute


def _shared(error: GraphQLError) -> dict[str, Any]:
    """An error without its place in the text, which is another one for each follower of the group."""
    formatted: dict[str, Any] = dict(error.formatted)
    formatted.pop("locations", None)
    return formatted


def _request_of(executor: Any, context: Context) -> Hashable:
    """What results depend on besides the event. Where a subscriber starts is no part of it."""
    fragments = {name: details.definition for name, details in executor.fragments.items()}
    selected = selection_digest(
        executor.operation.selection_set, fragments, executor.variable_values.coerced, without=_AFTER_SEQ
    )
    return selected, context.scope
