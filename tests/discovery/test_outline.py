from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.discovery.anchors import MAX_ANCHORS, MAX_TAGS, anchors
from crawler.discovery.outline import MAX_LINKS, Link, outline

HOME = "https://www.herald.example/"


def links(html: str, url: str = HOME) -> dict[str, Link]:
    return {link.url.removeprefix(HOME): link for link in outline(html.encode(), url).links}


CARDS = """<!doctype html><html><body>
<header class="masthead"><a href="/">Herald</a><nav><ul><li><a href="/world">World</a></li></ul></nav></header>
<main>
  <article class="card"><a href="/world/bridge-opens-1"><img src="x.jpg" alt="A bridge"></a>
    <header><span class="kicker"><a href="/world">World</a></span><h2><a href="/world/bridge-opens-1?utm_source=home">
      Bridge opens <em>after</em> years</a></h2></header>
    <p>It took long. <a href="/world/bridge-opens-1#more">Read more</a></p>
    <time datetime="2026-05-03T10:00:00+02:00">yesterday</time></article>
  <article><h2><a href="/sport/cup-lost-2">Cup lost in the last minute</a></h2></article>
  <a class="teaser" href="/culture/opera-3"><h3>Opera without singers</h3><p>The house tries it out.</p>
    <time>4 May 2026</time></a>
</main>
<aside><a href="/opinion/no-more-bridges-4">No more bridges, says our columnist</a></aside>
<div id="site-footer" class="footer"><a href="/about">About us</a><a href="mailto:a@b.example">Mail</a>
  <a href="javascript:void(0)">Menu</a><a name="x">No address</a></div>
</body></html>"""


def test_cards_of_a_home_page() -> None:
    found = links(CARDS)
    assert list(found) == ["world", "world/bridge-opens-1", "sport/cup-lost-2", "culture/opera-3",
                           "opinion/no-more-bridges-4", "about"]  # fmt: skip
    bridge = found["world/bridge-opens-1"]
    assert (bridge.text, bridge.region, bridge.heading, bridge.count) == ("Bridge opens after years", "main", True, 3)
    assert (bridge.dated, bridge.published) == (True, "2026-05-03T10:00:00+02:00")
    cup = found["sport/cup-lost-2"]
    assert (cup.heading, cup.dated, cup.published) == (True, False, None)
    opera = found["culture/opera-3"]
    assert (opera.text, opera.heading, opera.published) == ("Opera without singers", True, "4 May 2026")
    assert found["opinion/no-more-bridges-4"].region == "aside"
    assert found["about"].region == "footer"
    assert found["world"].region == "main" and found["world"].text == "World" and not found["world"].dated


@pytest.mark.parametrize(
    ("markup", "region"),
    [
        ("<nav>{}</nav>", "nav"),
        ('<div role="navigation">{}</div>', "nav"),
        ('<ul class="main-menu">{}</ul>', "nav"),
        ('<ol class="breadcrumb">{}</ol>', "nav"),
        ("<header>{}</header>", "header"),
        ("<article><header>{}</header></article>", "main"),
        ("<main><article><footer>{}</footer></article></main>", "main"),
        ("<footer>{}</footer>", "footer"),
        ('<div class="sidebar right">{}</div>', "aside"),
        ('<div class="unavoidable">{}</div>', "main"),
        ("<div><div>{}</div></div>", "main"),
    ],
)
def test_regions(markup: str, region: str) -> None:
    assert links(markup.format('<a href="/a">A</a>'))["a"].region == region


@pytest.mark.parametrize(
    "markup",
    [
        "<table><tr><td class='datum'>03.05.2026</td><td>{}</td></tr></table>",
        "<dl><dt><time datetime='2026-05-03'>3.5.</time></dt><dd>{}</dd></dl>",
        "<ul><li><div class=text>{}</div><div class=meta><span class='post-date'>3 May</span></div></li></ul>",
        "<div><h3>{}</h3></div><p><time>3 May 2026</time></p>",
    ],
)
def test_a_date_belongs_to_the_headline_beside_it(markup: str) -> None:
    headline = '<a href="/{0}">A headline of some words {0}</a>'
    found = links("".join(markup.format(headline.format(number)) for number in (1, 2)))
    assert found["1"].dated and found["2"].dated
    alone = links(f"<ul><li>{headline.format(1)}</li></ul>" + markup.format(headline.format(2)))
    assert not alone["1"].dated and alone["2"].dated


