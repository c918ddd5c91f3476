"""What the store's tests put in and look for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from crawler.items import Article, Block, Candidate, Image, Page
from crawler.sources import Source
from crawler.store import crawls, frontier, intake
from crawler.store.engine import Database
from crawler.store.frontier import Due, Visit
from crawler.store.pages import Archived, sha256
from crawler.store.writer import Entry

SITE = "https://herald.example"
SOURCE = Source.model_validate({"id": "herald", "name": "Herald", "homepage": f"{SITE}/"})
OTHER = Source.model_validate({"id": "courier", "name": "Courier", "homepage": "https://courier.example/"})
AT = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
HTML = "<html><body>Grüße</body></html>".encode()


def an_article(number: int = 1, **changes: Any) -> Article:
    """A complete one; `changes` replace fields."""
    url = f"{SITE}/{number}"
    article = Article(
        source="herald",
        url=url,
        canonical_url=url,
        headline="A bridge opens",
        body="The bridge opened on Monday.",
        authors=("A. Writer", "B. Écrivain"),
        published_at=AT,
        published_raw="2026-11-23T10:30:00Z",
        published_zone_assumed=False,
        modified_at=None,
        modified_raw=None,
        language="en",
        section="Local",
        tags=("bridges",),
        description=None,
        images=(Image(url=f"{SITE}/bridge.jpg", caption="The bridge"),),
        is_accessible_for_free=None,
        blocks=(Block(kind="paragraph", text="The bridge opened on Monday.", kept=True),),
        evidence={"headline": "json-ld"},
    )
    return replace(article, **changes)


def a_page(number: int = 1, *, url_id: int = 1, html: bytes = HTML, at: datetime = AT) -> Page:
    url = f"{SITE}/{number}"
    headers = {"content-type": "text/html"}
    return Page(
        url=url,
        requested_url=url,
        source="herald",
        status=200,
        headers=headers,
        html=html,
        fetched_at=at,
        url_id=url_id,
    )


def an_entry(due: Due, *, html: bytes = HTML, **changes: Any) -> Entry:
    """What a successful fetch of a leased URL leaves behind."""
    number = int(due.candidate.url.rpartition("/")[2])
    visit = Visit(url_id=due.url_id, source="herald", outcome="article", etag='"1"', html_sha256=sha256(html))
    archived = Archived(page=a_page(number, url_id=due.url_id, html=html), outcome="article")
    return Entry(visit=visit, archived=archived, article=an_article(number, **changes))


def candidates(numbers: Sequence[int], source: Source = SOURCE, **hints: Any) -> list[Candidate]:
    return [Candidate(url=f"{source.homepage}{n}", source=source.id, found_in="feed", **hints) for n in numbers]


def begun(connection: Connection) -> int:
    """A run of both sources, its lock held by `connection`."""
    return crawls.begin(connection, "news", [SOURCE, OTHER], {})


def leased(database: Database, number: int) -> list[Due]:
    """The URLs 1 to `number`, but those that are leased already, leased by a run that does not live."""
    with database.engine.begin() as connection:
        crawl_id = begun(connection)
        intake.add(connection, "herald", candidates(range(1, number + 1)))
        due = frontier.take(connection, crawl_id, {"herald": number}, number)
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
    return sorted(due, key=lambda one: one.url_id)


def ask(database: Database, query: str, **values: Any) -> Any:
    """The first value of the first row."""
    with database.engine.connect() as connection:
        return connection.execute(text(query), values).scalar()


def column(database: Database, query: str, **values: Any) -> list[Any]:
    """The first value of every row."""
    with database.engine.connect() as connection:
        return list(connection.execute(text(query), values).scalars())


def await_one_day(seconds: float = 30) -> None:
    """So much of the UTC day is left, or another begins first: what looks at `today` twice finds the same."""
    now = datetime.now(UTC)
    if (now + timedelta(seconds=seconds)).date() != now.date():
        time.sleep(seconds)


def held(database: Database, key: int) -> int:
    """How many hold an advisory lock of the class `key`: the server takes a moment to see that a client is gone."""
    query = """SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = :key
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    return int(ask(database, query, key=key))
