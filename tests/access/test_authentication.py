"""Who gets in: service keys, JWTs, and where neither is needed."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import websockets
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr
from starlette.applications import Starlette

from graph.access import jwks
from graph.access.authenticator import Authenticator, check_exposure, is_loopback
from graph.access.caller import Right
from graph.access.keys import create_key, list_keys, revoke_key
from graph.errors import BadUserInput, NotFound, StartupError
from graph.settings import Settings, load_settings
from graph.store.database import Database
from graph.transport.security import is_local_name
from tests.support.access import SECRET, as_caller, changed, served_with, token
from tests.support.graphql_client import ADD, Client
from tests.support.live_client import Socket, socket_to
from tests.support.server_process import clean_environment, served
from tests.support.signing_keys import RSA_KEY
from tests.support.tcp import free_port

WITH_SECRET = {"jwt_secret": SecretStr(SECRET)}
ASK = "{ __typename }"


def add(session_id: str, **more: Any) -> dict[str, Any]:
    return {"sessionId": session_id, "messages": [{"role": "human", "content": "Hello"}], **more}


async def status_and_code(
    client: Client, bearer: str | None, query: str = ASK, **variables: Any
) -> tuple[int, str | None]:
    response = await as_caller(client, bearer).http.post("/graphql", json={"query": query, "variables": variables})
    errors = response.json().get("errors")
    return response.status_code, errors[0]["extensions"]["code"] if errors else None


REFUSED = (401, "UNAUTHENTICATED")
ACCEPTED = (200, None)
DELETE_USER = 'mutation { deleteUser(input: {userId: "unknown"}) { deletedUserId } }'


async def test_nobody_needs_credentials_on_loopback_by_default(client: Client) -> None:
    assert await status_and_code(client, None) == ACCEPTED
    assert await status_and_code(client, "anything") == ACCEPTED


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "2001:db8::1"])  # noqa: S104
def test_another_address_needs_authentication(host: str) -> None:
    with pytest.raises(StartupError, match="RECALLQL_AUTH=required"):
        check_exposure(load_settings(host=host))
    with pytest.raises(StartupError, match="recallql key create"):
        check_exposure(load_settings(host=host, auth="off"))
    check_exposure(load_settings(host=host, auth="required"))
    check_exposure(load_settings(host=host, jwt_secret=SECRET))
    check_exposure(load_settings(host=host, auth="off-anywhere"))


def test_loopback_has_many_names() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "name.invalid"))  # noqa: S104


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"jwt_secret": "short"}, "32 or more"),
        ({"jwt_secret": SECRET, "jwt_jwks_url": "https://x/"}, "only one kind"),
        ({"jwt_jwks_url": "http://example.com/keys"}, "https"),
        ({"jwt_public_key": "/nowhere"}, "readable file"),
        ({"jwt_public_key": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"}, "not a public key"),
    ],
)
def test_a_wrong_key_ends_the_start_and_is_not_shown(given: dict[str, str], said: str) -> None:
    with pytest.raises(StartupError, match=said) as raised:
        Authenticator(load_settings(**given))
    assert SECRET not in str(raised.value)
    assert "short" not in str(raised.value)


async def test_a_jwt_is_checked_to_the_letter(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    now = int(time.time())
    given = {**WITH_SECRET, "jwt_issuer": "https://id.example", "jwt_audience": "recallql", "jwt_leeway": 5.0}
    good: dict[str, Any] = {"iss": "https://id.example", "aud": "recallql"}
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    async with served_with(settings, mongodb_uri, **given) as client:
        assert await status_and_code(client, token(**good)) == ACCEPTED
        assert await status_and_code(client, token(**{**good, "aud": ["other", "recallql"]})) == ACCEPTED
        assert await status_and_code(client, token(**good, exp=now - 3)) == ACCEPTED  # within the leeway
        refused = [
            None,
            "x",
            "a.b.c",
            token(**good, exp=now - 6),
            token(**good, exp=None),
            token(**good, nbf=now + 60),
            token(None, **good),
            token("", **good),
            token("a\0b", **good),
            token("a" * 513, **good),
            token(**{**good, "iss": "https://id.example.org"}),
            token(**{**good, "iss": None}),
            token(**{**good, "aud": "other"}),
            token(**{**good, "aud": None}),
            token(**good, key="another secret that is long enough to sign"),
            token(**good, algorithm="HS512", key=SECRET * 2),
            ".".join([header, *token(**good).split(".")[1:2], ""]),
            token(**good)[:-3] + "AAA",
            "rql_0123456789ab_" + "x" * 43,
        ]
        for bearer in refused:
            assert await status_and_code(client, bearer) == REFUSED, bearer
        response = await as_caller(client, token(**good, exp=1)).http.post("/graphql", json={"query": ASK})
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert "expired" in response.json()["errors"][0]["message"]
        client.http.headers["authorization"] = f"Basic {token(**good)}"
        assert (await client.http.post("/graphql", json={"query": ASK})).status_code == 401


def raw_token(payload: str, header: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """A token with a good signature over texts that no library would write."""
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (header, payload))
    method = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = method.sign(signed.encode(), SECRET.encode())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


DIGITS = "9" * 400
WRONG_TIMES = [
    DIGITS, f"-{DIGITS}", "9" * 5_000, "1e400", "-1e400", "1e308", "NaN", "Infinity", "-1", "253402300800", "null",
    "true", "false", '""', '"x"', '"4102444800"', "[]", "[4102444800]", "{}", "[" * 9_000 + "]" * 9_000,
]  # fmt: skip


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
async def test_a_signed_token_whose_times_are_no_times_is_refused(
    settings: Settings, mongodb_uri: str, database: Database, claim: str
) -> None:
    del database
    other = "" if claim == "exp" else '"exp": 4102444800, '
    good = "4102444800" if claim == "exp" else "1.5"
    async with served_with(settings, mongodb_uri, **WITH_SECRET) as client:
        assert await status_and_code(client, raw_token(f'{{{other}"sub": "ada", "{claim}": {good}}}')) == ACCEPTED
        for value in WRONG_TIMES:
            bearer = raw_token(f'{{{other}"sub": "ada", "{claim}": {value}}}')
            assert await status_and_code(client, bearer) == REFUSED, value[:20]


WEIRD = ["null", "true", "7", DIGITS, "1e400", "[]", '["ada"]', "{}", '{"a": 1}', '"\\ud800"', '[["x"]]', "[null, 1]"]


async def test_a_signed_token_whose_claims_or_header_are_of_another_type_is_refused(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    given = {**WITH_SECRET, "jwt_issuer": "https://id.example", "jwt_audience": "recallql"}
    good = {"sub": '"ada"', "exp": "4102444800", "iss": '"https://id.example"', "aud": '"recallql"'}

    def payload(**changes: str) -> str:
        return "{" + ", ".join(f'"{name}": {value}' for name, value in {**good, **changes}.items()) + "}"

    async with served_with(settings, mongodb_uri, **given) as client:
        assert await status_and_code(client, raw_token(payload())) == ACCEPTED
        for claim in ("sub", "iss", "aud"):
            for value in WEIRD:
                assert await status_and_code(client, raw_token(payload(**{claim: value}))) == REFUSED, (claim, value)
        for value in WEIRD:
            assert await status_and_code(client, raw_token(payload(jti=value))) in (ACCEPTED, REFUSED), value
            assert await status_and_code(client, raw_token(value)) == REFUSED, value
            for name in ("alg", "kid", "typ", "crit", "b64", "cty"):
                header = f'{{"alg": "HS256", "{name}": {value}}}'
                assert await status_and_code(client, raw_token(payload(), header)) in (ACCEPTED, REFUSED), header
        deep = "[" * 9_000 + "]" * 9_000
        for header in (deep, "x", '{"alg": "HS256", "x": ' + deep + "}"):
            assert await status_and_code(client, raw_token(payload(), header)) == REFUSED, header[:30]
        assert await status_and_code(client, raw_token(deep)) == REFUSED


def _pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
async def test_a_public_key_checks_tokens_and_can_not_be_used_as_a_secret(
    settings: Settings, mongodb_uri: str, database: Database, key: Any, algorithm: str
) -> None:
    del database
    file = settings.data_dir / "key.pem"
    file.write_text(_pem(key))
    async with served_with(settings, mongodb_uri, jwt_public_key=str(file)) as client:
        assert await status_and_code(client, token(key=key, algorithm=algorithm)) == ACCEPTED
        body = ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "ada", "exp": int(time.time()) + 99})
        )
        signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        forged = signature.sign(body.encode(), _pem(key).encode())
        bearer = f"{body}.{base64.urlsafe_b64encode(forged).rstrip(b'=').decode()}"
        assert await status_and_code(client, bearer) == REFUSED
    Authenticator(changed(settings, jwt_public_key=_pem(key).replace("\n", "\\n")))  # as an environment variable has it


@contextmanager
def published(keys: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """A JWKS address on loopback: its URL and the requests it got."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            items = []
            for kid, key in keys.items():
                kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
                jwk = kind.to_jwk(key.public_key(), as_dict=True)
                items.append({**jwk, "kid": kid, "use": "sig"})
            body = json.dumps({"keys": items}).encode()
            self.send_response(200 if keys else 500)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/keys", requests
        server.shutdown()


