from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.listing import MAX_SECTIONS, may_be_article, parse_listing
from crawler.discovery.shapes import Shapes
from crawler.items import Candidate
from crawler.sources import Articles, Source
from tests.discovery.documents import NOW

HOME = "https://www.herald.example/"
SOURCE = Source(id="herald", name="Herald", homepage=HOME)

SECTION = """<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/world/rss"></head><body>
<header><a href="/">Herald</a>
<nav><a href="/world">World</a><a href="/sport">Sport</a><a href="/login">Log in</a></nav></header>
<main><h1>World</h1>
<article><h2><a href="/world/2026/11/22/harbour-opens-after-delay?utm_source=w">Harbour opens after delay</a></h2>
  <time datetime="2026-11-22T10:00:00+01:00">Sunday</time> <a href="/tag/harbour">#harbour</a></article>
<article><h2><a href="/world/2024/01/05/storm-over-the-islands">Storm over the islands</a></h2>
  <time datetime="2024-01-05">5 January 2024</time></article>
<article><h2><a href="/live/2026/11/22/election-night-as-it-happened">Election night as it happened</a></h2></article>
<p><a href="/world?page=2" rel="next">Older</a> <a href="/video/today">Video</a>
<a href="https://elsewhere.example/2026/11/22/another-long-story">Another story of another paper</a></p></main>
<footer><a href="/about">About</a><a href="/science">Science</a><a href="/world?page=9">Last</a></footer>
</body></html>"""


def test_a_section_page() -> None:
    listing = parse_listing(SECTION.encode(), url=f"{HOME}world", source=SOURCE, shapes=Shapes(), now=NOW)
    first = listing.candidates[0]
    assert first == Candidate(
        url=f"{HOME}world/2026/11/22/harbour-opens-after-delay",
        source="herald",
        found_in="listing",
        found_at=f"{HOME}world",
        title="Harbour opens after delay",
        published_at=first.published_at,
    )
    assert first.published_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert [candidate.url.rpartition("/")[2] for candidate in listing.candidates] == [
        "harbour-opens-after-delay",
        "storm-over-the-islands",
        "election-night-as-it-happened",
    ]
    assert set(listing.sections) == {HOME, f"{HOME}sport", f"{HOME}science"}
    assert listing.next_page == f"{HOME}world?page=2"
    assert listing.feeds == (f"{HOME}world/rss",)


def test_what_the_seed_says_goes_first() -> None:
    def paths(**rules: tuple[str, ...]) -> list[str]:
        source = SOURCE.model_copy(update={"articles": Articles(**rules), "max_age_days": 30})
        listing = parse_listing(SECTION.encode(), url=f"{HOME}world", source=source, shapes=Shapes(), now=NOW)
        return [candidate.url.removeprefix(HOME) for candidate in listing.candidates]

    assert paths(deny=("/live/",)) == ["world/2026/11/22/harbour-opens-after-delay"]
    assert paths(allow=("/video/", "/live/")) == ["live/2026/11/22/election-night-as-it-happened", "video/today"]
    assert paths(allow=("elsewhere",)) == []


def test_denied_sections_are_not_followed() -> None:
    source = SOURCE.model_copy(update={"articles": Articles(allow=(r"/\d{4}/",), deny=("/sport",))})
    listing = parse_listing(SECTION.encode(), url=f"{HOME}world", source=source, shapes=Shapes(), now=NOW)
    assert set(listing.sections) == {HOME, f"{HOME}science"}


def test_sections_are_capped_best_first() -> None:
    names = [f"{one}{other}ad" for one in "abcdefghij" for other in "klmnopqrst"]
    page = "".join(f'<a href="/{name}">S</a>' for name in names) + '<nav><a href="/world">World</a></nav>'
    listing = parse_listing(page.encode(), url=HOME, source=SOURCE, shapes=Shapes())
    assert listing.sections[0] == f"{HOME}world"
    assert len(listing.sections) == MAX_SECTIONS


def test_entries_of_a_sitemap_of_pages() -> None:
    def keeps(path: str, source: Source = SOURCE, **hints: object) -> bool:
        candidate = Candidate(url=f"{HOME}{path}", source="herald", found_in="sitemap", **hints)  # type: ignore[arg-type]
        return may_be_article(candidate, source=source, shapes=Shapes())

    assert keeps("long-article-title-here")
    assert not keeps("about") and not keeps("world") and not keeps("tag/harbour")
    assert keeps("about", title="About") and keeps("world", published_at=NOW)  # a news sitemap's
    assert keeps("world", SOURCE.model_copy(update={"articles": Articles(allow=("world",))}))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_listing(body: bytes) -> None:
    parse_listing(body, url=HOME, source=SOURCE, shapes=Shapes())
