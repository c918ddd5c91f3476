"""The fields besides the body: cascades, refusals, broken JSON-LD."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.extraction import extract
from crawler.extraction.images import split_credit
from crawler.items import Extraction

URL = "https://post.example/news/bridge"
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def read(head: str = "", body: str = "", record: object = None, script: str | None = None) -> Extraction:
    if record is not None:
        script = json.dumps(record)
    ld = f'<script type="application/ld+json">{script}</script>' if script is not None else ""
    return extract(f"<html><head>{head}{ld}</head><body>{body}</body></html>".encode(), URL)


def meta(name: str, content: str) -> str:
    return f'<meta property="{name}" content="{content}">'


# --- instants


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("2026-03-05T12:00:00Z", NOON),
        ("2026-03-05T13:00:00+01:00", NOON),
        ("2026-03-05T07:00:00-0500", NOON),
        ("Thu, 05 Mar 2026 12:00:00 GMT", NOON),
        ("1772712000", NOON),
    ],
)
def test_an_instant_keeps_its_zone(raw: str, expected: datetime) -> None:
    found = read(record={"@type": "NewsArticle", "datePublished": raw})
    assert (found.published_at, found.published_raw, found.published_zone_assumed) == (expected, raw, False)
    assert found.evidence["published_at"] == "jsonld:datePublished"


def test_without_a_zone_utc_is_assumed_and_said() -> None:
    found = read(record={"@type": "NewsArticle", "datePublished": "2026-03-05T12:00:00"})
    assert (found.published_at, found.published_zone_assumed) == (NOON, True)


def test_the_cascade() -> None:
    record = {"@type": "NewsArticle", "datePublished": "2026-03-05T12:00:00Z"}
    tag = meta("article:published_time", "2026-03-04T12:00:00Z")
    printed = '<article><time datetime="2026-03-03T12:00:00Z">Tuesday</time></article>'
    assert read(tag, printed, record).published_at == NOON
    assert read(tag, printed).evidence["published_at"] == "meta:article:published_time"
    assert read("", printed).evidence["published_at"] == "time"


def test_a_full_instant_beats_a_bare_day() -> None:
    found = read(
        meta("article:published_time", "2026-03-05T12:00:00Z"), "", {"@type": "Article", "datePublished": "2026-03-05"}
    )
    assert found.published_at == NOON


def test_modified_is_not_published() -> None:
    record = {"@type": "NewsArticle", "datePublished": "2026-03-05T12:00:00Z", "dateModified": "2026-03-05T13:00:00Z"}
    assert read(record=record).modified_at == datetime(2026, 3, 5, 13, tzinfo=UTC)
    assert read(record={"@type": "NewsArticle", "datePublished": "2026-03-05T12:00:00Z"}).modified_at is None


@pytest.mark.parametrize(
    "raw", ["yesterday", "0000-00-00", "2026-13-45", "1970-01-01", "2099-01-01", "03/04/2026", "null", ""]
)
def test_garbage_is_no_instant(raw: str) -> None:
    assert read(record={"@type": "NewsArticle", "datePublished": raw}).published_at is None


# --- JSON-LD

GOOD = '{"@type": "NewsArticle", "headline": "Bridge shut", "datePublished": "2026-03-05T12:00:00Z"}'


@pytest.mark.parametrize(
    "script",
    [
        GOOD,
        f"[{GOOD}]",
        f'{{"@graph": [{{"@type": "WebPage"}}, {GOOD}]}}',
        f'{{"@type": "WebPage", "mainEntity": {GOOD}}}',
        f"<!-- {GOOD} -->",
        f"//<![CDATA[\n{GOOD}\n//]]>",
        GOOD.replace("}", ",}"),
        GOOD.replace("Bridge shut", "Bridge\nshut"),
        GOOD + ";",
        GOOD.replace('"NewsArticle"', '["Thing", "http://schema.org/NewsArticle"]'),
    ],
)
def test_json_ld_is_read_leniently(script: str) -> None:
    found = read(script=script)
    assert (found.headline, found.published_at) == ("Bridge shut", NOON)


@pytest.mark.parametrize("script", ["", "{", "null", "[]", "42", '"text"', "{" * 5_000, '{"@type": 7}', "[" * 100_000])
def test_json_ld_that_is_none(script: str) -> None:
    assert read(script=script).headline is None


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)
KEYS = [
    "headline",
    "author",
    "datePublished",
    "image",
    "publisher",
    "keywords",
    "articleSection",
    "isAccessibleForFree",
]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_type_of_value_raises(record: dict[str, object]) -> None:
    assert isinstance(read(record={"@type": "NewsArticle", **record}), Extraction)


# --- access


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (False, False),
        ("True", True),
        ("false", False),
        ("https://schema.org/False", False),
        ("maybe", None),
    ],
)
def test_the_claim_of_free_access(value: object, expected: bool | None) -> None:
    assert read(record={"@type": "NewsArticle", "isAccessibleForFree": value}).is_accessible_for_free is expected


@pytest.mark.parametrize(("tier", "expected"), [("free", True), ("locked", False), ("metered", False), ("odd", None)])
def test_the_content_tier(tier: str, expected: bool | None) -> None:
    assert read(meta("article:content_tier", tier)).is_accessible_for_free is expected


# --- addresses, captions


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('<link rel="canonical" href="/news/bridge">', URL),
        ('<link rel="canonical" href="https://post.example/">', None),
        ('<link rel="canonical" href="javascript:void(0)">', None),
        ('<link rel="canonical" href="https://post.example/">' + meta("og:url", URL), URL),
        ("", None),
    ],
)
def test_canonical(head: str, expected: str | None) -> None:
    assert read(head).canonical_url == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The harbour at dawn. Photo: A. Person", ("The harbour at dawn.", "A. Person")),
        ("The harbour at dawn.", ("The harbour at dawn.", None)),
        ("A photo by the sea", ("A photo by the sea", None)),
        (None, (None, None)),
    ],
)
def test_caption_and_credit(text: str | None, expected: tuple[str | None, str | None]) -> None:
    assert split_credit(text) == expected


def test_a_caption_of_two_nameless_parts() -> None:
    caption = '<span class="k1">The harbour at dawn, in fog.</span> <span class="k2">A. Person</span>'
    (image,) = read("", f'<figure><img src="/1.jpg"><figcaption>{caption}</figcaption></figure>').images
    assert (image.caption, image.credit) == ("The harbour at dawn, in fog.", "A. Person")
