from __future__ import annotations

import json
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.feed import MAX_ENTRIES, candidates_from_feed
from crawler.errors import FeedError
from crawler.items import Candidate
from tests.discovery.documents import FEED_URL, NOW, source


def parse(body: bytes | str, max_age_days: int | None = None) -> list[Candidate]:
    body = body.encode() if isinstance(body, str) else body
    return candidates_from_feed(body, url=FEED_URL, source=source(max_age_days), now=NOW)


def rss(items: str, prologue: str = '<?xml version="1.0" encoding="UTF-8"?>', spaces: str = "") -> str:
    return f'{prologue}<rss version="2.0" {spaces}><channel><title>Herald</title>{items}</channel></rss>'


def item(link: str, rest: str = "") -> str:
    return f"<item><link>{link}</link>{rest}</item>"


def urls(candidates: list[Candidate]) -> list[str]:
    return [candidate.url.removeprefix("https://herald.example") for candidate in candidates]


# --- formats -------------------------------------------------------------------------------------------------------


def test_rss_2() -> None:
    body = rss(
        """<item><title>Rain &amp;amp; wind &lt;b&gt;tonight&lt;/b&gt;</title>
        <link>https://herald.example/rain?utm_source=rss&amp;id=1</link>
        <guid isPermaLink="false">tag:1</guid><pubDate>Mon, 23 Nov 2026 10:30:00 +0100</pubDate></item>"""
    )
    assert parse(body) == [
        Candidate(
            url="https://herald.example/rain?id=1",
            source="herald",
            found_in="feed",
            found_at=FEED_URL,
            title="Rain & wind <b>tonight</b>",
            published_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
            guid="tag:1",
        )
    ]


def test_rss_1() -> None:
    (candidate,) = parse(
        """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
        <channel rdf:about="https://herald.example/"><title>Herald</title></channel>
        <item rdf:about="https://herald.example/tide"><title>Tide</title><link>https://herald.example/tide</link>
        <dc:date>2026-11-22T08:00:00Z</dc:date></item></rdf:RDF>"""
    )
    assert (candidate.url, candidate.title) == ("https://herald.example/tide", "Tide")
    assert candidate.published_at == datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_atom() -> None:
    (candidate,) = parse(
        """<feed xmlns="http://www.w3.org/2005/Atom"><title>Herald</title><entry><id>urn:uuid:5</id>
        <title type="html">Caf&amp;eacute; opens</title><link rel="self" href="https://herald.example/feed/5"/>
        <link rel="alternate" href="/cafe"/><published>2026-11-20T08:00:00Z</published>
        <updated>2026-11-21T08:00:00.5+02:00</updated></entry></feed>"""
    )
    assert (candidate.url, candidate.title, candidate.guid) == (
        "https://herald.example/cafe",
        "Café opens",
        "urn:uuid:5",
    )
    assert candidate.published_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert candidate.modified_at == datetime(2026, 11, 21, 6, 0, 0, 500_000, tzinfo=UTC)


def test_json_feed() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [
            {"id": 7, "url": "/seven", "title": "Seven\n&amp; more", "date_published": "2026-11-20T08:00:00Z"},
            {"id": "https://herald.example/eight", "content_html": "<html><rss>"},
            {"id": "9", "url": None},
            "no item",
        ],
    }
    seven, eight = parse(json.dumps(feed))
    assert (seven.url, seven.title, seven.guid) == ("https://herald.example/seven", "Seven & more", "7")
    assert seven.published_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert eight.url == "https://herald.example/eight"


def test_an_empty_feed_is_a_feed() -> None:
    assert parse(rss("")) == []
    assert parse('{"version": "https://jsonfeed.org/version/1", "items": []}') == []


# --- links ---------------------------------------------------------------------------------------------------------


def test_relative_links_start_at_the_feed() -> None:
    assert urls(parse(rss(item("../a") + item("b") + item("/c") + item("?d")))) == [
        "/a",
        "/news/b",
        "/c",
        "/news/rss.xml?d",
    ]


