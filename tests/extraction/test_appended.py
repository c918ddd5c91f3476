"""The next article below the first is cut off; sections of one article, posts and boxes are not."""

from __future__ import annotations

import pytest

from crawler.extraction import extract
from tests.extraction.pages import PARAGRAPHS

URL = "https://post.example/2026/03/05/tunnel-a1"
OTHER = (
    "The two oldest ferries of the lake have been sold to a museum, which wants to keep one of them under steam and to"
    " show the other one on land from next summer on.",
    "Their engines were built in 1911 by a yard that no longer exists. The museum's director, Aron Pell, said that"
    " spare parts would have to be made by hand, one after the other.",
    "The company keeps four ships, all of them younger than thirty years. Timetables are to stay the same, it said, and"
    " nobody of the crew will lose their work because of the sale.",
)


def article(
    title: str, texts: tuple[str, ...], path: str = "", rank: str = "h1", attributes: str = "class='story'"
) -> str:
    words = "".join(f"<p>{text}</p>" for text in texts)
    heading = f"<a href='{path}'>{title}</a>" if path else title
    stamp = "<p class='byline'>By Ilse Marrow</p><time datetime='2026-03-05T12:00Z'>5 March 2026</time>"
    header = f"<header><{rank}>{heading}</{rank}>{stamp}</header>"
    return f"<article {attributes}>{header}<div class='text'>{words}</div></article>"


def body(*articles: str, head: str = "") -> tuple[str, set[str | None]]:
    html = f"<html><head><title>Tunnel to open</title>{head}</head><body><main>{''.join(articles)}</main></body></html>"
    found = extract(html.encode(), URL)
    return found.body, {block.rule for block in found.dropped}


FIRST = article("Tunnel to open", PARAGRAPHS)


@pytest.mark.parametrize(
    "second",
    [
        article("Ferries are sold", OTHER, "/2026/03/04/ferries-b2"),
        article("Ferries are sold", OTHER),
        article("Ferries are sold", OTHER, rank="h2"),
        article("Ferries are sold", OTHER, attributes="data-url='/2026/03/04/ferries-b2'"),
        f"<div class='next'>{article('Ferries are sold', OTHER)}</div>" * 2,
        f"<div class='next'><h1><a href='/ferries'>Ferries are sold</a></h1><p>{'</p><p>'.join(OTHER)}</p></div>",
    ],
)
def test_an_appended_article_is_cut(second: str) -> None:
    text, rules = body(FIRST, second)
    assert text == "\n".join(PARAGRAPHS)
    assert "appended-article" in rules


def test_a_header_apart_from_the_text() -> None:
    words = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)
    first = f"<header><h1>Tunnel to open</h1></header><div class='page'><div>{words}</div>"
    text, _ = body(first, article("Ferries are sold", OTHER, "/2026/03/04/ferries-b2"), "</div>")
    assert text == "\n".join(PARAGRAPHS)


@pytest.mark.parametrize(
    "section",
    [
        "<article><h1>The wells</h1>{}</article>",
        "<section><h1>Part two</h1>{}</section>",
        "<h1>2. The costs</h1>{}",
        "<article class='story'><h3>The costs</h3>{}</article>",
        "<div><h1>Tunnel to open</h1><time datetime='2026-03-05'></time>{}</div>",
    ],
)
def test_a_section_of_the_same_article_stays(section: str) -> None:
    words = "".join(f"<p>{text}</p>" for text in OTHER)
    text, rules = body(FIRST.removesuffix("</article>"), section.format(words), "</article>")
    assert "appended-article" not in rules
    assert all(words in text for words in PARAGRAPHS)


def test_the_publications_name_as_first_h1() -> None:
    text, rules = body("<header><h1><a href='/'>The Example Post</a></h1></header>", FIRST)
    assert text == "\n".join(PARAGRAPHS)
    assert "appended-article" not in rules
