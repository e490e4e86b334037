"""The text of a context: what fits into a number of tokens, in time order, counted on the text itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from graph.enrichment.sentences import split_sentences
from graph.enrichment.tokens import clip
from graph.store.documents import MessageDocument, SummaryDocument

Count = Callable[[str], int]

BY_SCORE = 2.4
BY_LENGTH = 0.4
"""A recalled message is worth `BY_SCORE` of its score, less `BY_LENGTH` of the logarithm of its tokens."""
MOST_MISSES = 8
"""Messages that do not fit, after which no more are tried."""
_CUT = " […]"
_SUMMARY = "Summary of the conversation so far:"
_BREAKS = 2  # tokens that a line end and a blank line before a part may take


@dataclass(frozen=True, slots=True)
class Recalled:
    """A message that was recalled, with the question before it where it is the answer.

    Attributes:
        message: with `_id`, `sessionId`, `seq`, `role`, `content` and `createdAt`.
        score: from 0 to 1.
        question: the message before it; None where it answers none.
    """

    message: MessageDocument
    score: float
    question: MessageDocument | None = None


@dataclass(slots=True)
class Packed:
    """What was taken in.

    Attributes:
        summary: the newest one, where it fits.
        messages: the latest ones, oldest first.
        recalled: messages with their score, the best first; a question has the score of its answer.
        cut: the contents of those that are cut, by message.
    """

    summary: SummaryDocument | None = None
    messages: list[MessageDocument] = field(default_factory=list)
    recalled: list[tuple[MessageDocument, float]] = field(default_factory=list)
    cut: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """The messages that are in it."""
        return {message["_id"] for message in [*self.messages, *(message for message, _ in self.recalled)]}

    def text(self) -> str:
        """Ready to paste: recalled messages by session, the summary, the latest messages."""
        blocks = [*self._recalled_blocks()]
        if self.summary is not None:
            blocks.append(f"{_SUMMARY}\n{self.summary['content']}")
        if self.messages:
            blocks.append("\n".join(map(self.line, self.messages)))
        return "\n\n".join(blocks)

    def line(self, message: MessageDocument) -> str:
        """One message with its date and role."""
        said = self.cut.get(message["_id"], message["content"])
        return f"[{message['createdAt']:%Y-%m-%d %H:%M}] {message['role']}: {said}"

    def _recalled_blocks(self) -> Iterable[str]:
        by_session: dict[str, list[MessageDocument]] = {}
        for message, _ in self.recalled:
            by_session.setdefault(message["sessionId"], []).append(message)
        for messages in by_session.values():
            messages.sort(key=lambda message: message["seq"])
        for session_id, messages in sorted(by_session.items(), key=lambda item: (item[1][0]["createdAt"], item[0])):
            yield "\n".join([heading(session_id), *map(self.line, messages)])


def heading(session_id: str) -> str:
    """The mark of a block of recalled messages."""
    return f"From session {session_id}:"


class Packing:
    """Packs a context.

    Args:
        count: the tokens of a text.
        max_tokens: of the whole text.
    """

    def __init__(self, count: Count, max_tokens: int) -> None:
        self._count = count
        self._max_tokens = max_tokens
        self._left = max_tokens
        self._headings: set[str] = set()
        self._undo: list[Callable[[], object]] = []
        self.packed = Packed()

    def take_summary(self, summary: SummaryDocument | None) -> None:
        """The newest summary, where it fits."""
        if summary is None or not self._fits(f"{_SUMMARY}\n{summary['content']}"):
            return
        self.packed.summary = summary
        self._undo.append(lambda: setattr(self.packed, "summary", None))

    def take_latest(self, newest_first: Iterable[MessageDocument]) -> None:
        """The latest messages, until one does not fit; the newest is cut where it does not fit into nothing else."""
        messages = self.packed.messages
        for message in newest_first:
            if not self._fits(self.packed.line(message)) and (messages or not self._cut_to_fit(message)):
                return
            messages.insert(0, message)
            self._undo.append(lambda: messages.pop(0))

    def take_recalled(self, found: Sequence[Recalled]) -> None:
        """Those that are worth most for their tokens, while they fit."""
        misses = 0
        for one in sorted(found, key=self._worth, reverse=True):
            if one.message["_id"] in self.packed.ids:
                continue
            if not self._take(one):
                misses += 1
                if misses == MOST_MISSES:
                    break
        best = max(found, key=lambda one: one.score, default=None)
        if best is not None and not self.packed.ids:
            self._take_cut(best)
        self.packed.recalled.sort(key=lambda item: -item[1])

    def finish(self) -> tuple[str, int]:
        """The text and its tokens; what was taken last goes where parts have more tokens together than alone."""
        while (tokens := self._count(text := self.packed.text())) > self._max_tokens:
            self._undo.pop()()
        return text, tokens

    def _worth(self, one: Recalled) -> float:
        return BY_SCORE * one.score - BY_LENGTH * math.log(1 + self._count(one.message["content"]))

    def _take(self, one: Recalled) -> bool:
        """Take a message with its question, or alone where both do not fit."""
        session_id, line = one.message["sessionId"], self.packed.line
        above = [] if session_id in self._headings else [heading(session_id)]
        question = one.question
        if (
            question is not None
            and question["_id"] not in self.packed.ids
            and self._fits("\n".join([*above, line(question), line(one.message)]))
        ):
            self._add(question, one.score)
            self._add(one.message, one.score)
            return True
        if self._fits("\n".join([*above, line(one.message)])):
            self._add(one.message, one.score)
            return True
        return False

    def _take_cut(self, one: Recalled) -> None:
        if self._cut_to_fit(one.message, heading(one.message["sessionId"])):
            self._add(one.message, one.score)

    def _add(self, message: MessageDocument, score: float) -> None:
        self._headings.add(message["sessionId"])
        item = (message, score)
        self.packed.recalled.append(item)
        self._undo.append(lambda: self.packed.recalled.remove(item))

    def _fits(self, part: str) -> bool:
        if len(part) > 128 * self._left:  # no table has a token for more characters
            return False
        tokens = self._count(part) + _BREAKS
        # Alone, a part needs no break before it.
        if tokens - (0 if self._undo else _BREAKS) > self._left:
            return False
        self._left -= tokens
        return True

    def _cut_to_fit(self, message: MessageDocument, above: str = "") -> bool:
        """Cut a content at the end of a sentence, or of a word where not even one sentence fits."""
        prefix = f"{above}\n" if above else ""
        self.packed.cut[message["_id"]] = ""
        room = self._left - self._count(prefix + self.packed.line(message)) - 2 * _BREAKS
        content = message["content"][: max(0, room) * 16]
        kept = ""
        for _, end in split_sentences(content)[:-1]:
            if self._count(content[:end] + _CUT) > room:
                break
            kept = content[:end] + _CUT
        kept = kept or (clip(content, room, self._count, _CUT) if room > 0 else "")
        self.packed.cut[message["_id"]] = kept
        if kept and self._fits(prefix + self.packed.line(message)):
            return True
        del self.packed.cut[message["_id"]]
        return False
