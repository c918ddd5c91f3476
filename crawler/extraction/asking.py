"""Whether one text asks its reader for something: the judgement that `appeals` makes runs of.

A text is judged in one language at a time: by which signals it sends (`lexicon`), by its length, and by what vetoes:
speech and attribution. Every threshold here was chosen on invented appeals and on what public corpora of real pages
keep as article text; loosening one of them is to be measured on both.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.extraction.lexicon import BIT, GROUP, WIDTH, folded, group, unquoted, vocabulary

LONG_WORDS = 60  # a longer block says many things by chance
LABEL = 8  # "Remind me later"
SHORT_WORDS = 40  # without "we", only a block this short is a prompt
TOPICS = group("money", "journalism", "gate", "mail", "app", "channel", "account", "member")
PRODUCTS = group("gate", "mail", "app", "channel", "account")
GOODS = group("money", "gate", "mail", "app", "channel", "account", "member")
_POLITE = re.compile(r"(?<=[a-zäöüß,] )(?:Sie|Ihnen|Ihr(?:e[nrms]?)?)\b")  # German's "you" is a capital letter
_COUNTRY = re.compile(r"\bUS\b")
_QUOTES = re.compile(r"[\"“”„«»‟❝❞]|(?<!\w)'(?=\w)")
_INSIDE = re.compile(r"[\"“„«❝](.+?)[\"”“»❞]")


def signals(text: str, site: str = "") -> int:
    """The signals of a text outside of quotation marks, all languages; `site` is the publication's name as written."""
    bits = _read(text)
    if site and site in text and re.search(rf"(?<!\w){re.escape(site)}(?![a-z0-9])", text):  # "Time" is no "time"
        bits |= BIT["we"]
    return bits


@lru_cache(maxsize=2_048)  # a block is judged by itself, as the article's and as a run's
def _read(text: str) -> int:
    if "US" in text and not text.isupper():
        text = _COUNTRY.sub(" ", text)  # the country is no "us"
    polite = bool(_POLITE.search(text))
    return vocabulary().signals(unquoted(folded(text)) + (" xsiex" if polite else ""))


def is_quoted(text: str) -> bool:
    """Mostly speech: the publisher does not put its own appeal in quotation marks."""
    if text[0] in "—–―" or (text[0] in "“„«" and not _INSIDE.search(text)):  # a dialogue; a speech of many paragraphs
        return True
    if len(_QUOTES.findall(text)) < 2:
        return False
    return sum(map(len, _INSIDE.findall(text))) * 3 >= len(text)


def is_attributed(text: str, language: str | None = None) -> bool:
    """Somebody is said to have said it."""
    bits = signals(text)
    if not bits & vocabulary().everywhere("said"):
        return False
    return any(vocabulary().of(bits, at) & BIT["said"] for at in spoken_in(bits, language))


def spoken_in(bits: int, language: str | None) -> list[int]:
    """The languages in which a text sends most signals: "he" is a pronoun here and a verb there."""
    near = vocabulary().near(language)
    counts = {at: (bits >> WIDTH * at & GROUP).bit_count() + (at in near) for at in vocabulary().heard(bits)}
    most = max(counts.values(), default=0)
    return sorted((at for at, count in counts.items() if count >= most - 1), key=lambda at: (at not in near, at))


def core_language(text: str, words: int, site: str = "", language: str | None = None) -> int:
    """The language in which a block is the core of an appeal, 0 for none."""
    bits = signals(text, site)
    if not bits & vocabulary().everywhere("ask", "prompt", "soft") or is_quoted(text):
        return 0
    near = vocabulary().near(language)
    for at in spoken_in(bits, language):
        found = vocabulary().of(bits, at)
        if _is_core(found, words) if at in near or not near else _is_foreign_core(found, words):
            return at
    return 0


def _is_core(found: int, words: int) -> bool:
    """The publication speaks to its reader, asks, and names money, its journalism, a gate or another of its goods."""
    topics, products = (found & TOPICS).bit_count(), (found & PRODUCTS).bit_count()
    if found & BIT["said"] or is_confession(found, words):
        return False
    if words > LONG_WORDS:
        return not ~found & group("ask", "we", "you") and (topics >= 3 or (topics >= 2 and bool(found & BIT["prompt"])))
    if found & BIT["prompt"] and (found & group("ask", "we", "you", "soft") or topics >= 2 or (topics and words <= 25)):
        return words <= SHORT_WORDS or found.bit_count() >= 4
    if found & BIT["ask"]:
        return _is_asking(found, words, topics, products)
    return bool(found & BIT["soft"]) and _is_softly_asking(found, words, topics, products)


def _is_asking(found: int, words: int, topics: int, products: int) -> bool:
    if found & BIT["we"]:
        return topics >= 2 or (topics >= 1 and (bool(found & BIT["you"]) or words <= 20))
    if found & BIT["you"] and found & BIT["money"] and found & BIT["soft"] and words <= SHORT_WORDS:
        return True
    if found & BIT["you"] and topics >= 2 and found & (PRODUCTS | group("journalism", "member")):
        return words <= SHORT_WORDS
    return words <= 25 and (products >= 2 or (products >= 1 and bool(found & BIT["you"])))


def _is_softly_asking(found: int, words: int, topics: int, products: int) -> bool:
    """With words that a shop or a columnist might use, too, more has to come together."""
    if not found & BIT["you"] or words > 30:
        return False
    return topics >= 2 if found & BIT["we"] else products >= 2 and topics >= 3


def is_confession(found: int, words: int) -> bool:
    """A columnist says "I"; a letter says "we", and "I" at most where it asks for everything that a letter asks for."""
    if not found & BIT["me"] or words <= LABEL:
        return False
    return bool(~found & group("ask", "we", "you", "money"))


def is_personal(found: int) -> bool:
    return bool(found & group("we", "you"))


def is_address(found: int) -> bool:
    """Speaks to the reader of what a publication offers or needs, without a word of asking that we know."""
    if found & group("said", "me") or not found & group("we", "you"):
        return False
    if not ~found & group("we", "you"):
        return True
    if found & BIT["you"]:  # service information tells its reader what to do, too
        more = found & group("prompt", "member", "journalism", "ask") or (found & TOPICS).bit_count() >= 2
        return bool(found & GOODS and more)
    if found & group("ask", "soft", "mail", "app"):
        return bool(found & GOODS)
    return bool(found & GOODS) and (found & TOPICS).bit_count() >= 2


def _is_foreign_core(found: int, words: int) -> bool:
    """In another language than the page's, words may be false friends."""
    return words <= LONG_WORDS and not ~found & group("ask", "prompt") and _is_core(found, words)


def is_appeal(text: str, site: str = "") -> bool:
    """Whether a text alone is the core of a run."""
    return core_language(text, len(text.split()), site) > 0
