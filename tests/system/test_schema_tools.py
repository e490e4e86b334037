"""What other people's tools make of the schema: linters, generators of clients, and what a release may not break."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import served_with
from tests.support.admissible import Judge, Things
from tests.support.graphql_client import ADD, OCTAVIA, Client
from tests.support.node_project import NODE, install, run_script
from tests.support.paths import ROOT
from tests.support.python_tools import run_tool

SCHEMA = ROOT / "schema.graphql"
RELEASED = ROOT / "tests" / "schema" / "released.graphql"


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    install()


def changelog() -> str:
    """What the changelog says of the release to come."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return text.partition("\n## ")[2].partition("\n## ")[0]


async def test_a_breaking_change_since_the_last_release_is_named_in_the_changelog() -> None:
    """`tests/schema/released.graphql` is the schema of the last release: a release copies schema.graphql there."""
    breaking = await run_script("breaking.mjs", str(RELEASED), str(SCHEMA))
    unnamed = [change for change in breaking if f"`{change['path']}`" not in changelog()]
    assert unnamed == []


async def test_a_breaking_change_is_found(tmp_path: Path) -> None:
    text = SCHEMA.read_text(encoding="utf-8")
    changed = tmp_path / "schema.graphql"
    changed.write_text(
        text.replace("  replayed: Boolean!\n", "  again: Boolean!\n").replace("sessionId: ID!", "sessionId: String!")
    )
    breaking = {change["path"] for change in await run_script("breaking.mjs", str(RELEASED), str(changed))}
    assert {"AddMemoryPayload.replayed", "Query.memory.sessionId"} <= breaking


@pytest.mark.slow
async def test_the_schema_passes_the_rules_of_graphql_eslint() -> None:
    assert await run_script("eslint.mjs") == {"files": 1, "findings": 0}


async def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=240, check=False)
    )


