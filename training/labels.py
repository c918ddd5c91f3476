"""Which blocks of a page are its article, by holding them against a reference text.

A block of eight and more words is the article's if most of its shingles are in the reference, a shorter one if it is
a line of it. What cannot be told is None, and is not trained on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.extraction.segment import Piece

Label = bool | None

MIN_WORDS = 8
SIZE = 4  # words of a shingle
MOST, FEW = 0.6, 0.3
NEAR = 4  # blocks
_UNIT = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]+"
)


def by_reference(pieces: Sequence[Piece], bodies: Sequence[str]) -> list[Label]:
    """Labels by the acceptable bodies: what only some of them have (a standfirst) is None."""
    longest, shortest = max(bodies, key=len), min(bodies, key=len)
    labels = _by_text(pieces, longest)
    required = _by_text(pieces, shortest) if shortest != longest else labels
    return [label if label == needed else None for label, needed in zip(labels, required, strict=True)]


def by_segments(pieces: Sequence[Piece], wanted: Sequence[str], unwanted: Sequence[str]) -> list[Label]:
    """Labels by sentences that must and must not be there: most blocks get none."""
    return [_by_sentence(_squeezed(piece.text), wanted, unwanted) for piece in pieces]


def without_conventions(pieces: Sequence[Piece], labels: Sequence[Label]) -> list[Label]:
    """Parsers written by hand often leave lists, tables and quotations out: inside the text that says nothing."""
    inside = [i for i, label in enumerate(labels) if label]
    return [
        None if label is False and inside and inside[0] < i < inside[-1] and _is_structure(pieces[i]) else label
        for i, label in enumerate(labels)
    ]


def units(text: str) -> list[str]:
    """Words; characters where a script does not space its words."""
    return _UNIT.findall(text.casefold())


def _is_structure(piece: Piece) -> bool:
    return piece.kind in ("list", "quote", "table", "code") and piece.link_density < 0.5


def _by_text(pieces: Sequence[Piece], body: str) -> list[Label]:
    reference = units(body)
    shingles = {tuple(reference[i : i + SIZE]) for i in range(len(reference) - SIZE + 1)}
    lines = {"".join(units(line)) for line in body.splitlines()}
    spaced = f" {' '.join(reference)} "
    words = [units(piece.text) for piece in pieces]
    labels = [_label(own, shingles, lines) for own in words]
    _one_of_each(words, labels, spaced)
    return [_in_passing(i, labels, words, spaced) if label is False else label for i, label in enumerate(labels)]


def _label(words: list[str], shingles: set[tuple[str, ...]], lines: set[str]) -> Label:
    if not words:
        return None
    if len(words) < MIN_WORDS:
        return "".join(words) in lines
    own = [tuple(words[i : i + SIZE]) for i in range(len(words) - SIZE + 1)]
    share = sum(shingle in shingles for shingle in own) / len(own)
    return True if share > MOST else False if share < FEW else None


def _one_of_each(words: list[list[str]], labels: list[Label], spaced: str) -> None:
    """Of blocks with equal text as many are the article's as the reference has, those with most of it around them."""
    places: dict[str, list[int]] = {}
    for i, own in enumerate(words):
        if labels[i]:
            places.setdefault(" ".join(own), []).append(i)
    single = {places[text][0] for text in places if len(places[text]) == 1}
    for text, indices in places.items():
        near = {i: sum(at in single for at in range(i - NEAR, i + NEAR + 1)) for i in indices}
        for i in sorted(indices, key=lambda i: -near[i])[max(1, spaced.count(f" {text} ")) :]:
            labels[i] = False


def _in_passing(i: int, labels: Sequence[Label], words: list[list[str]], spaced: str) -> Label:
    """A short block that is part of a reference line: the article's between two that are, else nobody knows."""
    if not words[i] or len(words[i]) >= MIN_WORDS or f" {' '.join(words[i])} " not in spaced:
        return False
    around = [labels[at] for at in (i - 1, i + 1) if 0 <= at < len(labels)]
    return True if around.count(True) == 2 else None


def _by_sentence(text: str, wanted: Sequence[str], unwanted: Sequence[str]) -> Label:
    is_wanted, is_unwanted = _touches(text, wanted), _touches(text, unwanted)
    return None if is_wanted == is_unwanted else is_wanted


def _touches(text: str, sentences: Sequence[str]) -> bool:
    return any(_squeezed(each) in text or (len(text) > 30 and text in _squeezed(each)) for each in sentences)


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
