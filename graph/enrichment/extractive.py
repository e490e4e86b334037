"""Summaries made of the conversation's own sentences: no model, no network, and the same result every time.

The method is TextRank (Mihalcea and Tarau, 2004) with the TF-IDF cosine of LexRank (Erkan and Radev, 2004) as the
similarity, and two additions. A sentence lends weight to the one that follows it in the conversation, since an answer
rarely repeats the words of its question. And sentences are chosen by their coverage of ranked terms for the tokens
that they cost (Lin and Bilmes, 2010), which leaves out sentences that repeat others.

A line of a summary is `role: sentences`; " … " stands where sentences of that role were left out in between. The
previous summary is read back from that form, and its sentences compete with the new ones.

Runs in the worker process only: it uses numpy, which comes with spaCy.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from graph.enrichment.sentences import split_sentences
from graph.enrichment.tokens import clip, load_counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

DEFAULT_MAX_TOKENS: Final = 256

_MAX_CHARACTERS: Final = 20_000  # read of one message, three quarters of them from its beginning
_MAX_CHARACTERS_OF_ALL: Final = 400_000  # shared by the messages where there are many
_MAX_SENTENCES: Final = 400  # ranked at once: similarities are their square
_DAMPING: Final = 0.85
_ROUNDS: Final = 50
_FOLLOWING: Final = 0.15  # the share of its score that a sentence lends to the next one, as a cosine
_PREVIOUS: Final = 2.0  # a sentence of the previous summary has been chosen from many
_COST_EXPONENT: Final = 0.7
_OVERHEAD: Final = 4  # tokens added to the cost of a sentence, so that scraps don't win for being short
_WORTHWHILE: Final = (
    0.25  # of the average sentence's worth: a sentence that adds less is left out even where it would fit
)
_GAP: Final = " … "

_FENCE = re.compile(r"(?P<fence>```|~~~)[^\n]*\n.*?(?:(?P=fence)|\Z)", re.DOTALL)
_WORD = re.compile(r"\d\w*(?:[.,:/-]\w+)*|[^\W_]+")  # 2,500 and 48213-B are one word, it's is two
_LINE = re.compile(r"(?P<role>[^\n]{1,200}?): (?P<text>.+)")
# Scripts written without spaces, in which pairs of characters do as words.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
_STEM: Final = 5  # letters that stand for a word and its inflections, in most languages near enough


@dataclass(slots=True)
class _Sentence:
    role: str | None  # None for a line of a previous summary that names none
    text: str
    place: int  # among all sentences of the conversation, so that neighbours are known
    bias: float
    terms: dict[str, float] = field(default_factory=dict)


def summarise_extractively(
    previous: str | None,
    messages: Sequence[tuple[str, str]],
    *,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    count_tokens: Callable[[str], int] | None = None,
) -> str:
    """Pick the sentences that carry a conversation, in its order, each with the role that said it.

    Args:
        previous: the summary so far, of any source; the new one covers it.
        messages: `(role, content)`, oldest first.
        max_tokens: the most tokens that the summary has.
        count_tokens: how they are counted, by default in `cl100k_base`.

    Returns:
        The summary; empty only if nothing but white space was said, or nothing of it fits.
    """
    count = count_tokens or load_counter().count
    sentences = _most_informative(_sentences(previous, messages))
    if not sentences:
        return ""
    # A sentence that would fill the summary alone is cut, so that the summary holds at least a few.
    for sentence in sentences:
        sentence.text = clip(sentence.text, max(max_tokens // 3, 1), count)
    sentences = [sentence for sentence in sentences if sentence.text] or sentences
    importance = _importance(sentences)
    chosen = _choose(sentences, importance, max_tokens, count)
    if not chosen:
        best = max(sentences, key=lambda s: sum(importance.get(term, 0.0) for term in s.terms))
        return clip(_render([best]), max_tokens, count)
    return _render(chosen)


def _sentences(previous: str | None, messages: Sequence[tuple[str, str]]) -> list[_Sentence]:
    share = max(200, min(_MAX_CHARACTERS, _MAX_CHARACTERS_OF_ALL // max(len(messages), 1)))
    pieces: list[tuple[str | None, str, float]] = [(role, text, _PREVIOUS) for role, text in _parse(previous or "")]
    for speaker, content in messages:
        name = " ".join(speaker.split()) or None
        pieces += [(name, text, 1.0) for text in _split(_shortened(content, share))]
    found: dict[tuple[str | None, str], _Sentence] = {}  # a sentence that a role repeats counts once
    place = 0
    for role, text, bias in pieces:
        place += 1 + (text == _GAP)
        line = " ".join(text.split())
        if line and line != _GAP.strip():
            found.setdefault((role, line), _Sentence(role, line, place, bias, _terms(line)))
    return list(found.values())


def _parse(summary: str) -> Iterator[tuple[str | None, str]]:
    """Read the lines of a summary back; in one that a model wrote, a line without a role stays without."""
    for line in summary.splitlines():
        match = _LINE.fullmatch(line.strip())
        role, text = (match["role"], match["text"]) if match else (None, line)
        for number, part in enumerate(text.split(_GAP)):
            if number:
                yield role, _GAP
            for sentence in _split(part):
                yield role, sentence


def _shortened(content: str, characters: int) -> str:
    if len(content) <= characters:
        return content
    head = characters * 3 // 4
    return f"{content[:head]}\n{content[-(characters - head) :]}"


def _split(text: str) -> list[str]:
    prose = _FENCE.sub("\n[code]\n", text)
    return [prose[start:end] for start, end in split_sentences(prose)]


def _terms(text: str) -> dict[str, float]:
    """Return the stems of a sentence with how much each says by itself, from 0 to 1."""
    rarity = load_counter().rarity
    terms: dict[str, float] = {}
    for position, match in enumerate(_WORD.finditer(unicodedata.normalize("NFKC", text))):
        word = match.group()
        if unspaced := _UNSPACED.findall(word):
            for run in unspaced:
                terms.update((a + b, 1.0) for a, b in pairwise(run))
            continue
        folded = word.casefold()
        weight = rarity(folded) ** 2
        if any(character.isdigit() for character in word):
            weight = 1.0  # an amount, a date or a number of something
        elif position and word[0].isupper() and len(word) > 1:
            weight = min(1.0, 1.5 * weight)  # in most scripts that have capitals, a name
        stem = folded if word[0].isdigit() else folded[:_STEM]
        terms[stem] = max(weight, terms.get(stem, 0.0))
    return terms


def _most_informative(sentences: list[_Sentence]) -> list[_Sentence]:
    """Return at most as many sentences as can be ranked at once, those that say most, in their order."""
    if len(sentences) <= _MAX_SENTENCES:
        return sentences
    ranked = sorted(range(len(sentences)), key=lambda i: (-_information(sentences[i]), i))
    return [sentences[i] for i in sorted(ranked[:_MAX_SENTENCES])]


def _information(sentence: _Sentence) -> float:
    # The logarithm keeps a list of a hundred names from being all that matters.
    return sentence.bias * math.log1p(sum(sentence.terms.values()))


def _importance(sentences: list[_Sentence]) -> dict[str, float]:
    """Return how much each term matters to the conversation: by itself, and by the rank of the sentences with it."""
    ranks = _ranks(sentences)
    importance: defaultdict[str, float] = defaultdict(float)
    for sentence, rank in zip(sentences, ranks, strict=True):
        for term, weight in sentence.terms.items():
            importance[term] += weight * float(rank)
    # Rounded, so that the last bits of a processor's arithmetic decide nothing.
    return {term: round(math.sqrt(value), 6) for term, value in importance.items()}


def _ranks(sentences: list[_Sentence]) -> NDArray[np.float64]:
    """Return the stationary weight of each sentence, 1 on average."""
    size = len(sentences)
    found_in = Counter(term for sentence in sentences for term in sentence.terms)
    columns = {term: number for number, term in enumerate(found_in)}
    vectors = np.zeros((size, max(len(columns), 1)))
    for row, sentence in enumerate(sentences):
        for term, weight in sentence.terms.items():
            vectors[row, columns[term]] = weight * math.log1p(size / found_in[term])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    links = vectors @ vectors.T
    np.fill_diagonal(links, 0.0)
    for row in range(size - 1):
        links[row, row + 1] += _FOLLOWING
    sums = links.sum(axis=1, keepdims=True)
    restart = np.array([_information(sentence) for sentence in sentences]) + 1e-6
    restart /= restart.sum()
    # A sentence without links passes its weight on to all, as the restart does.
    links = np.where(sums > 0, np.divide(links, sums, out=np.zeros_like(links), where=sums > 0), restart)
    ranks = restart
    for _ in range(_ROUNDS):
        ranks = (1 - _DAMPING) * restart + _DAMPING * (ranks @ links)
    return ranks * size


def _choose(
    sentences: list[_Sentence], importance: dict[str, float], max_tokens: int, count: Callable[[str], int]
) -> list[_Sentence]:
    """Take the sentence that adds most for its cost, repeatedly, while one fits."""
    costs = [(count(f"{sentence.role}: {sentence.text}") + _OVERHEAD) ** _COST_EXPONENT for sentence in sentences]
    open_terms = dict(importance)
    worth = [sum(importance[term] for term in sentence.terms) for sentence in sentences]
    least = _WORTHWHILE * sum(worth) / len(worth)
    left = list(range(len(sentences)))
    chosen: list[int] = []
    while left:
        gains = {i: sum(open_terms[term] for term in sentences[i].terms) for i in left}
        left = [i for i in left if gains[i] > least or not chosen]
        if not left:
            break
        best = max(left, key=lambda i: (round(sentences[i].bias * gains[i] / costs[i], 6), -i))
        left.remove(best)
        if count(_render([sentences[i] for i in sorted([*chosen, best])])) > max_tokens:
            continue
        chosen.append(best)
        for term in sentences[best].terms:
            open_terms[term] = 0.0
    return [sentences[i] for i in sorted(chosen)]


def _ends_in_punctuation(text: str) -> bool:
    return bool(text) and unicodedata.category(text[-1])[0] == "P"


def _render(sentences: Sequence[_Sentence]) -> str:
    lines: list[str] = []
    before: _Sentence | None = None
    for sentence in sentences:
        if before is not None and before.role == sentence.role:
            adjoining = before.place + 1 == sentence.place and _ends_in_punctuation(before.text)
            lines[-1] += (" " if adjoining else _GAP) + sentence.text
        else:
            lines.append(f"{sentence.role}: {sentence.text}" if sentence.role else sentence.text)
        before = sentence
    return "\n".join(lines)
