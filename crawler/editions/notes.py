"""Corrections, withdrawals, editor's notes: what a newspaper says of its own article, by language (words.yaml).

A note begins with what it is; an article about corrections has the words within its sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from crawler.editions.typography import folded
from crawler.editions.words import book

MAX_LENGTH = 1_200  # characters; a note is no longer than a long paragraph
_LEAD = r"^[^\w\"']{0,3}"  # a bullet, a bracket; what stands in quotes is somebody else's
_DATED = r"(?:[ ,(]+[^:]{0,30}\d[^:]{0,20})?"  # "Correction, 26 November:"
_ENDS = r"\.?\s*(?:[:\uff1a\u3011\])]|\s-\s|[.*]\s)"


def notes(texts: Iterable[str]) -> Iterator[str]:
    """Those that are such notes."""
    for text in texts:
        if is_note(text):
            yield text


def is_note(text: str) -> bool:
    return len(text) <= MAX_LENGTH and bool(_pattern().match(folded(text).casefold()))


@cache
def _pattern() -> re.Pattern[str]:
    labels = "|".join(re.escape(folded(one).casefold()) for words in book().values() for one in words.note_labels)
    openings = "|".join(one for words in book().values() for one in words.note_openings)
    return re.compile(f"{_LEAD}(?:(?:{labels}){_DATED}{_ENDS}|(?:{openings}))")
