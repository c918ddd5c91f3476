"""Pages into which appeals are put: real ones, by path, and invented ones for languages that have none."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import urlsplit

from lxml import etree
from lxml.etree import _Element as Element
from trafilatura.utils import load_html

from benchmarks.corpora import Sample
from benchmarks.scores import words
from benchmarks.wordings import Reporting

MIN_LENGTH = 40  # characters; a shorter line of the reference may stand elsewhere on the page as well
MIN_SLOTS = 4
MIN_SHARE = 0.6  # of the paragraphs found that have to stand side by side
MAX_DEPTH = 3  # wrappers around each paragraph
SAME_LANGUAGE = {"nb": "no", "nn": "no"}


@dataclass(frozen=True)
class Host:
    """A page whose own paragraphs are known. `depth`: how many elements wrap each of them beside its neighbours."""

    id: str
    language: str | None
    site: str
    html: bytes
    url: str | None
    own: tuple[str, ...]
    depth: int = 0

    @property
    def real(self) -> bool:
        return not self.id.startswith("invented/")


def flat(text: str) -> str:
    return " ".join(text.split())


def slots(tree: Element, own: Iterable[str], depth: int = 0) -> list[Element]:
    """The elements that hold the page's own paragraphs, side by side in one parent, in order."""
    wanted = set(own)
    groups: dict[Element, list[Element]] = defaultdict(list)
    for paragraph in tree.iter("p", "div"):
        if flat(str(paragraph.xpath("string()"))) in wanted and not _has_block(paragraph):
            slot: Element | None = paragraph
            for _ in range(depth):
                slot = slot.getparent() if slot is not None else None
            parent = slot.getparent() if slot is not None else None
            if slot is not None and parent is not None and slot not in groups[parent][-1:]:
                groups[parent].append(slot)
    return max(groups.values(), key=len, default=[])


def _has_block(element: Element) -> bool:
    return next(element.iterdescendants("p", "div"), None) is not None


def real_host(sample: Sample) -> Host | None:
    """The sample as a host, or None where its paragraphs do not stand side by side in the tree."""
    tree = _tree(sample.html)
    if tree is None:
        return None
    own = tuple(dict.fromkeys(line for line in map(flat, sample.bodies[0].split("\n")) if len(line) >= MIN_LENGTH))
    found = [slots(tree, own, depth) for depth in range(MAX_DEPTH)]
    enough = max(MIN_SLOTS, MIN_SHARE * len(own))
    depth = next((depth for depth, run in enumerate(found) if len(run) >= enough), None)
    if depth is None:
        return None
    texts = tuple(flat(str(slot.xpath("string()"))) for slot in found[depth])
    language = SAME_LANGUAGE.get(sample.language or "", sample.language)
    return Host(
        id=f"{sample.corpus}/{sample.id}",
        language=language,
        site=_site(tree, sample.url),
        html=serialise(tree),
        url=sample.url,
        own=texts,
        depth=depth,
    )


def _tree(html: bytes) -> Element | None:
    """The page's tree; None for another encoding than UTF-8, which the page's head would then belie."""
    try:
        html.decode()
    except UnicodeDecodeError:
        return None
    return load_html(html)


def parse(html: bytes) -> Element:
    tree = load_html(html)
    assert tree is not None
    return tree


def serialise(tree: Element) -> bytes:
    return bytes(etree.tostring(tree, method="html", encoding="utf-8", doctype="<!DOCTYPE html>"))


def _site(tree: Element, url: str | None) -> str:
    named = [flat(str(name)) for name in tree.xpath("//meta[@property='og:site_name']/@content")]
    host = (urlsplit(url or "").hostname or "").removeprefix("www.")
    return next(filter(None, named), host.partition(".")[0].title() or "The Example")


def cut(host: Host, paragraphs: int) -> Host:
    """The page with only its first paragraphs, as if its article were so short."""
    tree = parse(host.html)
    run = slots(tree, host.own, host.depth)
    kept, gone = host.own[:paragraphs], host.own[paragraphs:]
    _drop_data(tree, gone)
    parent = run[0].getparent()
    assert parent is not None
    for element in list(parent)[parent.index(run[paragraphs - 1]) + 1 : parent.index(run[-1]) + 1]:
        remove(element)
    return replace(host, id=f"{host.id}#{paragraphs}", html=serialise(tree), own=kept)


def remove(element: Element) -> None:
    """Take an element out, but not the text behind it."""
    before, parent = element.getprevious(), element.getparent()
    assert parent is not None
    if element.tail and before is not None:
        before.tail = (before.tail or "") + element.tail
    elif element.tail:
        parent.text = (parent.text or "") + element.tail
    element.tail = None
    parent.remove(element)


def _drop_data(tree: Element, gone: Sequence[str]) -> None:
    """Drop the page's data that still holds the text that was cut."""
    starts = [json.dumps(text, ensure_ascii=ascii)[1:31] for text in gone for ascii in (False, True)]
    for script in list(tree.iter("script")):
        text = script.text or ""
        if "articleBody" in text or any(start in text for start in starts):
            remove(script)


# ------------------------------------------------------------------ invented pages

NAMES = ("The Harbour Courier", "Nordlicht24", "La Gaceta del Valle", "Meridian Post", "Kurier 7")
ADDRESS = "https://www.{host}.example/2026/05/{day:02}/article-{day}.html"
LAYOUTS = (
    '<main><article class="story"><h1>{headline}</h1><div class="story-body">{body}</div></article></main>',
    '<div id="page"><div class="col-main"><h1 class="title">{headline}</h1><div class="text">{body}</div></div></div>',
    '<div class="wrap"><section class="post"><header><h1>{headline}</h1></header>{body}</section></div>',
)
PARAGRAPHS = ("<p>{}</p>", '<p class="text-m">{}</p>', '<p class="css-1q9kz">{}</p>')
PAGE = """<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><title>{headline} - {site}</title>
<meta property="og:site_name" content="{site}"><meta property="og:title" content="{headline}">
<meta property="og:type" content="article"><link rel="canonical" href="{url}">
<meta property="article:published_time" content="2026-05-{day:02}T08:15:00+02:00"></head><body>
<header class="masthead"><a href="/">{site}</a><nav><ul>{menu}</ul></nav></header>{main}
<footer><ul>{menu}</ul><p>© 2026 {site}</p></footer></body></html>"""


def invented(report: Reporting, layout: int) -> Host:
    """A page with the language's ordinary article; `layout` picks markup and name."""
    dice = random.Random(f"{report.language}{layout}")  # noqa: S311
    site, day = dice.choice(NAMES), 1 + layout
    url = ADDRESS.format(host=re.sub(r"\W", "", site).lower(), day=day)
    menu = "".join(f'<li><a href="/{word}/">{escape(word)}</a></li>' for word in words(report.headline)[:5])
    paragraph = PARAGRAPHS[layout % len(PARAGRAPHS)]
    body = "\n".join(paragraph.format(escape(text)) for text in report.article)
    headline = escape(report.headline)
    main = LAYOUTS[layout % len(LAYOUTS)].format(headline=headline, body=body)
    page = PAGE.format(
        language=report.language, headline=headline, site=escape(site), url=url, day=day, menu=menu, main=main
    )
    return Host(f"invented/{report.language}{layout}", report.language, site, page.encode(), url, report.article)
