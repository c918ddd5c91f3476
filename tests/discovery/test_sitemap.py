from __future__ import annotations

import gzip
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.sitemap import MAX_URLS, SubSitemap, parse_sitemap
from crawler.errors import FeedError
from crawler.items import Candidate
from tests.discovery.documents import NOW, source

SITEMAP_URL = "https://herald.example/maps/sitemap.xml"
SPACES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" xmlns:xhtml="http://www.w3.org/1999/xhtml"'
)


def parse(body: bytes | str, max_age_days: int | None = None, **limits: int) -> list[Candidate | SubSitemap]:
    body = body.encode() if isinstance(body, str) else body
    return list(parse_sitemap(body, url=SITEMAP_URL, source=source(max_age_days), now=NOW, **limits))


def paths(found: list[Candidate | SubSitemap]) -> list[str]:
    return [one.url.removeprefix("https://herald.example") for one in found]


def urlset(inner: str, prologue: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    return f"{prologue}<urlset {SPACES}>{inner}</urlset>"


def entry(loc: str, rest: str = "") -> str:
    return f"<url><loc>{loc}</loc>{rest}</url>\n"


NEWS = """<news:news><news:publication><news:name>Herald</news:name><news:language>en</news:language></news:publication>
    <news:publication_date>2026-11-22T10:00:00+01:00</news:publication_date><news:title>Rain &amp; wind</news:title>
    </news:news>"""
IMAGE = "<image:image><image:loc>https://img.example/1.jpg</image:loc><image:title>No title</image:title></image:image>"
OTHER = '<xhtml:link rel="alternate" hreflang="de" href="https://herald.example/de"/>'


# --- formats -------------------------------------------------------------------------------------------------------


def test_news_sitemap() -> None:
    body = urlset(f"<url>{IMAGE}{OTHER}<loc> https://herald.example/a </loc><lastmod>2026-11-23</lastmod>{NEWS}</url>")
    assert parse(body) == [
        Candidate(
            url="https://herald.example/a",
            source="herald",
            found_in="sitemap",
            found_at=SITEMAP_URL,
            title="Rain & wind",
            published_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
            modified_at=datetime(2026, 11, 23, tzinfo=UTC),
        )
    ]


def test_sitemap_index() -> None:
    body = f"""<sitemapindex {SPACES}>
        <sitemap><loc>/maps/1.xml.gz</loc><lastmod>2026-11-22T10:00:00Z</lastmod></sitemap>
        <sitemap><loc>https://herald.example/video/2.xml</loc></sitemap></sitemapindex>"""
    assert parse(body, max_age_days=7) == [
        SubSitemap(url="https://herald.example/maps/1.xml.gz", modified_at=datetime(2026, 11, 22, 10, tzinfo=UTC)),
        SubSitemap(url="https://herald.example/video/2.xml"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        "<urlset><url><loc>/a</loc></url></urlset>",
        '<urlset xmlns="http://www.google.com/schemas/sitemap/0.84"><url><loc>/a</loc></url></urlset>',
        '<s:urlset xmlns:s="urn:any"><s:url><s:loc>/a</s:loc></s:url></s:urlset>',
        "<s:urlset><s:url><s:loc>/a</s:loc></s:url></s:urlset>",
        '<?xml-stylesheet type="text/xsl" href="/x.xsl"?><!-- made by us --><urlset><url><loc>/a</loc></url></urlset>',
        "<urlset><url><loc><![CDATA[/a]]></loc></url></urlset>",
        "<URLSET><url><loc>/a</loc></url></URLSET>",
    ],
)
def test_any_namespace_or_none(body: str) -> None:
    assert paths(parse(body)) == ["/a"]


def test_plain_text() -> None:
    body = "\ufeffhttps://herald.example/a\r\n\r\nhttps://herald.example/b?x=1&y=2\nnonsense\nhttps://herald.example/c"
    assert paths(parse(body)) == ["/a", "/b?x=1&y=2", "/c"]


def test_plain_text_longer_than_a_chunk() -> None:
    body = "".join(f"https://herald.example/{number:06}\n" for number in range(30_000))
    assert paths(parse(body)) == [f"/{number:06}" for number in range(30_000)]


def test_feeds_in_a_sitemaps_place() -> None:
    atom = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="/a"/></entry></feed>'
    rss = '<?xml version="1.0"?><rss version="2.0"><channel><item><link>/a</link></item></channel></rss>'
    json = '{"version": "https://jsonfeed.org/version/1", "items": [{"url": "/a", "content_html": "<urlset>"}]}'
    for body in (atom, rss, json):
        assert paths(parse(body)) == ["/a"]
    assert paths(parse(gzip.compress(rss.encode()))) == ["/a"]


def test_an_empty_sitemap_is_a_sitemap() -> None:
    assert parse("<urlset/>") == parse(urlset("")) == parse("<sitemapindex></sitemapindex>") == []


def test_titles_are_unescaped_twice_and_locations_only_where_it_is_meant() -> None:
    news = "<news:news><news:title>A&amp;eacute;B &#38;amp; <![CDATA[C & D &lt;]]></news:title></news:news>"
    (candidate,) = parse(urlset(entry("/a?x=1&#38;y=2&#x26;z=3&#xD800;&amp;copy=4", news)))
    assert isinstance(candidate, Candidate)
    assert candidate.title == "AéB & C & D <"
    assert paths([candidate]) == ["/a?x=1&y=2&z=3%EF%BF%BD&copy=4"]


def test_gzip_of_several_members() -> None:
    packed = gzip.compress(b"<urlset>") + gzip.compress(entry("/a").encode()) + gzip.compress(b"</urlset>") + b"garbage"
    assert paths(parse(packed)) == ["/a"]


# --- selection -----------------------------------------------------------------------------------------------------


def test_unwanted_old_and_repeated_candidates_are_left_out() -> None:
    body = urlset(
        entry("/video/1")
        + entry("/old", "<lastmod>2026-10-01</lastmod>")
        + entry("/touched", "<lastmod>2026-11-23</lastmod>" + NEWS.replace("2026-11-22", "2020-11-22"))
        + entry("/new", "<lastmod>2026-11-22</lastmod>")
        + entry("/new?utm_source=x")
        + entry("/undated", "<lastmod>soon</lastmod>")
        + entry("javascript:void(0)")
    )
    assert paths(parse(body, max_age_days=7)) == ["/new", "/undated"]
    assert paths(parse(body)) == ["/old", "/touched", "/new", "/undated"]


def test_fifty_thousand_urls() -> None:
    assert len(parse(urlset("".join(entry(f"/{number}") for number in range(MAX_URLS + 10))))) == MAX_URLS


def test_no_tree_is_kept() -> None:
    body = urlset("".join(entry("/a", f"<priority>{number}</priority>") for number in range(20_000))).encode()
    tracemalloc.start()
    try:
        assert paths(parse(body)) == ["/a"]
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


# --- gzip ----------------------------------------------------------------------------------------------------------


def test_gzip_whole_truncated_and_broken() -> None:
    body = urlset("".join(entry(f"/{number}") for number in range(5_000))).encode()
    packed = gzip.compress(body)
    assert len(parse(packed)) == 5_000
    cut = paths(parse(packed[: len(packed) // 2]))
    assert 0 < len(cut) < 5_000
    assert cut == [f"/{number}" for number in range(len(cut))]
    broken = packed[: len(packed) // 2] + b"\xff" * 100 + packed[len(packed) // 2 :]
    assert len(parse(broken)) > 0


def test_a_gzip_bomb_is_unpacked_to_the_limit_only() -> None:
    packed = gzip.compress(urlset(entry("/a") + " " * 100_000_000 + entry("/b")).encode())
    tracemalloc.start()
    try:
        assert paths(parse(packed, max_bytes=2_000_000)) == ["/a"]
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


# --- broken and hostile --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        urlset(entry("/a") + entry("/b?x=1&y=2&copy=3")),
        urlset(entry("/a") + entry("/b?x=1&amp;amp;y=2&amp;amp;copy=3")),
        urlset(entry("/a") + entry("<![CDATA[/b?x=1&y=2&copy=3]]>")),
        urlset("<url><loc>/a</loc><url><loc>/b?x=1&y=2&copy=3</loc></url>"),
        urlset("<url><loc>/a</url>" + entry("/b?x=1&y=2&copy=3")),
        urlset(entry("/a") + entry("/b?x=1&y=2&copy=3")).removesuffix("</urlset>") + "<url><loc>/half",
        urlset(entry("/a\x00", "\x0b\x1f") + entry("/b?x=1&y=2&copy=3")),
        "Notice: undefined index\n" + urlset(entry("/a") + entry("/b?x=1&y=2&copy=3")),
        urlset(entry("/a", "<video:x>&nbsp;&eacute;</video:x>") + entry("/b?x=1&y=2&copy=3")),
    ],
    ids=["ampersands", "twice", "cdata", "unclosed", "unclosed-loc", "cut", "nul", "notice", "entities"],
)
def test_broken_sitemaps_give_what_they_have(body: str) -> None:
    assert paths(parse(body)) == ["/a", "/b?x=1&y=2&copy=3"]


@pytest.mark.parametrize("padding", range(12))
def test_an_ampersand_on_the_edge_of_a_chunk(padding: int) -> None:
    filler = "<!--" + "x" * (256 * 1024 - 60 - padding) + "-->"
    body = f"<urlset>{filler}<url><loc>https://herald.example/a?x=1&amp;y=2&z=3</loc></url></urlset>"
    assert paths(parse(body)) == ["/a?x=1&y=2&z=3"]


@pytest.mark.parametrize(
    ("declared", "real"), [("iso-8859-1", "utf-8"), ("utf-8", "cp1252"), ("utf-16", "utf-16"), ("utf-8", "utf-16-le")]
)
def test_wrong_charsets(declared: str, real: str) -> None:
    news = "<news:news><news:title>Größe</news:title></news:news>"
    body = urlset(entry("/a", news), prologue=f'<?xml version="1.0" encoding="{declared}"?>')
    (candidate,) = parse(body.encode(real))
    assert isinstance(candidate, Candidate)
    assert candidate.title == "Größe"


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the combination is 1234")
    laughs = "".join(f'<!ENTITY {chr(c + 1)} "{f"&{chr(c)};" * 10}">' for c in range(97, 110))
    prologue = f"""<?xml version="1.0"?><!DOCTYPE urlset SYSTEM "{secret.as_uri()}" [<!ENTITY a "ha">{laughs}
        <!ENTITY x SYSTEM "{secret.as_uri()}"> <!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]>"""
    news = "<news:news><news:title>&x;&n;</news:title></news:news>"
    tracemalloc.start()
    started = time.process_time()
    try:
        found = parse(urlset(entry("/a", news) + entry("/b?&x;"), prologue=prologue))
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert paths(found)[0] == "/a"
    assert "combination" not in repr(found)
    assert "haha" not in repr(found)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("junk", ["<a>", "<a b='c'>d</a>", "&", "<", "<![CDATA[", "<url>", "<url><loc>", "x"])
def test_junk_is_bounded(junk: str) -> None:
    body = f"<urlset>{entry('/a')}{junk * 100_000}"
    tracemalloc.start()
    try:
        assert paths(parse(body))[:1] == ["/a"]
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"\x00\n", "empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (b"Not found", "Not found"),
        (b"<opml><body/></opml>", "opml"),
        (b"\x1f\x8b", "empty"),
        (b"\x1f\x8b nonsense", "empty"),
        (gzip.compress(b"nonsense", mtime=0), "nonsense"),
        (b"{}", "JSON"),
    ],
)
def test_what_is_no_sitemap(body: bytes, says: str) -> None:
    with pytest.raises(FeedError, match=says) as caught:
        parse_sitemap(body, url=SITEMAP_URL, source=source(), now=NOW)  # before anything is taken from it
    assert str(caught.value).startswith(SITEMAP_URL)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_feed_errors(body: bytes) -> None:
    for candidate in (body, b"\x1f\x8b" + body, gzip.compress(body)):
        with pytest.raises(FeedError):
            parse(candidate)
    parse(b"<urlset><url><loc>/a</loc>" + body)
    parse(b"https://herald.example/\n" + body)


# fmt: off
fragments = st.sampled_from(
    [
        "<url>", "</url>", "<loc>", "</loc>", "<sitemap>", "<news:news>", "<news:title>", "<![CDATA[",
        "]]>", "<!--", "-->", "&", "&x;", "&#0;", "&#xD800;", "<", ">", "<?", "?>", "<!", '"', "'",
        "https://herald.example/a", "<lastmod>", "2026", "[", "]", "<!DOCTYPE", "</urlset>", "<urlset>",
        "<image:loc>", "</news:news>",
    ]
)
# fmt: on


@given(st.lists(fragments | st.text(max_size=5), max_size=30).map("".join))
def test_any_garbage_in_a_sitemap_is_survived(garbage: str) -> None:
    parse(("<urlset>" + garbage).encode())
