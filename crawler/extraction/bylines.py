"""Who wrote it and when, as the page prints it around the text: signatures, date lines, notes about the author."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.extraction.rules import folded
from crawler.extraction.segment import Piece

SIGNATURE_WORDS = 25
NOTE_WORDS = 80
_BY = (
    "by", "von", "par", "por", "di", "da", "door", "av", "af", "автор", "текст", "text", "words", "written", "author",
    "and", "und", "et", "y", "e", "en", "og", "och", "и", "updated", "published", "posted", "on", "at", "um", "am",
    "uhr",
    "le", "à", "publié", "mis", "jour", "stand", "aktualisiert", "veröffentlicht", "last", "modified", "am", "pm",
    "gmt", "utc", "est", "edt", "cet", "cest", "bst", "min", "read", "minutes", "文",
)  # fmt: skip
_MONTHS = re.compile(
    r"^(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|mär|maj|ene|abr|ago|dic|fév|avr|juin|juil|août|déc"
    r"|gen|mag|giu|lug|set|ott|янв|фев|мар|апр|ма|июн|июл|авг|сен|окт|ноя|дек|mon|tue|wed|thu|fri|sat|sun)\w{0,7}$"
)
_WORD = re.compile(r"[^\W\d_]+")


def drop_bylines(pieces: Sequence[Piece], authors: Sequence[str], site: str) -> None:
    """Drop as `byline` a block that is nothing but names, "by" and a date, and notes that present an author."""
    people = {word for name in authors for word in _WORD.findall(folded(name))}
    known = people.union(_BY, _WORD.findall(folded(site)))
    names = tuple(folded(name) for name in authors if " " in name.strip())
    for piece in pieces:
        if piece.reason or piece.level or piece.kind == "table":
            continue
        text = folded(piece.text)
        if piece.words <= SIGNATURE_WORDS and _is_signature(text, people, known):
            piece.drop("byline", "byline-signature")
        elif piece.words <= NOTE_WORDS and site and text.startswith(names) and _presents(text, names, folded(site)):
            piece.drop("byline", "byline-author-note")


def _is_signature(text: str, people: set[str], known: set[str]) -> bool:
    """A date or names, and nothing else; a lone "and" or a number is neither."""
    words = _WORD.findall(text)
    if not people.isdisjoint(words):
        known = known | people
    elif not re.search(r"\d{4}|\d[:.]\d\d", text):
        return False
    return all(word in known or _MONTHS.match(word) for word in words)


def _presents(text: str, names: tuple[str, ...], site: str) -> bool:
    """ "A. Person writes for The Example Post": name first, then the publication, no speech."""
    name = next(name for name in names if text.startswith(name))
    return site in text[len(name) :][:120] and '"' not in text
