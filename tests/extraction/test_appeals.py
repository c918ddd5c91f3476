"""Appeals in 37 languages as bare paragraphs, and reporting about their subjects, from `training/appeals/`."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
import yaml

from crawler.extraction.appeals import drop_appeals
from crawler.extraction.asking import is_appeal, is_attributed, is_quoted
from crawler.extraction.body import parse
from crawler.extraction.boxes import spread
from crawler.extraction.lexicon import SIGNALS, folded, tokens, vocabulary
from crawler.extraction.rules import drop_rules
from crawler.extraction.segment import Piece, segment

FOLDER = Path(__file__).parents[2] / "training" / "appeals"
LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SITE = "The Example Post"
HEADLINE = "Harbour council meets again"


def wordings(language: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return found


def judged(texts: list[str], language: str, declared: bool = True) -> list[Piece]:
    """The blocks of a page that holds these paragraphs and nothing else, after rules and appeals."""
    body = "".join(f"<p>{escape(text)}</p>" for text in texts)
    tree = parse(f"<html><body><article><h1>{HEADLINE}</h1>{body}</article></body></html>".encode())
    assert tree is not None
    pieces = segment(tree)
    drop_rules(pieces, SITE)
    drop_appeals(pieces, SITE, HEADLINE, language if declared else None)
    spread(pieces)
    return pieces[1:]


def appeals(language: str) -> Iterator[list[str]]:
    for appeal in wordings(language)["appeals"]:
        yield [block["text"].replace("{site}", SITE) for block in appeal["blocks"]]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("paragraphs", [8, 2])
@pytest.mark.parametrize("language", LANGUAGES)
def test_appeals_go_and_reporting_stays(language: str, paragraphs: int, declared: bool) -> None:
    article = (wordings(language)["reporting"] * 2)[:paragraphs]
    left, lost, of_appeals, of_article = [], [], 0, 0
    for appeal in appeals(language):
        for at in (0, paragraphs // 2, paragraphs):
            pieces = judged(article[:at] + appeal + article[at:], language, declared)
            inside = pieces[at : at + len(appeal)]
            left += [piece.text for piece in inside if not piece.reason]
            lost += [piece.text for piece in pieces[:at] + pieces[at + len(appeal) :] if piece.reason]
            of_appeals, of_article = of_appeals + len(appeal), of_article + paragraphs
    assert len(left) <= 0.02 * of_appeals, left
    assert len(lost) <= 0.01 * of_article, lost


@pytest.mark.parametrize("language", LANGUAGES)
def test_reporting_alone_stays(language: str) -> None:
    reporting = wordings(language)["reporting"]
    assert [piece.text for piece in judged(reporting, language) if piece.reason] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_training_set_is_complete(language: str) -> None:
    found = wordings(language)
    assert len(found["appeals"]) >= 5
    assert len(found["reporting"]) >= 6
    assert {block["tag"] for appeal in found["appeals"] for block in appeal["blocks"]} <= {"p", "h3", "li", "button"}


def test_every_signal_is_known_in_every_language() -> None:
    lexicon = vocabulary()
    bits = [*lexicon.exact.values(), *lexicon.dense.values()]
    bits += [of for table in lexicon.prefixes.values() for _, of in table]
    bits += [of for table in lexicon.phrases.values() for _, of in table]
    for at, language in enumerate(lexicon.languages[1:], 1):
        seen = {signal for signal in SIGNALS if any(bit & lexicon.group_of(signal, at) for bit in bits)}
        assert seen >= {"ask", "we", "you", "money", "journalism", "gate", "mail", "said"}, language


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("We’re from £5 a month", ["we're", "from", "5", "a", "month"]),
        ("हमारे काम", ["हमारे", "काम"]),
        ("ab 5 €", ["ab", "5", "€"]),
        ("r$ 5", ["r$", "5"]),
    ],
)
def test_tokens(text: str, words: list[str]) -> None:
    assert [token for token in tokens(folded(text)) if token != "£"] == words


def test_the_country_is_no_pronoun() -> None:
    assert is_appeal("Support us with $5 a month, our journalism depends on you.")
    assert not is_appeal("The US will support a donation of $5 million to newspapers all over the US.")


def test_an_article_about_an_app_may_address_its_reader() -> None:
    tips = ["Download the app and log in with your account.", "You can cancel your subscription in the settings."]
    body = "".join(f"<p>{text}</p>" for text in tips)
    tree = parse(f"<html><body><h1>How to cancel a subscription</h1>{body}</body></html>".encode())
    assert tree is not None
    pieces = segment(tree)
    drop_appeals(pieces, SITE, "How to cancel a subscription in the app", "en")
    assert [piece.reason for piece in pieces[1:]] == [None, None]


def test_a_menu_below_an_appeal_is_not_the_appeals() -> None:
    labels = ["Europe", "Asia", "Africa", "Sport", "Weather", "Puzzles", "Archive of maps", "Obituaries", "Crosswords"]
    pieces = judged(["Please support our work with $5 a month.", *labels], "en")
    assert [piece.reason for piece in pieces][-3:] == [None, None, None]


@pytest.mark.parametrize("text", ["“We need your help,” she said, “and your money.”", "— Поддержите нас, — просил он."])
def test_speech(text: str) -> None:
    assert is_quoted(text)


@pytest.mark.parametrize(
    "text", ["We need your help, the mayor said.", "Selon la rédaction, les dons baissent.", "記者によると寄付は減った"]
)
def test_attribution(text: str) -> None:
    assert is_attributed(text)
