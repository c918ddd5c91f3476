"""What a page shows that tells its type: each sign a figure from 0 (not seen) to 1, for `pagetype` to weigh.

The words are data (`rules/pagetypes.yaml`). Signs of pages that are no articles are looked for only where there is
little text: an ordinary article pays nothing for them, and an article about cookies or robots shows none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from lxml.etree import _Element as Element

from crawler.extraction import jsonld
from crawler.extraction.rules import CLOSING, folded, loaded
from crawler.extraction.segment import Piece
from crawler.items import Access

Signs = dict[str, float]
TEASER = 200  # characters; teasers are shorter, and nearly every article has a paragraph that is longer
PROSE = 150  # words of running text; an article of the usual kind has more
THIN = 120  # words
NO_TEXT = 20  # characters
BARE = 250  # words of everything on a page, menus included; a challenge page has nothing else
SMALL = 1_500  # words on a page in which phrases are looked for
RUNNING = frozenset(("paragraph", "list", "quote"))
UNDER = 2  # blocks under a linked headline
HEADLINES = 8  # linked headlines; that many make a list
PICTURES = 8
MANY_ARTICLES = 4  # records in JSON-LD
CODE = 3_000  # characters of an inline script that are looked at
_PARTS = re.compile(r"\s+[|–—•·»:-]{1,2}\s+|[|:!?.]\s+|[!?.…]+$")
_LIVE = re.compile(r"(?:^|\W)live(?:\s*[:|–—-]|$)")
_LISTING_TYPES = {"CollectionPage", "SearchResultsPage", "ProfilePage"}
_GALLERY_TYPES = {"ImageGallery", "MediaGallery"}


@dataclass(kw_only=True)
class View:
    """All that the type of a page is judged by; `pieces` are decided already."""

    tree: Element
    pieces: Sequence[Piece]
    nodes: Sequence[jsonld.Node]
    url: str | None = None
    headline: str | None = None
    published: str = ""  # where the publication's date was found
    access: Access = "unknown"
    posts: int = 0
    metas: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        head = self.tree.find("head")
        self.metas = _metas(head) if head is not None else {}
        if "og:type" not in self.metas:  # broken markup before them: the parser has put them into the body
            self.metas = _metas(self.tree)


def _metas(root: Element) -> dict[str, str]:
    return {
        name.lower(): (meta.get("content") or "").lower()
        for meta in root.iter("meta")
        if (name := meta.get("property") or meta.get("name"))
    }


@cache
def words_of(kind: str, where: str) -> tuple[str, ...]:
    """The folded phrases of all languages for one type and place."""
    return tuple(dict.fromkeys(folded(text) for language in _data()[kind][where] for text in _listed(language)))


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = loaded("pagetypes.yaml")
    return data


@cache
def _urls() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(regex, re.IGNORECASE) for name, regex in _data()["urls"].items()}


def weights() -> dict[str, dict[str, float]]:
    """Type -> sign -> weight."""
    table: dict[str, dict[str, float]] = _data()["weights"]
    return table


def signs(view: View) -> Signs:
    """Every sign of a page that is above 0."""
    found = {"bias": 1.0, **_declared(view), **_of_url(view.url)}
    found.update(_text(view, found))
    found.update(_looks(view, found))
    return {name: value for name, value in found.items() if value}


# -- what the page says of itself ---------------------------------------------------------------------------------


def _declared(view: View) -> Signs:
    kinds = [jsonld.types(node) for node in view.nodes]
    articles = sum(bool(kind & jsonld.ARTICLE_TYPES) for kind in kinds)
    every = set().union(*kinds) if kinds else set()
    own = 0 < articles < MANY_ARTICLES
    og_type = view.metas.get("og:type", "")
    return {
        "declared": max(float(own), 0.6 * ("article" in og_type)),
        "many_articles": float(articles >= MANY_ARTICLES),
        "published": float(view.published.startswith(("jsonld:", "meta:", "microdata"))),
        "dated": float(bool(view.published)),
        "live_declared": float("LiveBlogPosting" in every),
        "listing_declared": float(bool(every & _LISTING_TYPES)) * (0.4 if own else 1),
        "gallery_declared": float("gallery" in og_type or bool(every & _GALLERY_TYPES and not own)),
        "video_declared": float(og_type.startswith("video") or ("VideoObject" in every and not own)),
        "video_node": float("VideoObject" in every),
    }


def _of_url(url: str | None) -> Signs:
    if not url:
        return {}
    found = {name: float(bool(regex.search(url))) for name, regex in _urls().items()}
    if found["article_url"]:
        found["section_url"] = 0.0
    return found


def calls_itself_live(tree: Element, nodes: Sequence[jsonld.Node], url: str | None) -> bool:
    """Whether a page's record, address or title says that it is a live blog."""
    if any("LiveBlogPosting" in jsonld.types(node) for node in nodes):
        return True
    if url and _urls()["live_url"].search(url):
        return True
    found = (tree.find(".//title"), next(tree.iter("h1"), None))
    heads = [folded(" ".join(map(str, element.itertext()))) for element in found if element is not None]
    return _in_title(heads, "live_blog") > 0 or any(_LIVE.search(head) for head in heads)