def test_the_guid_is_a_link_only_if_it_is_one() -> None:
    guids = (
        "<item><guid>https://herald.example/a</guid></item>"
        '<item><guid isPermaLink="true">https://herald.example/b</guid></item>'
        '<item><guid isPermaLink="false">c-17</guid></item>'
        "<item><guid>d-18</guid></item>"
        "<item><guid>e-19</guid><link>/e</link></item>"
        "<item><title>nothing</title></item>"
    )
    assert urls(parse(rss(guids))) == ["/a", "/b", "/e"]
    assert parse(rss(guids))[-1].guid == "e-19"


def test_the_original_link_goes_before_the_proxys() -> None:
    body = rss(
        item("https://proxy.example/~r/1", "<feedburner:origLink>https://herald.example/a</feedburner:origLink>"),
        spaces='xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"',
    )
    assert urls(parse(body)) == ["/a"]


def test_the_first_of_a_url_counts_and_what_is_no_web_page_does_not() -> None:
    items = item("/a?utm_medium=x", "<title>1</title>") + item("/a#b", "<title>2</title>") + item("mailto:a@b.example")
    (candidate,) = parse(rss(items))
    assert candidate.title == "1"


def test_unwanted_and_old_candidates_are_left_out() -> None:
    items = (
        item("/video/1")
        + item("/old", "<pubDate>Sun, 01 Nov 2026 10:00:00 GMT</pubDate>")
        + item("/new", "<pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate>")
        + item("/undated")
    )
    assert urls(parse(rss(items), max_age_days=7)) == ["/new", "/undated"]
    assert urls(parse(rss(items))) == ["/old", "/new", "/undated"]


def test_absurd_dates_are_no_hints() -> None:
    (candidate,) = parse(rss(item("/a", "<pubDate>Thu, 01 Jan 1970 00:00:00 GMT</pubDate>")), max_age_days=7)
    assert candidate.published_at is None


def test_at_most_ten_thousand_entries() -> None:
    body = '{"version": "https://jsonfeed.org/version/1", "items": [%s]}'
    items = ",".join(f'{{"url": "/{number}"}}' for number in range(MAX_ENTRIES + 5))
    assert len(parse(body % items)) == MAX_ENTRIES


# --- broken feeds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        rss(item("/a", "<title>A&nbsp;B &eacute;&bogus; R&D</title>") + item("/b?x=1&y=2")),
        rss(item("/a", "<title>not <b>closed</title>") + item("/b?x=1&y=2")),
        rss(item("/a", "<media:thumbnail url='x'/><dc:creator>y</dc:creator>") + item("/b?x=1&amp;y=2")),
        rss(item("/a") + item("/b?x=1&amp;y=2")).removesuffix("</channel></rss>"),
        rss(item("/a") + item("/b?x=1&amp;y=2") + "<item><title>cut o"),
        "\n\n  <!-- first -->" + rss(item("/a") + item("/b?x=1&amp;y=2")),
        "Warning: a notice on line 3\n" + rss(item("/a") + item("/b?x=1&amp;y=2")),
        "\ufeff" + rss(item("/a") + item("/b?x=1&amp;y=2")),
        rss(item("/a\x00", "<title>\x00\x0b\x1f</title>") + item("/b?x=1&amp;y=2")),
        rss(item("/a") + item("/b?x=1&amp;y=2"), prologue="<?xml version='1.0' encoding='klingon'?>"),
        rss(item("/a", "<title>&#xD800;&#99999999999999;&#x110000</title></b>") + item("/b?x=1&amp;y=2")),
        rss(item("<![CDATA[ /a ]]>") + item("<![CDATA[/b?x=1&y=2]]>")),
    ],
    ids=[
        "entities",
        "unclosed",
        "namespaces",
        "unfinished",
        "cut",
        "comment",
        "notice",
        "bom",
        "nul",
        "charset",
        "references",
        "cdata",
    ],
)
def test_broken_feeds_give_what_they_have(body: str) -> None:
    assert urls(parse(body)) == ["/a", "/b?x=1&y=2"]


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        ("utf-8", "utf-8"),
        ("iso-8859-1", "utf-8"),
        ("utf-16", "utf-8"),
        ("base64", "utf-8"),
        ("iso-8859-1", "iso-8859-1"),
        ("utf-8", "cp1252"),
        ("us-ascii", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-8", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_wrong_charsets(declared: str, real: str) -> None:
    body = rss(item("/a", "<title>Die Größe</title>"), prologue=f'<?xml version="1.0" encoding="{declared}"?>')
    (candidate,) = parse(body.encode(real))
    assert candidate.title == "Die Größe"


@pytest.mark.parametrize(
    ("declared", "text"),
    [("windows-1251", "Новости"), ("shift_jis", "速報"), ("iso-2022-jp", "速報"), ("gb2312", "快讯")],
)
def test_declared_charsets(declared: str, text: str) -> None:
    body = rss(item("/a", f"<title>{text}</title>"), prologue=f'<?xml version="1.0" encoding="{declared}"?>')
    assert parse(body.encode(declared))[0].title == text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b" \n\x00", "empty"),
        (b"<!DOCTYPE html><html><head><title>404</title></head></html>", "HTML"),
        (b"Not found", "Not found"),
        (b'{"error": 404}', "JSON"),
        (b"[1, 2]", "JSON"),
        (b'{"items": []}', "JSON"),
        (b'{"items": ', "items"),
        (b"[" * 100_000, "feed"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JFIF"),
        (b"<urlset><url><loc>https://herald.example/a</loc></url></urlset>", "urlset"),
    ],
)
def test_what_is_no_feed(body: bytes, says: str) -> None:
    with pytest.raises(FeedError, match=says) as caught:
        parse(body)
    assert str(caught.value).startswith(FEED_URL)
    assert "\n" not in str(caught.value)


