# ruff: noqa: RUF001 - typographic quotes and dashes are part of how people write
from __future__ import annotations

import base64
import functools
import importlib
import json
import os
import random
import re
import subprocess
import sys
import textwrap
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graph.enrichment.boundaries import join_names, trim_span
from graph.enrichment.casing import restore_case
from graph.enrichment.chunks import MAX_CHUNK, split_chunks
from graph.enrichment.entities import EntityMatch, ExtractedEntity, ExtractionFailure, Extractor, Steps
from graph.enrichment.masking import mask
from graph.enrichment.models import ModelNotFoundError
from graph.enrichment.places import mark_places
from graph.enrichment.reading import reading_of
from graph.enrichment.sentences import split_sentences
from graph.errors import StartupError
from graph.store.entities.names import entity_key, resolve_aliases

SAMPLE = "Octavia Estelle Butler (June 22, 1947 – February 24, 2006) was an American science fiction author."


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor()


def read(extractor: Extractor, text: str) -> list[ExtractedEntity]:
    (found,) = extractor.extract([text])
    assert not isinstance(found, ExtractionFailure)
    for entity in found:
        assert entity.matches
        for match in entity.matches:
            assert text[match.start : match.end] == match.text
    return found


def named(extractor: Extractor, text: str) -> set[tuple[str, str]]:
    return {(entity.label, entity.name) for entity in read(extractor, text)}


# What is found


def test_finds_the_people_of_the_sample_sentences(extractor: Extractor) -> None:
    assert ExtractedEntity("Octavia Estelle Butler", "PERSON", (EntityMatch(0, 22, "Octavia Estelle Butler"),)) in read(
        extractor, SAMPLE
    )
    assert read(extractor, "Who was Octavia Butler?") == [
        ExtractedEntity("Octavia Butler", "PERSON", (EntityMatch(8, 22, "Octavia Butler"),)),
    ]


def test_mentions_merge_by_folded_name_in_order_of_appearance(extractor: Extractor) -> None:
    text = "Barack Obama left Berlin. Later BARACK OBAMA flew from Berlin to Paris, and Barack\u00a0Obama slept."
    found = read(extractor, text)
    assert len({entity.key for entity in found}) == len(found)
    starts = [entity.matches[0].start for entity in found]
    assert starts == sorted(starts)
    (berlin,) = [entity for entity in found if entity.name == "Berlin"]
    assert [match.start for match in berlin.matches] == [18, 55]
    (obama,) = [entity for entity in found if entity.label == "PERSON"]
    assert obama.name == "Barack Obama"
    assert len(obama.matches) >= 2


@pytest.mark.parametrize(
    "before",
    ["😀👨‍👩‍👧‍👦🇵🇹 ", "مرحبا يا صديقي. ", "שלום וברכה. ", "e\u0301te\u0301 à la plage… ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢! ", "\t\r\n \u2028"],
    ids=["emoji", "arabic", "hebrew", "combining", "beyond the basic plane", "white space"],
)
def test_offsets_are_code_points_of_the_original(extractor: Extractor, before: str) -> None:
    text = f"{before}Angela Merkel flew to London."
    found = {entity.name: entity.matches[-1].start for entity in read(extractor, text)}
    assert found["Angela Merkel"] == len(before)
    assert found["London"] == len(before) + 22


def test_a_million_characters_are_read_to_the_end(extractor: Extractor) -> None:
    filler = "it rained all day and nothing else happened in the village, as far as anybody knows.\n"
    filler *= 100_000 // len(filler)
    text = f"Who was Octavia Butler? {filler}{'x' * 900_000} {filler} Who was Octavia Butler?"
    assert len(text) > 1_000_000
    (butler,) = [entity for entity in read(extractor, text) if entity.name == "Octavia Butler"]
    assert [match.start for match in butler.matches] == [8, len(text) - 15]


