"""What recurs over a source's articles without being any of them: the source's own template.

Pure, and below both of its users: the workers that drop what was learned, and the store that learns it and cleans.

2026-11: extracted text is compared with extracted text, so only what was kept can teach and only what would be kept
can go. Versions of one article do not teach: they share the headline or more than half of their blocks. Three articles
on different stories make a block learned that stands at the edge of their texts, where begging letters stand. In the
middle of a text stands what a story's follow-ups repeat, too, however little else they share: there a block has to be
on a good part of the source's articles. Articles on one story share its background paragraphs, so those prove a block
only where most of the source's articles have it. Measured on pairs of articles of one source: different stories
have up to 25 % of their longer words in common besides the blocks they share, rewritten ones from 33 % on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from crawler.text import count_words

REASON = "template"  # why such a block is not the article
KEY_BYTES = 6
MIN_WORDS, MAX_WORDS = 4, 120  # of a block that may be learned
MAX_SHARE = 0.3  # of a page's kept words: one that would lose more keeps them all
MAX_COMMON = 0.5  # share of their blocks that two articles may have in common and still be two
SAME_STORY = 0.3  # share of their longer words from which on two articles tell one story
WITNESSES = 3  # articles that have to have a block
EDGE = 3  # blocks at either end of a text
INSIDE, BASE = 4, 40  # of articles, at least so many, one in four has to have a block that stands within the text
LABEL_WORDS = 12
SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟", "።", "”", "“", '"', "»", ")")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_DATE = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d\d\b")
_WORD = re.compile(r"[^\W_]+")
_LONGER_WORD = re.compile(r"[^\W\d_]{5,}|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}")


def block_key(text: str) -> str:
    """12 hexadecimal digits: letters and digits without case, the numbers of counters and date lines all the same.

    "Published 3 hours ago" is "Published 5 hours ago"; "It fell by 3 %." is not "It fell by 5 %."
    """
    plain = plain_text(_NUMBER.sub("0", text) if _is_label(text) else text)
    return hashlib.blake2b(plain.encode(), digest_size=KEY_BYTES).hexdigest()


def plain_text(text: str | None) -> str:
    """Letters and digits without case: what makes two texts the same."""
    return " ".join(_WORD.findall((text or "").casefold()))


def _is_label(text: str) -> bool:
    """Whether its numbers are a counter or a date: short, no sentence, and one number or a day or time."""
    numbers = _NUMBER.findall(text)
    if not numbers or text.rstrip().endswith(SENTENCE_ENDS) or count_words(text) > LABEL_WORDS:
        return False
    return len(numbers) == 1 or bool(_DATE.search(text))


def rule_of(key: str) -> str:
    """What a dropped block carries as its rule."""
    return f"{REASON}:{key}"


@dataclass(frozen=True, slots=True)
class Template:
    """The keys of what a source has taught. Packed, as it goes with every page to another process."""

    packed: bytes = b""

    @classmethod
    def of(cls, keys: Iterable[str]) -> Template:
        return cls(bytes.fromhex("".join(sorted(set(keys)))))

    @property
    def keys(self) -> frozenset[str]:
        return _unpacked(self.packed)

    def __bool__(self) -> bool:
        return bool(self.packed)


@lru_cache(maxsize=256)
def _unpacked(packed: bytes) -> frozenset[str]:
    return frozenset(packed[at : at + KEY_BYTES].hex() for at in range(0, len(packed), KEY_BYTES))


@dataclass(frozen=True, slots=True)
class Witness:
    """An article as far as it can teach: key -> text of the blocks that may recur."""

    headline: str  # plain
    blocks: dict[str, str]
    edges: frozenset[str] = frozenset()  # keys of those at the beginning or the end of the text

    @classmethod
    def of(cls, headline: str | None, texts: Iterable[str]) -> Witness:
        """`texts`: what is kept of it, or would be without its source's template."""
        own, given = plain_text(headline), list(texts)
        keys = {
            place: block_key(text)
            for place, text in enumerate(given)
            if MIN_WORDS <= count_words(text) <= MAX_WORDS and plain_text(text) != own
        }
        edges = frozenset(key for place, key in keys.items() if min(place, len(given) - 1 - place) < EDGE)
        return cls(own, {key: given[place] for place, key in keys.items()}, edges)


def versions(one: Witness, other: Witness, learned: Collection[str] = ()) -> bool:
    """Whether two articles are one told twice: `learned` blocks, which they share anyway, do not count."""
    if one.headline == other.headline:
        return True
    mine, theirs = one.blocks.keys() - learned, other.blocks.keys() - learned
    return len(mine & theirs) > MAX_COMMON * min(len(mine), len(theirs))


def unrelated(witnesses: Iterable[Witness], number: int) -> bool:
    """Whether so many of them tell different stories."""
    chosen: list[Witness] = []
    for witness in witnesses:
        if len(chosen) < number and not any(_one_story(witness, other) for other in chosen):
            chosen.append(witness)
    return len(chosen) >= number


def _one_story(one: Witness, other: Witness) -> bool:
    shared = one.blocks.keys() & other.blocks.keys()
    mine, theirs = (
        {word for key, text in given.blocks.items() if key not in shared for word in _longer_words(text)}
        for given in (one, other)
    )
    return len(mine & theirs) > SAME_STORY * max(1, min(len(mine), len(theirs)))


@lru_cache(maxsize=4_096)
def _longer_words(text: str) -> frozenset[str]:
    return frozenset(_LONGER_WORD.findall(text.casefold()))


def condemned(texts: Sequence[str], headline: str | None, template: Template) -> dict[int, str]:
    """Index -> key of those of a page's kept texts that its source's template drops."""
    if not template:
        return {}
    keys, own = template.keys, plain_text(headline)
    words = [count_words(text) for text in texts]
    found: dict[int, str] = {}
    for index, text in enumerate(texts):
        if words[index] >= MIN_WORDS and (key := block_key(text)) in keys and plain_text(text) != own:
            found[index] = key
    if sum(words[index] for index in found) > MAX_SHARE * sum(words):
        return {}
    return found
