"""Puts appeals, and reporting about their like, into pages, and counts what is left of both in an extraction.

    styled  in a container whose class names it, laid out with headings, buttons and links
    hashed  the same with class names that say nothing, and buttons that are none
    bare    as further siblings of the article's own paragraphs, their tag and classes, labels included
    short   bare, on a page cut down to one to three paragraphs of its own

Everything is drawn from a seed that belongs to the case, so that two runs and two extractors see the same pages.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml import html as markup
from lxml.etree import _Element as Element

from benchmarks.hosts import Host, cut, parse, serialise, slots
from benchmarks.scores import words
from benchmarks.wordings import Appeal, Text

STYLES = ("styled", "hashed", "bare", "short")
PLACES = ("top", "middle", "end")
CLASSES = {
    "support": ("support-banner", "donate-box", "contribution-epic"),
    "paywall": ("paywall-prompt", "regwall", "piano-offer"),
    "subscription": ("subscribe-promo", "abo-teaser", "offer-box"),
    "newsletter": ("newsletter-signup", "nl-box", "inline-newsletter"),
    "registration": ("login-gate", "register-wall", "membership-box"),
    "app": ("app-promo", "download-app", "app-banner"),
    "channel": ("telegram-box", "follow-us", "whatsapp-channel"),
}
CONTAINERS = ("div", "aside", "section")
PLAIN = ("div", "section")
BUTTONS = ("button", "div", "p")  # what a button may be where nothing has a name
SHORT = (1, 2, 3)  # paragraphs


@dataclass(frozen=True)
class Case:
    """An appeal in a page. `host` is the page before, cut down already where the style is short."""

    host: Host
    appeal: Appeal
    style: str
    place: str
    html: bytes


def make_case(host: Host, appeal: Appeal, style: str, place: str, seed: int) -> Case:
    """`appeal` in `host`, under the publication's own name."""
    dice = random.Random(f"{seed}/{host.id}/{style}/{place}")  # noqa: S311
    host = cut(host, dice.choice(SHORT)) if style == "short" else host
    appeal = appeal.named(host.site)
    tree = parse(host.html)
    run = slots(tree, host.own, host.depth)
    if style in ("bare", "short"):
        elements = [like(run[0], host.depth, block.text) for block in appeal.blocks]
    else:
        elements = [container(appeal, style == "hashed", dice)]
    put(run, elements, place)
    return Case(host, appeal, style, place, serialise(tree))


def with_paragraphs(host: Host, texts: Sequence[Text], below: Appeal | None = None) -> bytes:
    """The page with further paragraphs of reporting (service information at the end), and an appeal below all."""
    tree = parse(host.html)
    run = slots(tree, host.own, host.depth)
    put(run, [like(run[0], host.depth, text.text) for text in texts if text.tag != "service"], "middle")
    last = [text.text for text in texts if text.tag == "service"]
    last += [block.text for block in below.named(host.site).blocks] if below else []
    put(run, [like(run[0], host.depth, text) for text in last], "end")
    return serialise(tree)


def put(run: Sequence[Element], elements: Iterable[Element], place: str) -> None:
    """Put elements before the first, after the middle or after the last of the article's own ones."""
    anchor = {"top": run[0], "middle": run[(len(run) - 1) // 2], "end": run[-1]}[place]
    parent = anchor.getparent()
    assert parent is not None
    at = parent.index(anchor) + (place != "top")
    _free(anchor)
    for offset, element in enumerate(elements):
        parent.insert(at + offset, element)


def _free(anchor: Element) -> None:
    """Text behind the anchor would end up behind what is put there: give it an element of its own."""
    if (anchor.tail or "").strip():
        tail = markup.Element("span")
        tail.text, anchor.tail = anchor.tail, None
        anchor.addnext(tail)


def like(slot: Element, depth: int, text: str) -> Element:
    """A paragraph with the tags and classes of its neighbour, down to the element that holds the text."""
    chain = [slot]
    for _ in range(depth):
        chain.append(next(chain[-1].iterchildren("p", "div"), chain[-1]))
    copies = [
        markup.Element(element.tag, {k: v for k, v in element.attrib.items() if k == "class"}) for element in chain
    ]
    for outer, inner in pairwise(copies):
        outer.append(inner)
    copies[-1].text = text
    copies[0].tail = "\n"
    return copies[0]


def container(appeal: Appeal, hashed: bool, dice: random.Random) -> Element:
    """The appeal in a box of its own: headings, list items, buttons and links as such, or with nothing that tells."""
    box = markup.Element(dice.choice(PLAIN if hashed else CONTAINERS), {"class": dice.choice(CLASSES[appeal.kind])})
    if hashed:
        box.set("class", _hash(dice))
    for block in appeal.blocks:
        parent = _list_in(box) if block.tag == "li" else box
        tag = dice.choice(BUTTONS) if hashed and block.tag == "button" else block.tag
        element = markup.Element(tag, {"class": _hash(dice)} if hashed else {})
        element.text, element.tail = block.text, "\n"
        if block.tag == "a":
            element.set("href", f"/{appeal.kind}")
        parent.append(element)
    box.tail = "\n"
    return box


def _list_in(box: Element) -> Element:
    """The list that the box ends with, a new one where it does not."""
    if not len(box) or box[-1].tag != "ul":
        box.append(markup.Element("ul"))
    return box[-1]


def _hash(dice: random.Random) -> str:
    return "css-" + "".join(dice.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=6))


# ------------------------------------------------------------------ counting


def padded(text: str) -> str:
    """The words of a text with one blank around each: what can be searched without regard to markup and marks."""
    return f" {'  '.join(words(text.casefold()))} "


def left(texts: Sequence[str], body: str, before: str) -> list[bool]:
    """Which of the injected texts are in the body, more often than in the body `before` the injection.

    Long ones are looked for first and taken out, so that a label is not found inside a paragraph that is left.
    """
    there, once = padded(body), padded(before)
    found = [False] * len(texts)
    for index in sorted(range(len(texts)), key=lambda index: -len(texts[index])):
        needle = padded(texts[index])
        if needle.strip() and there.count(needle) > once.count(needle):
            found[index] = True
            there = there.replace(needle, " | ", 1)
    return found


def own_words_lost(own: Sequence[str], body: str, before: str) -> tuple[int, int]:
    """Words of the page's own paragraphs that went with the injection, and words of those that were there before."""
    after, once = padded(body), padded(before)
    there = [text for text in own if padded(text) in once]
    gone = [text for text in there if padded(text) not in after]
    return sum(len(words(text)) for text in gone), sum(len(words(text)) for text in there)