def test_chat_without_capitals_has_names(extractor: Extractor) -> None:
    assert ("GPE", "seattle") in named(extractor, "whats the weather in seattle")
    assert ("GPE", "LONDON") in named(extractor, "I AM FLYING TO LONDON SOON")


def test_code_addresses_and_markup_are_no_names(extractor: Extractor) -> None:
    code = "```python\nfrom paris import London\n```\n"
    assert named(extractor, f"{code}`Berlin` https://example.com/Angela/Merkel madrid@example.com") == set()
    found = named(extractor, "- **Angela Merkel**, see https://example.com/Tom")
    assert found == {("PERSON", "Angela Merkel")}


def test_equal_texts_and_texts_without_a_word_need_no_model(extractor: Extractor) -> None:
    first, nothing, second = extractor.extract([SAMPLE, "🤣🤣 !!!", SAMPLE])
    assert first == second
    assert nothing == []
    assert extractor.extract([]) == []
    assert extractor.extract(["", " \n"]) == [[], []]


@pytest.mark.slow
def test_a_batch_finds_what_single_texts_have(extractor: Extractor) -> None:
    texts = [f"{name} met {other} in Paris." for name in ("Tom", "Anna") for other in ("Marie Curie", "Isaac Newton")]
    texts += [SAMPLE, "x " * 30_000, "Who was Octavia Butler?"] + [f"Message {n} for Tom" for n in range(300)]
    assert extractor.extract(texts) == [extractor.extract([text])[0] for text in texts]


# What fails


def test_a_text_that_makes_the_model_raise_fails_alone(extractor: Extractor) -> None:
    texts = [f"Angela Merkel went to Paris {n} times." for n in range(40)]
    texts[17] = "half of an emoji \ud83d is no text"
    results = extractor.extract(texts)
    failures = [index for index, result in enumerate(results) if isinstance(result, ExtractionFailure)]
    assert failures == [17]
    failure = results[17]
    assert isinstance(failure, ExtractionFailure)
    assert failure.reason.startswith("UnicodeEncodeError: ")
    assert "\n" not in failure.reason
    failure.reason.encode()
    assert all(result for index, result in enumerate(results) if index != 17)


def test_a_missing_model_says_how_to_install_it() -> None:
    with pytest.raises(ModelNotFoundError, match=r"`python -m spacy download de_core_news_sm`") as raised:
        Extractor("de_core_news_sm")
    assert isinstance(raised.value, StartupError)
    assert "\n" not in str(raised.value)
    with pytest.raises(ModelNotFoundError, match="no such directory"):
        Extractor("./no/such/model")


def test_a_package_or_directory_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("json", str(tmp_path)):
        with pytest.raises(StartupError, match="can't be loaded") as raised:
            Extractor(name)
        assert "\n" not in str(raised.value)


def test_a_model_without_entities_is_refused(tmp_path: Path) -> None:
    spacy: Any = pytest.importorskip("spacy")
    spacy.blank("en").to_disk(tmp_path)
    with pytest.raises(StartupError, match="finds no entities"):
        Extractor(str(tmp_path))


def save_rules(directory: Path, language: str, *patterns: tuple[str, str]) -> str:
    """A real model that finds given words and nothing else."""
    spacy: Any = pytest.importorskip("spacy")
    nlp = spacy.blank(language)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": label, "pattern": words} for label, words in patterns])
    path = directory / language
    nlp.to_disk(path)
    return str(path)


def test_a_model_may_be_a_path(tmp_path: Path) -> None:
    extractor = Extractor(save_rules(tmp_path, "en", ("ORG", "Octopus Ltd")))
    assert named(extractor, "I work for Octopus Ltd now.") == {("ORG", "Octopus Ltd")}


