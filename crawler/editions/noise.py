"""What changes on a page while its article stays: counters, ages, teasers behind the text.

Numbers are never passed over as such: "5 killed" becomes "7 killed". A counter is a line that is nothing but numbers
and the words of counters (words.yaml), and it says what is counted. A teaser is a label behind the last sentence that
gave way to quite another one, where the model was in doubt of it anyway.

2026-11, 686 real pages, 17,888 kept blocks: three were counters by their words; two truly, one an item of a list. Of
labels behind the text, those that belong to it are mostly items of lists, or scored higher.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from crawler.editions.notes import is_note
from crawler.editions.paragraphs import Change
from crawler.editions.typography import folded
from crawler.editions.words import book
from crawler.months import month
from crawler.recurrence import SENTENCE_ENDS
from crawler.text import count_words

MAX_COUNTER = 12  # words
MAX_TEASER = 20  # words
MIN_PROSE = 6  # words of a sentence that belongs to the article
DOUBT = 0.7  # score below which a label behind the text may be none of it
LISTED = frozenset(("list", "table"))  # kinds whose numbers are the article's: results, prices
Ledger = Mapping[str, Mapping[str, Any]]  # folded text -> block
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:/ ]\d+)*")
_DENSE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MARKS = re.compile(  # vowel signs, which are no letters
    "[\u0300-\u036f\u0591-\u05bd\u064b-\u0652\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]"
)


def counts(change: Change, old: Ledger, new: Ledger) -> bool:
    """Whether a change is a counter that counted, came or went."""
    for text, ledger in ((change.before, old), (change.after, new)):
        if text is not None and not (is_counter(text) and ledger.get(folded(text), {}).get("kind") not in LISTED):
            return False
    return True


def is_counter(text: str) -> bool:
    """Nothing but numbers, counters' words and months, and among the words one that says what is counted."""
    if len(text) > 120:
        return False
    tokens = _TOKEN.findall(_MARKS.sub("", folded(text).casefold()))
    said = [token for token in tokens if not token[0].isdigit()]
    if not said or len(said) == len(tokens) or len(tokens) > MAX_COUNTER:
        return False
    strong, known = _counters()
    if not any(_is_known(token, strong) for token in said):
        return False
    return all(_is_known(token, known) or month(token) for token in said)


def _is_known(token: str, known: tuple[frozenset[str], re.Pattern[str]]) -> bool:
    plain, dense = known
    return token in plain or bool(_DENSE.search(token) and dense.search(token))


@cache
def _counters() -> tuple[tuple[frozenset[str], re.Pattern[str]], tuple[frozenset[str], re.Pattern[str]]]:
    """The words that say what is counted, and all words of counters; those of dense scripts as a pattern."""
    strong = {_plain(one) for words in book().values() for one in words.counted}
    every = strong | {_plain(one) for words in book().values() for one in words.around}
    dense = sorted(filter(_DENSE.search, every), key=len, reverse=True)
    own = sorted(filter(_DENSE.search, strong), key=len, reverse=True)
    return (
        (frozenset(strong), re.compile("|".join(own) or r"(?!)")),
        (frozenset(every), re.compile(f"^(?:{'|'.join(dense)})+$" if dense else r"(?!)")),
    )


def _plain(word: str) -> str:
    return _MARKS.sub("", folded(word).casefold())


def rotating(changes: Sequence[Change], old: Sequence[str], new: Sequence[str], had: Ledger, has: Ledger) -> set[int]:
    """Indexes of those of `changes` that are teasers behind the text, which gave way to other ones."""
    gone, come = set[int](), set[int]()
    end, new_end = _behind(old), _behind(new)
    for index, change in enumerate(changes):
        if change.change == "removed" and end and (change.at or 0) >= end and _is_teaser(change.before or "", had):
            gone.add(index)
        if change.change == "added" and new_end and (change.to or 0) >= new_end and _is_teaser(change.after or "", has):
            come.add(index)
    return gone | come if gone and come else set()


def _is_teaser(text: str, ledger: Ledger) -> bool:
    block = ledger.get(folded(text), {})
    score = block.get("score")
    if score is None or score >= DOUBT or block.get("kind") not in ("paragraph", "heading"):
        return False
    return not text.rstrip().endswith(SENTENCE_ENDS) and count_words(text) <= MAX_TEASER and not is_note(text)


def _behind(texts: Sequence[str]) -> int:
    """Where the last sentence of a text is over."""
    for at in reversed(range(len(texts))):
        if is_prose(texts[at]):
            return at + 1
    return 0


def is_prose(text: str) -> bool:
    """A sentence, as against labels."""
    return text.rstrip().endswith(SENTENCE_ENDS) and count_words(text) >= MIN_PROSE
