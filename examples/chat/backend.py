"""The backend of the chat page: it serves the page, signs users in, and writes the answers of a scripted assistant.

    RECALLQL_JWT_SECRET=… RECALLQL_KEY=… python backend.py --port 8080

`RECALLQL_JWT_SECRET` is that of the RecallQL server, `RECALLQL_KEY` a service key (`recallql key create chat`), and
`RECALLQL_URL` the address of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

URL = os.environ.get("RECALLQL_URL", "http://127.0.0.1:8000")
SECRET = os.environ["RECALLQL_JWT_SECRET"]
KEY = os.environ["RECALLQL_KEY"]
USERS = ("ada", "bob")
TOKEN_SECONDS = 600
PAUSE = 0.02
"""Seconds between two pieces of an answer."""

LAST = """
query Last($sessionId: ID!) { session(sessionId: $sessionId) { user { userId } lastMessage { role content } } }
"""
START = """
mutation Start($sessionId: ID!, $uuid: UUID!) {
  startMessage(input: { sessionId: $sessionId, uuid: $uuid, role: "assistant" }) { replayed }
}
"""
APPEND = """
mutation Append($uuid: UUID!, $index: Int!, $text: String!) {
  appendMessage(input: { uuid: $uuid, pieces: [{ index: $index, text: $text }] }) { nextIndex }
}
"""
FINISH = "mutation Finish($uuid: UUID!) { finishMessage(input: { uuid: $uuid }) { message { status } } }"

logger = logging.getLogger(__name__)


async def sign_in(request: Request) -> Response:
    """Give a token to a user. A real backend asks for a password first."""
    user = (await request.json())["user"]
    if user not in USERS:
        return JSONResponse({"error": f"no user {user!r}"}, 403)
    expires = int(time.time()) + TOKEN_SECONDS
    token = jwt.encode({"sub": user, "exp": expires}, SECRET, "HS256")
    return JSONResponse({"token": token, "expires": expires, "url": f"{URL}/graphql"})


async def answer(request: Request) -> Response:
    """Begin an answer to the last message of one of the caller's sessions."""
    sent = await request.json()
    try:
        user = jwt.decode(sent["token"], SECRET, ["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        return JSONResponse({"error": str(error)}, 401)
    return Response(status_code=202, background=BackgroundTask(write_answer, user, sent["sessionId"]))


async def write_answer(user: str, session_id: str) -> None:
    """Write an answer piece by piece. A message without its end is INTERRUPTED by the server after a while."""
    uuid = str(uuid4())
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=URL, headers=headers, timeout=30) as http:
        try:
            session = (await execute(http, LAST, sessionId=session_id))["session"]
            if session is None or session["user"]["userId"] != user:
                return
            if session["lastMessage"] is None or session["lastMessage"]["role"] != "user":
                return
            await execute(http, START, sessionId=session_id, uuid=uuid)
            words = f"🐈 Grace Hopper of New York read: {session['lastMessage']['content']}".split(" ")
            for index, word in enumerate(words):
                await execute(http, APPEND, uuid=uuid, index=index, text=word if not index else f" {word}")
                await asyncio.sleep(PAUSE)
            await execute(http, FINISH, uuid=uuid)
        except (httpx.HTTPError, LookupError) as error:
            logger.warning("the answer ends: %r", error)


async def execute(http: httpx.AsyncClient, query: str, **variables: Any) -> Any:
    """Return the data of an operation.

    Raises:
        LookupError: it was refused; the message or the session was deleted, for example.
        httpx.HTTPError: there is no answer.
    """
    response = await http.post("/graphql", json={"query": query, "variables": variables})
    result = response.json()
    if "errors" in result:
        raise LookupError(result["errors"][0]["message"])
    return result["data"]


def main() -> None:
    """Serve the page from the folder that `npm run build` makes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--page", type=Path, default=Path(__file__).parent / "dist")
    options = parser.parse_args()
    routes = [
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/answers", answer, methods=["POST"]),
        Mount("/", StaticFiles(directory=options.page, html=True)),
    ]
    uvicorn.run(Starlette(routes=routes), port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
