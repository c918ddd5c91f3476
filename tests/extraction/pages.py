"""Pages of an invented paper whose templates look like those of the site that this project began with."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

from tests.extraction.letters import LETTERS

URL = "https://post.example/2026/03/05/tunnel-a1234"
HEADLINE = "Mountain Tunnel ‘Ready by Winter’ as Last Metres Are Dug"
CAPTION = "Chief engineer Odile Varn at the northern portal."
CREDIT = "Example Roads / picture desk (CC BY 4.0)"
PARAGRAPHS = (
    "Chief engineer Odile Varn said on Thursday that the last forty metres of the Karst tunnel would be dug by May and"
    " that the road through the mountain would open before the first snow.",
    "“We have met harder rock than anybody expected,” Varn told reporters at the northern portal, where two hundred"
    " workers were changing shifts.",
    "The tunnel, eleven kilometres long, is to replace a pass that is closed for five months of every year. It was"
    " begun in 2017 and has cost twice what the regional parliament granted.",
    "Villagers on the southern side have seen their wells fall dry since the digging reached the limestone. The road"
    " authority has promised a pipeline, which is to be paid for out of the toll.",
    "Hauliers welcomed the news. Their association reckons that a lorry will save ninety minutes on each crossing and"
    " some twenty litres of fuel.",
    "The opposition asked for an inquiry into the costs. The minister of transport answered that every invoice had"
    " been published and that nobody had found an error so far.",
)
POINTER = "Pass road to close for repairs in the third week of June"
Place = Literal["container", "hashed", "end", "middle", "top"]
PLACES: tuple[Place, ...] = ("container", "hashed", "end", "middle", "top")


def shortened(characters: int) -> list[str]:
    """The first so many characters of the article, by paragraphs."""
    texts: list[str] = []
    for paragraph in PARAGRAPHS:
        room = characters - sum(map(len, texts))
        if room > 0:
            texts.append(paragraph[:room].strip())
    return texts


def page(paragraphs: Sequence[str], place: Place = "container", language: str = "en") -> bytes:
    """The article's page with the letter of a language at a place."""
    letter = LETTERS[language]
    texts = _elements(paragraphs)
    if len(texts) > 4:
        aside = f'<aside class="post__related"><a href="/2026/03/01/x"><span>Read more</span> {POINTER}</a></aside>'
        texts.insert(3, aside)
    at = {"end": len(texts), "middle": len(texts) // 2, "top": 0}.get(place)
    if at is not None:
        texts[at:at] = _elements(letter)
    boxed = _banner(letter, "x9f2k" if place == "hashed" else "contribute-banner") if at is None else ""
    return _TEMPLATE.format(
        language=language,
        headline=escape(HEADLINE),
        caption=CAPTION,
        credit=CREDIT,
        text="\n".join(texts),
        banner=boxed,
    ).encode()


def _elements(texts: Sequence[str]) -> list[str]:
    return [f"<p>{escape(text, quote=False)}</p>" for text in texts]


def _banner(letter: Sequence[str], name: str) -> str:
    prose, label, *buttons = letter[:3], *letter[3:]
    links = "".join(f'<div class="{name}__button"><a href="/give">{text}</a></div>' for text in buttons)
    return (
        f'<div class="{name}"><div class="{name}__text">{"".join(_elements(prose))}</div>'
        f'<div class="{name}__methods">{label}</div>{links}</div>'
    )


_TEMPLATE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<title>{headline} - The Example Post</title><meta property="og:title" content="{headline} - The Example Post">
<meta property="og:site_name" content="The Example Post"><link rel="canonical" href="/2026/03/05/tunnel-a1234">
<script type="application/ld+json">{{"@context": "http://schema.org", "@type": "NewsArticle", "headline": "{headline}",
"datePublished": "2026-03-05T12:05:00+03:00", "dateModified": "2026-03-05T12:25:00+03:00", "isAccessibleForFree": true,
"author": {{"@type": "Person", "name": "Ilse Marrow"}},
"publisher": {{"@type": "Organization", "name": "The Example Post"}}}}
</script></head><body class="article-item"><header class="site-header"><div class="contribute-teaser">
<p>Support The Example Post!</p><a href="/give">Contribute today</a></div>
<nav><ul><li><a href="/news">News</a></li><li><a href="/opinion">Opinion</a></li></ul></nav></header>
<article><div class="container" id="post-1234"><header class="post__header"><h1>{headline}</h1></header>
<div class="byline"><a href="/author/im">By Ilse Marrow</a>
<time datetime="2026-03-05T12:05:00+03:00">March 5, 2026</time></div>
<figure class="post__image"><img src="https://static.post.example/image/1.jpg"><figcaption>
<span class="post__image__caption">{caption}</span>
<span class="post__image__credits">{credit}</span></figcaption></figure>
<div class="post__content-container"><div class="post__content">
<div class="post__block post__block--html">{text}</div></div>
<div class="post__tags">Read more about: <a href="/tag/roads">Roads</a>, <a href="/tag/karst">Karst</a></div></div>
{banner}</div><section class="cluster"><div class="cluster__label"><h2>Read more</h2></div><div class="excerpt">
<a href="/2026/03/02/z"><h3>Ferry company sells its two oldest ships</h3><p>The buyer, a museum on the other side of the
lake, wants to keep one of them under steam and to show the other one on land.</p></a></div></section></article>
<footer><p>© The Example Post, all rights reserved.</p></footer></body></html>"""
