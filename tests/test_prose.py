"""Prose is plain: words of the ban list stand in no docstring, comment, text of the code, schema or document."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from graph import errors
from tests.support.paths import ROOT

WORDS = (
    *(
        "albeit",
        "amiss",
        "anew",
        "aright",
        "at hand",
        "are no more",
        "as ever",
        "beforehand",
        "beside",
        "betimes",
        "dwells?",
    ),
    *("forthwith", "heed(?:ed|s)?", "hence", "hitherto", "is no more", "likewise", "mend(?:ed|ing|s)?", "nought"),
    *("rooms?", "so many", "tells", "thereof", "therein", "tidings", "told", "upon", "whence", "whoever", "whomever"),
    *("whosoever", "withal", "(?-i:none) (?:are|is|of|was|were)"),
)
BANNED = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
"""Archaic or vague words. Say who does what, with the field's terms."""

QUOTING = ("enrichment/llm.py", "recall/languages.py", "recall/questions.py")
"""Modules with a prompt for a model, or with words that users write."""
WHAT = re.compile(r"\bwhat(?:ever)?\b(?! to )", re.IGNORECASE)

NAMING = ("execution", "request", "schema", "store", "transport", "zep")
"""Packages whose docstrings have the noun in place of a pronoun."""
PRONOUN = re.compile(
    r"^(?:Which|Where|How|Who|Why)\b|\bnone\b"
    r"|(?i:\bthose (?:of|that|who|which|whose|with|in|on|at|after)\b|\b(?:is|are|be|was) those\b)"
    r"|(?i:\bthat of\b|\bthis one\b)"
)
"""Words that stand for a noun that the docstring should name; and a question as the first word."""
UNNAMED = re.compile(
    r"\bthose (?:after|in|of|on|that|which|who|whose|without)\b"
    r"|\bthat of\b|\bas (?:it|they) (?:is|are|was|were)\b"
    r"|\b(?:somebody|nobody|everybody|everything)\b"
    r"|^\W*\w+: (?:(?:how|when|where|whether) )?(?:it|they|those)\b"  # an argument, an attribute, an error
    r"|^\W*(?:They|Those|(?:How|When|Where|Whether) (?:it|they))\b",
    re.IGNORECASE,
)
"""A pronoun in place of a noun in a comment or text, or first in an entry, where no noun stands before the pronoun."""

SENTENCE = re.compile(r"^[A-Z][a-z]+(?![\w-])|(?<!\.)\.$")
"""The begin or end of a sentence; errors and lines of the log are phrases in lower case, without a full stop."""
RAISED = re.compile(r"Error$|^_refuse$|^_?(?:RequestRefused|Closing|LLMUnavailable)$")
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
LOGGED = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
QUOTED = {
    "Too many initialisation requests": "close reasons of graphql-transport-ws",
    "Unauthorized": "the same",
    "Forbidden": "the same",
    "Subscriber for {} already exists": "the same",
    "Is a directory": "the text of the operating system for EISDIR",
}
"""Messages that another project words, with their source."""

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "schema.graphql", "docker-compose.yml")


def sources() -> list[Path]:
    return sorted(path for path in (ROOT / "graph").rglob("*.py") if "node_modules" not in path.parts)


@cache
def prose(source: str) -> tuple[tuple[int, str], ...]:
    """The lines of the comments and texts of a module, each with its number."""
    return tuple(_prose(source))


def _prose(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or token.type == getattr(tokenize, "FSTRING_MIDDLE", -1):
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def text_of(node: ast.expr) -> str | None:
    """The text of a literal, with `{}` in place of each value of an f-string."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_message_of(call: ast.Call) -> bool:
    """Whether the arguments of a call are messages: it makes an error, or writes to the log."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    is_raised = RAISED.search(name) or name in ERRORS
    return bool(is_raised) or (name in LOGGED and ast.unparse(call.func).startswith("logger."))


def messages(source: str) -> Iterator[tuple[int, str]]:
    """The texts of errors and of the log in a module, each with its line."""
    for node in ast.walk(ast.parse(source)):
        parts = node.args if isinstance(node, ast.Call) and is_message_of(node) else []
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"message", "problem", "reason"}:
            parts = [node.value]
        yield from ((part.lineno, text) for part in parts if (text := text_of(part)))