def test_languages_choose_the_model(tmp_path: Path) -> None:
    pytest.importorskip("lingua")
    german = save_rules(tmp_path, "de", ("PER", "Grete Weiser"))
    extractor = Extractor(languages={"de": german})
    text = "Gestern habe ich mit Grete Weiser lange über das Wetter gesprochen."
    english, by_rule, short = extractor.extract([SAMPLE, text, "ok"])
    assert english == Extractor().extract([SAMPLE])[0]
    assert by_rule == [ExtractedEntity("Grete Weiser", "PER", (EntityMatch(21, 33, "Grete Weiser"),))]
    assert short == []


def test_a_language_and_its_model_must_agree(tmp_path: Path) -> None:
    german = save_rules(tmp_path, "de", ("PER", "Grete"))
    with pytest.raises(StartupError, match="is of language 'de', not 'fr'"):
        Extractor(languages={"fr": german})


def test_keys_and_sentences_load_no_spacy() -> None:
    modules = "graph.store.entities.names, graph.enrichment.sentences, graph.enrichment.entities, sys"
    code = f"import {modules}; print('spacy' in sys.modules or 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_memory_of_words_is_given_back(extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.enrichment.pipeline._FORGET_AFTER", 10_000)
    strings = extractor._default._nlp.vocab.strings
    before = len(strings)
    for batch in range(20):
        extractor.extract([f"word{batch}x{n} and Angela Merkel" for n in range(200)])
    assert len(strings) < before + 2_000
    assert named(extractor, "Who was Octavia Butler?") == {("PERSON", "Octavia Butler")}


# Keys and aliases


def test_keys_fold_case_width_and_white_space() -> None:
    assert entity_key("PERSON", "Octavia  Butler") == entity_key("PERSON", "ＯＣＴＡＶＩＡ\u00a0butler\n")
    assert entity_key("GPE", "Straße") == entity_key("GPE", "STRASSE")
    assert entity_key("GPE", "Zu\u0308rich") == entity_key("GPE", "Zürich")
    assert entity_key("GPE", "Paris") != entity_key("PERSON", "Paris")


@given(st.text())
def test_keys_are_stable(name: str) -> None:
    key = entity_key("ORG", name)
    assert entity_key("ORG", key.removeprefix("ORG:")) == key


def test_a_name_of_one_word_is_the_only_longer_one() -> None:
    aliases = resolve_aliases(
        [("PERSON", "Octavia", 3), ("PERSON", "octavia BUTLER", 1), ("PERSON", "Octavia Estelle Butler", 1)],
    )
    assert aliases == {
        "PERSON:octavia": "PERSON:octavia estelle butler",
        "PERSON:octavia butler": "PERSON:octavia butler",
        "PERSON:octavia estelle butler": "PERSON:octavia estelle butler",
    }


def test_a_name_that_fits_two_people_stays() -> None:
    aliases = resolve_aliases([("PERSON", "Anna", 9), ("PERSON", "Anna Lee", 5), ("PERSON", "Anna Park", 1)])
    assert all(key == canonical for key, canonical in aliases.items())


def test_only_people_have_aliases_and_only_by_whole_words_in_order() -> None:
    aliases = resolve_aliases(
        [
            *(("GPE", "York", 1), ("GPE", "New York", 1), ("PERSON", "New", 1)),
            *(("PERSON", "Jo", 1), ("PERSON", "Joan Smith", 1), ("PERSON", "Smith Joan", 1), ("PERSON", "J", 4)),
            *(("PERSON", "Gone", 1), ("PERSON", "Gone Girl", 0)),
        ],
    )
    assert all(key == canonical for key, canonical in aliases.items())


NAMES = st.lists(st.sampled_from(["ann", "bo", "cy", "di"]), min_size=1, max_size=3).map(" ".join)


@given(st.lists(st.tuples(st.sampled_from(["PERSON", "ORG"]), NAMES, st.integers(0, 3))), st.randoms())
def test_aliases_end_at_once_and_do_not_depend_on_order(entities: list[tuple[str, str, int]], random: Any) -> None:
    aliases = resolve_aliases(entities)
    assert set(aliases) == {entity_key(label, name) for label, name, _ in entities}
    assert all(aliases[canonical] == canonical for canonical in aliases.values())
    random.shuffle(entities)
    assert resolve_aliases(entities) == aliases


