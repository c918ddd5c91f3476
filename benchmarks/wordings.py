"""The held-out wordings: appeals that must go and reporting that must stay, one file a language.

They were written apart from the rules and are never to be read by who writes rules: what they measure is whether the
rules know the problem or only their own examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent
MAIN = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "sv", "no", "da", "tr", "ja", "zh", "ar")
KINDS = ("support", "paywall", "subscription", "newsletter", "registration", "app", "channel")
TAGS = ("p", "h3", "li", "button", "a")
REPORTS = ("news", "quote", "column", "service")
SITE = "{site}"  # stands for the publication's name


@dataclass(frozen=True)
class Text:
    """A block of an appeal and the tag that it has where it is laid out as one."""

    text: str
    tag: str = "p"


@dataclass(frozen=True)
class Appeal:
    language: str
    tier: str  # main or rare
    kind: str
    blocks: tuple[Text, ...]

    def named(self, site: str) -> Appeal:
        """The appeal as the publication `site` would print it."""
        blocks = tuple(Text(block.text.replace(SITE, site), block.tag) for block in self.blocks)
        return Appeal(self.language, self.tier, self.kind, blocks)


@dataclass(frozen=True)
class Reporting:
    """What a language's newsroom writes: an ordinary article, and paragraphs about appeals and their like."""

    language: str
    headline: str
    article: tuple[str, ...]
    about: tuple[Text, ...]  # the tag is one of REPORTS


@cache
def appeals(folder: Path = FOLDER) -> tuple[Appeal, ...]:
    return tuple(
        Appeal(path.stem, data["tier"], appeal["kind"], tuple(Text(**block) for block in appeal["blocks"]))
        for path, data in _files(folder / "appeals")
        for appeal in data["appeals"]
    )


@cache
def reporting(folder: Path = FOLDER) -> dict[str, Reporting]:
    found = {}
    for path, data in _files(folder / "reporting"):
        about = tuple(Text(entry["text"], entry["kind"]) for entry in data["about"])
        found[path.stem] = Reporting(path.stem, data["headline"], tuple(data["article"]), about)
    return found


def _files(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, yaml.safe_load(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.yaml"))]