# --- hostile feeds -------------------------------------------------------------------------------------------------


def test_a_billion_laughs_stay_one() -> None:
    entities = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(c + 1)} "{f"&{chr(c)};" * 10}">' for c in range(97, 110))
    body = rss(item("/a", "<title>&n;</title>"), prologue=f"<!DOCTYPE rss [{entities}]>")
    parse(rss(""))
    tracemalloc.start()
    started = time.process_time()
    try:
        assert urls(parse(body)) == ["/a"]
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-7"])
def test_one_long_entity_is_not_multiplied(encoding: str) -> None:
    prologue = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE rss [<!ENTITY a "{"x" * 50_000}">]>'
    (candidate,) = parse(rss(item("/a", f"<title>{'&a;' * 2_000}</title>"), prologue=prologue).encode(encoding))
    assert len(candidate.title or "") < 10_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_external_entities_are_not_read(tmp_path: Path, encoding: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the combination is 1234")
    prologue = f"""<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE rss SYSTEM "{secret.as_uri()}" [
        <!ENTITY x SYSTEM "{secret.as_uri()}"> <!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]>"""
    candidates = parse(rss(item("/a", "<title>&x;</title><guid>&x;</guid>"), prologue=prologue).encode(encoding))
    assert urls(candidates) == ["/a"]
    assert "combination" not in repr(candidates)


def test_a_file_name_or_address_is_not_opened(tmp_path: Path) -> None:
    feed = tmp_path / "feed.xml"
    feed.write_text(rss(item("/a")))
    for body in (str(feed), feed.as_uri()):
        with pytest.raises(FeedError):
            parse(body)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_feed_errors(body: bytes) -> None:
    for candidate in (body, b"\x1f\x8b" + body, b"{" + body):
        with pytest.raises(FeedError):
            parse(candidate)


# fmt: off
fragments = st.sampled_from(
    [
        "<item>", "</item>", "<link>", "</link>", "<title>", "<![CDATA[", "]]>", "<!--", "-->", "&", "&x;",
        "&#0;", "&#xD800;", "<", ">", "<?", "?>", "<!", '"', "'", "<guid>", "https://herald.example/a",
        "<entry>", "<link/href='x'>", "<content/type='xhtml'>", "<dc:date>", "2026", "[", "]", "<!DOCTYPE",
    ]
)
# fmt: on


@given(st.lists(fragments | st.text(max_size=5), max_size=30).map("".join))
def test_any_garbage_in_a_feed_is_survived(garbage: str) -> None:
    parse(('<rss version="2.0"><channel>' + garbage).encode(errors="surrogatepass"))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
json_items = st.dictionaries(st.sampled_from(["id", "url", "title", "date_published", "date_modified"]), json_values)


@given(st.lists(json_items | json_values, max_size=4))
def test_any_json_in_a_feed_is_survived(items: list[object]) -> None:
    parse(json.dumps({"version": "https://jsonfeed.org/version/1", "items": items}))