@pytest.mark.slow
async def test_a_typed_client_compiles_and_its_documents_can_be_trusted(
    tmp_path: Path, settings: Settings, mongodb_uri: str, database: Database
) -> None:
    del database
    # Beside node_modules, where TypeScript looks for packages; the folder is this test's own.
    made = NODE / f".made-{os.getpid()}"
    shutil.copytree(NODE / "typed", made)
    try:
        command = ["node", "codegen.mjs", str(made)]
        done = await _run(command)
        assert done.returncode == 0, done.stdout + done.stderr
        options = ["--noEmit", "--strict", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"]
        compiler = ["npx", "--no-install", "tsc", *options, str(made / "chat.ts")]
        done = await _run(compiler)
        assert done.returncode == 0, done.stdout
        manifest = tmp_path / "persisted-documents.json"
        shutil.copy(made / "gql" / "persisted-documents.json", manifest)
    finally:
        shutil.rmtree(made)
    documents: dict[str, str] = json.loads(manifest.read_text())
    assert all(name.startswith("sha256:") for name in documents)
    (memory,) = [name for name, text in documents.items() if "query Memory" in text]
    async with served_with(settings, mongodb_uri, trusted_documents=manifest, trusted_documents_only=True) as client:
        asked = {"documentId": memory, "variables": {"sessionId": "s"}}
        assert (await client.http.post("/graphql", json=asked)).json() == {"data": {"memory": None}}
        assert (await client.error("{ __typename }"))["code"] == "FORBIDDEN"


QUERIES = """
query GetMemory($sessionId: ID!) {
  memory(sessionId: $sessionId) { id messages(last: 2) { id role content createdAt enrichment { state } metadata } }
}
mutation AddMemory($input: AddMemoryInput!) {
  addMemory(input: $input) { replayed session { sessionId messageCount } }
}
"""


PROGRAM = """
import asyncio, json, sys
import httpx
from recallql_client import AddMemoryInput, Client, MessageInput


async def main() -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        client = Client(url=sys.argv[1], http_client=http)
        found = await client.get_memory(session_id="s")
        message = MessageInput(role="human", content="Hello")
        added = await client.add_memory(AddMemoryInput(sessionId="s", messages=[message], metadata={"a": 1}))
        contents = [message.content for message in found.memory.messages]
        print(json.dumps([contents, added.add_memory.session.message_count]))


asyncio.run(main())
"""


@pytest.mark.slow
async def test_a_python_client_is_generated_and_works(client: Client, tmp_path: Path) -> None:
    await client.data(ADD, input={"sessionId": "s", "messages": OCTAVIA})
    (tmp_path / "queries.graphql").write_text(QUERIES)
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "pyproject.toml").write_text(
        f"""
        [tool.ariadne-codegen]
        schema_path = "{ROOT / "schema.graphql"}"
        queries_path = "queries.graphql"
        target_package_name = "recallql_client"
        """
    )
    made = await anyio.to_thread.run_sync(lambda: run_tool("-m", "ariadne_codegen", cwd=tmp_path))
    assert made.returncode == 0, made.stdout + made.stderr
    url = f"{client.http.base_url}/graphql"
    done = await anyio.to_thread.run_sync(lambda: run_tool("program.py", url, cwd=tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[item["content"] for item in OCTAVIA[-2:]], len(OCTAVIA) + 1]


BIG = "sessions(first: 500) { edges { node { messages(first: 100) { edges { node { uuid } } } } } }"
REPLACED = 'sessionId: "%s", seq: %d, messages: [{ role: "user", content: "x" }]'
FORKED = 'sessionId: "%s", throughSeq: %d, newSessionId: "fork"'
PUT_ITEMS = """mutation {
  putItems(input: { userId: "bob", items: [{ namespace: ["n"], key: "k", value: %s }] }) { items { key } }
}"""
EXAMPLES = [
    ("{", "BAD_USER_INPUT"),
    ("{ nothing }", "BAD_USER_INPUT"),
    ("{ sessions(first: -1) { totalCount } }", "BAD_USER_INPUT"),
    ("{ sessions(first: 1001) { __typename } }", "BAD_USER_INPUT"),
    ("{ sessions(first: 1, last: 1) { totalCount } }", "BAD_USER_INPUT"),
    ('{ sessions(after: "WyJ4Il0") { totalCount } }', "BAD_USER_INPUT"),
    ('{ sessions(before: "") { totalCount } }', None),
    ('{ sessions(filter: { metadata: [{ path: "a..b", equals: 1 }] }) { totalCount } }', "BAD_USER_INPUT"),
    ('{ sessions(filter: { createdAt: { since: "now" } }) { totalCount } }', "BAD_USER_INPUT"),
    ('{ session(sessionId: "s") { entities(search: "' + "x" * 257 + '") { totalCount } } }', "BAD_USER_INPUT"),
    ('{ search(query: "books", sessionId: "s", first: 100) { edges { score node { seq } } } }', None),
    ('{ search(query: "books", userId: "") { edges { score } } }', None),
    ('{ search(query: "books", sessionId: "s", last: 101) { edges { score } } }', "BAD_USER_INPUT"),
    ('{ search(query: "books") { edges { score } } }', None),
    ('{ session(sessionId: "s") { search(query: "books", last: 101) { edges { score } } } }', "BAD_USER_INPUT"),
    ('{ session(sessionId: "s") { context(maxTokens: 100) { text recalled { score } } } }', None),
    ('{ context(sessionId: "s", maxTokens: 0) { text } }', "BAD_USER_INPUT"),
    ('{ context(userId: "ada", maxTokens: 100) { text } }', "BAD_USER_INPUT"),
    ('{ search(query: "", sessionId: "s") { edges { score } } }', "BAD_USER_INPUT"),
    ('{ search(query: "books", sessionId: "s", after: "x") { edges { score } } }', "BAD_USER_INPUT"),
    ('{ memory(sessionId: "s") { messages(last: -1) { uuid } } }', "BAD_USER_INPUT"),
    ('{ memory(sessionId: "nobody") { messages(last: -1) { uuid } } }', None),
    ('{ node(id: "nothing") { id } entity(id: "") { id } }', None),
    ('{ message(uuid: "nothing") { uuid } }', "BAD_USER_INPUT"),
    ("{ sessions(first: 1) { edges { node { messages(first: 0) { totalCount } } } } }", None),
    (f"{{ {BIG} }}", "TOO_COSTLY"),
    ("{ " + "__typename " * 21 + "}", "TOO_COSTLY"),
    ("{ " + " ".join(f"a{n}: __typename" for n in range(31)) + " }", "TOO_COSTLY"),
    ("{ __typename }" + " " * 20_000, "TOO_COSTLY"),
    ('mutation { createSession(input: { sessionId: "s" }) { session { id } } }', "CONFLICT"),
    ('mutation { createSession(input: { sessionId: "" }) { session { id } } }', "BAD_USER_INPUT"),
    ('mutation { createSession(input: { sessionId: "t" }) { session { id } } }', None),
    ('mutation { updateSession(input: { sessionId: "t", userId: "bob" }) { session { id } } }', None),
    ('mutation { updateSession(input: { sessionId: "t", userId: "eve" }) { session { id } } }', "CONFLICT"),
    ('mutation { createUser(input: { userId: "bob" }) { user { id } } }', "CONFLICT"),
    ('mutation { addMemory(input: { sessionId: "s", messages: [] }) { replayed } }', "BAD_USER_INPUT"),
    ('mutation { deleteMessage(input: { uuid: "nothing" }) { deletedId } }', "BAD_USER_INPUT"),
    ('mutation { deleteMessage(input: { uuid: "00000000-0000-4000-8000-000000000001" }) { deletedId } }', "NOT_FOUND"),
    ('mutation { popMessage(input: { sessionId: "nobody" }) { deletedId } }', "NOT_FOUND"),
    ('mutation { popMessage(input: { sessionId: "s" }) { deletedId poppedMessage { seq } } }', None),
    ('mutation { markRead(input: { sessionId: "nobody", seq: 1 }) { session { readSeq } } }', "NOT_FOUND"),
    ('mutation { markRead(input: { sessionId: "s", seq: 0 }) { session { readSeq } } }', "BAD_USER_INPUT"),
    (f"mutation {{ forkSession(input: {{ {FORKED % ('nobody', 1)} }}) {{ replayed }} }}", "NOT_FOUND"),
    (f"mutation {{ forkSession(input: {{ {FORKED % ('s', 0)} }}) {{ replayed }} }}", "BAD_USER_INPUT"),
    (f"mutation {{ replaceFrom(input: {{ {REPLACED % ('nobody', 1)} }}) {{ replayed }} }}", "NOT_FOUND"),
    (f"mutation {{ replaceFrom(input: {{ {REPLACED % ('s', 0)} }}) {{ replayed }} }}", "BAD_USER_INPUT"),
    (PUT_ITEMS % "{}", None),
    (PUT_ITEMS % "1", "BAD_USER_INPUT"),
    ('mutation { deleteItems(input: { userId: "bob", items: [] }) { deletedIds } }', "BAD_USER_INPUT"),
    ('{ items(userId: "bob", filter: [{ path: "n", atLeast: 1 }]) { totalCount } }', None),
    ('{ items(userId: "bob", filter: [{ path: "n", atLeast: true }]) { totalCount } }', "BAD_USER_INPUT"),
    ('{ item(userId: "nobody", namespace: [], key: "k") { key } }', "BAD_USER_INPUT"),
    ('mutation { deleteUser(input: { userId: "bob" }) { deletedId } }', None),
    ('mutation { deleteSession(input: { sessionId: "t" }) { deletedId } }', "NOT_FOUND"),  # it was bob's
    ("mutation { retryEnrichment(input: {}) { retried } }", "BAD_USER_INPUT"),
    ('mutation { retryEnrichment(input: { sessionId: "nobody" }) { retried } }', "NOT_FOUND"),
]


@pytest.mark.slow
async def test_the_service_answers_as_the_judge_of_made_up_operations_expects(client: Client) -> None:
    await client.data(ADD, input={"sessionId": "s", "userId": "ada", "messages": OCTAVIA})
    things = Things(sessions={"s": "ada"}, users={"ada"})
    for operation, expected in EXAMPLES:
        answer = await client.send(operation)
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes == ({expected} if expected else set()), operation
        for wrong in _otherwise(answer, expected):
            assert Judge(SCHEMA, deepcopy(things)).problems(operation, wrong), (operation, wrong)
        assert Judge(SCHEMA, things).problems(operation, answer) == [], operation


def _otherwise(answer: dict[str, Any], code: str | None) -> Iterator[dict[str, Any]]:
    errors = answer.get("errors") or [{"message": "", "path": [next(iter(answer["data"]))]}]
    for other in {"BAD_USER_INPUT", "NOT_FOUND", "CONFLICT", "TOO_COSTLY", "FORBIDDEN", "INTERNAL"} - {code}:
        yield {**answer, "errors": [{**error, "extensions": {"code": other}} for error in errors]}
    if code is not None and len(path := errors[0].get("path", [])) < 2:
        yield {"data": {name: {} for name in path}}


@pytest.mark.slow
# graphql-core cancels the siblings of a failed field, some of them before their coroutine has begun.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.usefixtures("leaves_garbage")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <coroutine:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(900)  # it waits for one answer after the other, which take long on a busy machine
async def test_schemathesis_meets_no_error_but_those_that_are_documented_for_its_input(
    settings: Settings, mongodb_uri: str, database: Database, tmp_path: Path
) -> None:
    """Made-up operations from the schema: no 5xx, no INTERNAL, and what `tests.support.admissible` says of each."""
    del database
    async with served_with(settings, mongodb_uri, await_entities_timeout=0.01) as client:
        await client.data(ADD, input={"sessionId": "s", "userId": "ada", "messages": OCTAVIA})
        found = await client.data(
            '{ session(sessionId: "s") { messages(first: 1) { edges { node { uuid } } pageInfo { endCursor } } } }'
        )
        page = found["session"]["messages"]
        (tmp_path / "hooks.py").write_text(HOOKS)
        command = ["-m", "schemathesis.cli", "run", f"{client.http.base_url}/graphql"]
        command += [
            "--checks",
            "documented_code",
            "--max-examples",
            "40",
            "--phases",
            "fuzzing",
            "--workers",
            "1",
            # The same operations in each run: a red test then belongs to the change that it is run on. Other seeds
            # find other operations.
            "--seed",
            os.environ.get("SCHEMATHESIS_SEED", "20"),
        ]
        hooks = {
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'tests' / 'support'}",
            "TRUE_CURSOR": page["pageInfo"]["endCursor"],
            "TRUE_UUID": page["edges"][0]["node"]["uuid"],
            "SCHEMA": str(SCHEMA),
            "SEEN": str(tmp_path / "seen"),
        }
        done = await anyio.to_thread.run_sync(lambda: run_tool(*command, cwd=tmp_path, **hooks))
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr[-2_000:]
    seen = set((tmp_path / "seen").read_text().split())
    assert {"OK", "BAD_USER_INPUT", "NOT_FOUND", "CONFLICT"} <= seen  # or the judge had nothing to judge


