"""What ids end users may give to sessions, and what they learn of those of others."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from graph.access.caller import Right
from graph.access.keys import create_key
from graph.errors import StartupError
from graph.settings import Settings, load_settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.commands import Commands
from tests.support.graphql_client import ADD, Client

CREATE = "mutation($input: CreateSessionInput!) { createSession(input: $input) { session { sessionId } } }"


def said(session_id: str, **more: Any) -> dict[str, Any]:
    return {"sessionId": session_id, "messages": [{"role": "human", "content": "Hello", **more}]}


async def zep_status(client: Client, session_id: str) -> int:
    sent = {"messages": [{"role": "human", "content": "Hello"}]}
    return (await client.http.post(f"/api/v1/sessions/{session_id}/memory", json=sent)).status_code


async def test_sessions_that_end_users_make_begin_with_the_prefix(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    given = {"jwt_secret": SecretStr(SECRET), "jwt_session_prefix": "chat:{sub}:"}
    async with served_with(settings, mongodb_uri, **given) as client:
        as_caller(client, key)
        await client.data(ADD, input={**said("old"), "userId": "ada"})
        await client.data(ADD, input=said("bobs"))
        as_caller(client, token("ada"))
        for session_id in ("chat:ada:1", "chat:ada:", "old"):  # the last is hers, and is not made
            await client.data(ADD, input=said(session_id))
        await client.data(CREATE, input={"sessionId": "chat:ada:2"})
        assert await zep_status(client, "chat:ada:3") == 200
        refusals = set()
        for session_id in ("chat:bob:1", "chat:ada", "chat:adam:1", "Chat:ada:1", "new", "bobs"):
            for query, sent in ((ADD, said(session_id)), (CREATE, {"sessionId": session_id})):
                error = await client.error(query, input=sent)
                refusals.add((error["code"], error["message"]))
            assert await zep_status(client, session_id) == 403
        # The same where such a session exists: nobody finds out which ids others have.
        assert refusals == {("FORBIDDEN", "the sessionId of a new session must begin with 'chat:ada:'")}
        for user_id in ("a:b", ":", "a:"):  # whose ids could begin as another user's do
            assert (await client.http.post(
                "/graphql", json={"query": "{ __typename }"}, headers={"authorization": f"Bearer {token(user_id)}"}
            )).status_code == 401  # fmt: skip
    made = {found["_id"] for found in await database.sessions.find({})}
    assert made == {"old", "bobs", "chat:ada:1", "chat:ada:", "chat:ada:2", "chat:ada:3"}


async def test_without_a_prefix_any_free_id_is_accepted(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    assert settings.jwt_session_prefix is None
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        await as_caller(client, token("ada")).data(ADD, input=said("bobs"))


@pytest.mark.parametrize("template", ["chat:", "{sub}", "chat-{sub}", "{sub}{sub}:", "{user}:", "x" * 101])
def test_a_template_that_sets_no_user_apart_ends_the_start(template: str) -> None:
    with pytest.raises(StartupError, match="RECALLQL_JWT_SESSION_PREFIX"):
        load_settings(jwt_session_prefix=template)


async def test_a_stranger_s_uuids_and_keys_are_as_missing_ones(
    settings: Settings, mongodb_uri: str, database: Database, commands: Commands
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    uuid = str(uuid4())
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET)) as client:
        as_caller(client, key)
        for session_id in ("bobs", "bobs-other"):
            await client.data(ADD, input={**said(session_id), "userId": "bob", "idempotencyKey": "k"})
        await client.data(ADD, input={**said("bobs", uuid=uuid), "userId": "bob"})
        as_caller(client, token("ada"))
        await client.error(ADD, input=said("bobs", uuid=str(uuid4())))
        answers, work = [], []
        for session_id in ("bobs", "bobs-other"):
            for sent in (
                said(session_id, uuid=uuid),
                said(session_id, uuid=str(uuid4())),
                {**said(session_id), "idempotencyKey": "k"},
                {**said(session_id), "idempotencyKey": "unknown"},
            ):
                with commands.recorded() as recorded:
                    error = await client.error(ADD, input=sent)
                answers.append((error["code"], error["message"]))
                work.append([name for name, _ in recorded])
        assert set(answers) == {("FORBIDDEN", "the sessionId is not yours to write to: choose another one")}
        assert all(names == work[0] for names in work), work
