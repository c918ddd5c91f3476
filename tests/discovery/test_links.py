"""Which links are articles: invented URLs after the fashion of many sites and languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.links import Link, classify, classify_url, is_listing_url
from crawler.discovery.outline import Region
from crawler.discovery.shapes import Shapes
from crawler.discovery.signs import signs
from crawler.discovery.vocabulary import weights

HOME = "https://www.herald.example/"
HEADLINE = "Harbour bridge opens after ten years of delay"


def kind(
    path: str, text: str = "", region: Region = "main", *, heading: bool = False, shapes: Shapes | None = None
) -> str:
    url = path if path.startswith("https://") else f"{HOME}{path}"
    return classify(Link(url=url, text=text, region=region, heading=heading), shapes or Shapes(), HOME).kind


ARTICLES = [
    "world/2026/05/03/harbour-opens",
    "2026/nov/19/bridge/",
    "harbour-bridge-opens-after-ten-years",
    "harbour-bridge-opens-after-ten-years/",
    "politik/article408587681/hafenbruecke-nach-zehn-jahren-eroeffnet.html",
    "news/articles/clymn8zyrp9o",
    "nyheter/a/OklJOk/hamnen-oppnar-efter-flera-ar",
    "doc/7715044",
    "stories/3376705/",
    "archive/63076",
    "n1/2026/0503/c1001-40223222.html",
    "de/hafen-nach-jahren-offen/a-65464327",
    "Entwurf-des-Hafengesetzes/!5928990/",
    "news/news_view.html?idx=8576&page=1&bc=03",
    "?p=36843",
    "index.php?id=40223",
    "news,142489.html",
    "karriere/warum-alle-kuendigen-a-60a0111a-c2d2-46c8-9e93-b16a374e6ba8",
    "weather/2026/04/26/storms-tornadoes-three-states/",
    "tv/12603994/harbour-series-second-season/",
    "%D8%A7%D9%82%D8%AA%D8%B5%D8%A7%D8%AF/898682/%D9%85%D9%8A%D9%86%D8%A7%D8%A1-%D8%AC%D8%AF%D9%8A%D8%AF-%D9%8A%D9%81%D8%AA%D8%AD",
    "amp/world/2026/05/03/harbour-opens-after-delay",
    "print/harbour-opens-after-delay",
    "world/harbour-opens-after-delay-12345/amp",
]
LISTINGS = [
    "world",
    "world/",
    "world/europe",
    "us-news",
    "wirtschaft/unternehmen",
    "economia",
    "политика",
    "社会",
    "اقتصاد",
    "en/",
    "sport/football/premier-league",
    "world?page=2",
    "world/page/3/",
    "World/index.html",
    "nachrichten/sachsen-anhalt",
]
OTHERS = [
    "about",
    "about-us/",
    "login?next=%2F",
    "account/profile",
    "anmelden",
    "datenschutz",
    "impressum.html",
    "mentions-legales",
    "politica-de-privacidad/",
    "iletisim",
    "اتصل-بنا",
    "お問い合わせ",
    "tag/harbour",
    "tag/the-long-history-of-the-harbour",
    "tags/12345678",
    "author/ada-moreno",
    "autor/lucia-ferran-8312345",
    "category/why-the-net-changes-politics",
    "video/today",
    "video/harbour-bridge-opens-after-ten-years-8312345",
    "videos/2026/05/03/harbour-opens-after-delay",
    "search?q=latest",
    "?s=harbour",
    "newsletter",
    "shop/mug",
    "jobs",
    "calendar/2026/1/",
    "calendar/2026/1/?day=3",
    "kalender/2026/05/03",
    "2026/05/",
    "files/report-of-the-harbour-commission-2026.pdf",
    "rss.xml",
    "harbour-opens-after-delay-12345?share=reddit",
    "redirect?url=https://elsewhere.example/harbour-opens-after-delay",
    "https://elsewhere.example/2026/05/03/harbour-opens-after-delay",
    "https://shop.herald.example/harbour-mug-for-all-friends",
]


@pytest.mark.parametrize("path", ARTICLES)
def test_articles_by_their_headline(path: str) -> None:
    assert kind(path, HEADLINE, heading=True) == "article"
    assert not is_listing_url(f"{HOME}{path}", Shapes(), HOME)


@pytest.mark.parametrize("path", LISTINGS)
def test_listings_by_their_place_in_the_menu(path: str) -> None:
    assert kind(path, "World", "nav") == "listing"
    assert kind(path, "World", "footer") == "listing"


@pytest.mark.parametrize("path", OTHERS)
@pytest.mark.parametrize(("text", "region"), [("More", "nav"), ("More", "main"), ("Bridge over the harbour", "aside")])
def test_others_wherever_they_stand(path: str, text: str, region: Region) -> None:
    assert kind(path, text, region) != "article"


@pytest.mark.parametrize(
    "path", ["tag/harbour", "author/ada-moreno", "video/today", "login?next=/", "calendar/2026/1/"]
)
def test_a_headline_makes_no_article_of_an_index(path: str) -> None:
    assert kind(path, HEADLINE, heading=True) != "article"


def test_short_names_are_told_apart_by_how_they_stand() -> None:
    assert kind("about-bugs/", "Behind the scenes of our longest search", heading=True) == "article"
    assert kind("about-bugs/", "Bugs", "nav") == "listing"


def test_a_long_title_in_a_menu_is_still_an_article() -> None:
    assert kind("mundo/harbour-bridge-opens-after-ten-long-years-of-delay", "Harbour", "nav") == "article"
    assert kind("mundo/terms-of-the-service", "Terms", "footer") != "article"


def test_a_menus_words_in_many_languages() -> None:
    for text in ("Newsletter", "Datenschutz", "Contacto", "Mentions légales", "О проекте", "プライバシーポリシー"):
        assert kind("x/y-z-8312345.html", text, "footer") == "other"


def test_the_source_teaches_what_addresses_alone_do_not_say() -> None:
    path = "kurz/hafen"
    assert kind(path, "Hafen") == "listing"
    shapes = Shapes.of([f"{HOME}kurz/{name}" for name in ("deich", "flut", "kai", "mole", "werft")], weight=5)
    assert kind(path, "Hafen", shapes=shapes) == "article"
    others = Shapes.of(others=[f"{HOME}show/a-long-name-of-it-{number}" for number in range(9)], weight=5)
    assert kind("show/a-long-name-of-that", "Name", shapes=others) != "article"


def test_a_source_with_articles_on_another_site() -> None:
    url = "https://www.herald.test/news/harbour-opens-after-delay"
    assert kind(url, HEADLINE, heading=True) == "other"
    shapes = Shapes.of([f"https://www.herald.test/news/a-long-title-{number}" for number in range(9)])
    assert kind(url, HEADLINE, heading=True, shapes=shapes) == "article"


@pytest.mark.parametrize(
    "path",
    ["", "about", "login", "world", "us-news", "tag/harbour", "search", "privacy", "en/", "world/page/2", "rss.xml"],
)
def test_clear_addresses_of_a_sitemap(path: str) -> None:
    assert is_listing_url(f"{HOME}{path}", Shapes(), HOME)


@pytest.mark.parametrize(
    "path", ["long-article-title-here", "about-bugs/", "politik-und-macht", "news/27522", "x?id=9"]
)
def test_addresses_that_say_too_little(path: str) -> None:
    assert not is_listing_url(f"{HOME}{path}", Shapes(), HOME)


def test_the_evidence_names_what_spoke() -> None:
    verdict = classify_url(f"{HOME}world/2026/05/03/harbour-opens-after-a-long-delay", Shapes(), HOME)
    assert verdict.kind == "article" and verdict.score > 0.99
    assert verdict.evidence == "dated_path 4.0, slug 3.5, deep 0.5"


def test_every_weight_is_a_signs() -> None:
    paths = [
        *ARTICLES,
        *LISTINGS,
        *OTHERS,
        "a-b-c-d-e-f-g-h-title",
        "photos/x",
        "topics/x",
        "latest",
        "live/1234",
        "jobs/harbour",
    ]
    links = [Link(url=f"{HOME}{path}", text=HEADLINE, heading=True) for path in paths]
    links += [Link(url=HOME, text="Login", region=region, dated=True) for region in ("nav", "aside")]
    links += [Link(url=f"https://{host}.herald.co.uk/") for host in ("world", "shop")]
    taught = Shapes.of([f"{HOME}{number}/{number}" for number in range(10_000, 10_030)])
    homes = (HOME, "https://www.herald.co.uk/")
    seen = {name for link in links for home in homes for name in signs(link, taught, home)}
    assert {name for table in weights().values() for name in table} == seen


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_link_has_a_kind(path: str, text: str) -> None:
    for url in (f"{HOME}{path}", f"https://{path}", path):
        verdict = classify(Link(url=url, text=text), Shapes(), HOME)
        assert verdict.kind in ("article", "listing", "other") and 0 <= verdict.score <= 1
        is_listing_url(url, Shapes(), HOME)
