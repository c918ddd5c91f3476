"""Articles without end, for benchmarks: deterministic pseudo-prose on pages as heavy as those of real papers."""

from __future__ import annotations

import functools
import random
import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tests.site.article import Article, TextBlock
from tests.site.publication import Publication

NEWEST = datetime(2026, 9, 1, 6, 0, tzinfo=timezone(timedelta(hours=2)))
SLUG = re.compile(r"report-(\d{6})")
SECTIONS = ("region", "business", "culture", "sport")
AUTHORS = ("Nora Quill", "Emil Varga", "Tess Aldous", "Jonas Pell", "Ines Corvo")
CARRIES = ("support-letter", "cookie", "share", "legal")
VARIANTS = 8  # of the menus and scripts around the articles


@functools.cache
def vocabulary(language: str) -> dict[str, list[str]]:
    table: dict[str, Any] = tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))
    return dict(table[language])


def sentence(dice: random.Random, language: str) -> str:
    words = vocabulary(language)
    who, did, what, where, tail = (dice.choice(words[part]) for part in ("who", "did", "what", "where", "tail"))
    return f"{who} {did} {what} {where}, {tail}.".replace("{n}", str(dice.randrange(3, 900)))


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated articles of one publication: those whose number is in `numbers`."""

    publication: Publication
    numbers: range
    newest: datetime = NEWEST
    spacing: timedelta = timedelta(minutes=3)

    def path(self, number: int) -> str:
        section = SECTIONS[number % len(SECTIONS)]
        paper = self.publication
        return paper.article_path(f"report-{number:06}", paper.language, section, self.published(number))

    def published(self, number: int) -> datetime:
        """So far apart, going back in time."""
        return self.newest - number * self.spacing

    def find(self, path: str) -> int | None:
        """The number of the article at `path`, None where there is none."""
        match = SLUG.search(path)
        number = int(match[1]) if match else -1
        return number if number in self.numbers and self.path(number) == path else None

    def article(self, number: int) -> Article:
        """Article `number`, the same one every time."""
        dice, language = random.Random(number), self.publication.language
        texts = [
            " ".join(sentence(dice, language) for _ in range(dice.randint(2, 5))) for _ in range(dice.randint(6, 18))
        ]
        return Article(
            slug=f"report-{number:06}",
            publication=self.publication,
            language=language,
            headline=f"{sentence(dice, language).split(',')[0]} ({number})",
            standfirst=sentence(dice, language),
            authors=(dice.choice(AUTHORS),),
            published=self.published(number),
            section=SECTIONS[number % len(SECTIONS)],
            carries=CARRIES,
            blocks=tuple(TextBlock("p", (text,)) for text in texts),
            related=tuple((f"Report {other}", self.path(other)) for other in self._neighbours(number)),
        )

    def _neighbours(self, number: int) -> list[int]:
        step = self.numbers.step
        return [other for other in (number - step, number + step) if other in self.numbers]


@functools.cache
def chrome(language: str, base: str, variant: int) -> tuple[str, str]:
    """What goes above and below a generated article: 30 to 80 KB of menus, teasers and scripts."""
    dice = random.Random(variant)
    entries = "".join(f'<li class="menu__item"><a href="{base}/latest#{n}">Topic {n}</a></li>' for n in range(150))
    state = ",".join(f'{{"id":{dice.randrange(10**9)},"score":{dice.random()}}}' for _ in range(300 + 120 * variant))
    above = f'<nav class="menu"><ul>{entries}</ul></nav>'
    below = "".join(_teaser(dice, language, base) for _ in range(20 + 4 * variant))
    return above, f'<section class="grid">{below}</section><script>window.__STATE__=[{state}]</script>'


def _teaser(dice: random.Random, language: str, base: str) -> str:
    return (
        f'<div class="grid__cell"><div class="grid__picture" style="aspect-ratio:3/2"></div>'
        f'<h3 class="grid__title"><a href="{base}/latest#{dice.randrange(10**6)}">'
        f"{sentence(dice, language).split(',')[0]}</a></h3></div>"
    )
