"""Did we get the whole text? The publisher's claim alone is no proof: many pages that say "not free" carry all of it.

What counts is what can be seen: a gate right behind the last paragraph, a text that stops in the middle of a sentence,
a length that the page's own record contradicts or confirms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crawler.extraction import jsonld
from crawler.extraction.segment import Piece, count_words
from crawler.items import Access
from crawler.text import without_tags

Length = Literal["agrees", "longer", "unknown"]
AGREES = 0.15  # relative difference of two lengths that count as one; captions and headings make that much
CUT = 1.6  # times as long as what we have: the rest is missing
SHORT = 120  # words; a free article may be that short, one that is sold hardly ever is
LONG = 200  # words; more than any publisher gives away before a gate, nearly
WHOLE = 80  # words from which a proper end means something
NEAR = 4  # blocks behind the last paragraph in which a gate belongs to it
GATE_ANCESTORS = 3
GATES = frozenset(("paywall", "registration", "membership"))  # reasons of dropped blocks
_ENDS = re.compile(r"[.!?:;)\]\"'”’»›。！？」』…।؟。\u06d4\u17d4\u0964*]\s*$")
_STOPS = re.compile(r"(?:\.\.\.|…|\[…\]|\[\.\.\.\]|\w,|\w\s*[-–—])\s*$")
_PER_CENT = re.compile(r"\d\s?[%٪]|[%٪]\s?\d")
_GATE_NAMES = re.compile(
    r"(?:^|[\s_-])(?:paywall|pay-wall|regwall|reg-wall|registration-?wall|subscriber-?(?:only|wall)|subscribe-?wall"
    r"|subscription-?(?:wall|required|prompt|barrier)|premium-?(?:wall|barrier|offer|overlay)|piano-\w+|tp-container"
    r"|article-?gate|content-?gate|gateway-content|barrier(?:-page)?|metered-?\w*|login-?wall|bezahlschranke|plus-?wall)"
    r"(?:$|[\s_-])"
)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the kept text ends, and what stands right behind it."""

    words: int
    proper: bool  # with the punctuation of an ending
    stops: bool  # with an ellipsis, a comma, a dash
    gate: bool
    rest: bool = False  # the gate says how much is missing


def observed_access(pieces: Sequence[Piece], nodes: Sequence[jsonld.Node], *, free: bool | None) -> Access:
    """`full` and `truncated` only where something proves it. `free` is the publisher's claim."""
    end = _ending(pieces)
    if not end.words:
        return "truncated" if end.gate else "unknown"
    length = _length(nodes, end.words)
    if _is_cut(end, length, free):
        return "truncated"
    if end.gate or end.stops:
        return "full" if length == "agrees" and end.words >= LONG and not end.gate else "unknown"
    if length == "agrees" and (free is not False or end.words >= LONG):
        return "full"
    return "full" if free and end.proper and end.words >= WHOLE and length != "longer" else "unknown"


def _is_cut(end: Ending, length: Length, free: bool | None) -> bool:
    """Two signs of a cut: one alone is a template's (gates for others, hidden), a typo's or a wrong record's.

    A gate that says how many per cent are left to read is proof enough.
    """
    few = end.words < SHORT
    if end.rest:
        return True
    if end.gate:
        return length == "longer" or end.stops or few or (free is False and end.words < LONG and not end.proper)
    if free is False:
        return few and (length == "longer" or end.stops or not end.proper)
    return length == "longer" and end.stops and free is not True


def _ending(pieces: Sequence[Piece]) -> Ending:
    kept = [at for at, piece in enumerate(pieces) if piece.kept]
    words = sum(pieces[at].words for at in kept)
    if not kept:
        return Ending(words=0, proper=False, stops=False, gate=any(p.reason in GATES for p in pieces))
    last = next((at for at in reversed(kept) if pieces[at].kind != "heading"), kept[-1])
    text = pieces[last].text
    gate = _gate(pieces, last)
    return Ending(
        words=words,
        proper=bool(_ENDS.search(text)),
        stops=bool(_STOPS.search(text)),
        gate=bool(gate),
        rest=any(piece.reason in GATES and _PER_CENT.search(piece.text) for piece in gate),
    )


def _gate(pieces: Sequence[Piece], last: int) -> list[Piece]:
    """Prompts to subscribe or register right behind the last paragraph, by their words or by their element's name."""
    behind = [piece for piece in pieces[last + 1 :] if piece.kind not in ("caption", "embed")][:NEAR]
    return [piece for piece in behind if not piece.kept and (piece.reason in GATES or _is_named_gate(piece))]


def _is_named_gate(piece: Piece) -> bool:
    """By a name alone nothing is dropped, but behind the text it confirms what the text's end shows."""
    element = piece.element
    for _ in range(GATE_ANCESTORS):
        names = f"{element.get('class') or ''} {element.get('id') or ''}".lower()
        if names != " " and _GATE_NAMES.search(names):
            return True
        parent = element.getparent()
        if parent is None or parent.tag in ("body", "main", "article"):
            return False
        element = parent
    return False


def _length(nodes: Sequence[jsonld.Node], words: int) -> Length:
    """The record's own length against ours."""
    counts = [count for node in nodes if jsonld.types(node) & jsonld.ARTICLE_TYPES for count in _counts(node)]
    if any(abs(count - words) <= AGREES * max(count, words) for count in counts):
        return "agrees"
    return "longer" if counts and max(counts) > CUT * words + 30 else "unknown"


def _counts(node: jsonld.Node) -> list[int]:
    counts = []
    given = node.get("wordCount")
    said = str(given).replace(",", "").strip() if isinstance(given, (int, str)) else ""
    if said.isascii() and said.isdigit() and len(said) < 7:
        counts.append(int(said))
    body = jsonld.text(node.get("articleBody"))
    if body:
        counts.append(count_words(without_tags(body)))
    return counts
