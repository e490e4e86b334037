"""What it costs to find out whether an operation is valid: little, whatever its text is, within the limits."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import SecretStr

from graph.settings import Settings
from graph.store.database import Database
from tests.support.access import SECRET, as_caller, served_with, token
from tests.support.graphql_client import Client
from tests.support.loop_watch import slowness

MEMORY = 'memory(sessionId: "s")'
SESSION = 'session(sessionId: "s")'
MOST = 0.1  # seconds of a processor core; the worst of these takes about 0.05
RUNS = 12  # at most: other work on the machine makes a run slower, and never all of them


def _each(text: str, count: int) -> str:
    """The text for each number below the count, in the place of `#`."""
    return " ".join(text.replace("#", str(number)) for number in range(count))


def _in_input(text: str) -> str:
    return f"mutation {{ addMemory(input: {{ {text} }}) {{ replayed }} }}"


def _merging(depth: int, width: int) -> str:
    """The same object over and over, each with the same below it."""
    below = _merging(depth - 1, width) if depth else "uuid"
    return f"session {{ memories {{ edges {{ node {{ {below} }} }} }} }} " * width


LINES = '"""' + "x\n" * 28 + '"""'
FRAGMENTS = _each("fragment F# on Memory { uuid id }", 40)
CHAIN = "".join(f"fragment F{n} on Memory {{ uuid ...F{n + 1} }} " for n in range(90))
SHORT_CHAIN = CHAIN[: CHAIN.index("fragment F45")] + "fragment F45 on Memory { uuid }"

WORST = {
    # What is compared: each field with each of the same name.
    "fields": f"{{ {MEMORY} {{ {'uuid ' * 249} }} }}",
    "fields of the introspection": f"{{ __schema {{ types {{ {'name ' * 940} }} }} }}",
    "arguments that are the same": f"{{ {SESSION} {{ {'messages(first: 1) { totalCount } ' * 80} }} }}",
    "arguments that differ": f"{{ {SESSION} {{ {_each('messages(first: #)', 155)} }} }}",
    "objects that merge": f"{{ {MEMORY} {{ {_merging(2, 4)} }} }}",
    "fragments that are alike": f"{{ {MEMORY} {{ {_each('...F#', 40)} }} }} {FRAGMENTS}",
    "fragments in each other": f"{{ {MEMORY} {{ ...F0 }} }} {CHAIN} fragment F90 on Memory {{ uuid }}",
    "inline fragments": f"{{ {MEMORY} {{ {'... { uuid } ' * 235} }} }}",
    # What is searched for: a name that is like an unknown one.
    "unknown fields": f"{{ {MEMORY} {{ {_each('uuidd#', 249)} }} }}",
    "unknown long fields": f"{{ {MEMORY} {{ {_each('m' * 75 + '#', 249)} }} }}",
    "unknown arguments": f"{{ memory(sessionId: 1, {_each('sessionIx#: 1', 320)}) {{ uuid }} }}",
    "unknown types": f"query ({_each('$a#: EntityConnectionMes#', 240)}) {{ __typename }}",
    "unknown types of fragments": f"{{ __typename }} {_each('fragment F# on IDUUIDEnrichmentEnri# { uuid }', 110)}",
    "unknown directives": f"{{ {MEMORY} {{ {_each('uuid @skipp#', 240)} }} }}",
    "unknown fragments": f"{{ {_each('...F#', 480)} }}",
    "unknown fields of an input": _in_input(_each("sessionIdMetadataUser#: 1", 310)),
    # What is printed: the value that is wrong, in each error.
    "large wrong values": _in_input(_each(f"a#: {LINES}", 290)),
    "wrong values in each other": _in_input("sessionId: { " * 180 + f"a: {LINES * 250}" + " }" * 180),
    "wrong values in a list": f"{{ nodes(ids: [{'{} ' * 470}]) {{ id }} }}",
    # What is merely much.
    "operations": _each("query Q# { __typename }", 195),
    "operations of one name": "query Q { __typename } " * 195,
    "operations with a fragment": _each("query Q# { ...F }", 150) + " fragment F on Query { __typename }",
    "operations with a variable": _each("query Q#($a: String) { ...F0 }", 45)
    + "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(55))
    + "fragment F55 on Query { __type(name: $a) { name } }",
    "variables": f"query ({_each('$a#: Int', 80)}) {{ {SESSION} {{ {_each('messages(first: $a#)', 60)} }} }}",
    "strings": '{ nodes(ids: ["' + '", "'.join("x" * 16 for _ in range(950)) + '"]) { id } }',
    # All of it together.
    "much of it, and then errors": f"query A {{ {MEMORY} {{ ...F0 }} }} {SHORT_CHAIN} {_each('query Q# { ...F }', 38)}"
    f" fragment F on Query {{ __typename }} {_each('fragment T# on IDUUIDEnrichmentEnri# { uuid }', 28)}",
    # What is long.
    "a long text": "{ __typename }" + " " * 3_000_000,
    "a long string": '{ memory(sessionId: """' + "x\n" * 1_000_000 + '""") { uuid } }',
    "escapes": '{ memory(sessionId: "' + "\\u0041" * 300_000 + '") { uuid } }',
    "long names": f"{{ {MEMORY} {{ {_each('x' * 5_000 + '#', 249)} }} }}",
    "what can't be parsed": "{ " + "a " * 950 + "(",
}


@pytest.mark.slow
async def test_no_operation_within_the_limits_is_costly_to_validate(client: Client) -> None:
    """In time of the processor, so that other work of the machine does not count; the server is in this process."""
    found = {}
    for name, text in WORST.items():
        times: list[float] = []
        while len(times) < RUNS and not (times and min(times) < MOST):
            began = time.process_time()
            await client.send(text + " " * len(times))  # a text of its own, since what is known of one is kept
            times.append(time.process_time() - began)
        found[name] = min(times)
    most = MOST * slowness()
    assert {name: seconds for name, seconds in found.items() if seconds > most} == {}


_SHOWN = "id uuid role content seq createdAt tokenCount metadata entities { name label }"
LEGITIMATE = {
    "a page of components, each of which asks for what it shows": (
        f"{{ {MEMORY} {{ messages {{ {_each('...C#', 20)} }} }} }}"
        f" {_each(f'fragment C# on Message {{ {_SHOWN} }}', 20)}"
    ),
    "a value in the text instead of in a variable": _in_input(
        f'sessionId: "s", messages: [{{ role: "human", content: "{"word " * 3_000}" }}]'
    ),
}


@pytest.mark.parametrize("text", LEGITIMATE.values(), ids=list(LEGITIMATE))
async def test_what_programs_write_is_within_the_limits(client: Client, text: str) -> None:
    assert "errors" not in await client.send(text)


@pytest.mark.parametrize(
    "case",
    [
        ("max_text", "{ __typename }" + " " * 20_000, "RECALLQL_MAX_TEXT"),
        ("max_comparisons", f"{{ {MEMORY} {{ {'uuid ' * 110} }} }}", "RECALLQL_MAX_COMPARISONS"),
    ],
)
async def test_the_limits_say_which_they_are_and_can_be_switched_off(
    settings: Settings, mongodb_uri: str, database: Database, case: tuple[str, str, str]
) -> None:
    del database
    setting, text, said = case
    async with served_with(settings, mongodb_uri) as client:
        for name in (None, "Named"):
            body = {"query": text if name is None else text.replace("{", "query Named {", 1), "operationName": name}
            (error,) = (await client.http.post("/graphql", json=body)).json()["errors"]
            assert error["extensions"]["code"] == "TOO_COSTLY"
            assert error["extensions"]["setting"] == said
            assert "RECALLQL" not in error["message"]
    async with served_with(settings, mongodb_uri, **{setting: 0}) as client:
        assert "errors" not in await client.send(text)


async def test_an_end_user_gets_no_name_of_a_setting(settings: Settings, mongodb_uri: str, database: Database) -> None:
    del database
    limits: dict[str, Any] = {"max_depth": 1, "max_cost": 3, "max_answer_bytes": 20}
    deep = '{ session(sessionId: "s") { user { sessions { totalCount } } } }'
    costly = "{ sessions(first: 9) { totalCount } a: sessions(first: 9) { totalCount } }"
    async with served_with(settings, mongodb_uri, jwt_secret=SecretStr(SECRET), **limits) as client:
        as_caller(client, token("ada"))
        for text in (deep, costly):
            error = await client.error(text)
            assert error["code"] == "TOO_COSTLY"
            assert "RECALLQL" not in str(error)