def test_a_page_with_a_base_element() -> None:
    page = '<head><base href="/en/"><link rel=alternate type=application/rss+xml href=rss></head><a href="story">S</a>'
    found = outline(page.encode(), "https://www.herald.example/de/x")
    assert [link.url for link in found.links] == ["https://www.herald.example/en/story"]
    assert found.feeds == ("https://www.herald.example/en/rss",)


@pytest.mark.parametrize(
    "html",
    [
        '<meta charset="windows-1251"><a href="/a">Мост открыт</a>'.encode("cp1251"),
        '<meta charset="iso-8859-1"><a href="/a">Мост открыт</a>'.encode(),
        '<a href="/a">Мост открыт</a>'.encode("utf-16"),
    ],
)
def test_encodings(html: bytes) -> None:
    assert outline(html, HOME).links[0].text == "Мост открыт"


def test_anchors_that_nobody_closed() -> None:
    found = links(
        '<p><a href="/a">One<p><a href="/b">Two<div><a href="/c"><img alt="Three"></a><a href="/d" title=Four>'
    )
    assert {url: link.text for url, link in found.items()} == {"a": "One", "b": "Two", "c": "Three", "d": "Four"}


def test_what_is_not_shown_is_not_said() -> None:
    found = links('<a href="/a"><style>.x{}</style><svg><title>icon</title></svg>Bridge<script>x()</script></a>')
    assert found["a"].text == "Bridge"


def test_a_hundred_thousand_links() -> None:
    html = b"".join(b'<p><a href="/story-%d">A headline of four words</a></p>' % number for number in range(100_000))
    assert len(anchors(html).found) == MAX_ANCHORS
    assert len(outline(html, HOME).links) == MAX_LINKS
    assert len(links("".join(f'<a href="/{number % 3}">x</a>' for number in range(MAX_LINKS + 3)))) == 3


@pytest.mark.parametrize(
    "opening", ["<div>", "<a href=/x>", "<h2><b>", "<time>1", "<ul><li>", "<article><time datetime=1>"]
)
def test_a_page_may_be_as_deep_as_it_likes(opening: str) -> None:
    html = opening * 100_000 + "<a href=/deep>The last of all headlines</a>"
    read = anchors(html.encode())
    assert len(read.found) <= MAX_ANCHORS
    assert all(len(anchor.says) < 2_000 for anchor in read.found)
    if opening != "<a href=/x>":
        assert read.found[-1].href == "/deep"


def test_no_more_than_so_many_tags_are_read() -> None:
    before, after = b"<a href=/early>x</a>", b"<a href=/late>x</a>"
    assert len(anchors(before + b"<p>" * (MAX_TAGS - 4) + after).found) == 2
    assert len(anchors(before + b"<p>" * MAX_TAGS + after).found) == 1


def test_long_texts_are_cut() -> None:
    found = links(f'<a href="/a">{"word " * 100_000}</a><a href="/b" title="{"w" * 100_000}"></a>')
    assert all(len(link.text) <= 500 for link in found.values())


@settings(max_examples=200)
@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_have_an_outline(body: bytes, url: str) -> None:
    outline(body, url)
    outline(b"<a href=" + body, HOME)
    outline(b'<base href="' + body + b'"><time><a rel=next href=x?' + body + b">", HOME)


TAGS = st.sampled_from(["a", "h2", "time", "div", "ul", "li", "article", "nav", "footer", "header", "aside", "p", "td"])


@given(st.lists(st.tuples(TAGS, st.booleans()), max_size=60))
def test_any_soup_keeps_its_links(soup: list[tuple[str, bool]]) -> None:
    html = "".join(f"<{'/' if closing else ''}{tag}{'' if closing else ' href=/' + tag}>x" for tag, closing in soup)
    found = {link.url for link in outline(html.encode(), HOME).links}
    assert found == ({f"{HOME}a"} if any(tag == "a" and not closing for tag, closing in soup) else set())