# -- what is on it -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Survey:
    """What one pass over the blocks shows."""

    prose: list[Piece] = field(default_factory=list)  # kept running text that is no teaser
    kept: int = 0  # characters
    linked: int = 0  # characters of blocks that are links
    under: int = 0  # characters of kept text right under a linked headline: a teaser's
    headlines: int = 0  # headings that are links to other pages
    pictures: int = 0


def _survey(view: View) -> _Survey:
    own = {folded(text) for text in (view.headline, view.metas.get("og:title")) if text}
    seen, since = _Survey(), UNDER
    for piece in view.pieces:
        linked = piece.link_chars > 0 and piece.link_density > 0.8
        if piece.level:
            away = linked and piece.level > 1 and folded(piece.text) not in own
            seen.headlines += away
            since = 0 if away else UNDER
        else:
            since += 1
        if linked:
            seen.linked += len(piece.text) if piece.words >= 4 else 0
        if piece.kept:
            _count_kept(seen, piece, teaser=since <= UNDER)
        seen.pictures += piece.kind == "caption" or piece.rule == "figure-caption"
    return seen


def _count_kept(seen: _Survey, piece: Piece, *, teaser: bool) -> None:
    seen.kept += len(piece.text)
    if piece.kind in RUNNING and piece.link_density < 0.5:
        if teaser:
            seen.under += len(piece.text)
        else:
            seen.prose.append(piece)


def _text(view: View, found: Signs) -> Signs:
    seen = _survey(view)
    certain = found["declared"] and found["published"]
    prose = seen.prose if certain else [piece for piece in seen.prose if not _is_consent(piece)]
    words, characters = sum(piece.words for piece in prose), sum(len(piece.text) for piece in prose)
    truncated = view.access == "truncated"
    return {
        "prose": min(1.0, words / PROSE),
        "thin": max(0.0, 1 - words / THIN),
        "long_paragraph": float(any(len(piece.text) >= TEASER for piece in prose)),
        "linked_headlines": min(1.0, seen.headlines / HEADLINES),
        "teasers": seen.linked / (seen.linked + characters + TEASER),
        "teaser_text": seen.under / max(1, seen.kept),
        "pictures": min(1.0, seen.pictures / PICTURES) * max(0.0, 1 - words / 40 / (seen.pictures + 1)),
        "posts": min(1.0, view.posts / 3),
        "no_text": float(seen.kept < NO_TEXT),
        "no_headline": float(not view.headline),
        "truncated": float(truncated),
        "stub": min(1.0, max(0.0, 2 - words / 75)) if truncated else 0.0,
    }


