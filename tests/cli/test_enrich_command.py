"""`recallql enrich` and `recallql worker`, as a user starts them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from graph.enrichment.llm import ChatCompletionsSummariser, LLMOptions, LLMUnavailable
from graph.settings import Settings
from graph.store.adding.add_plan import NewMemory, NewMessage
from graph.store.database import Database
from graph.store.documents import now
from graph.store.memories import add_memory
from graph.store.scope import EVERYTHING
from tests.support.embedding_server import EmbeddingServer
from tests.support.llm_server import LLMServer, Reply, completion
from tests.support.server_process import watched
from tests.support.untyped import untyped

LETTERS = """
def letters():
    return {"name": "letters", "pat_str": r"(?s).", "special_tokens": {},
            "mergeable_ranks": {bytes([number]): number for number in range(256)}}

ENCODING_CONSTRUCTORS = {"letters": letters}
"""


def environment_of(uri: str, settings: Settings) -> dict[str, str]:
    """The environment of a command on the test's database, under the watch of the event loop."""
    named = {"RECALLQL_MONGODB_URI": uri, "RECALLQL_DATABASE": settings.database}
    return {**os.environ, **watched(settings.data_dir / "command.held"), **named}


async def run(uri: str, settings: Settings, *arguments: str, **variables: str) -> tuple[int, str]:
    environment = {**environment_of(uri, settings), **variables}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graph", *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def say(database: Database, session_id: str, *contents: str) -> None:
    messages = [NewMessage("human", content, 4) for content in contents]
    await add_memory(database, EVERYTHING, NewMemory(session_id, messages))


