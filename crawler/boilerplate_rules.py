"""A source's own rules for what is not its article, written in its seed and checked against their own examples.

2026-11: a rule that starts with "Support the Herald" has to keep "Support the Herald received ..., a study says": an
article about the appeal. So `starts_with` and `contains`, which leave the rest of a block open, spare a block that
attributes what it says to somebody; `equals` and `regex` are taken at their word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from crawler.seed_types import Regex, SeedModel, Text, compiled

_RULE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FOLD = str.maketrans("\u2018\u2019\u201c\u201d\u201e", '\'\'"""')  # curly quotation marks
_ATTRIBUTION = re.compile(
    r"\b(?:said|says|told|according to|sagte?n?|erklärte|laut|zufolge|selon|a déclaré|dijo|dice|según|afirmó|"
    r"ha detto|secondo|disse|segundo|zei|zegt|volgens|sade|säger|enligt|сказала?|заявила?|сообщила?|powiedział)\b"
)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


OneOrMore = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
BoilerplateKind = Literal[
    "support", "paywall", "newsletter", "membership", "registration", "app", "channel", "consent", "related", "share",
    "byline", "caption", "legal", "advertisement", "comments",
]  # fmt: skip


class BoilerplateRule(SeedModel):
    """What drops a block of this source. Every matcher given has to match; of a matcher's texts one is enough.

    Case, runs of whitespace and the shape of quotation marks do not matter. `starts_with` and `contains` match whole
    words, and spare a block that attributes what it says to somebody.
    """

    id: str
    """Lower-case words joined by hyphens, unique in the source; stored with every block it drops."""
    kind: BoilerplateKind
    """What the block is instead of the article."""
    equals: OneOrMore = ()
    """The whole block."""
    starts_with: OneOrMore = ()
    """How the block begins."""
    contains: OneOrMore = ()
    """Words anywhere in the block."""
    regex: Regex | None = None
    """A regular expression, searched in the block."""
    drops: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Examples that the rule must drop, checked when the seed is loaded."""
    keeps: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Examples from an article that the rule must leave alone, checked when the seed is loaded."""

    def matches(self, text: str) -> bool:
        """Whether the rule drops the block `text`."""
        plain = _plain(text)
        folded = plain.casefold()
        if self.equals and folded not in [_plain(value).casefold() for value in self.equals]:
            return False
        if self.starts_with and not any(_words(value).match(folded) for value in self.starts_with):
            return False
        if self.contains and not any(_words(value).search(folded) for value in self.contains):
            return False
        if self.regex and not compiled(self.regex, re.IGNORECASE).search(plain):
            return False
        return bool(self.equals or self.regex) or not _ATTRIBUTION.search(folded)

    def check(self) -> list[str]:
        """What the rule does to its own examples that it should not; empty when all is well."""
        missed = [f"does not drop its example {text!r}" for text in self.drops if not self.matches(text)]
        return missed + [f"drops {text!r}, which it should keep" for text in self.keeps if self.matches(text)]

    @field_validator("id")
    @classmethod
    def _id_has_hyphens(cls, value: str) -> str:
        if not _RULE_ID.fullmatch(value):
            raise ValueError(f"{value!r} must be lower-case words joined by hyphens")
        return value

    @model_validator(mode="after")
    def _examples_hold(self) -> Self:
        if not (self.equals or self.starts_with or self.contains or self.regex):
            raise ValueError(f"rule {self.id!r} needs one of equals, starts_with, contains, regex")
        if problems := self.check():
            raise ValueError(f"rule {self.id!r} " + "; ".join(problems))
        return self


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).translate(_FOLD).split())


@cache
def _words(phrase: str) -> re.Pattern[str]:
    """`phrase` as whole words: "spende" is not in "suspended". From Thai on, scripts have no spaces to go by."""
    folded = _plain(phrase).casefold()
    before, after = (r"\b" if char.isalnum() and char < "\u0e00" else "" for char in (folded[0], folded[-1]))
    return re.compile(before + re.escape(folded) + after)
