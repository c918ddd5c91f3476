"""Sources of which nothing is known but the home page: every article is found, each is fetched once, and no more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.settings import ITEM_PIPELINES
from tests.runs import Bench
from tests.site.gazette import Gazette, page, redirect, text

Make = Callable[..., tuple[Gazette, Bench]]


@pytest.fixture
def make(tmp_path: Path, database_url: str) -> Iterator[Make]:
    """A gazette that is served, and a bench with a seed that names its home page only, or what else is given."""
    with contextlib.ExitStack() as stack:

        def made(number: int = 40, seed: str = "", **options: Any) -> tuple[Gazette, Bench]:
            paper = stack.enter_context(Gazette(number, **options))
            seeds = tmp_path / "seeds"
            seeds.mkdir()
            (seeds / "gazette.yaml").write_text(f"name: Gazette\nhomepage: {paper.url}/\n{seed.format(url=paper.url)}")
            return paper, Bench(seeds=seeds, data_dir=tmp_path / "data", database_url=database_url)

        yield made


def crawl(bench: Bench, *arguments: str) -> str:
    outcome = bench.crawl("gazette", *arguments)
    assert outcome.status == 0, outcome.err
    return outcome.err


def stored(bench: Bench) -> set[str]:
    return {row["url"] for row in bench.rows("SELECT url FROM articles")}


def outcomes(bench: Bench) -> dict[str, int]:
    return {row["reason"]: row["n"] for row in bench.rows("SELECT reason, count(*) AS n FROM urls GROUP BY 1")}


@pytest.mark.parametrize(
    "options",
    [{"feeds": True}, {"sitemaps": True}, {}, {"feeds": True, "sitemaps": True}],
    ids=["feed", "sitemap", "sections", "both"],
)
def test_the_home_page_is_enough(make: Make, options: dict[str, bool]) -> None:
    paper, bench = make(40, **options)
    crawl(bench)
    assert stored(bench) == {paper.url + path for path in paper.paths}
    assert set(paper.article_requests().values()) == {1}
    assert not {path for path in paper.requests if path.startswith(("/print/", "/search"))}
    assert len(paper.article_requests()) == 40


def test_where_nothing_is_new_each_feed_and_root_sitemap_is_asked_once_and_no_article(make: Make) -> None:
    paper, bench = make(20, feeds=True, sitemaps=True)
    crawl(bench)
    paper.requests.clear()
    said = crawl(bench)
    assert dict(paper.requests) == {}
    assert paper.conditional.keys() <= {"/feed.xml", "/sitemap.xml", "/all.xml.gz"}
    assert set(paper.conditional.values()) == {1}
    assert "Nothing new" in said


def test_what_is_new_is_found_by_the_next_crawl(make: Make) -> None:
    paper, bench = make(20, feeds=True)
    crawl(bench)
    paper.requests.clear()
    paper.publish(3)
    crawl(bench)
    assert len(stored(bench)) == 23
    assert len(paper.article_requests()) == 3


def test_sections_that_no_feed_replaces_are_read_to_their_end(make: Make) -> None:
    paper, bench = make(50, seed="listings: ['{url}/region', '{url}/business', '{url}/culture']\n")
    crawl(bench)
    assert len(stored(bench)) == 50
    assert paper.requests["/region/page/2"] == 1
    assert paper.requests["/"] == 0  # the seed names all there is


def test_sections_whose_reading_was_cut_off_are_read_on(make: Make) -> None:
    """As after kill -9: the first page answers 304 now, and its second one was never read."""
    paper, bench = make(50, seed="listings: ['{url}/region']\n")
    bench.crawl("gazette", "-s", "CLOSESPIDER_PAGECOUNT=2")
    assert bench.value("SELECT count(*) FROM listings WHERE kind = 'further' AND not_before IS NOT NULL") == 1
    crawl(bench)
    assert len(stored(bench)) == len([n for n in range(50) if paper.section(n) == "region"])


def test_a_short_address_is_an_alias_and_its_target_is_fetched_once(make: Make) -> None:
    paper, bench = make(12, feeds=True)
    crawl(bench)
    article = bench.rows(
        "SELECT url_id, urls.url FROM url_aliases JOIN urls ON urls.id = url_id WHERE url_aliases.url "
        "LIKE '%%/s/1' OR urls.url LIKE '%%/s/1'"
    )
    assert article
    assert paper.article_requests()[paper.path(1)] == 1
    assert bench.value("SELECT count(*) FROM urls WHERE article_id IS NOT NULL") == 12


def test_redirects_are_judged(make: Make) -> None:
    paper, bench = make(8, feeds=True)
    ends = {
        "redirect_loop": redirect(paper.path(0)),
        "soft_404": redirect("/"),
        "unsupported_scheme": redirect("ftp://127.0.0.1/a"),
        "bad_redirect": redirect("http://[::1"),
    }
    for number, answer in enumerate(ends.values()):
        paper.after[paper.path(number)] = answer
    crawl(bench)
    assert outcomes(bench) == {"article": 4} | dict.fromkeys(ends, 1)
    assert len(stored(bench)) == 4


def test_a_canonical_address_makes_one_row_of_two(make: Make) -> None:
    """The feed names what the page calls by another name, which the section links."""
    paper, bench = make(6, feeds=True)
    html = paper._article(0)
    paper.after["/old-name-of-the-story-1234567"] = text(html)
    feed = paper._rss().replace(
        f"{paper.url}{paper.path(0)}?utm_source=rss", f"{paper.url}/old-name-of-the-story-1234567"
    )
    paper.after["/feed.xml"] = text(feed, "application/rss+xml")
    crawl(bench)
    assert bench.value("SELECT count(*) FROM articles") == 6
    assert bench.value("SELECT count(*) FROM articles WHERE canonical_url = %s", paper.url + paper.path(0)) == 1
    assert bench.value("SELECT count(*) FROM revisions") == 0


def test_a_template_that_names_one_page_canonical_everywhere_loses_none(make: Make) -> None:
    paper, bench = make(12, feeds=True)
    for number in range(11):
        right, wrong = (f'rel="canonical" href="{paper.url}{paper.path(n)}"' for n in (number, 11))
        paper.after[paper.path(number)] = text(paper._article(number).replace(right, wrong))
    crawl(bench)
    assert bench.value("SELECT count(*) FROM articles") == 12


def test_a_temporary_redirect_is_no_identity(make: Make) -> None:
    paper, bench = make(8, feeds=True)
    for number in range(4):
        paper.after[paper.path(number)] = redirect(paper.path(7), 302)
    crawl(bench)
    assert outcomes(bench) == {"article": 4, "moved": 4}
    paper.after.clear()
    bench.rows("UPDATE urls SET not_before = now() WHERE reason = 'moved' RETURNING 1")
    crawl(bench)
    assert len(stored(bench)) == 8


def test_temporary_redirects_without_end_end(make: Make) -> None:
    paper, bench = make(4, feeds=True, sections=False)
    paper.after[paper.path(3)] = redirect("/loop/1", 302)
    crawl(bench)
    assert outcomes(bench) == {"article": 3, "moved": 1, "redirect_loop": 1}
    assert len([path for path in paper.requests if path.startswith("/loop/")]) <= 6


def test_behind_a_short_feed_the_sections_tell_the_rest(make: Make) -> None:
    paper, bench = make(50, feeds=True, feed_size=26)
    crawl(bench)
    assert stored(bench) == {paper.url + path for path in paper.paths}
    assert set(paper.article_requests().values()) == {1}


def test_after_a_backfill_the_next_crawl_misses_nothing(make: Make) -> None:
    _, bench = make(20, feeds=True, sitemaps=True)
    crawl(bench, "-a", "since=2001-01-01", "-a", "until=2001-02-01")
    crawl(bench)
    assert len(stored(bench)) == 20


def test_a_usual_place_that_failed_once_is_asked_again(make: Make) -> None:
    paper, bench = make(10, sections=False, sitemaps=True)
    paper.after["/robots.txt"] = text("User-agent: *\nDisallow:\n", "text/plain")
    paper.after["/sitemap.xml"] = type(text(""))(body=lambda: b"later", status=503)
    crawl(bench, "-s", "RETRY_TIMES=0")
    del paper.after["/sitemap.xml"]
    bench.rows("UPDATE listings SET not_before = now() WHERE not_before IS NOT NULL RETURNING 1")
    crawl(bench)
    assert len(stored(bench)) == 10


def test_a_home_page_that_is_closed_to_us_hides_no_sitemap(make: Make) -> None:
    paper, bench = make(10, sitemaps=True)
    paper.after["/"] = type(text(""))(body=lambda: b"no", status=403)
    crawl(bench)
    assert len(stored(bench)) == 10


FAULTS = {
    "ITEM_PIPELINES": dict(ITEM_PIPELINES) | {"tests.spiders.broken.BrokenPipeline": 250},
    "SPIDER_MIDDLEWARES": {"tests.spiders.broken.BrokenAnswers": 500},
}


@pytest.mark.parametrize("setting", FAULTS)
def test_a_fault_of_ours_on_one_page_does_not_keep_the_crawl_from_ending(make: Make, setting: str) -> None:
    _, bench = make(6, feeds=True, sections=False)
    crawl(bench, "-s", f"{setting}={json.dumps(FAULTS[setting])}")
    assert outcomes(bench) == {"article": 5, "internal_error": 1}
    assert bench.value("SELECT count(*) FROM urls WHERE state = 'leased'") == 0


def test_a_page_that_calls_another_story_canonical_is_an_article_of_its_own(make: Make) -> None:
    paper, bench = make(6, feeds=True)
    wrong = paper._article(1).replace(f"{paper.url}{paper.path(1)}", f"{paper.url}{paper.path(0)}")
    paper.after[paper.path(1)] = text(wrong)
    crawl(bench)
    crawl(bench, "-a", "recheck=1")
    assert bench.value("SELECT count(*) FROM articles") == 6
    assert bench.value("SELECT count(*) FROM revisions") == 0


def test_a_backfill_fetches_what_was_published_then(make: Make) -> None:
    paper, bench = make(40, sitemaps=True)
    since, until = paper.at(19).date(), paper.at(12).date()
    crawl(bench, "-a", f"since={since}", "-a", f"until={until}")
    expected = {paper.url + paper.path(n) for n in range(40) if since <= paper.at(n).date() <= until}
    found = stored(bench)
    assert expected <= found
    assert len(found - expected) <= 10  # of the days around: an address does not tell its zone


def test_a_backfill_that_means_nothing_is_refused(make: Make) -> None:
    _, bench = make(2)
    for arguments in (["since=2026-05-02", "until=2026-05-01"], ["since=yesterdayish"]):
        outcome = bench.crawl("gazette", *(word for one in arguments for word in ("-a", one)))
        assert outcome.status == 1
        assert outcome.err.startswith("scrapy crawl: since=")


def test_pages_that_are_walls_are_told_apart_and_tried_again(make: Make) -> None:
    paper, bench = make(6, feeds=True)
    challenge = page(
        "Just a moment...",
        "<h1>Checking your browser</h1><p>Please enable JavaScript and cookies to "
        "continue.</p><script src='/cdn-cgi/challenge-platform/x.js'></script>",
    )
    wall = text(challenge)
    paper.after[paper.path(0)] = wall
    paper.after[paper.path(1)] = type(wall)(body=wall.body, status=403)
    crawl(bench)
    assert outcomes(bench) == {"article": 4, "bot_challenge": 2}
    assert bench.value("SELECT count(*) FROM urls WHERE state = 'forbidden' AND not_before > now()") == 2
    assert bench.value("SELECT count(*) FROM pages WHERE outcome = 'bot_challenge'") == 2
    del paper.after[paper.path(0)], paper.after[paper.path(1)]
    with_time = "UPDATE urls SET not_before = now() WHERE reason = 'bot_challenge' RETURNING 1"
    bench.rows(with_time)
    crawl(bench)
    assert len(stored(bench)) == 6


def test_what_robots_and_headers_say_of_use_is_kept_with_the_page(make: Make) -> None:
    paper, bench = make(3, feeds=True)
    html = paper._article(0).replace("<head>", '<head><meta name="robots" content="noarchive">')
    plain = text(html)
    paper.after[paper.path(0)] = type(plain)(body=plain.body, headers={"X-Robots-Tag": "noai", "TDM-Reservation": "1"})
    crawl(bench)
    rights = bench.value("SELECT rights FROM pages WHERE rights <> '{}'")
    assert rights == {
        "x-robots-tag": "noai", "tdm-reservation": "1", "meta:robots": "noarchive", "noarchive": "meta:robots"
    }  # fmt: skip
