"""Words, languages and terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.recall.languages import detect_language
from graph.recall.questions import Flag, asked_for, is_question, message_flags
from graph.recall.terms import count_terms, pack_terms, query_terms, split_words, unpack_terms


def test_words_are_in_lower_case_and_composed() -> None:
    assert split_words("The CAFE\u0301s, and ﬁve") == ["the", "cafés", "and", "five"]


def test_scripts_without_spaces_give_pairs() -> None:
    assert split_words("v2の図書館") == ["v2", "の図", "図書", "書館"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I went to the library with her", "english"),
        ("library tomorrow", "english"),
        ("Ich war gestern mit ihr in der Bibliothek", "german"),
        ("Je suis allée à la bibliothèque avec elle", "french"),
        ("Fui a la biblioteca con mi hermana", "spanish"),
        ("昨日は図書館に行きました", ""),
        ("вчера были дома", ""),
    ],
)
def test_the_language_is_detected(text: str, language: str) -> None:
    assert detect_language(split_words(text)) == language


def test_function_words_are_no_terms() -> None:
    assert count_terms("And so it is, for me and you")[1] == {}
    assert query_terms(split_words("what is it?"), ["english"]) == []


def test_a_word_of_a_query_is_looked_for_in_each_language() -> None:
    (forms,) = query_terms(["katzen"], ["german", "english"])
    assert forms & {*count_terms("die Katze und die Katzen")[1]}


@given(st.text(max_size=200))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    language, terms = count_terms(text)
    for forms in query_terms(split_words(text), [language]):
        assert forms & {*terms}


def test_flags() -> None:
    assert message_flags(["GPE", "UNKNOWN"], question=is_question("Where is it? ")) == Flag.QUESTION | Flag.PLACE
    assert message_flags(["DATE", "PERSON"], question=is_question("It is here.")) == Flag.TIME | Flag.PERSON
    assert asked_for("How many books has she?") == Flag.NUMBER
    assert asked_for("Who gave it to her, and when?") == Flag.TIME
    assert asked_for("Tell me about it") == Flag(0)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(1, 1_000_000), max_size=20))
def test_packed_terms_are_the_terms(terms: dict[int, int]) -> None:
    assert unpack_terms(pack_terms(terms)) == terms
    assert unpack_terms(2 * pack_terms(terms)) == {term: 2 * count for term, count in terms.items()}