# The steps around the model


@given(st.text(alphabet=st.sampled_from("aA iİßﬁ.1`~*_#|@<>/:-\n\r\t'’😀\u0301\u200d(["), max_size=200))
@example("İSTANBUL İSTANBUL İSTANBUL")
@example("```\nunclosed")
def test_masks_and_casing_keep_every_offset(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    assert len(restore_case(masked)) == len(text)


@given(st.text(alphabet=st.sampled_from("ab .\n!\u0301😀\u200d"), max_size=300), st.integers(2, 40))
def test_chunks_cover_the_text_within_the_limit(text: str, limit: int) -> None:
    chunks = split_chunks(text, limit)
    assert all(0 < end - start <= limit for start, end in chunks)
    assert all(end <= start for (_, end), (start, _) in pairwise(chunks))
    covered = "".join(text[start:end] for start, end in chunks)
    assert "".join(covered.split()) == "".join(text.split())


def test_a_chunk_without_white_space_is_not_cut_within_a_character() -> None:
    text = "e\u0301" * MAX_CHUNK
    assert all(not unicodedata.combining(text[start]) for start, _ in split_chunks(text, 4_999))


@given(st.text(alphabet=st.sampled_from("Ab .!?…。\n\r\"')1Dr"), max_size=200))
def test_sentences_cover_the_text_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert all(start < end and text[start:end].strip() == text[start:end] for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Amara Okafor met J. R. R. Tolkien at 3.5 km.", "He left."],
        ["The U.S. Army, e.g. the 5th, moved at 5 p.m.", "We followed!", "why?"],
        ["i went home.", "then i slept... and woke.", "So did I.", "Good."],
        ["今天天气很好。", "我们去公园吧！", "好"],
        ['"Yes."', "(No!)", "Ok 😀."],
    ],
)
def test_sentences_end_where_people_end_them(sentences: list[str]) -> None:
    text = (" " if sentences[0].isascii() or "…" in sentences[0] else "").join(sentences)
    assert [text[start:end] for start, end in split_sentences(text)] == sentences


def test_lines_are_sentences_unless_wrapped() -> None:
    wrapped = "a line of prose that somebody wrapped by hand at about seventy columns\nand went on with."
    text = f"# Title\n\n{wrapped}\n1. First thing\n2. Second thing. More\n- item\nlast"
    found = [text[start:end] for start, end in split_sentences(text)]
    assert found == ["# Title", wrapped, "1. First thing", "2. Second thing.", "More", "- item", "last"]


@pytest.mark.parametrize(
    ("text", "label", "name"),
    [
        ("the New York Philharmonic", "ORG", "New York Philharmonic"),
        ("The Hobbit", "WORK_OF_ART", "The Hobbit"),
        ("the 1960s", "DATE", "the 1960s"),
        ("Aunt Polly's", "PERSON", "Polly"),
        ("**Frank Herbert*", "PERSON", "Frank Herbert"),
        ("No - Olaf Scholz", "PERSON", "Olaf Scholz"),
        ("Acme Inc.", "ORG", "Acme Inc."),
        ("Foo (Bar)", "ORG", "Foo (Bar)"),
        ("Ulysses)\nand", "WORK_OF_ART", "Ulysses"),
        ("James'", "PERSON", "James"),
        ("🙏 …!", "ORG", None),
    ],
)
def test_edges_are_those_of_the_name(text: str, label: str, name: str | None) -> None:
    edges = trim_span(text, 0, len(text), label)
    assert (edges and text[slice(*edges)]) == name


