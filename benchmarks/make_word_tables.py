"""Makes the word lists that enrichment reads, from public data.

`words_en.txt`: the usual casing of English words, counted in `chitchat-dataset` (MIT licence).
`places_en.txt`: countries and cities of the IANA time zone database (public domain) and the states of the USA.

    pip install chitchat-dataset tzdata
    python benchmarks/make_word_tables.py
"""

# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "graph" / "enrichment" / "data"

MIN_CAPITALS = 3  # mentions
MIN_SHARE = 0.4  # of mentions that have a capital: even careful writers are often careless
MIN_COMMON = 2  # mentions
# Contractions written without their apostrophe, and words of respect rather than names.
NO_NAMES = {
    "ill",
    "id",
    "im",
    "ive",
    "ta",
    "tas",
    "mr",
    "mrs",
    "ms",
    "dr",
    "prof",
    "jr",
    "sr",
    "phd",
    "xd",
    "lol",
    "omg",
}

AREAS = {"Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
# Names of places that are oftener something else.
NO_PLACES = {"jordan", "georgia", "chad", "casey", "davis", "nelson", "regina", "troll", "easter", "center", "knox"}
NO_PLACES |= {"reunion", "turkey", "adak", "nome", "eastern", "north", "west", "south", "act", "general", "creston"}
NO_PLACES |= {"christmas", "dawson", "stanley", "sofia", "victoria", "virginia", "darwin", "oral", "resolute", "virgin"}
NO_PLACES |= {"wake", "truk", "midway", "samara", "kirov", "johnston", "lindeman", "merida", "canary", "chatham", "yap"}
NO_PLACES |= {"currie", "gambier", "lhi", "nsw", "marigot", "cocos", "phoenix", "santiago", "washington", "niger"}
NO_PLACES |= {"jersey", "jamaica", "winamac", "monticello", "beulah", "marengo", "vevay", "petersburg", "macquarie"}
STATES = """Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Hawaii Idaho Illinois
Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana
Nebraska Nevada New_Hampshire New_Jersey New_Mexico New_York North_Carolina North_Dakota Ohio Oklahoma Oregon
Pennsylvania Rhode_Island South_Carolina South_Dakota Tennessee Texas Utah Vermont Virginia Washington West_Virginia
Wisconsin Wyoming"""
SHORT = ["USA", "US", "U.S.", "U.S.A.", "UAE", "USSR", "NYC", "England", "Scotland", "Wales"]

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def messages() -> Iterator[str]:
    for conversation in import_module("chitchat_dataset").Dataset().values():
        for turn in conversation["messages"]:
            for message in turn if isinstance(turn, list) else [turn]:
                yield message["text"]


def count_casing() -> tuple[Counter[str], Counter[str]]:
    """Mentions of each word in lower case, and of each cased form, in the middle of sentences of careful writers."""
    lower: Counter[str] = Counter()
    cased: Counter[str] = Counter()
    for text in messages():
        words = list(WORD.finditer(text))
        capitals = sum(word.group()[0].isupper() for word in words)
        if len(words) < 3 or not words[0].group()[0].isupper() or capitals * 2 > len(words):
            continue
        for word in words[1:]:
            before = text[: word.start()].rstrip(" \"'(*")
            if before and before[-1] in ".!?…:-\n":
                continue
            form = word.group()
            if form.islower():
                lower[form] += 1
            else:
                cased[form] += 1
    return lower, cased


def usual_casing() -> list[str]:
    lower, cased = count_casing()
    forms: dict[str, Counter[str]] = {}
    for form, count in cased.items():
        kind = form if form.isupper() and len(form) > 1 else form.capitalize()
        forms.setdefault(form.lower(), Counter())[kind] += count
    words = []
    for word in sorted({*lower, *forms}):
        if len(word) < 2 or not word.isalpha():
            continue
        capitals = sum(forms.get(word, Counter()).values())
        if word not in NO_NAMES and capitals >= MIN_CAPITALS and capitals >= MIN_SHARE * (capitals + lower[word]):
            words.append(forms[word].most_common(1)[0][0])
        elif lower[word] >= MIN_COMMON or word in NO_NAMES:
            words.append(word)
    return words


def places() -> list[str]:
    zoneinfo = files("tzdata").joinpath("zoneinfo")
    names = {name.replace("_", " ") for name in STATES.split()} | set(SHORT)
    for line in zoneinfo.joinpath("iso3166.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name = line.split("\t")[1]
            names.update(part.strip(" )") for part in name.split("(")) if name.startswith("Britain") else names.add(
                name
            )
    for zone in files("tzdata").joinpath("zones").read_text("utf-8").split():
        area, _, city = zone.partition("/")
        if area in AREAS and city:
            names.add(city.rpartition("/")[2].replace("_", " "))
    # The database abbreviates ("Congo (Dem. Rep.)") what nobody writes so.
    kept = {name for name in names if not re.search(r"[(&)]|^St |\d", name) and name.lower() not in NO_PLACES}
    return sorted(unicodedata.normalize("NFC", name) for name in kept)


def write(name: str, source: str, words: list[str]) -> None:
    text = "".join(f"{line}\n" for line in (f"# {source}", "# Made by benchmarks/make_word_tables.py.", *words))
    (DATA / name).write_text(text, "utf-8")
    print(f"{name}: {len(words)} entries")


if __name__ == "__main__":
    write(
        "words_en.txt", "The usual casing of English words, counted in chitchat-dataset (MIT licence).", usual_casing()
    )
    write("places_en.txt", "Places of the IANA time zone database (public domain), and states of the USA.", places())
