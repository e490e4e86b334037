r"""The metadata filters of Zep's search: `{"where": {"jsonpath": …}}`, with `and` and `or` around them.

Zep hands a path to PostgreSQL, whose dialect (lax SQL/JSON path) differs from RFC 9535 in a few forms. They are
rewritten here, and the library evaluates them:

* `$.a[*] ? (@.b == 1)` keeps the items that the filter in parentheses accepts; `[*]` on a value that is no list is
  the value itself, and a filter looks at each item of a list.
* `<>`, `exists(…)`, `@."a key"`, `starts with "x"`; `@.a[*] == 1` is true when one item is equal.

`like_regex` is refused: a caller's regular expression could hold the service for as long as it liked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

from jsonpath import CompoundJSONPath, JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.function_extensions import ExpressionType, FilterFunction

from graph.errors import MOST_SHOWN, BadUserInput, TooCostly, shown

Predicate: TypeAlias = Callable[[Any], bool]
Step: TypeAlias = Callable[[Any], Iterator[Any]]

MAX_PATH = 2_000
"""Characters of one path."""
MAX_STEPS = 64
"""Steps of one path with its filters: metadata is 32 levels deep."""
MAX_NODES = 1_000_000
"""Values that one search looks at: each step looks at the results of the step before."""
MAX_CONDITIONS = 100
MAX_DEPTH = 16

_EXAMPLE = '{"jsonpath": "$[*] ? (@.foo == \\"bar\\")"}'


class _StartsWith(FilterFunction):
    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library's own way
    return_type = ExpressionType.LOGICAL

    def __call__(self, value: object, prefix: object) -> bool:
        return isinstance(value, str) and isinstance(prefix, str) and value.startswith(prefix)


def _environment() -> JSONPathEnvironment:
    environment = JSONPathEnvironment(strict=True)
    for of_regular_expressions in ("match", "search"):
        del environment.function_extensions[of_regular_expressions]
    environment.function_extensions["starts_with"] = _StartsWith()
    return environment


_ENVIRONMENT = _environment()

_STRING = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_STEPS = r"(?:\.[^\W\d]\w*|\.\"(?:[^\"\\]|\\.)*\"|\[\s*(?:\d+|\*|\"(?:[^\"\\]|\\.)*\")\s*\])*"
_TOKEN = re.compile(
    rf"(?P<path>@{_STEPS})(?:\s*(?P<operator>==|!=|<>|<=|>=|<|>)\s*(?P<literal>{_STRING}|-?\d[\w.+-]*|true|false|null)"
    rf"|\s+starts\s+with\s+(?P<prefix>{_STRING}))?"
    rf"|(?P<string>{_STRING})|(?P<exists>\bexists\s*(?=\())|(?P<unequal><>)|(?P<regex>like_regex\b)|(?P<root>\$)"
)
_QUOTED_KEY = re.compile(r'\.("(?:[^"\\]|\\.)*")')
_ITEMS = re.compile(r"\[\s*\*\s*\]")


def predicate_of(where: object) -> Predicate:
    """The filter of a `where`, as a function of metadata, for one search.

    The function raises `TooCostly` when it has looked at too many values.

    Raises:
        BadUserInput: the `where` is not well formed.
    """
    return _condition(where, _Meter(), 1)


class _Meter:
    """Counts the steps of one search.

    Attributes:
        conditions: the conditions in it.
    """

    def __init__(self) -> None:
        self.conditions = 0
        self._nodes = 0

    def look_at(self, nodes: int) -> None:
        """Count values before they are looked at.

        Raises:
            TooCostly: the search has looked at too many.
        """
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = (
                f"the search would look at more than {MAX_NODES:,} values of metadata: give it a text or dates, or"
                " shorter paths"
            )
            raise TooCostly(message)


def _condition(where: object, meter: _Meter, depth: int) -> Predicate:
    meter.conditions += 1
    if depth > MAX_DEPTH or meter.conditions > MAX_CONDITIONS:
        message = f"where has more than {MAX_CONDITIONS} conditions, or is nested deeper than {MAX_DEPTH} levels"
        raise BadUserInput(message)
    match where:
        case {"jsonpath": str(path), **others} if not others:
            return _path_predicate(path, meter)
        case {"and": [_, *_] as parts, **others} if not others:
            inner = [_condition(part, meter, depth + 1) for part in parts]
            return lambda metadata: all(holds(metadata) for holds in inner)
        case {"or": [_, *_] as parts, **others} if not others:
            inner = [_condition(part, meter, depth + 1) for part in parts]
            return lambda metadata: any(holds(metadata) for holds in inner)
    message = f"where and each condition in it must be an object with one of jsonpath, and, or: such as {_EXAMPLE}"
    raise BadUserInput(message)


def _path_predicate(path: str, meter: _Meter) -> Predicate:
    if len(path) > MAX_PATH:
        message = f"a jsonpath has {len(path):,} characters, and at most {MAX_PATH:,} are accepted"
        raise BadUserInput(message)
    try:
        steps = list(_steps(path.strip(), meter))
    except (JSONPathError, RecursionError, ValueError) as error:
        reason = (
            "the path is nested too deep"
            if isinstance(error, RecursionError)
            else str(error).split("\n", 1)[0][:MOST_SHOWN]
        )
        message = f"the jsonpath {shown(path)} is not understood ({reason}): write it such as {_EXAMPLE}"
        raise BadUserInput(message) from None

    def holds(metadata: object) -> bool:
        nodes: list[Any] = [metadata]
        try:
            for step in steps:
                nodes = [result for node in nodes for result in step(node)]
        except (JSONPathError, RecursionError):
            return False  # as in PostgreSQL's lax mode, a condition that can't be evaluated does not match
        return bool(nodes)

    return holds


def _steps(path: str, meter: _Meter) -> Iterator[Step]:
    """The parts of a path, each from one node to the nodes that it selects."""
    path = re.sub(r"^lax\b\s*", "", path)
    _refuse_long(path)
    if not path.startswith("$"):
        message = "the path must begin with $"
        raise ValueError(message)
    rest = path[1:]
    while rest:
        end = _accessor_end(rest)
        yield from _accessor(rest[:end], meter)
        rest = rest[end:].lstrip()
        if rest.startswith("?"):
            condition, rest = _parenthesised(rest[1:].lstrip())
            yield _filter(_ENVIRONMENT.compile(f"$[?{_rewritten(condition)}]"), _looking(condition, meter))


def _accessor_end(text: str) -> int:
    """Return the end of an accessor: a `?` outside of brackets and strings."""
    depth = 0
    for place, sign in _signs(text):
        depth += (sign == "[") - (sign == "]")
        if sign == "?" and not depth:
            return place
    return len(text)


def _parenthesised(text: str) -> tuple[str, str]:
    """A condition in parentheses, and the rest after it."""
    depth = 0
    for place, sign in _signs(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            if place:
                return text[: place + 1], text[place + 1 :].lstrip()
            break
    message = "a filter is ? and a condition in parentheses"
    raise ValueError(message)


def _signs(text: str) -> Iterator[tuple[int, str]]:
    """The characters of a path, each string as one."""
    for match in re.finditer(rf"{_STRING}|.", text, re.DOTALL):
        yield match.start(), match[0]


def _refuse_long(path: str) -> None:
    """Refuse too many steps, and paths that reach one node several times: they would take time without bound."""
    signs = [sign for _, sign in _signs(path)]
    steps = signs.count(".") + signs.count("[")
    if steps > MAX_STEPS:
        message = f"the path has {steps} steps, and at most {MAX_STEPS} are accepted"
        raise ValueError(message)
    if "," in signs or sum(pair == (".", ".") for pair in pairwise(signs)) > 1:
        message = "the path has several places in one pair of brackets, or .. twice"
        raise ValueError(message)


def _accessor(text: str, meter: _Meter) -> Iterator[Step]:
    text = _QUOTED_KEY.sub(r"[\1]", text.strip())
    pieces = _ITEMS.split(text)
    for number, piece in enumerate(pieces):
        if number:
            yield _items(meter)
        if piece.strip():
            yield _follow(_ENVIRONMENT.compile(f"${piece.strip()}"), _looking(piece, meter))


def _looking(path: str, meter: _Meter) -> Callable[[Any], None]:
    """Counts the values that a path visits from a node: all below it where the path has wildcards or descends."""
    signs = [sign for _, sign in _signs(path)]
    descends = any(pair == (".", ".") for pair in pairwise(signs))
    if "*" in signs or descends:
        return lambda node: meter.look_at(_size(node))
    each = 1 + signs.count(".") + signs.count("[")
    return lambda node: meter.look_at(each * len(node) if isinstance(node, list) else each)


def _size(node: object) -> int:
    """Return the number of values in a value, itself included."""
    size = 0
    waiting = [node]
    while waiting:
        item = waiting.pop()
        size += 1
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return size


def _items(meter: _Meter) -> Step:
    def items(node: object) -> Iterator[Any]:
        found = node if isinstance(node, list) else [node]
        meter.look_at(len(found))
        return iter(found)

    return items


def _follow(path: JSONPath | CompoundJSONPath, look: Callable[[Any], None]) -> Step:
    def follow(node: object) -> Iterator[Any]:
        if not isinstance(node, dict | list):
            return iter(())
        look(node)
        return iter(path.findall(node))

    return follow


def _filter(path: JSONPath | CompoundJSONPath, look: Callable[[Any], None]) -> Step:
    def filtered(node: object) -> Iterator[Any]:
        look(node)
        return iter(path.findall(node if isinstance(node, list) else [node]))

    return filtered


def _rewritten(condition: str) -> str:
    return _TOKEN.sub(_rewrite, condition)


def _rewrite(match: re.Match[str]) -> str:
    if match["regex"] or match["root"]:
        message = f"{match[0]} is not supported in a filter"
        raise ValueError(message)
    if match["exists"]:
        return ""
    if match["unequal"]:
        return "!="
    if match["path"] is None:
        return match[0]
    head, *rest = _ITEMS.split(_QUOTED_KEY.sub(r"[\1]", match["path"]))
    last = "@" + rest[-1] if rest else head
    if match["operator"]:
        test = f"{last} {match['operator'].replace('<>', '!=')} {match['literal']}"
    elif match["prefix"]:
        test = f"starts_with({last}, {match['prefix']})"
    elif not rest:
        return head
    else:
        return head + "".join(f"[*]{piece}" for piece in rest)
    for piece in reversed([head, *("@" + piece for piece in rest[:-1])] if rest else []):
        test = f"{piece}[?{test}]"
    return test
