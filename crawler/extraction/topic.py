"""Is a paragraph about what the article is about? By the share of its longer words that the article has, too.

Measured on 168 real articles: of their own last paragraphs 8 % share a tenth or less of their longer words with the
rest of the article, of the sentences of begging letters 55 %.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

MIN_STEMS = 3  # with fewer nothing can be told
_LONG = re.compile(r"[^\W\d_]{5,}|\d{2,}")
_DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
STEM = 6  # letters


def stems(text: str) -> frozenset[str]:
    """The beginnings of the longer words: inflection changes the ends."""
    return frozenset(word[:STEM] for word in _LONG.findall(text.casefold()))


class Topic:
    """How far blocks of a page share the longer words of its article, in steps."""

    STEPS = (0.05, 0.15, 0.3, 0.5)
    UNKNOWN = "?"

    def __init__(self, texts: Sequence[str], chosen: Sequence[bool]) -> None:
        self.texts, self.chosen = texts, chosen
        self.counts: Counter[str] = Counter()
        for text, yes in zip(texts, chosen, strict=True):
            if yes and not _DENSE.search(text):
                self.counts.update(stems(text))

    def of(self, group: Sequence[int]) -> str:
        """The step of some blocks together, 0 to 4, held against the rest; "?" where nothing can be told."""
        own: Counter[str] = Counter()
        within: Counter[str] = Counter()
        for at in group:
            if _DENSE.search(self.texts[at]):
                return self.UNKNOWN
            found = stems(self.texts[at])
            own.update(found)
            if self.chosen[at]:
                within.update(found)
        if len(own) < MIN_STEMS:
            return self.UNKNOWN
        shared = sum(self.counts[stem] > within[stem] for stem in own)
        return str(bisect_right(self.STEPS, shared / len(own)))
