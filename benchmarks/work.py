"""The parts of the benchmark: each prints a table, and says whether its target is met."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import data
from benchmarks.load import Contest, Load, contest, run, spread
from benchmarks.running import APOLLO, Bench, graphql
from tests.support.server_process import served

EVERYTHING = """
query Memory($sessionId: ID!) {
  memory(sessionId: $sessionId) {
    messages(last: 100) {
      id uuid seq role content metadata tokenCount createdAt updatedAt enrichment { state reason }
      entities { id name label mentionCount firstSeenAt lastSeenAt matches { start end text } }
    }
  }
}
"""
FEW = "query Few($sessionId: ID!) { memory(sessionId: $sessionId) { messages(last: 5) { role content createdAt } } }"
LIST = """
query List {
  sessions(first: 100) { edges { cursor node { id uuid createdAt messages(first: 30) {
    edges { cursor node { uuid seq role content createdAt tokenCount } } } } } }
}
"""
ADD = "mutation Add($input: AddMemoryInput!) { addMemory(input: $input) { replayed memory { uuid } } }"
PAGE = """
query Page($sessionId: ID!, $after: String) {
  session(sessionId: $sessionId) {
    messages(first: 100, after: $after) { edges { cursor node { uuid seq role content } }
      pageInfo { hasNextPage endCursor } }
  }
}
"""
WALK = """
query Walk($sessionId: ID!, $first: Int!, $after: String) {
  session(sessionId: $sessionId) { messages(first: $first, after: $after) { pageInfo { endCursor } } }
}
"""
_TWO = [
    {"role": "human", "content": "Which books of hers were made into movies?"},
    {"role": "ai", "content": "The most well-known adaptation of Octavia Butler's work is the FX series Kindred."},
]


def _sessions() -> list[dict[str, Any]]:
    return [{"sessionId": session_id} for session_id in data.long_chats()]


def memory(bench: Bench) -> None:
    """`memory` beside a hand-written route, the stock executor, langchain-mongodb and Apollo Server."""
    data.load_langchain(bench.client, f"{bench.database}_langchain", bench.messages)
    with_apollo = _install_apollo(bench)
    _check_answers(bench, with_apollo=with_apollo)
    # The stock executor holds a request for long: fewer connections, so that a short round has enough answers.
    for what, query, route, count, least, connections in (
        ("100 messages, all scalar fields and entities", EVERYTHING, "everything", 100, 8.0, 4),
        ("last 5 messages, 3 fields", FEW, "few", 5, 3.0, 16),
    ):
        bench.report.head(f"memory: {what}")
        ids = data.long_chats()
        loads = {
            "RecallQL": graphql(bench.server("recallql"), query, _sessions()),
            "Starlette by hand": Load(bench.server("rest"), [f"GET /{route}/{name}" for name in ids]),
            "stock executor, no caches": graphql(bench.server("stock"), query, _sessions()),
            "langchain-mongodb": Load(
                bench.server("langchain", f"{bench.database}_langchain"), [f"GET /last/{count}/{name}" for name in ids]
            ),
        }
        if with_apollo:
            base = bench.server("apollo")
            loads["Apollo Server"] = Load(
                base, [line.replace("/graphql", "/", 1) for line in loads["RecallQL"].requests]
            )
        loads = {name: replace(load, connections=connections) for name, load in loads.items()}
        result = contest(loads, rounds=bench.rounds, seconds=bench.seconds)
        _table(bench, result)
        target = bench.report.target
        target(f"{what}: RecallQL / by hand", result.ratios("RecallQL", "Starlette by hand"), least=0.5)
        target(f"{what}: RecallQL / stock", result.ratios("RecallQL", "stock executor, no caches"), least=least)
        target(f"{what}: RecallQL / langchain", result.ratios("RecallQL", "langchain-mongodb"), least=1)
        if with_apollo:
            target(f"{what}: RecallQL / Apollo", result.ratios("RecallQL", "Apollo Server"), least=1)


def observed(bench: Bench) -> None:
    """The cost of the line for each request, with the commands of slow ones: in processor time of the server."""
    kinds = ("silent", "logging", "logging_json")
    for what, query in (("100 messages", EVERYTHING), ("last 5 messages", FEW)):
        bench.report.head(f"observed: {what}, processor time of a request")
        loads = {kind: graphql(bench.server(kind), query, _sessions(), connections=8) for kind in kinds}
        for kind, ratios in _spent(bench, loads).items():
            bench.report.target(f"{what}: {kind} / silent", ratios, most=1.03)


def compression(bench: Bench) -> None:
    """The cost and the bytes of compressed answers, beside answers of a server without compression."""
    cases: list[tuple[str, str, list[dict[str, Any]], float]] = [
        ("100 sessions with 30 messages", LIST, [{}], 1.5),
        ("100 messages", EVERYTHING, _sessions(), 1.5),
        ("last 5 messages", FEW, _sessions(), 1.05),
    ]
    for what, query, variables, most in cases:
        bench.report.head(f"compression: {what}, processor time of a request")
        loads = {"off": graphql(bench.server("uncompressed"), query, variables, connections=4)}
        for accepts in ("identity", "zstd", "br", "gzip"):
            loads[accepts] = graphql(bench.server("silent"), query, variables, connections=4, accepts=accepts)
        for accepts, load in loads.items():
            bench.report.row(accepts, f"{run(load, bench.seconds).bytes_each:,.0f} bytes", "")
        for accepts, ratios in _spent(bench, loads).items():
            bench.report.target(f"{what}: {accepts} / off", ratios, most=most)


def _spent(bench: Bench, loads: dict[str, Load]) -> dict[str, list[float]]:
    """Print the processor time of a request for each load; return its ratios to that of the first, by round."""
    spent: dict[str, list[float]] = {kind: [] for kind in loads}
    for number in range(bench.rounds + 1):  # the first one is a warm-up
        for kind in loads if number % 2 == 0 else reversed(loads):
            spent[kind].append(_processor_time(loads[kind], bench.seconds))
    for kind in loads:
        bench.report.row(kind, spread([1e6 * seconds for seconds in spent[kind][1:]], "{:,.0f} us"), "")
    first, *others = spent
    return {
        kind: [one / other for one, other in zip(spent[kind][1:], spent[first][1:], strict=True)] for kind in others
    }


def _processor_time(load: Load, seconds: float) -> float:
    """The processor time in seconds that a server takes for a request: other processes of the machine count little."""
    port = load.base.rpartition(":")[2]
    (server,) = (child for child in psutil.Process().children() if child.cmdline()[-1] == port)
    before = server.cpu_times()
    requests = run(load, seconds).requests
    after = server.cpu_times()
    return (after.user + after.system - before.user - before.system) / requests


def add(bench: Bench) -> None:
    """`addMemory` of 2 messages beside a hand-written route with the same transaction."""
    bench.report.head("addMemory: 2 messages, 16 sessions")
    ids = [f"added-{number}" for number in range(16)]
    bodies = [{"sessionId": name, "messages": _TWO} for name in ids]
    result = contest(
        {
            "RecallQL": graphql(bench.server("recallql"), ADD, [{"input": body} for body in bodies], look=True),
            "Starlette by hand": Load(bench.server("rest"), [f"POST /memory {json.dumps(body)}" for body in bodies]),
        },
        rounds=bench.rounds,
        seconds=bench.seconds,
    )
    _table(bench, result)
    bench.report.target("addMemory: RecallQL / by hand", result.ratios("RecallQL", "Starlette by hand"), least=0.7)


def writers(bench: Bench) -> None:
    """16 writers at once, on one session and on 16: nothing is lost."""
    bench.report.head("addMemory: 16 writers")
    base = bench.server("recallql")
    for what, count in (("on one session", 1), ("on 16 sessions", 16)):
        ids = [f"written-{count}-{number}" for number in range(count)]
        before = _stored(bench, ids)
        load = graphql(base, ADD, [{"input": {"sessionId": name, "messages": _TWO}} for name in ids], look=True)
        measured = run(load, bench.seconds * 2)
        stored = _stored(bench, ids) - before
        # wrk hangs up on the last request of each connection, which may have been written all the same.
        missing = measured.requests * 2 - stored
        bench.report.row(
            what, f"{measured.rate:,.0f} a second", f"p50 {measured.p50:.1f} ms, p95 {measured.p95:.1f} ms"
        )
        bench.report.target(f"writers {what}: messages acknowledged and not stored", [max(0, missing)], most=0)
        holes = sum(_holes(bench, name) for name in ids)
        bench.report.target(f"writers {what}: numbers missing or twice", [holes], most=0)


def pages(bench: Bench) -> None:
    """Page 1 and page 1,000 of a conversation of 100,000 messages."""
    name = "bench_pages"
    bench.report.head(f"pages of 100 of a session of {data.PAGED:,} messages")
    data.load_long_session(bench.client, name)
    base = bench.server("recallql", name)
    cursor = None
    for first in (*[1000] * (data.PAGED // 1000 - 1), 900):
        walked = bench.ask(base, WALK, sessionId=data.LONG_SESSION, first=first, after=cursor)
        cursor = walked["session"]["messages"]["pageInfo"]["endCursor"]
    result = contest(
        {
            "page 1": graphql(base, PAGE, [{"sessionId": data.LONG_SESSION}]),
            "page 1,000": graphql(base, PAGE, [{"sessionId": data.LONG_SESSION, "after": cursor}]),
        },
        rounds=bench.rounds,
        seconds=bench.seconds,
    )
    _table(bench, result)
    bench.report.target("page 1 / page 1,000", result.ratios("page 1", "page 1,000"), most=1.2)


def selection(bench: Bench) -> None:
    """Two small fields and everything, of long messages."""
    name = "bench_big"
    bench.report.head("selection: 100 messages of 16 KiB")
    data.load_big_messages(bench.client, name)
    base = bench.server("recallql", name)
    small = EVERYTHING[: EVERYTHING.index("id uuid")] + "seq role } } }"
    read: dict[str, float] = {}
    sent: dict[str, int] = {}
    for what, query in (("2 fields", small), ("everything", EVERYTHING)):
        body = {"query": query, "variables": {"sessionId": data.BIG_SESSION}}
        before = _bytes_out(bench)
        for _ in range(20):
            sent[what] = len(httpx.post(f"{base}/graphql", json=body, timeout=60).content)
        read[what] = (_bytes_out(bench) - before) / 20
        bench.report.row(what, f"{read[what]:,.0f} bytes read", f"{sent[what]:,} bytes sent")
    bench.report.target("read of MongoDB: everything / 2 fields", [read["everything"] / read["2 fields"]], least=5)
    bench.report.target("sent: everything / 2 fields", [sent["everything"] / sent["2 fields"]], least=5)


def growth(bench: Bench) -> None:
    """`memory` on small and large stores."""
    bench.report.head("memory (100 messages) as the store grows")
    sizes = sorted({1_000, 10_000, bench.messages})
    loads = {}
    for size in sizes:
        data.load_chats(bench.client, f"bench_{size}", size)
        loads[f"{size:,} messages"] = graphql(bench.server("recallql", f"bench_{size}"), EVERYTHING, _sessions())
    result = contest(loads, rounds=bench.rounds, seconds=bench.seconds)
    _table(bench, result)
    least, most = f"{sizes[0]:,} messages", f"{sizes[-1]:,} messages"
    bench.report.target(f"rate at {least} / at {most}", result.ratios(least, most), most=1.2)


def drivers(bench: Bench) -> None:
    """The same requests through Motor and through PyMongo's AsyncMongoClient."""
    for what, query, variables in (
        ("memory, 100 messages", EVERYTHING, _sessions()),
        ("memory, last 5", FEW, _sessions()),
        ("addMemory", ADD, [{"input": {"sessionId": f"driven-{n}", "messages": _TWO}} for n in range(16)]),
    ):
        bench.report.head(f"drivers: {what}")
        loads = {
            "Motor": graphql(bench.server("recallql"), query, variables),
            "PyMongo AsyncMongoClient": graphql(bench.server("pymongo"), query, variables),
        }
        result = contest(loads, rounds=bench.rounds, seconds=bench.seconds)
        _table(bench, result)
        bench.report.row("Motor / AsyncMongoClient", result.ratio("Motor", "PyMongo AsyncMongoClient"))


