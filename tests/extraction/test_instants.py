"""When an article was published and changed, and which evidence says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.extraction.heads import TEXT, URL, article, fields, meta

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = date(2026, 3, 5)
H1 = "<h1>Barge hits the old bridge</h1>"


def test_the_publishers_zone_is_kept() -> None:
    found = fields(record=article(datePublished="2026-03-05T00:30:00+02:00")).published
    assert found and found.at.date() == DAY and found.at.utcoffset() == timedelta(hours=2)


def test_a_zone_is_taken_from_the_same_minute_elsewhere() -> None:
    tag = meta("article:published_time", "2026-03-05T12:00:00+00:00")
    found = fields(tag, "", article(datePublished="2026-03-05 13:00:00"))
    assert found.published and (found.published.at, found.published.zone_assumed) == (NOON, False)
    assert found.published.raw == "2026-03-05 13:00:00"


def test_the_only_offset_of_the_page_is_assumed_and_said() -> None:
    found = fields(record=article(datePublished="2026-03-05T13:00", dateModified="2026-03-05T17:30:00+01:00")).published
    assert found and (found.at, found.zone_assumed) == (NOON, True)


@pytest.mark.parametrize("name", ["pub_date", "x:publicationDate", "ob:published_time", "dc.date.created"])
def test_other_names_for_the_date(name: str) -> None:
    found = fields(meta(name, "2026-03-05T12:00:00Z"))
    assert found.published and (found.published.at, found.evidence["published_at"]) == (NOON, f"meta:{name.lower()}")


@pytest.mark.parametrize("name", ["article:modified_time", "og:updated_time", "event:start_date", "expiration_date"])
def test_names_that_mean_something_else(name: str) -> None:
    assert fields(meta(name, "2026-03-05T12:00:00Z")).evidence.get("published_at") in (None, "htmldate")


@pytest.mark.parametrize(
    ("line", "lang"),
    [
        ("<p>Published 5 March 2026</p>", "en"),
        ("<p>By Nora Quill | 05/03/2026</p>", "en-GB"),
        ("<p>By Nora Quill | 03/05/2026</p>", "en-US"),
        ("<p>Veröffentlicht am 05.03.2026 - 13:30 Uhr</p>", "de"),
        ("<p>Publié le 5 mars 2026 à 10h30</p>", "fr"),
        ("<p>5 de marzo de 2026</p>", "es"),
        ("<p>Opublikowano 5 marca 2026</p>", "pl"),
        ("<p>5 марта 2026 г., 10:30</p>", "ru"),
        ("<p>5 березня 2026</p>", "uk"),
        ("<p>2026. március 5. 10:30</p>", "hu"),
        ("<p>5 Mart 2026 Perşembe</p>", "tr"),
        ("<p>2026年3月5日(木) 10時30分</p>", "ja"),
        ("<p>입력 2026.03.05 오후 6:40</p>", "ko"),
        ("<p>2026年03月05日10:30 | 来源</p>", "zh"),
        ("<p>5 مارس 2026</p>", "ar"),
        ('<dl><dt>Datum</dt><dd class="date">05.03.2026</dd></dl>', "de"),
    ],
)
def test_a_printed_date(line: str, lang: str) -> None:
    found = fields("", H1 + line + TEXT, lang=lang)
    assert found.published and (found.published.at.date(), found.evidence["published_at"]) == (DAY, "printed")


def test_of_printed_dates_the_nearest_to_the_headline() -> None:
    teaser = '<div class="teaser"><time datetime="2026-03-01T08:00:00Z"></time>Other news</div>'
    own = '<time datetime="2026-03-05T12:00:00Z">Thursday</time>'
    body = teaser + H1 + own + TEXT + teaser
    assert (found := fields("", body).published) and found.at == NOON


@pytest.mark.parametrize(
    "line",
    [
        '<p class="caption">The bridge on 4 February 2019</p>',
        "<p>Last updated 4 February 2019</p>",
        "<p>Available until 4 February 2019</p>",
        '<p class="related-date">4 February 2019</p>',
    ],
)
def test_dates_of_something_else(line: str) -> None:
    found = fields("", H1 + line + '<p class="date">5 March 2026</p>' + TEXT).published
    assert found and found.at.date() == DAY


def test_the_day_in_the_address() -> None:
    found = fields("", H1 + TEXT, url="https://post.example/2026/03/05/barge")
    assert found.published and (found.published.at.date(), found.published.day_only) == (DAY, True)
    assert (found.evidence["published_at"], found.published.raw) == ("url", "2026/03/05")


def test_the_address_outweighs_another_printed_day_and_takes_its_hour() -> None:
    url = "https://post.example/2026/03/05/barge"
    far = fields("", H1 + "<p>1 February 2026</p>" + TEXT, url=url)
    near = fields("", H1 + "<p>5 March 2026, 10:30</p>" + TEXT, url=url)
    assert far.evidence["published_at"] == "url" and far.published and far.published.at.date() == DAY
    assert near.published and near.published.at == datetime(2026, 3, 5, 10, 30, tzinfo=UTC)


def test_a_slashed_date_without_a_country_is_not_guessed() -> None:
    assert "printed" not in fields("", H1 + "<p>03/04/2026</p>" + TEXT, lang="en", url=URL).evidence.values()
