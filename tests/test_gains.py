"""What an article gains and loses is counted exactly, and told so that a loss is not overlooked."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from crawler.gains import Difference, change, difference, group, loses_much
from crawler.store.reextractions import Example
from crawler.text import count_words
from crawler.web.gains import Report, lines, plain

TEXTS = st.lists(st.text("ab 東京-.", max_size=6), max_size=6)


def kept(*texts: str) -> list[dict[str, Any]]:
    return [{"kind": "paragraph", "text": text, "kept": True} for text in texts]


def dropped(text: str, reason: str) -> dict[str, Any]:
    return {"kind": "paragraph", "text": text, "kept": False, "reason": reason}


def test_of_a_paragraph_that_was_cut_only_the_words_are_lost_that_are_gone() -> None:
    told = difference(kept("One two three.", "Same."), kept("Same.", "One three."))
    assert told == Difference(("One two three.",), ("One three.",), 1, 0)


def test_what_is_written_without_spaces_has_words_too() -> None:
    assert difference(kept("東京都の橋"), kept()).words_lost == 3


@given(TEXTS, TEXTS)
def test_there_and_back(old: list[str], new: list[str]) -> None:
    there, back = difference(kept(*old), kept(*new)), difference(kept(*new), kept(*old))
    assert (there.lost, there.words_lost) == (back.gained, back.words_gained)
    assert difference(kept(*old), kept(*reversed(old))).weight == 0
    assert sorted([*old, *there.gained]) == sorted([*new, *there.lost])


@given(TEXTS)
def test_all_words_of_what_goes_are_lost(texts: list[str]) -> None:
    assert difference(kept(" ".join(texts)), kept()).words_lost == count_words(" ".join(texts))


def test_fields_and_kinds_are_counted() -> None:
    old = {
        "headline": "A", "authors": [], "section": "Local", "published_at": None,
        "blocks": [*kept("Give.", "Text."), dropped("Back.", "caption"), dropped("Still.", "share")],
    }  # fmt: skip
    values = {
        "headline": "B", "authors": ["C"], "section": None,
        "blocks": [dropped("Give.", "support"), *kept("Text.", "Back."), dropped("Still.", "related")],
    }  # fmt: skip
    found = change(old, values, difference(old["blocks"], values["blocks"]), revised=True)  # type: ignore[arg-type]
    assert group(found, "field") == {"authors/filled": 1, "headline/changed": 1, "section/emptied": 1}
    assert (group(found, "dropped"), group(found, "restored")) == ({"support": 1}, {"caption": 1})
    assert (found["changed"], found["revised"], found["paragraphs/lost"], found["paragraphs/gained"]) == (1, 1, 1, 1)


def test_a_loss_is_told_loudly_and_no_page_steers_the_terminal() -> None:
    much = Counter({"articles": 2, "changed": 1, "words": 1_000, "words/lost": 51, "words/gained": 900})
    little = much | Counter({"words": 1_100})
    assert loses_much(much) and not loses_much(little) and not loses_much(Counter())
    example = Example(
        article_id=7,
        source="herald",
        headline="\x1b[31mRed",
        url="https://herald.example/7",
        told=Difference(tuple(f"{n} \x1b]0;owned\x07 {'long ' * 50}" for n in range(5)), (), 51, 900),
    )
    report = Report(run=1, asked={}, sources={"herald": much, "kurier": little, "none": Counter()}, largest=[example])
    out = io.StringIO()
    for line in lines(report):
        Console(file=out, width=200).print(line, soft_wrap=True)
    said = out.getvalue()
    assert said.count("WARNING") == 1 and "WARNING: herald loses 5.1 % of its words" in said
    assert "scrapy inspect 7 --again" in said and "- and 2 more" in said and "1 more sources: nothing" in said
    assert not set("\x1b\x07") & set(said)
    assert max(map(len, said.splitlines())) < 160
    assert plain(report)["sources"]["herald"]["loses_much"]