def start(bench: Bench) -> None:
    """`recallql serve` on a store with data: time to the first answer, and memory of the web process."""
    bench.report.head("start of recallql serve with data present")
    seconds, mebibytes = [], []
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}  # an installed package has its modules compiled
    with tempfile.TemporaryDirectory() as directory:
        data_dir = Path(directory) / "data"
        with served(data_dir, **compiled) as server:
            server.graphql(ADD, input={"sessionId": "s", "messages": _TWO * 50})
        for _ in range(bench.rounds):
            begun = time.perf_counter()
            with served(data_dir, **compiled) as server:
                _answer(server.url, FEW, sessionId="s")
                seconds.append(time.perf_counter() - begun)
                for _ in range(300):
                    _answer(server.url, EVERYTHING, sessionId="s")
                mebibytes.append(psutil.Process(server.process.pid).memory_info().rss / 2**20)
    bench.report.target("seconds to the first answer", seconds, most=1.5)
    bench.report.target("web process, MiB resident", mebibytes, most=150)


def _answer(url: str, query: str, **variables: Any) -> None:
    """Ask without a client that takes its time to be made."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    asked = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - our own
    with urllib.request.urlopen(asked) as response:  # noqa: S310 - likewise
        assert "errors" not in json.load(response)


PARTS: dict[str, Callable[[Bench], None]] = {
    "memory": memory,
    "observed": observed,
    "compression": compression,
    "add": add,
    "writers": writers,
    "pages": pages,
    "selection": selection,
    "growth": growth,
    "drivers": drivers,
    "start": start,
}


def _table(bench: Bench, result: Contest) -> None:
    bench.report.row("", "requests a second", "latency")
    for name in result.runs:
        bench.report.row(name, result.rate(name), result.latency(name))


def _install_apollo(bench: Bench) -> bool:
    if not (APOLLO / "node_modules").is_dir():
        try:
            subprocess.run(["npm", "ci", "--silent"], cwd=APOLLO, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            bench.report.line(f"without Apollo Server: npm ci failed ({error})")
            return False
    return True


def _check_answers(bench: Bench, *, with_apollo: bool) -> None:
    """What is compared gives the same answers.

    Raises:
        RuntimeError: it does not.
    """
    for query in (EVERYTHING, FEW):
        mine = bench.ask(bench.server("recallql"), query, **_sessions()[0])
        others = {"stock": bench.ask(bench.server("stock"), query, **_sessions()[0])}
        if with_apollo:
            body = {"query": query, "variables": _sessions()[0]}
            others["apollo"] = httpx.post(bench.server("apollo"), json=body, timeout=60).json()["data"]
        for name, other in others.items():
            if _without_ids(other) != _without_ids(mine):
                message = f"{name} gives another answer: {other} instead of {mine}"[:2_000]
                raise RuntimeError(message)


def _without_ids(value: Any) -> Any:
    """An answer but for global ids, which are opaque, and encoded as each server likes."""
    if isinstance(value, dict):
        return {name: _without_ids(item) for name, item in value.items() if name != "id"}
    return [_without_ids(item) for item in value] if isinstance(value, list) else value


def _stored(bench: Bench, ids: list[str]) -> int:
    return bench.client[bench.database]["messages"].count_documents({"sessionId": {"$in": ids}})


def _holes(bench: Bench, session_id: str) -> int:
    found = bench.client[bench.database]["messages"].find({"sessionId": session_id}, {"seq": 1, "_id": 0})
    numbers = sorted(message["seq"] for message in found)
    return sum(number != place for place, number in enumerate(numbers, 1))


def _bytes_out(bench: Bench) -> int:
    told: int = bench.client.admin.command("serverStatus")["network"]["bytesOut"]
    return told