async def test_published_keys_are_cached_and_fetched_again_for_an_unknown_key(
    settings: Settings, mongodb_uri: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    del database
    keys: dict[str, Any] = {"one": RSA_KEY}
    with published(keys) as (url, requests):
        async with served_with(settings, mongodb_uri, jwt_jwks_url=url) as client:
            for _ in range(5):
                assert await status_and_code(client, token(key=RSA_KEY, algorithm="RS256", kid="one")) == ACCEPTED
            assert len(requests) == 1
            keys["two"] = EC_KEY
            for number in range(5):  # whatever callers send, the address is not asked again at once
                assert await status_and_code(client, token(key=EC_KEY, algorithm="ES256", kid=f"no{number}")) == REFUSED
            assert len(requests) == 1
            monkeypatch.setattr(jwks, "PAUSE", 0.0)
            assert await status_and_code(client, token(key=EC_KEY, algorithm="ES256", kid="two")) == ACCEPTED
            assert await status_and_code(client, token(key=EC_KEY, algorithm="ES256", kid="one")) == REFUSED
            assert await status_and_code(client, token(kid="one")) == REFUSED
            assert len(requests) == 2
            keys.clear()  # the address fails from now on: what is known goes on to be good
            monkeypatch.setattr(jwks, "LIFETIME", 0.0)
            assert await status_and_code(client, token(key=EC_KEY, algorithm="ES256", kid="two")) == ACCEPTED


async def test_keys_that_never_came_are_unavailable_and_no_refusal(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, jwt_jwks_url=f"http://127.0.0.1:{free_port()}/") as client:
        bearer = token(key=RSA_KEY, algorithm="RS256", kid="one")
        assert await status_and_code(client, bearer) == (503, "UNAVAILABLE")


async def test_service_keys_are_hashed_shown_once_scoped_and_revoked(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    made = {right: await create_key(database, right.name, right) for right in (Right.READ, Right.WRITE, Right.ADMIN)}
    stored = await database.service_keys.find({})
    assert len(stored) == 3
    for _, text in made.values():
        assert text.startswith("rql_")
        assert text.split("_", 2)[2] not in str(stored)
    with pytest.raises(BadUserInput, match="exists"):
        await create_key(database, "READ", Right.READ)
    for name in ("", " a", "a\n", "x" * 101):
        with pytest.raises(BadUserInput, match="name"):
            await create_key(database, name, Right.READ)
    async with served_with(settings, mongodb_uri, auth="required") as client:
        assert await status_and_code(client, None) == REFUSED
        assert await status_and_code(client, token()) == REFUSED
        for right, (_, text) in made.items():
            assert await status_and_code(client, text) == ACCEPTED
            written = await status_and_code(client, text, ADD, input=add(right.name))
            assert written == (ACCEPTED if right >= Right.WRITE else (200, "FORBIDDEN"))
            deleted = await status_and_code(client, text, DELETE_USER)
            assert deleted == (200, "NOT_FOUND" if right is Right.ADMIN else "FORBIDDEN")
            of_zep = await as_caller(client, text).http.delete("/api/v1/user/unknown")
            assert of_zep.status_code == (404 if right is Right.ADMIN else 403)
        assert await database.sessions.find_one({"_id": "READ"}) is None
        assert all(key.last_used_at is not None for key in await list_keys(database))
        _, write = made[Right.WRITE]
        assert await status_and_code(client, write[:-1] + ("a" if write[-1] != "a" else "b")) == REFUSED
        await revoke_key(database, "WRITE")
        assert await status_and_code(client, write) == REFUSED
    with pytest.raises(NotFound, match="key list"):
        await revoke_key(database, "WRITE")


async def test_a_mutation_behind_a_fragment_or_a_name_needs_the_right_too(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, text = await create_key(database, "reader", Right.READ)
    fragment = """
    mutation M($input: AddMemoryInput!) { ...F }
    fragment F on Mutation { ... { a: addMemory(input: $input) { replayed } } }
    query Q { __typename }
    """
    async with served_with(settings, mongodb_uri, auth="required") as client:
        body = {"query": fragment, "operationName": "M", "variables": {"input": add("s")}}
        response = await as_caller(client, text).http.post("/graphql", json=body)
        assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        body["operationName"] = "Q"
        assert "errors" not in (await client.http.post("/graphql", json=body)).json()


async def test_a_session_that_a_jwt_user_makes_is_theirs_and_others_are_not_there(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    _, key = await create_key(database, "backend", Right.WRITE)
    async with served_with(settings, mongodb_uri, **WITH_SECRET) as client:
        as_caller(client, key)
        await client.data(ADD, input=add("nobodys"))
        await client.data(ADD, input=add("bobs", userId="bob"))
        as_caller(client, token("ada"))
        await client.data(ADD, input=add("adas"))
        stored = await database.sessions.find_one({"_id": "adas"})
        assert stored is not None
        assert stored["userId"] == "ada"
        query = "query Q($id: ID!) { memory(sessionId: $id) { uuid } session(sessionId: $id) { uuid } }"
        for session_id in ("nobodys", "bobs", "unknown"):
            assert await client.data(query, id=session_id) == {"memory": None, "session": None}
        assert (await client.data(query, id="adas"))["session"] is not None
        refusals = [await client.error(ADD, input=add(session_id)) for session_id in ("nobodys", "bobs")]
        assert {error["code"] for error in refusals} == {"FORBIDDEN"}
        assert (await client.error(ADD, input=add("x", userId="bob")))["code"] == "FORBIDDEN"
        nobodys = await database.sessions.find_one({"_id": "nobodys"})
        assert nobodys is not None
        assert "userId" not in nobodys
        assert await database.messages.count_documents({"sessionId": {"$in": ["bobs", "nobodys"]}}) == 2


async def test_a_websocket_is_who_its_first_message_says(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, **WITH_SECRET) as client:
        url = f"ws://127.0.0.1:{client.http.base_url.port}/graphql"
        for payload, code in (
            ({"Authorization": f"Bearer {token()}"}, None),
            ({"authorization": "Bearer x"}, 4403),
            ({}, 4403),
        ):
            async with websockets.connect(
                url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]
            ) as socket_:
                await socket_.send(json.dumps({"type": "connection_init", "payload": payload}))
                if code is None:
                    assert json.loads(await socket_.recv())["type"] == "connection_ack"
                    continue
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await socket_.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code


async def test_what_goes_wrong_unforeseen_closes_a_websocket_with_4500(
    app: Starlette, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def authenticate(self, *_: Any) -> None:
            raise LookupError("a secret of the inside")

    app.state.guards.authenticator = Broken()
    async with socket_to(f"http://127.0.0.1:{client.http.base_url.port}", acknowledged=False) as socket_:
        await socket_.send(type="connection_init")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket_.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4500
    assert "secret" not in closed.value.rcvd.reason
    assert "a secret of the inside" in caplog.text
    response = await client.http.post("/graphql", json={"query": ASK})
    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "secret" not in response.text


async def test_credentials_are_in_no_log(
    settings: Settings, mongodb_uri: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    _, key = await create_key(database, "backend", Right.READ)
    caplog.set_level(logging.DEBUG)
    async with served_with(settings, mongodb_uri, **WITH_SECRET) as client:
        for bearer in (key, key[:-1], token(), token(exp=1)):
            await status_and_code(client, bearer, ADD, input=add("s"))
    logged = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("graph", "strawberry"))
    )
    assert key[-20:] not in logged
    assert token()[:20] not in logged
    assert SECRET not in logged + repr(changed(settings, **WITH_SECRET))


async def test_a_page_of_another_origin_is_let_in_only_when_listed(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    preflight = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    async with served_with(settings, mongodb_uri) as client:
        response = await client.http.options("/graphql", headers=preflight)
        assert response.status_code == 405
        assert "access-control-allow-origin" not in response.headers
        response = await client.http.post("/graphql", json={"query": ASK}, headers={"origin": "https://app.example"})
        assert "access-control-allow-origin" not in response.headers
    async with served_with(settings, mongodb_uri, allowed_origins=("https://app.example",)) as client:
        response = await client.http.options("/graphql", headers=preflight)
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert "authorization" in response.headers["access-control-allow-headers"].lower()
        response = await client.http.options("/graphql", headers={**preflight, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in response.headers
        url = f"ws://127.0.0.1:{client.http.base_url.port}/graphql"
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        async with websockets.connect(url, subprotocols=protocols, origin=websockets.Origin("https://app.example")):
            pass
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(
                url, subprotocols=protocols, origin=websockets.Origin("https://evil.example")
            ):
                pass


def test_origins_are_read_from_one_text() -> None:
    assert load_settings(allowed_origins="https://a.example, https://b.example").allowed_origins == (
        "https://a.example",
        "https://b.example",
    )


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "192.168.1.4:80", "memory", "a.localhost"]
)
def test_a_name_of_this_machine_is_served_without_credentials(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "[", "a.b:x"]
)
async def test_a_foreign_name_that_leads_here_is_refused(client: Client, host: str) -> None:
    assert not is_local_name(host)
    response = await client.http.post("/graphql", json={"query": ASK}, headers={"host": host})
    assert response.status_code in {400, 403}
    assert "data" not in response.text


async def test_every_answer_has_the_security_headers(client: Client) -> None:
    for response in (
        await client.http.post("/graphql", json={"query": ASK}),
        await client.http.post("/graphql", content=b"x"),
        await client.http.get("/graphql", headers={"accept": "text/html"}),
        await client.http.get("/health"),
        await client.http.get("/nothing"),
    ):
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers or "uvicorn" in headers["server"]


async def test_a_listed_origins_own_name_is_served(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    async with served_with(settings, mongodb_uri, allowed_origins=("https://app.example",)) as client:
        for host, status in (("app.example", 200), ("app.example:8000", 200), ("evil.example", 403)):
            response = await client.http.post("/graphql", json={"query": ASK}, headers={"host": host})
            assert response.status_code == status


async def test_an_expired_token_ends_subscriptions_and_what_comes_after(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, **WITH_SECRET, jwt_leeway=0.0) as client:
        await as_caller(client, token("ada")).data(
            ADD, input={"sessionId": "s", "messages": [{"role": "human", "content": "hi"}]}
        )
        del client.http.headers["authorization"]
        short = token("ada", exp=int(time.time()) + 3)
        subscription = 'subscription { messageAdded(sessionId: "s") { seq } }'
        url = f"ws://127.0.0.1:{client.http.base_url.port}/graphql"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as connection:
            socket_ = Socket(connection)
            await socket_.send(type="connection_init", payload={"authorization": f"Bearer {short}"})
            assert (await socket_.receive())["type"] == "connection_ack"
            await socket_.subscribe(subscription, {})
            headers = {"accept": "text/event-stream", "authorization": f"Bearer {short}"}
            streamed = await client.http.post("/graphql", json={"query": subscription}, headers=headers)
            assert "UNAUTHENTICATED" in streamed.text  # it ended by itself
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket_.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
            assert "expired" in closed.value.rcvd.reason


async def test_an_operation_after_the_expiry_closes_the_socket(
    settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    async with served_with(settings, mongodb_uri, **WITH_SECRET, jwt_leeway=0.0) as client:
        ends = int(time.time()) + 10
        url = f"http://127.0.0.1:{client.http.base_url.port}"
        async with socket_to(url, bearer=token("ada", exp=ends)) as socket_:
            await asyncio.sleep(max(0.0, ends - time.time()) + 0.5)
            await socket_.subscribe(ASK, {})
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket_.receive()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403


async def test_a_trusted_document_is_named_over_a_websocket_too(
    settings: Settings, mongodb_uri: str, database: Database, tmp_path: Path
) -> None:
    del database
    manifest = tmp_path / "persisted-documents.json"
    manifest.write_text(json.dumps({"sha256:known": ASK}))
    trusting = {"trusted_documents": manifest, "trusted_documents_only": True}
    async with (
        served_with(settings, mongodb_uri, **trusting) as client,
        socket_to(f"http://127.0.0.1:{client.http.base_url.port}") as socket_,
    ):
        await socket_.send(id="1", type="subscribe", payload={"documentId": "sha256:known"})
        assert await socket_.data() == {"__typename": "Query"}
        assert (await socket_.receive())["type"] == "complete"
        for payload in ({"documentId": "sha256:other"}, {"query": "{ a: __typename }"}):
            await socket_.send(id="1", type="subscribe", payload=payload)
            assert (await socket_.receive())["type"] == "error"


def test_keys_are_made_while_a_server_runs_and_open_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"

    def recallql(*arguments: str) -> str:
        command = [sys.executable, "-m", "graph", "key", *arguments, "--data-dir", str(data_dir)]
        environment = clean_environment()
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with served(data_dir, "--enrichment-processes", "0", "--auth", "required") as server:
        assert httpx.post(f"{server.url}/graphql", json={"query": ASK}, timeout=60).status_code == 401
        key = recallql("create", "the backend", "--scope", "read").strip()
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(f"{server.url}/graphql", json={"query": ASK}, headers=headers, timeout=60).status_code == 200
        listed = recallql("list")
        assert "the backend" in listed
        assert "read" in listed
        assert key not in listed
        recallql("revoke", "the backend")
        assert httpx.post(f"{server.url}/graphql", json={"query": ASK}, headers=headers, timeout=60).status_code == 401
        assert key not in server.stderr()
