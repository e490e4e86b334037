"""The results of subscriptions: subscribers with equal selections share each result."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, cast

from graphql import GraphQLError

from graph.errors import TooCostly
from graph.execution.subscription import ResolvedSubscription
from graph.live.memory import Outlet
from graph.live.source import Source
from graph.operations.bounds import event_bounds
from graph.request.answer import Result, encode_json
from graph.request.guards import Guards
from graph.request.masking import public_error
from graph.schema.context import Context
from graph.store.documents import Document

MOST_COST = 100
"""Maximum cost of the reads for one event, in addition to the cost of its objects: no caller's budget pays for it."""
_STARTS = frozenset({"afterSeq", "afterIndex", "sinceRevision"})
"""The arguments for a subscriber's start: the results of events do not depend on their values."""


async def follow(
    resolved: ResolvedSubscription, context: Context, guards: Guards, outlet: Outlet, resume_after: str | None
) -> AsyncGenerator[Result, None]:
    """Yield the results of a subscription, from its start.

    Args:
        resolved: the subscription.
        context: of the operation.
        guards: count the subscription, and end it when its caller's key is revoked.
        outlet: where the results go.
        resume_after: the mark of the last result that the subscriber has.

    Raises:
        OperationError: the subscription is refused, or its caller's credentials are no longer valid.
    """
    source = cast("Source", resolved.source)
    outlet.caller = context.caller.name
    if resume_after:
        source.resume(resume_after)
    with guards.presence.subscription(context.caller):
        shared_by = resolved.digest(without=_STARTS), context.scope
        follower = context.backend.hub.follow(source, shared_by, _execution(resolved, context, source.event_of), outlet)
        del resolved
        with closing(follower), guards.standing.watched(context.caller, follower.refuse):
            async with aclosing(follower.payloads()) as payloads:
                async for payload in payloads:
                    yield Result(payload, source.mark)
                    del payload


def _execution(
    resolved: ResolvedSubscription, context: Context, event_of: Callable[[Document], Document]
) -> Callable[[Document], Awaitable[str]]:
    """Return a function from an event of the source to the JSON of its result."""

    async def execute(event: Document) -> str:
        value = event_of(event)
        written = resolved.write(value)
        if written is not None:
            return encode_json({"data": written}).decode()
        with event_bounds(context.backend):
            data, errors = await resolved.execute(value, replace(context, charge=_charge_of_event()))
        response: dict[str, Any] = {"data": data}
        if errors:
            response["errors"] = [_shared(public_error(error)) for error in errors]
        return encode_json(response).decode()

    return execute


def _charge_of_event() -> Callable[[int], Awaitable[None]]:
    """Return the charge of one event, which refuses a total cost of more than `MOST_COST`."""
    left = MOST_COST

    async def charge(cost: int) -> None:
        nonlocal left
        left -= cost
        if left < 0:
            raise TooCostly(
                f"the fields of an event may cost {MOST_COST:,} in addition to its objects: read the entities of a long"
                " session with branches by a query"
            )

    return charge


def _shared(error: GraphQLError) -> dict[str, Any]:
    """Return an error without its location, which differs between the followers of a group."""
    formatted: dict[str, Any] = dict(error.formatted)
    formatted.pop("locations", None)
    return formatted