def test_a_first_name_joins_the_rest_of_its_name() -> None:
    text = "Octavia Estelle Butler saw Paris Tom Cruise"
    spans = [(0, 7, "GPE"), (8, 22, "PERSON"), (27, 32, "GPE"), (33, 43, "PERSON")]
    assert join_names(text, spans) == [(0, 22, "PERSON"), *spans[2:]]
    assert join_names("Octavia, Estelle Butler", [(0, 7, "GPE"), (9, 23, "PERSON")])[0] == (0, 7, "GPE")


def test_amounts_keep_their_currency_and_ticket_numbers_are_no_amounts() -> None:
    assert trim_span("paid £250 to", 6, 9, "MONEY") == (5, 9)
    assert trim_span("order #48213", 7, 12, "MONEY") is None


def test_places_are_labelled_and_added_where_they_stand_alone() -> None:
    text = "Nepal, Bogotá and Toronto. Paris Hilton waved."
    assert mark_places(text, [(0, 5, "PERSON"), (7, 13, "PERSON"), (27, 39, "PERSON")]) == [
        (0, 5, "GPE"),
        (7, 13, "GPE"),
        (18, 25, "GPE"),
        (27, 39, "PERSON"),
    ]
    assert mark_places(text, [(27, 39, "PERSON")])[-1] == (27, 39, "PERSON")


def test_casing_restores_names_and_leaves_words() -> None:
    assert restore_case("is obama in utah on friday?") == "is Obama in Utah on Friday?"
    assert restore_case("reading octavia, an expereince unapologetically goood questiono") == (
        "reading Octavia, an expereince unapologetically goood questiono"
    )
    assert restore_case("I LOVE THIS SONG SO MUCH") == "i love this song so much"
    assert restore_case("The cat sat on the mat, don't ask.") == "The cat sat on the mat, don't ask."


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_or_fails_with_a_reason(text: str) -> None:
    read(_shared(), text)


@functools.cache
def _shared() -> Extractor:
    return Extractor()


def test_each_step_gains_on_the_hand_annotated_messages() -> None:
    quality: Any = importlib.import_module("benchmarks.ner_quality")
    examples = quality.read_examples()
    gold = [example.spans for example in examples]
    for example_ in examples:
        assert all(0 <= start < end <= len(example_.text) for start, end, _ in example_.spans)

    def f1(steps: Steps) -> float:
        return float(quality.score(gold, quality.predict(Extractor(steps=steps), examples), quality.typed)[2])

    bare = f1(Steps(mask=False, casing=False, boundaries=False, places=False))
    everything = f1(Steps())
    assert everything > bare + 0.08
    for step in ("mask", "casing", "boundaries", "places"):
        assert f1(Steps(**{step: False})) < everything, step


def test_a_package_brings_its_own_components(tmp_path: Path) -> None:
    """In a process that has not imported it yet."""
    make = f"from tests.support.fault_model import make_fault_model; make_fault_model(Path({str(tmp_path)!r}))"
    use = "from graph.enrichment.entities import Extractor; print(Extractor('recallql_fault_model').extract(['Hello']))"
    root = str(Path(__file__).parents[2])
    for program in (f"from pathlib import Path; {make}", use):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "[[]]\n"


# What is no text, and what is written in another form

_IMAGE = base64.b64encode(random.Random(1).randbytes(15_000)).decode()
_RECORDS = [
    {"id": number, "name": "OctaviaButler", "city": "Paris", "born": "1947-06-22", "tags": ["London", "Seattle"]}
    for number in range(60)
]


