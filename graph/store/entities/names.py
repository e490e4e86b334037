"""The keys that merge mentions into entities, and the resolution of short names.

Nothing here loads spaCy: the store and the GraphQL surface use the same rules.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALIASED_LABEL = "PERSON"


def normalise_name(name: str) -> str:
    """Fold differences of writing within one name: case, width, ligatures, white space."""
    # Case folding can undo the normal form ("ǰ"), so a second pass follows.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(folded.split())


def entity_key(label: str, name: str) -> str:
    """Return the merge key of an entity: equal for two mentions exactly if they are one entity.

    A label never contains a colon, so that a key has one reading.
    """
    return f"{label}:{normalise_name(name)}"


def resolve_aliases(entities: Iterable[tuple[str, str, int]]) -> dict[str, str]:
    """Find which names of a session are short forms of a longer one: "Octavia" of "Octavia Butler".

    A PERSON of one word is an alias of another when that word is one of the other's, and exactly one full name fits.
    A full name is part of no other name, so with "Octavia Butler" and "Octavia Estelle Butler"
    an "Octavia" is the longest; those two stay apart, for two full names may be two people. Two
    candidates ("Anna" with "Anna Lee" and "Anna Park") leave a name unchanged, however often either is mentioned; so
    does a name of one letter. Other labels are never merged: "York" is not "New York".

    Args:
        entities: `(label, name, count)` for each entity of one session. Entries with the same key are added up, and
            a sum that is not positive is ignored.

    Returns:
        The canonical key for the key of every entity given, itself where nothing else fits. The result does not
        depend on the order of the input, and a canonical key always maps to itself.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    words: dict[str, tuple[str, ...]] = {}
    for label, name, count in entities:
        key = entity_key(label, name)
        counts[key] += count
        if label == _ALIASED_LABEL:
            words[key] = tuple(normalise_name(name).split())
    canonical = {key: key for key in counts}

    by_word: defaultdict[str, list[str]] = defaultdict(list)
    for key, parts in words.items():
        if counts[key] > 0:
            for part in set(parts):
                by_word[part].append(key)
    longer = {
        key: [other for other in min((by_word[part] for part in parts), key=len) if _is_part(parts, words[other])]
        for key, parts in words.items()
        if parts and counts[key] > 0 and any(len(part) > 1 for part in parts)
    }
    for key, candidates in longer.items():
        full = [other for other in candidates if not longer.get(other)]
        if len(words[key]) == 1 and len(full) == 1:
            canonical[key] = full[0]
    return canonical


def _is_part(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    rest = iter(long)
    return len(short) < len(long) and all(word in rest for word in short)
