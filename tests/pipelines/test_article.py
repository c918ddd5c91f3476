"""From an extraction to a normalised article, and whether it is one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from crawler.items import Article, Block, Candidate, Extraction, Page, Record
from crawler.outcomes import OUTCOMES
from crawler.pipelines.normalise import article_of, trusted_canonical
from crawler.pipelines.store import entry_of
from crawler.pipelines.validate import MIN_BODY, MIN_UNDATED_BODY, reason_against
from crawler.recheck import STEPS

URL = "https://www.herald.example/2026/05/12/bridge"
FETCHED = datetime(2026, 5, 13, 8, 0, tzinfo=UTC)
PUBLISHED = datetime(2026, 5, 12, 9, 30, tzinfo=timezone(timedelta(hours=2)))


def normalised(candidate: Candidate | None = None, *, body: str = "word " * 100, **fields: Any) -> Article:
    page = Page(
        url=URL,
        requested_url=URL,
        source="herald",
        status=200,
        headers={},
        html=b"",
        fetched_at=FETCHED,
        candidate=candidate,
    )
    block = Block(kind="paragraph", text=body, kept=True)
    return article_of(
        page, Extraction(**{"headline": "Bridge", "published_at": PUBLISHED, "blocks": (block,), **fields})
    )


def hinted(**hints: Any) -> Candidate:
    return Candidate(url=URL, source="herald", found_in="feed", **hints)


def test_instants_are_utc() -> None:
    published = normalised().published_at
    assert published == PUBLISHED and published.tzinfo is UTC


def test_a_date_after_the_fetch_is_refused_and_noted() -> None:
    article = normalised(published_at=FETCHED + timedelta(days=2))
    assert (article.published_at, article.evidence["published_at"]) == (None, "refused:later-than-fetch")


def test_the_feed_fills_what_the_page_does_not_say() -> None:
    article = normalised(hinted(title=" A  bridge ", published_at=PUBLISHED), headline=None, published_at=None)
    assert (article.headline, article.published_at) == ("A bridge", PUBLISHED)
    assert (article.evidence["headline"], article.evidence["published_at"]) == ("feed", "feed")


def test_the_page_is_believed_before_the_feed() -> None:
    article = normalised(hinted(title="Another", published_at=PUBLISHED - timedelta(days=1)))
    assert (article.headline, article.published_at) == ("Bridge", PUBLISHED)


def test_a_date_before_the_web_is_refused_and_the_feed_fills_in() -> None:
    article = normalised(hinted(published_at=PUBLISHED), published_at=datetime(1970, 1, 1, tzinfo=UTC))
    assert (article.published_at, article.evidence["published_at"]) == (PUBLISHED, "feed (refused:before-the-web)")


@pytest.mark.parametrize(("days", "feed_wins"), [(0, False), (2, False), (3, True)])
def test_a_page_much_newer_than_its_feed_entry_dates_its_template(days: int, feed_wins: bool) -> None:
    entry = PUBLISHED - timedelta(days=days)
    evidence = {"published_at": "time"}
    article = normalised(hinted(published_at=entry), published_zone_assumed=True, evidence=evidence)
    assert article.published_at == (entry if feed_wins else PUBLISHED)
    assert article.published_zone_assumed is not feed_wins
    assert article.evidence["published_at"] == ("feed (refused:later-than-feed time)" if feed_wins else "time")


def test_a_feed_that_lists_an_old_article_anew_does_not_make_it_new() -> None:
    article = normalised(hinted(published_at=PUBLISHED), published_at=PUBLISHED - timedelta(days=300))
    assert article.published_at == PUBLISHED - timedelta(days=300)


@pytest.mark.parametrize(("hours", "kept"), [(1, True), (0, True), (-1, False)])
def test_modified_before_published_is_dropped(hours: int, kept: bool) -> None:
    modified = PUBLISHED + timedelta(hours=hours)
    article = normalised(modified_at=modified, modified_raw="as given")
    assert article.modified_at == (modified if kept else None)
    assert article.modified_raw == "as given"
    assert article.evidence.get("modified_at") == (None if kept else "refused:before-published")


@pytest.mark.parametrize(
    ("claimed", "canonical"),
    [
        ("https://www.herald.example/bridge", "https://www.herald.example/bridge"),
        (None, URL),
        ("https://www.herald.example/", URL),  # a template that names the home page everywhere
        ("https://elsewhere.example/bridge", URL),
        ("no address", URL),
    ],
)
def test_a_canonical_address_is_believed_within_its_site(claimed: str | None, canonical: str) -> None:
    assert trusted_canonical(URL, claimed) == canonical


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"body": "x" * (MIN_BODY - 1)}, "no_body"),
        ({"headline": None}, "no_headline"),
        ({"published_at": None, "body": "x" * (MIN_UNDATED_BODY - 1)}, "not_an_article"),
        ({"published_at": None, "body": "x" * MIN_UNDATED_BODY}, None),
    ],
)
def test_what_is_no_article_has_a_reason(fields: dict[str, Any], reason: str | None) -> None:
    assert reason_against(normalised(**fields), "article") == reason


def test_a_listing_is_no_article() -> None:
    assert reason_against(normalised(), "listing") == "listing"


def test_a_calendar_is_no_article() -> None:
    days = " ".join(map(str, range(1, 32))) + " back next"
    article = replace(normalised(), body=days, headline="2026-01")
    assert reason_against(article, "article") == "no_body"


@pytest.mark.parametrize(("rejected", "state"), [("extraction_timeout", "failed"), ("no_body", "fetched")])
def test_a_failed_extraction_is_tried_again_without_validators(rejected: str, state: str) -> None:
    page = Page(
        url=URL,
        requested_url=URL,
        source="herald",
        status=200,
        headers={"etag": '"1"'},
        html=b"x",
        fetched_at=FETCHED,
        url_id=1,
    )
    entry = entry_of(Record(page=page, rejected=rejected), {}, STEPS)
    assert (entry.visit.outcome, OUTCOMES[rejected].state) == (rejected, state)
    assert entry.visit.etag == (None if state == "failed" else '"1"')
    assert entry.archived is not None and entry.archived.outcome == rejected


def test_an_article_without_a_date_is_as_old_as_its_first_fetch() -> None:
    article = replace(normalised(), published_at=None)
    page = Page(
        url=URL, requested_url=URL, source="herald", status=200, headers={}, html=b"x", fetched_at=FETCHED, url_id=1
    )
    first = entry_of(Record(page=page, article=article), {}, STEPS).visit
    assert first.published_at == FETCHED and first.look and first.look.rest == timedelta(hours=1)
    later = replace(page, fetched_at=FETCHED + timedelta(days=9), published_at=FETCHED)
    assert entry_of(Record(page=later, article=article), {}, STEPS).visit.look is None
