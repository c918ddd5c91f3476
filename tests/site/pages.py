"""Whole pages: an article in its paper's template, the home page, the listing, and what is no article."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tests.site import parts
from tests.site.article import Article
from tests.site.head import article_head, page_head
from tests.site.parts import box, carried, words
from tests.site.publication import Publication
from tests.site.skin import css


def article_page(article: Article, base: str, chrome: tuple[str, str] = ("", "")) -> str:
    """The article's page. `chrome` goes above and below it: menus, teasers, scripts."""
    template = {"kurier": _kurier, "courrier": _courrier}.get(article.publication.key, _herald)
    return (
        f'<!DOCTYPE html>\n<html lang="{article.language}">{article_head(article, base)}'
        f'<body class="{css(article.publication.key, "page")}">{_consent(article)}{_masthead(article, base)}{chrome[0]}'
        f"{template(article, base)}{chrome[1]}{footer(article.publication, base)}</body></html>"
    )


def _consent(article: Article) -> str:
    texts = words(article, "consent")
    return carried(article, "cookie", box(article, "consent", texts[:1], texts[1:]))


def _masthead(article: Article, base: str) -> str:
    teaser = carried(article, "support-teaser", box(article, "teaser", words(article, "teaser")))
    banner = words(article, "banner")
    strip = carried(article, "support-banner", box(article, "banner", banner[:1], banner[1:]))
    return menu(article.publication, base, teaser) + strip


def _after_text(article: Article) -> str:
    """Gate, letter, author's note and small print, each if the page carries it."""
    gate, bio = words(article, "paywall"), words(article, "bio")
    return (
        carried(article, "paywall", box(article, "paywall", gate[:-1], gate[-1:]))
        + carried(article, "bio", box(article, "bio", bio, tag="aside"))
        + carried(article, "legal", box(article, "legal", words(article, "legal")))
        + carried(
            article,
            "support-letter",
            box(article, "letter", words(article, "letter"), words(article, "letter_buttons")),
        )
    )


def _herald(article: Article, base: str) -> str:
    """Everything within the <article>, the letter and the river of teasers too."""
    return (
        f'<main><article><div class="story" id="story-{len(article.slug)}">{parts.headline(article)}'
        f"{parts.byline(article)}{parts.figure(article, base)}{parts.share(article)}"
        f'<div class="{css("herald", "text")}-wrap"><div class="{css("herald", "text")}">'
        f'<div class="{css("herald", "chunk")}">{parts.text(article, base)}</div></div></div>'
        f"{_after_text(article)}{parts.river(article, base)}</div></article></main>"
    )


def _kurier(article: Article, base: str) -> str:
    """Hashed class names, no <article>, the picture above the headline."""
    return (
        f'<div id="app"><div class="{css("kurier", "chunk")}">{parts.figure(article, base)}{parts.headline(article)}'
        f"{parts.share(article)}{parts.byline(article)}"
        f'<div class="{css("kurier", "text")}">{parts.text(article, base)}</div>{_after_text(article)}</div>'
        f"{parts.river(article, base)}</div>"
    )


def _courrier(article: Article, base: str) -> str:
    """A letter beside the text's container rather than below it; teasers in an <aside>."""
    return (
        f'<main id="contenu"><article class="{css("courrier", "chunk")}">{parts.headline(article)}'
        f"{parts.figure(article, base)}{parts.byline(article)}{parts.share(article)}"
        f'<div class="{css("courrier", "text")}">{parts.text(article, base)}</div></article>'
        f"{_after_text(article)}<aside>{parts.river(article, base)}</aside></main>"
    )


def menu(publication: Publication, base: str, teaser: str = "") -> str:
    return (
        f'<header class="masthead"><a href="{base}/">{escape(publication.name)}</a>{teaser}'
        f'<nav><ul><li><a href="{base}/latest">Latest</a></li><li><a href="{base}/about">About</a></li></ul></nav>'
        "</header>"
    )


def footer(publication: Publication, base: str) -> str:
    return f'<footer><p>© 2026 {escape(publication.name)}</p><a href="{base}/about">Imprint</a></footer>'


def plain_page(publication: Publication, base: str, title: str, content: str) -> str:
    """A page that is no article: no JSON-LD, no og:type."""
    return (
        f'<!DOCTYPE html>\n<html lang="{publication.language}">{page_head(publication, base, title)}<body>'
        f"{menu(publication, base)}<main><h1>{escape(title)}</h1>{content}</main>{footer(publication, base)}"
        "</body></html>"
    )


def teasers(articles: Iterable[Article], base: str) -> str:
    """The list on the home page and on the listing."""
    return "".join(
        f'<div class="teaser"><h2><a href="{base}{article.path}">{escape(article.headline)}</a></h2>'
        f"<p>{escape(article.standfirst or '')}</p></div>"
        for article in articles
    )
