"""Texts that are alike find one another, in any script; those that are not stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.likeness import BANDS, SHARED, Likeness, Text, bands_of, one_form, words
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


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("one two three four five six seven eight", 3_422_684_714_040_142_882, 9_116_570_811_663_062_122),
        (prose(1), -3_385_050_527_650_733_868, 8_109_604_976_777_190_448),
        (chinese(1, 100), -6_057_702_332_864_315_633, 5_506_553_908_824_251_935),
    ],
    ids=["words", "prose", "chinese"],
)
def test_bands_are_those_that_are_stored(text: str, first: int, last: int) -> None:
    """They were made by datasketch 2.0: others would find no article of before."""
    bands = bands_of(text)
    assert (bands[0], bands[-1]) == (first, last)


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


QUAKE = (
    "A magnitude {} earthquake was reported {} at {} Pacific time {} miles from {}, according to the survey.\n"
    "The earthquake occurred {} miles from {}. In the last 10 days, there have been {} earthquakes of magnitude 3.0 or "
    "greater centered nearby.\nAn average of 59 earthquakes with magnitudes between 3.0 and 4.0 occur per year in the "
    "area, according to a recent three-year data sample. Did you feel this earthquake? Consider reporting what you "
    "felt to the survey. Find out what to do before, and during, an earthquake near you by reading our guide.\n"
    "This story was automatically generated by a computer application that monitors the latest earthquakes detected by "
    "the survey. An editor reviewed the post before it was published."
)
QUAKES = [
    QUAKE.format("3.2", "Monday morning", "6:14 a.m.", "two", "Ontario, Calif.", 5, "Fontana", "no"),
    QUAKE.format("4.8", "Friday afternoon", "1:40 p.m.", "nine", "Ojai, Calif.", 12, "Ventura", "no"),
    QUAKE.format("3.9", "Sunday night", "11:02 p.m.", "four", "Ridgecrest, Calif.", 70, "Bakersfield", "two"),
]
DRAW = (
    'The winning numbers in {} night\'s drawing of the "Saltmere Millions" game were {}. The bonus ball was {}. The '
    "estimated jackpot for the draw was {} million pounds.\nPlayers must match all six numbers to win the top prize, "
    "and tickets cost two pounds each at shops. Winners have one hundred and eighty days from the "
    "date of the draw to claim their prize at the lottery office in Thornby.\nFor more information about the game, "
    "call the office between nine and five on weekdays. The next drawing will be held on {}."
)
DRAWS = [
    DRAW.format("Tuesday", "4, 11, 19, 23, 38, 41", 7, 12, "Saturday"),
    DRAW.format("Saturday", "2, 9, 17, 30, 33, 45", 21, 14, "Tuesday"),
]
TEMPERATURES = [
    f"{day}の天気予報です。東京は{sky}でしょう。最高気温は{high}度、最低気温は{low}度の見込みです。外出の際は最新の気象情報を"
    f"確認し、体調の管理に気をつけてください。{sea}では波の高さが{wave}メートルとなる所があり、船舶は注意が必要です。"
    "気象庁のホームページでは各地の詳しい予報を見ることができます。"
    for day, sky, high, low, sea, wave in [
        ("月曜日", "晴れ", 21, 12, "日本海", 3),
        ("金曜日", "曇りのち雨", 16, 9, "太平洋側", 5),
    ]
]


@pytest.mark.parametrize(
    ("one", "other"),
    [(QUAKES[0], QUAKES[1]), (QUAKES[0], QUAKES[2]), (QUAKES[1], QUAKES[2]), (DRAWS[0], DRAWS[1]), TEMPERATURES],
)
def test_a_form_that_is_filled_in_twice_is_alike_and_known(one: str, other: str) -> None:
    assert like(one, other).kind
    assert one_form(Text.of(one), Text.of(other)) and one_form(Text.of(other), Text.of(one))


REPORT = (
    f"{prose(1, 40)}\nAt least 12 people were killed and 34 hurt when the 7 bridge gave way on Monday, they said.\n"
    f"{prose(2, 60)}\nSome 10,000 people in 5 villages had no water, and 300 houses were lost by 6 May.\n{prose(3, 60)}"
)


@pytest.mark.parametrize(
    "copy",
    [
        REPORT,
        f"SALTMERE, 3 May (Reuters) - {REPORT}\nReporting by Jane Doe in Thornby, 2026",
        REPORT[: len(REPORT) * 6 // 10],
        f"{REPORT}\nThe county will pay 2 million pounds for 80 houses by 2030.\n{prose(5, 20)}",
        REPORT.replace("12", "15").replace("34", "40").replace("5 villages", "8 villages"),  # the toll has risen
        REPORT.replace("10,000", "10000").replace("6 May", "May 6").replace("34 hurt", "thirty-four injured"),
        f"By Ann Smith, 3 May 2026, 10:15\n{REPORT}",
        f"{prose(7, 50)} 81 {prose(8, 50)} 99 82 83\n{REPORT}",
    ],
)
def test_a_copy_with_a_credit_a_cut_or_a_correction_is_no_form(copy: str) -> None:
    origin = f"From our newsroom at 4.30 pm on Sunday\n{REPORT}"
    assert like(copy, origin).kind
    assert not one_form(Text.of(copy), Text.of(origin))
