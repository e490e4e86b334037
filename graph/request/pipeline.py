"""Execution of an operation from its text to its answer, for every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import GraphQLError
from strawberry.types.graphql import OperationType

from graph.access.caller import Caller
from graph.errors import ErrorCode, OperationError
from graph.execution.internals import core_schema
from graph.live.memory import Outlet
from graph.operations.backend import Backend
from graph.operations.bounds import read_bounds
from graph.request.admission import admit, cost_report
from graph.request.answer import Answer, Result, encode_json
from graph.request.documents import Documents, InvalidDocument
from graph.request.following import follow
from graph.request.guards import Guards
from graph.request.masking import public_errors, public_failure
from graph.request.operation import Operation
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.telemetry.steps import Kind, note, step

ONE_ANSWER = frozenset({OperationType.QUERY, OperationType.MUTATION})
"""The kinds of operation that have one answer."""
EVERY_KIND = frozenset(OperationType)


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """The parameters of a GraphQL request (GraphQL over HTTP, "Request Parameters").

    Attributes:
        text: the document.
        variables: the values of the request, unchecked.
        name: the operation's name; None for the only operation of the document.
        extensions: the `extensions` of the request.
        reports_cost: whether the answer must report the cost.
    """

    text: str
    variables: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    extensions: dict[str, Any] = field(default_factory=dict)
    reports_cost: bool = False


class OperationFailed(Exception):
    """The operation ends with errors instead of a result.

    Attributes:
        errors: the errors without internal details.
    """

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("the operation failed")
        self.errors = errors


class Pipeline:
    """Prepares, admits and executes the operations of one process.

    A document is parsed and validated once; the caller's right is checked; the cost is taken from the caller's budget;
    the reads of the execution are bounded; errors are masked.
    """

    def __init__(self, backend: Backend, guards: Guards, documents: Documents | None = None) -> None:
        self._backend = backend
        self._guards = guards
        self._documents = documents or Documents(core_schema(build_schema()))

    def context(self, caller: Caller) -> Context:
        """Create the context of one operation of a caller."""
        return Context(self._backend, caller, charge=partial(self._guards.budgets.spend, caller))

    async def execute(
        self, request: OperationRequest, context: Context, kinds: Collection[OperationType] = ONE_ANSWER
    ) -> Answer:
        """Execute a query or mutation.

        Args:
            request: the request of the client.
            context: the context of the operation.
            kinds: the kinds of operation that the transport serves.

        Raises:
            UnknownOperation: the document has no operation of the name.
            WrongKind: the operation is of another kind.
        """
        try:
            operation = await self._prepared(request, kinds)
        except InvalidDocument as invalid:
            return Answer(None, self._public(invalid.errors, context))
        return await self._run(operation, request, context)

    async def subscribe(
        self,
        request: OperationRequest,
        context: Context,
        outlet: Outlet,
        *,
        kinds: Collection[OperationType] = EVERY_KIND,
        resume_after: str | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Yield each result of an operation: one of a query or mutation, any number of a subscription.

        The results end early, without an error, when the service stops: see `Hub.is_closing`.

        Args:
            request: the request of the client.
            context: the context of the operation; each event has its own, with the database at its time.
            outlet: the receiver of the results.
            kinds: the kinds of operation that the transport serves.
            resume_after: the mark of the last result that the subscriber has, see `Source.mark`.

        Raises:
            OperationFailed: the operation is refused, or the subscription's session is outside the caller's scope.
        """
        try:
            async with read_bounds(self._backend, changes=False):
                await self._guards.standing.require_valid(context.caller)
            operation = await self._prepared(request, kinds)
            if operation.kind is not OperationType.SUBSCRIPTION:
                answer = await self._run(operation, request, context)
                if answer.is_refusal:
                    raise OperationFailed(answer.errors)
                yield Result(encode_json(answer.formatted()).decode())
                return
            await admit(self._guards, context, request.text, operation, request.variables)
            async with read_bounds(self._backend, changes=False):
                resolved = await operation.subscribe(request.variables, context, request.extensions)
            if isinstance(resolved, list):
                raise OperationFailed(self._public(resolved, context))
            async with aclosing(follow(resolved, context, self._guards, outlet, resume_after)) as results:
                del resolved  # only the first subscriber of a group needs its document
                async for result in results:
                    yield result
                    del result  # frees memory during the wait for the next result
        except InvalidDocument as invalid:
            raise OperationFailed(self._public(invalid.errors, context)) from None
        except OperationError as error:
            raise OperationFailed([public_failure(error, context.caller)]) from None

    async def _prepared(self, request: OperationRequest, kinds: Collection[OperationType]) -> Operation:
        with step(Kind.PARSE) as parsing:
            try:
                operation = await self._documents.operation(request.text, request.name, kinds, self._guards.settings)
            except InvalidDocument:
                parsing.fail(ErrorCode.BAD_USER_INPUT.value)
                raise
        name = operation.node.name
        note(kind=operation.kind.value, operation="" if name is None else name.value)
        if not self._guards.trusted.names_series(request.text):
            note(trusted=0)
        return operation

    async def _run(self, operation: Operation, request: OperationRequest, context: Context) -> Answer:
        cost, data = None, None
        errors: list[GraphQLError] = []
        try:
            cost = await admit(self._guards, context, request.text, operation, request.variables)
            async with read_bounds(self._backend, changes=operation.changes, copies=operation.copies):
                data, errors = await operation.run(request.variables, context, request.extensions)
        except Exception as error:  # noqa: BLE001 - `public_errors` distinguishes the errors
            errors = [GraphQLError(str(error), original_error=error)]
        wants_cost = request.reports_cost or request.extensions.get("cost") is True
        return Answer(
            data,
            self._public(errors, context) if errors else errors,
            cost_report(cost, self._guards.settings, requested=wants_cost),
        )

    def _public(self, errors: Iterable[GraphQLError], context: Context) -> list[GraphQLError]:
        return public_errors(
            errors,
            suggestions=self._guards.settings.suggestions,
            changes=context.changes,
            names_settings=context.caller.may_know_settings,
        )
