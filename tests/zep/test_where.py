"""The metadata filters of Zep's search."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadUserInput
from graph.zep.where import MAX_CONDITIONS, MAX_DEPTH, MAX_PATH, predicate_of

METADATA: dict[str, Any] = {
    "foo": "bar",
    "n": 5,
    "yes": True,
    "tags": ["a", "b"],
    "a key": {"x": 1},
    "list": [{"v": 1}, {"v": 2}],
    "system": {
        "entities": [
            {"Name": "Octavia", "Label": "PERSON", "Matches": [{"Start": 0, "End": 3, "Text": "Oct"}]},
            {"Name": "1993", "Label": "DATE", "Matches": []},
        ]
    },
}


@pytest.mark.parametrize(
    "path",
    [
        '$[*] ? (@.foo == "bar")',
        "lax $[*] ? (@.foo == 'bar')",
        '$.system.entities[*] ? (@.Label == "DATE")',
        '$.system.entities[*]?(@.Label == "DATE" && @.Name == "1993")',
        '$.system.entities[*].Matches[*] ? (@.Text == "Oct")',
        '$.system.entities ? (@.Matches[*].Text == "Oct")',
        "$ ? (@.n > 4)",
        "$ ? (@.n >= 5.0 && @.n < 1e3)",
        "$ ? (@.yes == true)",
        '$[*] ? (@.tags[*] == "b")',
        '$[*] ? (@.tags[1] == "b")',
        "$[*] ? (exists(@.foo))",
        "$[*] ? (!exists(@.zip))",
        '$ ? (@."a key".x == 1)',
        '$."a key" ? (@.x == 1)',
        '$ ? (@.foo starts with "ba")',
        '$ ? (@.tags[*] starts with "b")',
        '$ ? (@.foo <> "x")',
        "$.list[*].v ? (@ == 2)",
        "$.list ? (@.v == 2)",
        '$ ? (@.foo == "x" || (@.n == 5 && @.foo == "bar"))',
        "$.foo",
        "$..Label",
        '$.tags[0] ? (@ == "a")',
    ],
)
def test_a_path_finds_what_postgresql_finds(path: str) -> None:
    assert predicate_of({"jsonpath": path})(METADATA)


@pytest.mark.parametrize(
    "path",
    [
        '$[*] ? (@.foo == "baz")',
        '$.system.entities[*] ? (@.Label == "GPE")',
        "$ ? (@.n > 4 && @.n < 5)",
        '$ ? (@.n > "4")',
        '$[*] ? (@.tags[*] == "c")',
        "$[*] ? (exists(@.zip))",
        '$ ? (@.foo starts with "ar")',
        '$ ? (@.n starts with "5")',
        '$ ? (@.foo <> "bar")',
        '$ ? (@.foo == "b?)(r")',
        "$.zip",
        "$.foo.bar",
        "$.tags[7]",
    ],
)
def test_a_path_does_not_find_what_postgresql_does_not(path: str) -> None:
    assert not predicate_of({"jsonpath": path})(METADATA)


def test_conditions_are_joined_by_and_and_or() -> None:
    foo, zip_ = {"jsonpath": "$.foo"}, {"jsonpath": "$.zip"}
    assert predicate_of({"and": [foo, {"or": [zip_, foo]}]})(METADATA)
    assert not predicate_of({"and": [foo, {"or": [zip_]}]})(METADATA)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "foo",
        "$ foo",
        "$[",
        "$ ? (",
        "$ ? ()",
        "$ ? @.foo",
        '$ ? (@.foo like_regex "^b")',
        '$[?search(@, "x")]',
        '$[?match(@.foo, "(a+)+$")]',
        "$ ? (@.foo == $.n)",
        '$.foo == "bar"',
        "$ ? " + "(" * 900 + ")" * 900,
        "$" + "[0,0]" * 30,
        "$..*..*",
        "$" + ".a" * MAX_PATH,
    ],
)
def test_what_is_not_understood_is_refused(path: str) -> None:
    with pytest.raises(BadUserInput, match="jsonpath"):
        predicate_of({"jsonpath": path})


@pytest.mark.parametrize(
    "where",
    [
        None,
        5,
        {},
        [],
        {"jsonpath": 5},
        {"and": {}},
        {"or": []},
        {"not": []},
        {"jsonpath": "$.a", "and": []},
        {"and": [{"jsonpath": "$.a"}] * (MAX_CONDITIONS + 1)},
    ],
)
def test_a_where_of_another_form_is_refused(where: Any) -> None:
    with pytest.raises(BadUserInput, match="where"):
        predicate_of(where)


def test_conditions_are_not_nested_without_end() -> None:
    where: dict[str, Any] = {"jsonpath": "$.foo"}
    for _ in range(MAX_DEPTH - 1):
        where = {"and": [where]}
    assert predicate_of(where)(METADATA)
    with pytest.raises(BadUserInput, match="nested"):
        predicate_of({"or": [where]})


@given(st.text("$@.?()[]*<>=!&|\"'\\ ab01,:-", max_size=40).map(lambda text: "$" + text))
def test_any_text_is_understood_or_refused(path: str) -> None:
    try:
        holds = predicate_of({"jsonpath": path})
    except BadUserInput:
        return
    assert holds(METADATA) in (True, False)


def test_a_costly_path_ends() -> None:
    nested: Any = {"a": 1}
    for _ in range(30):
        nested = {"a": nested, "b": [nested["a"]] if isinstance(nested["a"], int) else []}
    start = time.monotonic()
    for path in ("$..*", "$" + "[*]" * 600, "$..a ? (@..b)", "$" + ".*" * 900):
        try:
            predicate_of({"jsonpath": path})(nested)
        except BadUserInput:
            continue
    assert time.monotonic() - start < 30