HOOKS = """
import os
from pathlib import Path
from random import Random

import schemathesis
from admissible import Judge, Things
from graphql import ArgumentNode, NullValueNode, Visitor, parse_value, print_ast, visit
from hypothesis import strategies as st
from schemathesis.graphql import nodes

CURSOR, UUID = os.environ["TRUE_CURSOR"], os.environ["TRUE_UUID"]
NEW = ["00000000-0000-4000-8000-00000000000" + digit for digit in "123"]
IDS = ["s", "s", "s", "t", "ada", "bob", "", "x" * 513, UUID, UUID.upper(), *NEW, "not-a-uuid"]
TEXTS = ["", "human", "x", CURSOR, CURSOR[:-1], "a.b", "$a", "x" * 257, "x" * 1_025]
JSON = list(map(parse_value, ["{}", "{a: 1, b: {c: null}}", "{_: [1.5, true]}", '"x"', "1", "[{}]"]))
scalar = schemathesis.graphql.scalar
scalar("ID", st.sampled_from(IDS).map(nodes.String) | st.text(max_size=5).map(nodes.String))
scalar("String", st.sampled_from(TEXTS).map(nodes.String) | st.text(max_size=20).map(nodes.String))
scalar("Int", st.sampled_from([0, 1, 2, 5, 10, 100, 1000, 1000, 1001, -1, 2**31 - 1]).map(nodes.Int))
scalar("JSON", st.sampled_from(JSON))
scalar("DateTime", st.sampled_from(["2026-01-01T00:00:00Z"] * 5 + ["now"]).map(nodes.String))

things = Things(cursor=CURSOR, sessions={"s": "ada"}, users={"ada"}, messages={UUID: "s"})
judge = Judge(Path(os.environ["SCHEMA"]), things)


class LeaveOut(Visitor):
    # Most cursors are wrong, and one that is wrong takes its whole operation with it.
    def __init__(self, text):
        super().__init__()
        self.random = Random(text)

    def enter_argument(self, node, *_):
        if node.name.value in ("after", "before") and self.random.random() < 0.7:
            return ArgumentNode(name=node.name, value=NullValueNode())


@schemathesis.hook
def map_body(ctx, body):
    return visit(body, LeaveOut(print_ast(body)))


@schemathesis.check
def documented_code(ctx, response, case):
    assert response.status_code < 500, response.text
    answer = response.json()
    codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(" ".join(codes or ["OK"]) + "\\n")
    query = case.body if isinstance(case.body, str) else case.body["query"]
    problems = judge.problems(query, answer)
    assert not problems, (problems, query, response.text)
"""