def _is_consent(piece: Piece) -> bool:
    if piece.words < 5:
        return False
    text = folded(piece.text)
    return sum(phrase in text for phrase in words_of("consent_wall", "texts")) >= 2


# -- what pages that are no articles look like ---------------------------------------------------------------------


def _looks(view: View, found: Signs) -> Signs:
    heads = _titles(view)
    live = any(_LIVE.search(head) for head in heads)
    looks = {"live_title": max(float(live), _in_title(heads, "live_blog"))}
    every = sum(piece.words for piece in view.pieces)
    thin = found["thin"] > 0 or found["no_text"]
    if not thin or (every > SMALL and found["declared"] and found["published"]):
        return looks
    looks["player"] = float("og:video" in view.metas or next(view.tree.iter("video"), None) is not None)
    looks["bare"] = max(0.0, 1 - every / BARE)
    looks["lost_title"] = _in_title(heads, "soft_404")
    looks["bot_title"] = _in_title(heads, "bot_challenge")
    looks["consent_title"] = _in_title(heads, "consent_wall")
    return looks | _phrases(view, every) | _scripts(view.tree)


def _titles(view: View) -> list[str]:
    title = view.tree.find(".//title")
    ones = [piece.text for piece in view.pieces if piece.level == 1][:2]
    return [folded(text) for text in (title.text if title is not None else "", *ones) if text]


def _in_title(heads: Sequence[str], kind: str) -> float:
    parts = {part.strip(CLOSING) for head in heads for part in (head, *_PARTS.split(head))}
    phrases = words_of(kind, "titles")
    if not parts.isdisjoint(phrases):
        return 1.0
    longer = [phrase for phrase in phrases if len(phrase) >= 8]
    return 0.8 * any(
        part.startswith(phrase) and len(part) < len(phrase) + 30 for part in parts for phrase in longer if part
    )


def _phrases(view: View, every: int) -> Signs:
    if every > SMALL:
        return {}
    texts = [folded(piece.text) for piece in view.pieces]
    texts += [folded(" ".join(map(str, element.itertext()))[:CODE]) for element in view.tree.iter("noscript")]
    whole = " ".join(texts)
    buttons = sum(text.strip(CLOSING) in words_of("consent_wall", "labels") for text in texts)
    buttons += sum(_button(element) in words_of("consent_wall", "labels") for element in view.tree.iter("input"))
    return {
        "bot_text": min(1.0, _count(whole, "bot_challenge") / 2) if every < BARE else 0.0,
        "lost_text": min(1.0, _count(whole, "soft_404")),
        "consent_text": _consent(texts, [piece.words for piece in view.pieces]),
        "consent_labels": min(1.0, buttons / 2),
    }


def _button(element: Element) -> str:
    return folded(element.get("value") or "").strip(CLOSING)


def _count(text: str, kind: str) -> int:
    return sum(phrase in text for phrase in words_of(kind, "texts"))


def _consent(texts: Sequence[str], words: Sequence[int]) -> float:
    """Share of the page's sentences that speak of consent; one phrase alone is a footer's."""
    phrases = words_of("consent_wall", "texts")
    long = [(text, count) for text, count in zip(texts, words, strict=False) if count >= 5]
    hits = [(sum(phrase in text for phrase in phrases), count) for text, count in long]
    if sum(number for number, _ in hits) < 3:
        return 0.0
    return sum(count for number, count in hits if number) / max(1, sum(count for _, count in long))


def _scripts(tree: Element) -> Signs:
    bot, consent = words_of("bot_challenge", "scripts"), words_of("consent_wall", "scripts")
    found: Signs = {}
    for element in tree.iter("script", "iframe", "form", "div", "section"):
        text = " ".join(
            filter(None, (element.get("src"), element.get("action"), element.get("id"), element.get("class")))
        )
        text = (text + (element.text or "")[:CODE] if element.tag == "script" else text).lower()
        for name, parts in (("bot_script", bot), ("consent_script", consent)):
            if name not in found and any(part in text for part in parts):
                found[name] = 1.0
    return found
