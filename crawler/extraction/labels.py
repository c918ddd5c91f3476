"""What stands around an appeal's sentences: labels, buttons, links to donation pages, addresses for service."""

from __future__ import annotations

import re

from lxml.etree import _Element as Element

from crawler.extraction.segment import Piece

LABEL_WORDS = 8  # a label or button is at most this long
BUTTONS = 0.85  # share of link text above which a block is buttons
_LINKS = re.compile(
    r"donat|donor|spende|unterst|support(?!/)|subscri|suscri|abonn|(?<![a-z])abo(?![a-z])|assine|assinatura|abbona|prenumer|"
    r"predplat|pretplat|membership|mitglied|/join|contribut|patreon|paypal|buymeacoffee|newsletter|nyhetsbrev|nieuwsbrief|signup|"
    r"sign-up|register|registr|login|signin|t\.me/|whatsapp\.com/channel|play\.google\.com/store/apps|apps\.apple\.com|"
    r"podderzh|pidtrym|wspier|wesprzyj|podpor|sostieni|apoya|apoie|soutenir|faire-un-don|steun|tilaa|lahjoita|bagis",
    re.IGNORECASE,
)

CONTACT = re.compile(
    r"\b[\w-]{2,}\.(?:org|com|net|info|gov|de|fr|es|it|uk|nl|pl|example)\b|\w@\w|\d{6}|\d{2,4}[ -]\d{3,4}[ -]\d{2}"
)


def is_sentence(piece: Piece) -> bool:
    """Prose, as against labels and rows of buttons."""
    if piece.link_density > BUTTONS:
        return False
    return piece.words > LABEL_WORDS or piece.text.rstrip("\"”»')").endswith((".", "。"))


def links_to_appeal(piece: Piece) -> bool:
    """Whether a block's links lead to a page for donors, subscribers or members."""
    return any(_LINKS.search(link.get("href") or "") for link in piece.element.iter("a"))


def is_label(piece: Piece) -> bool:
    short = piece.words <= LABEL_WORDS and not piece.text.rstrip("\"”»')").endswith((".", "。"))
    return short or piece.link_density > BUTTONS


def is_labels_place(one: Piece, other: Piece, forward: bool) -> bool:
    """Whether a label stands in the box of a letter: two blocks share a parent or one's parent holds the other.

    Above a letter only a direct sibling counts, or a run would climb into the article.
    """
    first: Element | None = one.element.getparent()
    second: Element | None = other.element.getparent()
    if first is None or second is None:
        return False
    if ": " in one.text:
        return False  # a byline or a credit
    if not forward:
        return first is second and one.kind != "heading"
    if one.kind == "heading" and first is second and one.level is not None and one.level <= 3:
        return False  # more likely the article's next heading
    return first is second or second in first.iterancestors() or first in second.iterancestors()