def found(lines: Iterable[tuple[int, str]], banned: re.Pattern[str] = BANNED) -> list[str]:
    return [f"{number}: {match[0]}: {line.strip()}" for number, line in lines for match in banned.finditer(line)]


def in_modules(findings: Callable[[str], list[str]]) -> list[str]:
    """The findings in all modules, each with the path of its module."""
    return [
        f"{path.relative_to(ROOT)}:{finding}"
        for path in sources()
        for finding in findings(path.read_text(encoding="utf-8"))
    ]


def test_the_texts_of_the_modules_are_plain() -> None:
    assert in_modules(lambda source: found(prose(source))) == []


def test_the_modules_name_things() -> None:
    quoting = tuple(f"graph/{name}:" for name in QUOTING)
    named = in_modules(lambda source: found(prose(source), WHAT))
    assert [finding for finding in named if not finding.startswith(quoting)] == []


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The docstrings of a module, each as one line, with the line of its subject."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "lineno", 1), " ".join((ast.get_docstring(node) or "").split())


def test_docstrings_have_the_noun_in_place_of_a_pronoun() -> None:
    checked = tuple(f"graph/{name}/" for name in NAMING)
    vague = in_modules(lambda source: found(docstrings(source), PRONOUN))
    assert [finding for finding in vague if finding.startswith(checked)] == []


@pytest.mark.parametrize("text", ["Which one.", "The ids,\n    those of users.", "It is none.", "That of a user."])
def test_a_pronoun_in_a_docstring_is_found(text: str) -> None:
    assert len(found(docstrings(f'"""{text}"""'), PRONOUN)) == 1


def test_texts_and_comments_have_the_noun_in_place_of_a_pronoun() -> None:
    checked = tuple(f"graph/{name}/" for name in NAMING)
    unnamed = in_modules(lambda source: found(prose(source), UNNAMED))
    assert [finding for finding in unnamed if finding.startswith(checked)] == []


@pytest.mark.parametrize(
    "text",
    [
        '"""The keys, those of aliases, too."""',
        '"""\n    seq: that of the message.\n"""',
        '"""\n    size: whether it fits.\n"""',
        '"""\n    BadUserInput: it is none.\n"""',
        "# Whether they differ.",
        '"""Read everything."""',
        "# it stays as it is",
    ],
)
def test_a_pronoun_in_a_text_is_found(text: str) -> None:
    assert len(found(prose(f"{text}\n"), UNNAMED)) == 1


@pytest.mark.parametrize("text", ["# Return the key: it is sent with it.", "# Messages keep those fields."])
def test_a_pronoun_after_its_noun_is_no_finding(text: str) -> None:
    assert found(prose(f"{text}\n"), UNNAMED) == []


def test_a_message_is_no_sentence() -> None:
    def unquoted(source: str) -> Iterator[tuple[int, str]]:
        return ((line, text) for line, text in messages(source) if text not in QUOTED)

    assert in_modules(lambda source: found(unquoted(source), SENTENCE)) == []


@pytest.mark.parametrize("text", ["raise NotFound(f'There is no {x}')", "logger.info('done.')", "message = 'No key'"])
def test_a_sentence_is_found(text: str) -> None:
    assert len(found(messages(text), SENTENCE)) == 1


@pytest.mark.parametrize("name", [*DOCUMENTS, *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md"))])
def test_a_document_is_plain(name: str) -> None:
    assert found(enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)) == []


@pytest.mark.parametrize("source", ["# likewise\n", '"""Mend it."""\n', 'f"{1} is told"\n', "x = 'anew'\n"])
def test_a_banned_word_is_found(source: str) -> None:
    assert len(found(prose(source))) == 1
