"""How the lists of a site are judged: what each is used for, and why one is left out."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crawler.discovery.expectations import longest_silence, reasons, usual_gap
from crawler.discovery.front import Front, front, homepages
from crawler.discovery.identity import Heard, identity
from crawler.discovery.listed import read
from crawler.discovery.proposal import propose
from crawler.discovery.samples import ARTICLE, Sample, choose, leaks
from crawler.discovery.survey import Missing, Offer, Site, judge, needs_age_limit
from crawler.sources import adhoc_source
from tests.discovery.documents import NOW

HOME = "https://www.herald.example/"
SITE = Site(homepage=HOME, language="en", now=NOW)
HEADLINES = (
    "Harbour bridge stays closed until the spring",
    "Ferry crews vote on the new timetable",
    "Council cuts the library budget again",
)


def address(number: int, host: str = "www.herald.example") -> str:
    return f"https://{host}/2026/11/{number % 28 + 1:02}/the-harbour-bridge-story-number-{number}"


def when(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def feed(
    name: str,
    numbers: range,
    *,
    age: float = 0,
    title: str = "Herald",
    host: str = "www.herald.example",
    extra: str = "",
) -> Offer:
    """A feed of so many articles, an hour apart."""
    items = "".join(
        f"<item><title>{HEADLINES[n % 3]}, part {n}</title><link>{address(n, host)}</link>"
        f"<pubDate>{when(age + n - numbers.start):%a, %d %b %Y %H:%M:%S} +0000</pubDate>{extra}</item>"
        for n in numbers
    )
    return offer(name, f"<rss version='2.0'><channel><title>{title}</title>{items}</channel></rss>")


def sitemap(name: str, entries: list[tuple[str, datetime | None]], parent: str | None = None) -> Offer:
    urls = "".join(
        f"<url><loc>{url}</loc>{f'<lastmod>{at.isoformat()}</lastmod>' if at else ''}</url>" for url, at in entries
    )
    return offer(name, f"<urlset>{urls}</urlset>", parent)


def index(name: str, files: list[str]) -> Offer:
    return offer(
        name, f"<sitemapindex>{''.join(f'<sitemap><loc>{HOME}{one}</loc></sitemap>' for one in files)}</sitemapindex>"
    )


def offer(name: str, body: str, parent: str | None = None) -> Offer:
    listed = read(body.encode(), HOME + name, adhoc_source(HOME), NOW)
    return Offer(listed=listed, origin="announced", parent=parent and HOME + parent)


def uses(*offers: Offer, site: Site = SITE) -> dict[str, tuple[str | None, str]]:
    return {one.listed.url.removeprefix(HOME): (one.use, one.why) for one in judge(offers, site)}


ALL = feed("rss", range(40))


def test_a_feed_that_adds_nothing_is_left_out() -> None:
    found = uses(ALL, feed("sport", range(10, 20)), feed("culture", range(100, 120)))
    assert found["sport"] == (None, f"adds nothing to {HOME}rss")
    assert found["rss"][0] == found["culture"][0] == "feeds"


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (feed("x", range(50, 60), title="Comments on: Herald"), "readers' comments"),
        (feed("x", range(50, 60), extra="<enclosure url='https://a.example/a.mp3' type='audio/mpeg'/>"), "podcast"),
        (feed("x", range(50, 60), host="www.elsewhere.example"), "another site: www.elsewhere.example"),
        (feed("x", range(50, 60), age=24 * 400), "nothing new since 2025-10-19, while others have 2026-11-23"),
        (feed("x", range(0)), "lists nothing"),
        (sitemap("x", [(f"{HOME}tag/{word}", None) for word in ("harbour", "ferry", "council")]), "no articles"),
    ],
)
def test_a_list_of_no_use_is_left_out_with_the_reason(other: Offer, why: str) -> None:
    use, said = uses(ALL, other)["x"]
    assert use is None and why in said


def test_a_file_of_this_month_is_read_with_its_index() -> None:
    month = sitemap("sitemap-2026-11.xml", [(address(n), when(n)) for n in range(60)], "sitemap.xml")
    latest = sitemap("sitemap-latest.xml", [(address(n), when(n)) for n in range(70)], "sitemap.xml")
    tags = sitemap("sitemap-tags.xml", [(f"{HOME}tag/harbour", None)], "sitemap.xml")
    found = uses(
        index("sitemap.xml", ["sitemap-2026-11.xml", "sitemap-latest.xml", "sitemap-tags.xml"]),
        month,
        latest,
        tags,
        ALL,
    )
    assert found["sitemap.xml"] == ("archives", "2 of the 3 files looked at list articles")
    assert found["sitemap-latest.xml"][0] == "sitemaps" and found["sitemap-2026-11.xml"][0] is None


def test_an_archive_is_read_at_each_crawl_only_where_nothing_else_tells_the_news() -> None:
    old = sitemap("sitemap.xml", [(address(n), when(n * 24)) for n in range(300)])
    assert uses(old, ALL)["sitemap.xml"][0] == "archives"
    alone = judge([old], SITE)
    assert alone[0].use == "sitemaps" and needs_age_limit(alone)
    huge = index("sitemap.xml", [f"{n}.xml" for n in range(500)])
    part = sitemap("1.xml", [(address(n), when(n * 24)) for n in range(300)], "sitemap.xml")
    assert uses(huge, part)["sitemap.xml"][0] == "archives"


def test_scores_tell_the_good_from_the_poor() -> None:
    undated = sitemap("sitemap.xml", [(address(n), None) for n in range(3)])
    first, second = judge([ALL, undated], SITE)
    assert first.listed.kind == "feed" and first.score > 0.95
    assert second.score < 0.7


def test_samples_are_spread_over_lists_and_time() -> None:
    chosen = choose([ALL.listed, feed("culture", range(100, 120)).listed], HOME, 8)
    numbers = {int(one.url.rpartition("-")[2]) for one in chosen}
    assert numbers >= {0, 1, 39, 100, 101, 119} and len(numbers) == 8


# -- identity -------------------------------------------------------------------------------------------------------


def named(page: str, homepage: str = HOME, **heard: list[str]) -> tuple[str, str, str | None, str | None]:
    found = identity(homepage, [front(page.encode(), homepage)], [], Heard(**heard))  # type: ignore[arg-type]
    return found.id, found.name, found.language, found.country


@pytest.mark.parametrize(
    ("homepage", "page", "expected"),
    [
        (
            "https://www.muenchner-bote.example.de/",
            '<html lang="de-DE"><meta property="og:site_name" content="Münchner Bote">',
            ("muenchner_bote", "Münchner Bote", "de", "DE"),
        ),
        (
            "https://www.herald.co.uk/",
            '<html lang="en"><title>News, sport and opinion | The Herald</title>',
            ("the_herald", "The Herald", "en", "GB"),
        ),
        (
            "https://www.shinbun.com/",
            '<html lang="ja"><meta property="og:site_name" content="海辺新聞">',
            ("shinbun", "海辺新聞", "ja", "JP"),
        ),
        (
            "https://www.post.com/",
            '<html lang="en-US"><script type="application/ld+json">{"@type": "NewsArticle", "publisher": '
            '{"@type": "Organization", "name": "The Post", "address": {"addressCountry": "ie"}}}</script>',
            ("the_post", "The Post", "en", "IE"),
        ),
        ("https://www.post.com/", '<html lang="en-US"><p>', ("post", "post.com", "en", None)),
        ("https://news.io/", '<html lang="en-GB"><title>Home</title>', ("news", "news.io", "en", "GB")),
    ],
)
def test_name_language_and_country(homepage: str, page: str, expected: tuple[str, str, str | None, str | None]) -> None:
    assert named(page, homepage) == expected


def test_what_articles_read_as_goes_before_what_pages_claim() -> None:
    found = identity(HOME, [Front(url=HOME, language="en-US")], [], Heard(text_languages=["sw", "sw", "sw", "en"]))
    assert found.language == "sw" and found.evidence["language"] == "its articles' text, though html lang says en"


def test_a_home_page_above_the_root_of_a_shared_host() -> None:
    page = front(b'<a href="/herald/">Herald</a><a href="/kurier/">Kurier</a>', "https://host.example/herald/2026/a-b")
    assert homepages(page) == ["https://host.example/", "https://host.example/herald/"]


# -- samples --------------------------------------------------------------------------------------------------------

WORDS = (
    ["harbour", "bridge", "closed", "ships", "waited", "outside", "harbour", "until", "evening"],
    ["library", "roof", "rain", "shelves", "volunteers", "carried", "books", "across", "street"],
    ["orchestra", "played", "without", "conductor", "audience", "hardly", "noticed", "anything"],
    ["council", "argued", "about", "budget", "figures", "through", "whole", "night", "again"],
)


def sample(number: int, *more: str, **changes: object) -> Sample:
    text = tuple(f"{' '.join(WORDS[number % 4])} {' '.join(WORDS[number % 4][turn:])}." for turn in range(4))
    values = {
        "url": address(number),
        "found_at": f"{HOME}rss",
        "verdict": ARTICLE,
        "headline": f"{' '.join(WORDS[number % 4][:3])} {number}",
        "published_at": when(number),
        "authors": 1,
        "kept": (*text, *more),
        "page_type": "article",
    }
    return Sample(**values | changes)  # type: ignore[arg-type]


def test_a_block_of_three_stories_is_a_leak() -> None:
    slogan = "The printed paper has the tide tables on page nine."
    assert leaks(map(sample, range(4))) == []
    assert [leak.text for leak in leaks(sample(n, slogan) for n in range(4))] == [slogan]
    assert leaks([sample(0, slogan), sample(1, slogan), sample(2)]) == []


def test_nothing_is_written_without_articles() -> None:
    def problem(samples: list[Sample], front_type: str | None = "listing") -> str | None:
        missing = [Missing(url=f"{HOME}rss", origin="announced by the home page", outcome="not_found", detail="404")]
        found = propose(SITE, [], [ALL] if samples else [], missing, samples, front_type)
        return found.problem and found.problem[0]

    assert problem([sample(n) for n in range(4)]) is None
    assert problem([sample(n, verdict="paywall", detail="") for n in range(4)]) == "paywall"
    assert problem([sample(0)] + [sample(n, verdict="no_body") for n in range(1, 8)]) == "no_body"
    assert problem([], "bot_challenge") == "bot_challenge"
    assert problem([]) == "not_found"


# -- what a source has to go on giving ------------------------------------------------------------------------------


def words(offers: list[Offer], samples: list[Sample], missing: tuple[Missing, ...] = ()) -> list[str]:
    return [one.word for one in reasons(offers, missing, samples, NOW)]


def test_a_source_in_order_gives_no_reason() -> None:
    assert words([ALL], [sample(n) for n in range(8)]) == []


def test_one_odd_page_is_no_reason() -> None:
    odd = [sample(6, verdict="no_body", kept=()), sample(7, published_at=None)]
    assert words([ALL], [sample(n) for n in range(6)] + odd) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"verdict": "no_body", "kept": ()}, "empty_bodies"),
        ({"published_at": None}, "missing_dates"),
        ({"verdict": "no_headline", "headline": None}, "missing_headlines"),
        ({"verdict": "consent_wall", "page_type": "consent_wall", "kept": ()}, "consent_wall"),
        ({"verdict": "robots_forbidden", "fetched": False, "kept": ()}, "robots_forbidden"),
    ],
)
def test_what_many_articles_lack_is_one_reason(changes: dict[str, object], word: str) -> None:
    assert words([ALL], [sample(n, **(changes if n % 2 else {})) for n in range(8)]) == [word]


def test_lists_that_are_gone_empty_or_silent() -> None:
    good = [sample(n) for n in range(8)]
    gone = Missing(url=f"{HOME}atom", origin="feeds", outcome="not_found", detail="404")
    assert words([ALL], good, (gone,)) == ["not_found"]
    assert words([ALL, feed("empty", range(0))], good) == ["empty_list"]
    assert words([feed("rss", range(40), age=72)], good) == ["no_new_urls"]
    assert words([], []) == ["no_lists", "no_samples"]


def test_silence_goes_by_how_often_a_source_publishes() -> None:
    weekly = [NOW - timedelta(days=7 * n) for n in range(10)]
    assert usual_gap(weekly) == timedelta(days=7) and usual_gap(weekly[:1]) is None
    assert longest_silence(timedelta(minutes=5)) == timedelta(days=2)
    assert longest_silence(timedelta(days=1)) == timedelta(days=12)
    assert longest_silence(timedelta(days=30)) == longest_silence(None) == timedelta(days=60)
