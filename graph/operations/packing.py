"""The text of a context: parts in time order, up to a maximum of tokens, counted on the text itself."""

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
"""The value of a recalled message is `BY_SCORE` times its score, minus `BY_LENGTH` times the log of its tokens."""
MOST_MISSES = 8
"""Maximum messages that do not fit; then no more are tried."""
_CUT = " […]"
_SUMMARY = "Summary of the conversation so far:"
_BREAKS = 2  # maximum tokens of a line end and a blank line before a part


@dataclass(frozen=True, slots=True)
class Recalled:
    """A recalled message, with the question before it if it is an answer.

    Attributes:
        message: with `_id`, `sessionId`, `seq`, `role`, `content`, `createdAt`, and `name` where it has one.
        score: the score of the search, from 0 to 1.
        question: the message before it; None if it is not an answer.
    """

    message: MessageDocument
    score: float
    question: MessageDocument | None = None


@dataclass(slots=True)
class Packed:
    """The parts of a context.

    Attributes:
        summary: the newest summary, if it fits.
        messages: the latest messages, oldest first.
        recalled: the recalled messages with their scores, best first; a question has the score of its answer.
        cut: the shortened contents of cut messages, by message id.
    """

    summary: SummaryDocument | None = None
    messages: list[MessageDocument] = field(default_factory=list)
    recalled: list[tuple[MessageDocument, float]] = field(default_factory=list)
    cut: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """Return the ids of the messages in the context."""
        return {message["_id"] for message in [*self.messages, *(message for message, _ in self.recalled)]}

    def text(self) -> str:
        """Return the text for a prompt: recalled messages by session, the summary, the latest messages."""
        blocks = [*self._recalled_blocks()]
        if self.summary is not None:
            blocks.append(f"{_SUMMARY}\n{self.summary['content']}")
        if self.messages:
            blocks.append("\n".join(map(self.line, self.messages)))
        return "\n\n".join(blocks)

    def line(self, message: MessageDocument) -> str:
        """Return the line of a message, with its date and the name of its speaker, or else the role."""
        said = self.cut.get(message["_id"], message["content"])
        return f"[{message['createdAt']:%Y-%m-%d %H:%M}] {message.get('name') or message['role']}: {said}"

    def _recalled_blocks(self) -> Iterable[str]:
        by_session: dict[str, list[MessageDocument]] = {}
        for message, _ in self.recalled:
            by_session.setdefault(message["sessionId"], []).append(message)
        for messages in by_session.values():
            messages.sort(key=lambda message: message["seq"])
        for session_id, messages in sorted(by_session.items(), key=lambda item: (item[1][0]["createdAt"], item[0])):
            yield "\n".join([heading(session_id), *map(self.line, messages)])


def heading(session_id: str) -> str:
    """Return the heading of the recalled messages of a session."""
    return f"From session {session_id}:"


class Packing:
    """Selects the parts of a context.

    Args:
        count: returns the number of tokens of a text.
        max_tokens: maximum tokens of the whole text.
    """

    def __init__(self, count: Count, max_tokens: int) -> None:
        self._count = count
        self._max_tokens = max_tokens
        self._left = max_tokens
        self._headings: set[str] = set()
        self._undo: list[Callable[[], object]] = []
        self.packed = Packed()

    def take_summary(self, summary: SummaryDocument | None) -> None:
        """Take the newest summary, if it fits."""
        if summary is None or not self._fits(f"{_SUMMARY}\n{summary['content']}"):
            return
        self.packed.summary = summary
        self._undo.append(lambda: setattr(self.packed, "summary", None))

    def take_latest(self, newest_first: Iterable[MessageDocument]) -> None:
        """Take the latest messages, until one does not fit; the newest is cut if even an empty context is too small."""
        messages = self.packed.messages
        for message in newest_first:
            if not self._fits(self.packed.line(message)) and (messages or not self._cut_to_fit(message)):
                return
            messages.insert(0, message)
            self._undo.append(lambda: messages.pop(0))

    def take_recalled(self, found: Sequence[Recalled]) -> None:
        """Take the messages with the greatest values, while they fit."""
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
        """Return the text and its tokens; the last parts are removed if the joined parts have too many tokens."""
        while (tokens := self._count(text := self.packed.text())) > self._max_tokens:
            self._undo.pop()()
        return text, tokens

    def _worth(self, one: Recalled) -> float:
        return BY_SCORE * one.score - BY_LENGTH * math.log(1 + self._count(one.message["content"]))

    def _take(self, one: Recalled) -> bool:
        """Take a message with its question, or alone if both do not fit."""
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
        if len(part) > 128 * self._left:  # no token of an encoding has more characters
            return False
        tokens = self._count(part) + _BREAKS
        # The first part needs no break before it.
        if tokens - (0 if self._undo else _BREAKS) > self._left:
            return False
        self._left -= tokens
        return True

    def _cut_to_fit(self, message: MessageDocument, above: str = "") -> bool:
        """Cut a content at the end of a sentence, or of a word if no sentence fits."""
        prefix = f"{above}\n" if above else ""
        self.packed.cut[message["_id"]] = ""
        room = self._left - self._count(prefix + self.packed.line(message)) - 2 * _BREAKS
        content = message["content"][: max(0, room) * 16]
        cut = ""
        for _, end in split_sentences(content)[:-1]:
            if self._count(content[:end] + _CUT) > room:
                break
            cut = content[:end] + _CUT
        cut = cut or (clip(content, room, self._count, _CUT) if room > 0 else "")
        self.packed.cut[message["_id"]] = cut
        if cut and self._fits(prefix + self.packed.line(message)):
            return True
        del self.packed.cut[message["_id"]]
        return False
