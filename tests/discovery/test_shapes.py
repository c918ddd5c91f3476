from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.shapes import FETCHED, LISTED, Shapes, shape_of

HOME = "https://www.herald.example"
PARTS = st.sampled_from(
    [
        *(
            "2026",
            "05",
            "5",
            "11",
            "nov",
            "world",
            "us-news",
            "three-words-long",
            "a-long-title-of-a-story",
            "tag",
            "k00",
        ),
        *(
            "a-long-title-8392012",
            "3c53a5b8-27fc-4886-a0bf-a10908331b1e",
            "id_4401232",
            "dRwWqB",
            "AST1F4445T1",
            "!4401",
        ),
        *("%D9%86%D9%88%D9%86", "新闻", "{slug}", "index.html", "story.html", "x.php", "..", "%2F", "tag", "!4401"),
    ]
)
URLS = st.builds(
    lambda parts, query: f"{HOME}/{'/'.join(parts)}{query}",
    st.lists(PARTS, max_size=14),
    st.sampled_from(["", "?id=5", "?page=2&id=7", "?%20=&&=", "?b=1&a=2"]),
)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("/world", "/world"),
        ("/world/", "/world"),
        ("/World/index.html", "/world"),
        ("/world/europe", "/world/{word}"),
        ("/world/2026/05/03/harbour-opens-after-delay", "/world/{year}/{month}/{day}/{slug}"),
        ("/2026/nov/03/harbour-opens-after-delay.html", "/{year}/{month}/{day}/{slug}.html"),
        ("/esteri/26_maggio_03/porto-aperto-dopo-anni.shtml", "/esteri/{date}/{slug}.shtml"),
        ("/news/2026-05-03/harbour-opens-after-delay/95254", "/news/{date}/{slug}/{id}"),
        ("/n1/2026/0503/c1001-40223222.html", "/n1/{year}/{day}/{hash}.html"),
        ("/harbour-opens-after-delay-12345678", "/{slug-id}"),
        ("/us-news/harbour-opens-after-delay", "/us-news/{slug}"),
        ("/sunday-times-daily/business/harbour-opens-after-delay", "/sunday-times-daily/business/{slug}"),
        ("/articles/AST1F4445T1FUTIL02SM.html", "/articles/{hash}.html"),
        ("/nyheter/a/OklJOk/hamnen-oppnar-efter-flera-ar", "/nyheter/a/{hash}/{slug}"),
        ("/de/hafen-nach-jahren-offen/a-65464327", "/de/{slug}/{a-id}"),
        ("/de/nachrichten-aus-dem-norden/s-101259", "/de/{slug}/{s-id}"),
        ("/view.php?id=8576&bc=03", "/view.php?bc&id"),
        ("/G20/LifeStyle", "/g20/{word}"),
        ("/ميناء-جديد-يفتح-أبوابه", "/{slug}"),
        ("/港の新しい橋が三年ぶりに開通した", "/{slug}"),
        ("/a/b/c/d/e", "/a/b/c/{word}/{word}"),
    ],
)
def test_shapes_say_what_urls_have_in_common(path: str, shape: str) -> None:
    assert shape_of(HOME + path) == f"herald.example{shape}"


def test_one_shape_for_all_articles_of_a_day_and_its_neighbours() -> None:
    one = shape_of(f"{HOME}/world/2026/05/03/harbour-opens-after-delay")
    assert one == shape_of("http://herald.example/world/2025/11/30/a-bridge-that-nobody-wanted/?")


@given(URLS)
def test_a_shape_is_its_own_shape(url: str) -> None:
    shape = shape_of(url)
    assert shape == shape_of(url)
    assert shape_of(f"https://{shape}") == shape


@given(st.text(max_size=300))
def test_any_text_has_a_shape(text: str) -> None:
    for url in (text, f"https://{text}", f"{HOME}/{text}"):
        shape_of(url)
        Shapes.of([url]).chance(url)


def test_nothing_is_known_without_pages() -> None:
    assert Shapes().chance(f"{HOME}/world/a-long-title-here") == 0.5
    assert not Shapes().knows(f"{HOME}/world/a-long-title-here")


def test_one_section_teaches_the_others() -> None:
    shapes = Shapes.of([f"{HOME}/world/a-long-title-{number}" for number in range(5)])
    same, other = (shapes.chance(f"{HOME}/{name}/another-long-title-9") for name in ("world", "sport"))
    assert same > other > 0.7
    assert shapes.knows(f"{HOME}/sport/another-long-title-9")
    assert not shapes.knows(f"{HOME}/sport/table")


def test_sections_do_not_teach_indexes() -> None:
    shapes = Shapes.of([f"{HOME}/world/a-long-title-here" for _ in range(9)])
    assert shapes.chance(f"{HOME}/tag/a-long-title-here") < shapes.chance(f"{HOME}/sport/a-long-title-here")


def test_what_was_fetched_counts_more_than_what_was_listed() -> None:
    url = f"{HOME}/live/4401232"
    shapes = Shapes.of([url], weight=LISTED) + Shapes.of(others=[url], weight=FETCHED)
    assert shapes.chance(url) < 0.3


def test_rows_of_a_database_are_enough() -> None:
    shapes = Shapes((("herald.example/{year}/{slug}", 40, 0), ("herald.example/{word}/{word}", 0, 7)))
    assert shapes.chance(f"{HOME}/2026/a-long-title-here") > 0.9
    assert shapes.chance(f"{HOME}/world/europe") < 0.3
    assert shapes == pickle.loads(pickle.dumps(shapes))
    assert shapes.articles == 40


def test_the_hosts_of_a_source_are_those_of_its_articles() -> None:
    own = [f"https://www.herald.test/news/{number}" for number in range(10_000, 10_020)]
    shapes = Shapes.of([*own, "https://elsewhere.example/news/10001", "https://elsewhere.example/news/10002"])
    assert shapes.hosts == {"herald.test"}
