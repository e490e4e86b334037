"""Subscriptions to resources (`subscriptions/listen`, MCP 2026-07-28), which follow the GraphQL API's subscriptions."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import event_to_notification
from mcp.shared.uri_template import UriTemplate
from mcp.types import (
    INVALID_PARAMS,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from graph.mcp import documents
from graph.mcp.api import Api, ApiError, ApiOf, data_of
from graph.mcp.resources import MESSAGES, SUMMARY

MAX_RESOURCES = 20
"""Maximum resources of one listen request; each one is a subscription of the GraphQL API or two."""

_METHOD = "subscriptions/listen"
_DISCOVER = "server/discover"
_MESSAGES = UriTemplate.parse(MESSAGES)
_SUMMARY = UriTemplate.parse(SUMMARY)
_OF_MESSAGES = (documents.FOLLOW_MESSAGES, documents.FOLLOW_CHANGES)


class _Followed(NamedTuple):
    """A subscription of the GraphQL API that reports changes of a resource."""

    uri: str
    document: str
    session_id: str


class Listening:
    """Middleware of the MCP server that answers listen requests with the rights of their callers."""

    def __init__(self, api_of: ApiOf) -> None:
        self._api_of = api_of

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Answer a listen request, and correct the answer to `server/discover`; pass on other requests."""
        if ctx.method != _METHOD:
            result = await call_next(ctx)
            return _without_lists(result) if ctx.method == _DISCOVER and isinstance(result, dict) else result
        params = SubscriptionsListenRequestParams.model_validate(ctx.params)
        uris = list(dict.fromkeys(params.notifications.resource_subscriptions or ()))
        if len(uris) > MAX_RESOURCES:
            message = f"resourceSubscriptions may name at most {MAX_RESOURCES} resources"
            raise MCPError(INVALID_PARAMS, message)
        return await self._listen(ctx, uris, [one for uri in uris for one in _followed(uri)])

    async def _listen(
        self, context: ServerRequestContext[Any, Any], uris: list[str], followed: list[_Followed]
    ) -> HandlerResult:
        """Follow until the client goes away; without a resource there is nothing to follow, and the stream ends."""
        api = self._api_of(context)
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        try:
            with api.open_stream():
                await _acknowledge(context, uris, meta)
                async with asyncio.TaskGroup() as group:
                    for one in followed:
                        group.create_task(_follow(context, api, one, meta))
        except* ApiError as errors:
            message = str(errors.exceptions[0])
            raise MCPError(INVALID_PARAMS, message) from None
        return SubscriptionsListenResult(_meta=meta)


async def _acknowledge(context: ServerRequestContext[Any, Any], uris: list[str], meta: dict[str, Any]) -> None:
    """Accept the resources, and no list: the lists of tools, prompts and resources never change."""
    accepted = SubscriptionFilter(resource_subscriptions=uris or None)
    params = SubscriptionsAcknowledgedNotificationParams(notifications=accepted, _meta=meta)
    await context.session.send_notification(
        SubscriptionsAcknowledgedNotification(params=params), related_request_id=context.request_id
    )


def _without_lists(discovered: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `server/discover` without the claim, which is the SDK's for any server, that lists change.

    A client that believes it opens a stream for changes that never come.
    """
    capabilities = {
        name: {**capability, "listChanged": False} if "listChanged" in capability else capability
        for name, capability in discovered["capabilities"].items()
    }
    return {**discovered, "capabilities": capabilities}


def _followed(uri: str) -> list[_Followed]:
    if found := _MESSAGES.match(uri):
        session_id = str(found["session_id"])
        return [_Followed(uri, document, session_id) for document in _OF_MESSAGES]
    if found := _SUMMARY.match(uri):
        return [_Followed(uri, documents.FOLLOW_SESSIONS, str(found["session_id"]))]
    message = f"{uri[:200]} is no resource of this server: see resources/templates/list"
    raise MCPError(INVALID_PARAMS, message)


async def _follow(context: ServerRequestContext[Any, Any], api: Api, followed: _Followed, meta: dict[str, Any]) -> None:
    of_all = followed.document is documents.FOLLOW_SESSIONS
    variables = {} if of_all else {"sessionId": followed.session_id}
    async for response in api.follow(followed.document, variables):
        (event,) = data_of(response).values()
        if not of_all or event["sessionId"] == followed.session_id:
            await context.session.send_notification(
                event_to_notification(ResourceUpdated(uri=followed.uri), meta), related_request_id=context.request_id
            )
