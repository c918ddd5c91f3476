"""Texts that are alike find one another, in any script; those that are not stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.likeness import BANDS, SHARED, Likeness, Text, bands_of, words
from tests.prose import chinese, prose


def like(one: str, other: str) -> Likeness:
    return Likeness.of(Text.of(one), Text.of(other))


def shared(one: str, other: str) -> int:
    return len(set(bands_of(one)) & set(bands_of(other)))


@given(st.text())
def test_a_text_is_a_copy_of_itself(text: str) -> None:
    found = like(text, text)
    assert (found.jaccard, found.contained, found.kind) == (1.0, 1.0, "copy")
    assert bands_of(text) == bands_of(text)
    assert len(set(bands_of(text))) in (0, BANDS)


@given(st.text(), st.text())
def test_likeness_has_no_direction_but_length(one: str, other: str) -> None:
    there, back = like(one, other), like(other, one)
    assert (there.jaccard, there.contained) == (back.jaccard, back.contained)
    assert 0 <= there.jaccard <= there.contained <= 1
    assert not (there.longer and back.longer)


def test_case_punctuation_and_line_breaks_do_not_count() -> None:
    text = prose(1)
    assert bands_of(text) == bands_of(text.upper().replace(".", " —").replace("\n", " "))


def test_half_of_a_text_is_shortened_and_the_whole_extended() -> None:
    whole = prose(1, 400)
    half = whole[: len(whole) // 2]
    assert (like(half, whole).kind, like(whole, half).kind) == ("shortened", "extended")
    assert shared(half, whole) >= SHARED


def test_a_teaser_and_a_quotation_are_no_copies() -> None:
    whole = prose(1, 600)
    assert like(prose(1, 60), whole).kind is None
    assert like(f"{prose(2, 300)}\n{prose(1, 60)}", whole).kind is None


def test_a_text_with_a_new_beginning_and_end_is_adapted() -> None:
    text = prose(1, 240)
    assert like(f"{prose(2, 40)}\n{text}\n{prose(3, 20)}", text).kind == "extended"
    assert like(f"{prose(2, 40)}\n{text}\n{prose(3, 20)}", f"{text}\n{prose(4, 80)}").kind == "adapted"


def test_a_translation_of_every_fifth_word_is_another_text() -> None:
    text = prose(1, 300)
    other = " ".join(word if at % 5 else "other" for at, word in enumerate(text.split()))
    assert like(text, other).kind is None


def test_nearly_all_that_are_alike_share_bands_and_nobody_else_does() -> None:
    texts = [prose(seed, 300) for seed in range(40)]
    alike = [f"{text[: len(text) * 2 // 3]}\n{prose(-seed - 1, 80)}" for seed, text in enumerate(texts)]
    assert all(0.45 < like(one, other).jaccard < 0.65 for one, other in zip(texts, alike, strict=True))
    assert sum(shared(one, other) >= SHARED for one, other in zip(texts, alike, strict=True)) >= 38
    assert not any(shared(texts[0], other) for other in texts[1:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t: 3.5 % of IT!", ["don", "t", "3", "5", "of", "it"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("서울의 새 다리", ["서울의", "새", "다리"]),
        ("東京の新しい橋", ["東京の新", "京の新し", "の新しい", "新しい橋"]),
        ("AIが東京に2社", ["ai", "が東京に", "2", "社"]),
        ("ที่ ใหม่", ["ที่", "ใหม่"]),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_chinese_without_spaces() -> None:
    text = chinese(1)
    changed = text.replace(text[100:104], "新的文字")
    assert like(text, changed).jaccard > 0.8
    assert shared(text, changed) >= SHARED
    assert like(text, chinese(2)).jaccard == 0
    assert like(text[:150], text).kind == "shortened"


def test_a_text_of_few_words_says_nothing() -> None:
    assert bands_of("Subscribe to read the full story.") == ()
    assert Text.of(prose(1, 30)).is_short