async def test_enrich_works_off_what_is_pending_and_ends(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    await say(database, "s", *["Ada lives in Paris."] * 12)
    await say(database, "t", "Grace lives in Rome.")
    assert await run(mongodb_uri, settings, "enrich", "--session", "t") == (
        0,
        "1 messages enriched; now 1 done, 0 pending, 0 failed\n",
    )
    assert await database.messages.count_documents({"enrichment.state": "PENDING"}) == 12
    status, out = await run(mongodb_uri, settings, "enrich")
    assert (status, out) == (0, "12 messages enriched; now 13 done, 0 pending, 0 failed\n")
    assert (await untyped(database, "summaries").find_one({"sessionId": "s"}))["lastSeq"] == 6


async def test_enrich_tells_failures_by_its_status_and_begins_them_again_when_asked(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    await say(database, "s", "Ada lives in Paris.")
    failed = {"state": "FAILED", "attempts": 5, "at": now(), "reason": "because"}
    await database.messages.update_one({}, {"$set": {"enrichment": failed}})
    status, out = await run(mongodb_uri, settings, "enrich")
    assert (status, out) == (1, "0 messages enriched; now 0 done, 0 pending, 1 failed\n")
    status, out = await run(mongodb_uri, settings, "enrich", "--failed")
    assert (status, out) == (0, "1 messages enriched; now 1 done, 0 pending, 0 failed\n")


@pytest.mark.slow
async def test_enrich_ends_while_the_embedding_server_is_away(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    await say(database, "s", "Ada lives in Paris.")
    with EmbeddingServer(503) as server:
        remote = {"RECALLQL_EMBEDDING_BASE_URL": server.base_url, "RECALLQL_EMBEDDING_MODEL": "a-model"}
        status, out = await run(mongodb_uri, settings, "enrich", **remote)
        assert status == 1
        assert out.splitlines() == [
            "1 messages enriched; now 1 done, 0 pending, 0 failed",
            "1 messages not embedded: the embedding server 127.0.0.1 answered with status 503",
        ]
        server.status = 200
        assert (await run(mongodb_uri, settings, "enrich", **remote))[0] == 0
    assert await untyped(database, "recall").count_documents({"vector": {"$exists": True}}) == 1


@pytest.mark.parametrize("model", [False, True])
async def test_summaries_are_counted_and_bounded_in_the_encoding_that_is_set(
    mongodb_uri: str, database: Database, settings: Settings, tmp_path: Path, model: bool
) -> None:
    """The encoding has a token for each byte, and comes as a plugin of tiktoken, as encodings of others do."""
    (tmp_path / "tiktoken_ext").mkdir()
    (tmp_path / "tiktoken_ext" / "of_letters.py").write_text(LETTERS)
    await say(database, "s", *["Ada Lovelace lives in Paris, beside the river."] * 12)
    with LLMServer(Reply(completion("Ada lives in Paris. " * 20))) as server:
        llm = {"RECALLQL_LLM_BASE_URL": server.base_url, "RECALLQL_LLM_MODEL": "m"} if model else {}
        encoding = {"RECALLQL_TOKEN_ENCODING": "letters", "PYTHONPATH": str(tmp_path)}
        status, _ = await run(
            mongodb_uri,
            settings,
            "enrich",
            "--summary-max-tokens",
            "64",
            RECALLQL_LLM_MAX_INPUT_TOKENS="1000",
            **encoding,
            **llm,
        )
    assert status == 0
    summary = await untyped(database, "summaries").find_one({"sessionId": "s"})
    assert summary["source"] == ("LLM" if model else "EXTRACTIVE")
    assert summary["tokenCount"] == len(summary["content"].encode())
    assert 0 < summary["tokenCount"] <= 64
    for request in server.requests:
        assert sum(len(message["content"].encode()) for message in request.body["messages"]) <= 1000


async def test_a_worker_ends_with_status_0_when_it_is_told_to(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    environment = environment_of(mongodb_uri, settings)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "graph", "worker", env=environment)
    await say(database, "s", "Ada lives in Paris.")
    while await database.messages.count_documents({"enrichment.state": "PENDING"}):  # noqa: ASYNC110 - in a process
        await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_quiet_worker_without_an_input_works_on(
    mongodb_uri: str, database: Database, settings: Settings
) -> None:
    environment = environment_of(mongodb_uri, settings)
    # As systemd starts it.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graph", "worker", "--quiet", env=environment, stdin=asyncio.subprocess.DEVNULL
    )
    for text in ("Ada lives in Paris.", "Grace lives in Rome."):
        await say(database, "s", text)
        while await database.messages.count_documents({"enrichment.state": "PENDING"}):
            assert process.returncode is None
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_worker_ends_with_the_process_that_started_it(mongodb_uri: str, settings: Settings) -> None:
    environment = environment_of(mongodb_uri, settings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", "worker", "--end-with-input"), env=environment, stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin
    process.stdin.close()
    assert await process.wait() == 0


@pytest.mark.parametrize("command", ["serve", "worker", "enrich"])
async def test_a_missing_model_is_one_line_that_says_how_to_install_it(
    mongodb_uri: str, settings: Settings, command: str
) -> None:
    port = ["--port", "0"] if command == "serve" else []
    environment = environment_of(mongodb_uri, settings)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", command, *port, "--spacy-model", "de_core_news_sm"),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 2
    (line,) = complaint.decode().splitlines()
    assert "python -m spacy download de_core_news_sm" in line


PROXIES = [
    {"ALL_PROXY": "socks5h://127.0.0.1:9"},
    {"all_proxy": "socks4a://user:hunter2@127.0.0.1:9"},
    {"HTTP_PROXY": "ftp://127.0.0.1:9"},
    {"https_proxy": "http://[::1"},
]


def without_proxies() -> dict[str, str]:
    """Variables that unset what this machine may say of proxies."""
    return {name: "" for name in os.environ if name.lower().endswith("_proxy")}


@pytest.mark.slow
@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: next(iter(proxy)))
async def test_a_proxy_that_cannot_be_used_costs_the_model_and_not_the_worker(
    mongodb_uri: str, database: Database, settings: Settings, proxy: dict[str, str]
) -> None:
    await say(database, "s", *["Ada Lovelace lives in Paris, beside the river."] * 12)
    (name,) = proxy
    scheme = "https" if name == "https_proxy" else "http"
    llm = {"RECALLQL_LLM_BASE_URL": f"{scheme}://llm.invalid/v1", "RECALLQL_LLM_MODEL": "m"}
    variables = {**without_proxies(), **llm, **proxy}
    environment = {"RECALLQL_MONGODB_URI": mongodb_uri, "RECALLQL_DATABASE": settings.database, **variables}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "graph", "enrich"), env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0
    assert await database.messages.count_documents({"enrichment.state": "DONE", "entities.name": "Paris"}) == 12
    summary = await untyped(database, "summaries").find_one({"sessionId": "s"})
    assert (summary["source"], name in summary["fellBackReason"]) == ("EXTRACTIVE", True)
    lines = [line for line in said.decode().splitlines() if name in line]
    assert len(lines) == 1
    assert "Traceback" not in said.decode()
    assert "hunter2" not in said.decode()


@pytest.mark.parametrize("proxy", [*PROXIES, {"HTTP_PROXY": "http://127.0.0.1:9"}], ids=str)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_model_on_this_machine_is_asked_without_a_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy: dict[str, str], host: str
) -> None:
    for name, value in {**without_proxies(), **proxy}.items():
        monkeypatch.setenv(name, value)
    with LLMServer(Reply(completion("A summary."))) as server:
        options = LLMOptions(base_url=server.base_url.replace("127.0.0.1", host), model="m", max_attempts=1)
        async with ChatCompletionsSummariser(options) as llm:
            assert await llm.summarise(None, [("human", "Hello")]) == "A summary."


@pytest.mark.parametrize(
    ("no_proxy", "is_direct"),
    [("localhost,[::1]", False), ("[2001:db8::1], ::1", False), ("", False), ("example.com", False)]
    + [(name, True) for name in ("*", "llm.invalid", ".invalid", "[::1],INVALID")],
)
async def test_a_model_elsewhere_is_asked_by_the_proxy_that_holds_for_it(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, *, is_direct: bool
) -> None:
    with LLMServer(Reply(completion("A summary."))) as server:  # which stands for the proxy
        variables = {"HTTP_PROXY": server.base_url.removesuffix("/v1"), "NO_PROXY": no_proxy}
        for name, value in {**without_proxies(), **variables}.items():
            monkeypatch.setenv(name, value)
        options = LLMOptions(base_url="http://llm.invalid/v1", model="m", max_attempts=1)
        async with ChatCompletionsSummariser(options) as llm:
            if is_direct:
                with pytest.raises(LLMUnavailable):
                    await llm.summarise(None, [("human", "Hello")])
            else:
                assert await llm.summarise(None, [("human", "Hello")]) == "A summary."
