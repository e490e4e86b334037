"""The Starlette application: routes, middleware and lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from graph.console import console_routes
from graph.enrichment.tokens import load_counter
from graph.errors import Forbidden, OperationError
from graph.explorer import explorer_routes
from graph.mcp.endpoint import MCPEndpoint
from graph.operations.backend import Backend
from graph.operations.concurrency import run_on_thread
from graph.operations.opening import opened
from graph.operations.readiness import Readiness
from graph.request.guards import Guards
from graph.request.pipeline import Pipeline
from graph.settings import Settings
from graph.store.driver.availability import observed
from graph.store.jobs.pending import keep_running
from graph.store.streams.writing import interrupt_silent
from graph.telemetry.exposition import BY_KEY, TYPE, page
from graph.telemetry.steps import observed_by
from graph.transport.endpoint import GraphQLEndpoint
from graph.transport.http import JSON_TYPE, refusal_response, refused
from graph.transport.open_connections import OpenConnections
from graph.transport.origins import Origins
from graph.transport.security import middleware
from graph.zep.routes import ZepPaths, zep_routes

_GRAPHQL = ("/graphql", "/graphql/")


def create_app(settings: Settings, uri: str) -> Starlette:
    """Create the application, which opens the database when it starts.

    Args:
        settings: the settings of the process.
        uri: the connection string of MongoDB.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as open_parts:  # closes the open parts after any failure
            database = await open_parts.enter_async_context(opened(settings, uri))
            tokens = load_counter(settings.token_encoding)
            interrupt = partial(interrupt_silent, database, tokens.count_message_async)
            app.state.backend = backend = Backend(settings, database, tokens)
            open_parts.enter_context(observed_by(backend.operations))
            streams = ("silent streams", observed("streams", interrupt))
            figures = ("the figures of the process", backend.processes.report)
            database.run(keep_running(database, streams, figures))
            app.state.readiness = Readiness(backend)
            app.state.guards = guards = Guards(settings, database)
            app.state.pipeline = Pipeline(backend, guards)
            open_parts.push_async_callback(backend.close)
            open_parts.push_async_callback(guards.authenticator.close)
            guards.authenticator.start()
            await open_parts.enter_async_context(mcp.running())
            yield

    endpoint = GraphQLEndpoint(settings)
    mcp = MCPEndpoint(settings.request_timeout)
    origins = Origins(settings.allowed_origins)
    app = Starlette(
        routes=[
            *(
                route
                for path in _GRAPHQL
                for route in (Route(path, endpoint, methods=None), WebSocketRoute(path, endpoint))
            ),
            Route("/mcp", mcp, methods=None),
            Route("/", _home),
            Route("/health", _health),
            Route("/ready", _ready),
            *([Route("/metrics", _metrics)] if settings.metrics == BY_KEY else ()),
            *(explorer_routes() if settings.explorer else ()),
            *(console_routes() if settings.console else ()),
            *zep_routes(),
        ],
        middleware=[*middleware(settings, origins), Middleware(ZepPaths)],
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.connections = OpenConnections()
    app.state.origins = origins
    # Starlette would redirect to the host in the request, which the client chooses.
    app.router.redirect_slashes = False
    return app


async def _home(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{request.app.state.settings.root_path or ''}/graphql")


async def _health(_request: Request) -> PlainTextResponse:
    """Answer with 200: the process is alive. A restart would not help one whose MongoDB is away."""
    return PlainTextResponse("ok")


async def _ready(request: Request) -> JSONResponse:
    """Answer with 200 where the process can serve requests, else with 503 and the reasons."""
    reasons = await request.app.state.readiness.reasons()
    return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)


async def _metrics(request: Request) -> Response:
    """Answer with the metrics, to a service key; end users get no figures of others."""
    try:
        caller = await request.app.state.guards.authenticate(request.headers.get("authorization"))
        if caller.scope.user_id is not None:
            raise Forbidden("metrics are for service keys")
    except OperationError as error:
        return refusal_response(refused(error), media_type=JSON_TYPE)
    return Response(await run_on_thread(page), media_type=TYPE)
