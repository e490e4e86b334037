"""GraphQL over HTTP, as an ASGI application."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse

from graph.explorer import explorer_response
from graph.operations.backend import Backend
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.store.scope import EVERYTHING


class GraphQLView(GraphQL[Context, None]):
    """The `/graphql` endpoint."""

    def __init__(self) -> None:
        super().__init__(build_schema())

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """The context of one request."""
        backend: Backend = request.app.state.backend
        return Context(backend, EVERYTHING, request, response)

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        """The answer as JSON. Only here as bytes: a WebSocket would send them as a binary frame."""
        response = Response(
            orjson.dumps(response_data), status_code=sub_response.status_code or 200, media_type="application/json"
        )
        response.headers.raw.extend(sub_response.headers.raw)
        return response

    async def render_graphql_ide(self, request: Request) -> Response:  # noqa: ARG002
        """The explorer, for a browser that opens the endpoint."""
        return explorer_response()
