"""What is compared, each as a server of one process: `python -m benchmarks.servers KIND URI DATABASE PORT`."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from bson.codec_options import CodecOptions
from langchain_core.messages import message_to_dict
from langchain_mongodb import MongoDBChatMessageHistory
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import MongoClient, ReturnDocument, WriteConcern
from pymongo.read_concern import ReadConcern
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL

from graph.app import create_app
from graph.enrichment.tokens import load_counter
from graph.execution.executor import SelectingExecutor
from graph.schema.build import build_schema
from graph.schema.context import Context
from graph.settings import Settings
from graph.store.documents import new_uuid, now, pending
from graph.store.driver.types import DriverName
from graph.telemetry.logs import Format, configure


def recallql(uri: str, database: str, driver: DriverName = "motor") -> Starlette:
    """RecallQL as it is."""
    return create_app(Settings.model_construct(database=database, data_dir=Path(), mongodb_driver=driver), uri)


class _StockView(GraphQL[Context, None]):
    """Strawberry's own view, which parses and validates every request."""

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        del response
        return Context(request.app.state.backend)


def stock(uri: str, database: str) -> Starlette:
    """The same schema on Strawberry's own view, executor and resolvers."""
    app = recallql(uri, database)
    view = _StockView(build_schema(executor=SelectingExecutor))
    app.router.routes.insert(0, Route("/graphql", view, methods=None))
    return app


def pymongo(uri: str, database: str) -> Starlette:
    """RecallQL over PyMongo's own asynchronous client."""
    return recallql(uri, database, "pymongo")


def silent(uri: str, database: str) -> Starlette:
    """RecallQL without a line for each request."""
    return recallql(uri, database)


def uncompressed(uri: str, database: str) -> Starlette:
    """RecallQL with `RECALLQL_COMPRESSION=false`."""
    settings = Settings.model_construct(database=database, data_dir=Path(), compression=False)
    return create_app(settings, uri)


def logging(uri: str, database: str, form: Format = "text") -> Starlette:
    """RecallQL as `recallql serve` runs it: with a line for each request, and the commands of slow ones."""
    configure("info", form, 1.0)
    return recallql(uri, database)


def logging_json(uri: str, database: str) -> Starlette:
    """The same with lines of JSON."""
    return logging(uri, database, "json")


_EVERYTHING = {"_id": 1, "seq": 1, "role": 1, "content": 1, "metadata": 1, "tokenCount": 1, "createdAt": 1}
_EVERYTHING |= {"updatedAt": 1, "enrichment": 1, "entities": 1}
_FEW = {"_id": 0, "role": 1, "content": 1, "createdAt": 1}


def rest(uri: str, database_name: str) -> Starlette:
    """What one would write by hand: one read with a projection through Motor, and orjson."""
    client: Any = AsyncIOMotorClient(uri, w="majority", readConcernLevel="majority", maxPoolSize=32)
    database = client.get_database(database_name, codec_options=CodecOptions(tz_aware=False))
    counter = load_counter("cl100k_base")

    async def _last(session_id: str, count: int, fields: dict[str, int]) -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = await database.messages.find(
            {"sessionId": session_id}, fields, sort=[("seq", -1)], limit=count
        ).to_list(None)
        if not found and await database.sessions.find_one({"_id": session_id}, {"_id": 1}) is None:
            return None
        found.reverse()
        return found

    async def everything(request: Request) -> Response:
        found = await _last(request.path_params["id"], 100, _EVERYTHING)
        for message in found or ():
            message["uuid"] = message.pop("_id")
        return _json({"messages": found})

    async def few(request: Request) -> Response:
        return _json({"messages": await _last(request.path_params["id"], 5, _FEW)})

    async def add(request: Request) -> Response:
        body = orjson.loads(await request.body())
        return _json(await _add(client, database, counter, body))

    return Starlette(
        routes=[
            Route("/everything/{id}", everything),
            Route("/few/{id}", few),
            Route("/memory", add, methods=["POST"]),
        ]
    )


async def _add(client: Any, database: Any, counter: Any, body: dict[str, Any]) -> dict[str, Any]:
    at = now()
    texts = [f"{message['role']}: {message['content']}" for message in body["messages"]]
    tokens = [counter.count(text) for text in texts]
    async with await client.start_session() as session:

        async def work(session: Any) -> dict[str, Any]:
            owner = await database.sessions.find_one_and_update(
                {"_id": body["sessionId"]},
                {
                    "$inc": {"lastSeq": len(texts), "messageCount": len(texts), "tokenCount": sum(tokens)},
                    "$max": {"updatedAt": at},
                    "$setOnInsert": {"uuid": new_uuid(), "createdAt": at, "metadata": {}, "summarySeq": 0},
                },
                projection={"lastSeq": 1},
                upsert=True,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            first = owner["lastSeq"] - len(texts) + 1
            memory = {"_id": new_uuid(), "sessionId": body["sessionId"], "firstSeq": first, "lastSeq": owner["lastSeq"]}
            memory |= {"tokenCount": sum(tokens), "metadata": {}, "createdAt": at}
            await database.memories.insert_one(memory, session=session)
            await database.messages.insert_many(
                [
                    {
                        "_id": new_uuid(),
                        "sessionId": body["sessionId"],
                        "memoryId": memory["_id"],
                        "seq": seq,
                        "role": message["role"],
                        "content": message["content"],
                        "metadata": {},
                        "tokenCount": count,
                        "entities": [],
                        "createdAt": at,
                        "updatedAt": at,
                        "enrichment": pending(at),
                    }
                    for seq, (message, count) in enumerate(zip(body["messages"], tokens, strict=True), first)
                ],
                session=session,
            )
            return {"uuid": memory["_id"], "replayed": False}

        done: dict[str, Any] = await session.with_transaction(
            work, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
        )
        return done


def langchain(uri: str, database: str) -> Starlette:
    """`langchain-mongodb`'s chat history behind a route. It is synchronous, so it runs in a thread."""
    client: MongoClient[dict[str, Any]] = MongoClient(uri, maxPoolSize=32)

    def messages(session_id: str, count: int) -> list[dict[str, Any]]:
        history = MongoDBChatMessageHistory(
            None,
            session_id,
            database_name=database,
            collection_name="message_store",
            create_index=False,
            history_size=count,
            client=client,
        )
        return [message_to_dict(message) for message in history.messages]

    async def last(request: Request) -> Response:
        params = request.path_params
        return _json({"messages": await run_in_threadpool(messages, params["id"], int(params["count"]))})

    return Starlette(routes=[Route("/last/{count}/{id}", last)])


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_NAIVE_UTC), media_type="application/json")


KINDS: dict[str, Callable[[str, str], Starlette]] = {
    "recallql": recallql,
    "stock": stock,
    "pymongo": pymongo,
    "silent": silent,
    "uncompressed": uncompressed,
    "logging": logging,
    "logging_json": logging_json,
    "rest": rest,
    "langchain": langchain,
}


def main() -> None:
    """Serve one of `KINDS` until SIGTERM."""
    kind, uri, database, port = sys.argv[1:]

    async def serve() -> None:
        app = KINDS[kind](uri, database)
        gc.collect()
        gc.freeze()  # as `recallql serve` does, for all of them
        gc.set_threshold(10_000, 20, 20)
        config = uvicorn.Config(app, port=int(port), log_level="warning", access_log=False, server_header=False)
        await uvicorn.Server(config).serve()

    import uvloop

    uvloop.run(serve())


if __name__ == "__main__":
    main()