@pytest.mark.parametrize(
    "data",
    [
        _IMAGE,
        f"data:image/png;base64,{_IMAGE}",
        "\n".join(textwrap.wrap(_IMAGE, 76)),
        "\r\n".join(textwrap.wrap(_IMAGE[:1_001], 64)),
        base64.urlsafe_b64encode(random.Random(2).randbytes(3_000)).decode(),
        random.Random(3).randbytes(300).hex().upper(),
        json.dumps(_RECORDS, separators=(",", ":")),
        json.dumps({"Octavia" + str(n): "Butler" + str(n) for n in range(400)}, separators=(",", ":")),
        "a" * 20_000,
        "A" * 20_000,
        "Ж" * 20_000,
        "中" * 20_000,
        "é" * 20_000,
        "Octavia" * 3_000,
        "Octavia,Butler;" * 500,
    ],
    ids=lambda data: data[:12],
)
@pytest.mark.parametrize("around", ["{}", "Who was Octavia Butler? {} She lived in Seattle."])
def test_nothing_comes_of_unbroken_runs(extractor: Extractor, data: str, around: str) -> None:
    found = named(extractor, around.format(data))
    assert found == (set() if around == "{}" else {("PERSON", "Octavia Butler"), ("GPE", "Seattle")})


def test_no_name_is_longer_than_200_characters(extractor: Extractor) -> None:
    texts = [
        json.dumps([{"name": "Octavia Butler", "city": "New York", "n": n} for n in range(200)], separators=(",", ":")),
        ("Octavia Estelle Butler " * 40).strip(),
        "The " + "Great " * 200 + "Gatsby",
        "中文" * 30 + "，" + "东京北京" * 200,
    ]
    for text in texts:
        for entity in read(extractor, text):
            assert len(entity.name) <= 200
            assert not set('{}[]"') & set(entity.name)


@pytest.mark.parametrize(
    ("written", "name", "label"),
    [
        ("\ufeffOctavia Butler", "Octavia Butler", "PERSON"),
        ("Octavia\u00a0Butler", "Octavia Butler", "PERSON"),
        ("Octavia\u202fButler", "Octavia Butler", "PERSON"),
        ("Octavia \ufeffButler", "Octavia Butler", "PERSON"),
        ("Zoe\u0308 Kravitz", "Zoë Kravitz", "PERSON"),
        ("Sao\u0303\u00a0Paulo".replace("ao\u0303", "a\u0303o"), "São Paulo", "GPE"),
    ],
)
def test_other_forms_are_read_as_composed_with_plain_spaces(
    extractor: Extractor, written: str, name: str, label: str
) -> None:
    before = "Re\u0301sume\u0301:\u00a0"
    text = f"{before}{written} was in the news, and {written}\u00a0again."
    plain = text.replace("\ufeff", "").replace("\u00a0", " ").replace("\u202f", " ")
    composed = unicodedata.normalize("NFC", plain)
    found = read(extractor, text)
    assert [(entity.name, entity.label) for entity in found] == [
        (entity.name, entity.label) for entity in read(extractor, composed)
    ]
    (entity,) = [entity for entity in found if entity.name == name]
    assert entity.label == label
    mark = 1 if written.startswith("\ufeff") else 0
    assert entity.matches[0].start == len(before) + mark
    assert entity.matches[0].end == len(before) + len(written)


@given(
    st.lists(
        st.sampled_from(
            [
                *"aeoxAé가中 \n",
                "\u0301",
                "\u0308",
                "\u0323",
                "\u1100",
                "\u1161",
                "\u11a8",
                "\u00a0",
                "\ufeff",
                "\u200b",
                "\u0958",
                "\u09c7",
                "\u09be",
                "😀",
                "\u200d",
            ]
        )
    )
)
def test_what_is_read_is_the_composed_text_with_its_places(pieces: list[str]) -> None:
    text = "".join(pieces)
    reading = reading_of(text)
    plain = re.sub("[\u00a0\u2000-\u200b]", " ", text)
    assert unicodedata.normalize("NFC", reading.text) == unicodedata.normalize("NFC", plain.replace("\ufeff", ""))
    for start in range(len(reading.text)):
        begin, finish = reading.stored(start, start + 1)
        assert 0 <= begin < finish <= len(text)
        stored = plain[begin:finish].replace("\ufeff", "")
        assert reading.text[start] in unicodedata.normalize("NFC", stored)
