from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discovery.outline import outline
from crawler.discovery.pagination import page_number

SITE = "https://herald.example"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/world?page=2", 2),
        ("/world?sort=new&Seite=3", 3),
        ("/world/page/2/", 2),
        ("/welt/seite/12", 12),
        ("/world/page-2", 2),
        ("/world/p2", 2),
        ("/welt/seite-2.html", 2),
        ("/world?start=20", 20),
        ("/world/صفحة/2", 2),
        ("/world", None),
        ("/world/2", None),
        ("/2026/05", None),
        ("/?p=123", None),
        ("/world/story-p2", None),
        ("/world?page=all", None),
        ("/homepage2", None),
        ("/page/18273645", None),
    ],
)
def test_the_number_of_a_page(path: str, number: int | None) -> None:
    found = page_number(SITE + path)
    assert (found.number if found else None) == number


NEXT = [
    (
        "/world",
        '<a href="/world?page=2">2</a><a href="/world?page=3">3</a><a href="/world?page=40">Last</a>',
        "/world?page=2",
    ),
    (
        "/world?page=2",
        '<a href="/world">1</a><a href="/world?page=3">3</a><a href="/world?page=1">1</a>',
        "/world?page=3",
    ),
    ("/world/page/2/", '<a href="/world/page/3/">3</a><a href="/world/">1</a>', "/world/page/3/"),
    ("/world/", '<a href="/world/page/2/">Older</a>', "/world/page/2/"),
    ("/", '<a href="/page/2">Older posts</a>', "/page/2"),
    ("/welt", '<a href="/welt/seite-2.html">Nächste Seite »</a>', "/welt/seite-2.html"),
    ("/news", '<a href="/news/2">2</a><a href="/news/3">3</a>', "/news/2"),
    ("/news-1.html", '<a href="/news-1.html">1</a><a href="/news-1-2.html">x</a>', None),
    ("/news.html", '<a href="/news-2.html">2</a>', "/news-2.html"),
    ("/world?page=1", '<a href="/world?page=2">3</a>', "/world?page=2"),
    ("/world", '<a href="/world?page=1">2</a><a href="/world?page=2">3</a>', "/world?page=1"),  # counted from 0
    ("/world", '<a href="/world?start=40">3</a><a href="/world?start=20">2</a>', "/world?start=20"),
    ("/world", '<a href="/world?after=x9f3">Load more</a>', "/world?after=x9f3"),
    ("/world?after=a", '<a href="/world?after=b" aria-label="Next page"><svg></svg></a>', "/world?after=b"),
    ("/economie", '<a href="/economie?p=2">Page suivante ›</a>', "/economie?p=2"),
    ("/mundo", '<a href="/mundo/pagina/2">Siguiente</a>', "/mundo/pagina/2"),
    ("/swiat", '<a href="/swiat,2">2</a>', "/swiat,2"),
    ("/mir", '<a href="/mir?page=2">Показать ещё</a>', "/mir?page=2"),
    ("/dunya", '<a href="/dunya?sayfa=2">Sonraki Sayfa</a>', "/dunya?sayfa=2"),
    ("/akhbar", '<a href="/akhbar?page=2">التالي</a>', "/akhbar?page=2"),
    ("/world", '<a href="/world?page=2">次のページへ</a>', "/world?page=2"),
    ("/world", '<a href="/world?page=2">더보기</a>', "/world?page=2"),
    ("/archive/2026/05", '<a href="/archive/2026/04">Older</a>', "/archive/2026/04"),
    ("/world", '<link rel="next" href="/world?page=2">', "/world?page=2"),
    ("/world", '<a rel="nofollow next" href="/world/older?c=1">…</a><a rel=next href="/world?c=1">…</a>', "/world?c=1"),
]
NONE = [
    ("/world", '<a href="/next">Next</a>'),
    ("/world", '<a href="/world/bridge-opens-after-years">Next</a>'),
    ("/world/bridge-opens", '<link rel="next" href="/world/cup-lost"><a rel="next" href="/world/cup-lost">Next</a>'),
    ("/world", '<a href="https://elsewhere.example/world?page=2">2</a>'),
    ("/world", '<a href="/sport?page=2">2</a><a href="/sport/page/2/">Older</a>'),
    ("/world", '<a href="#">Next</a><a href="/world#2">2</a><a href="javascript:next()">Next</a>'),
    ("/world", '<a href="/newsletter">Weiter</a><a href="/mehr">Mehr</a><a href="/sport">›</a>'),
    ("/world?page=7", '<a href="/world?page=6">Newer</a><a href="/world?page=1">1</a>'),
    ("/world", '<a href="/world/24-hours-in-the-harbour">24 hours in the harbour</a>'),
    ("/world", '<a href="/world/2026">2026</a>'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "html", "expected"), NEXT)
def test_the_next_page_of_a_listing(path: str, html: str, expected: str | None) -> None:
    found = outline(html.encode(), SITE + path).next_page
    assert found == (outline(f'<a href="{expected}">x</a>'.encode(), SITE).links[0].url if expected else None)


@pytest.mark.parametrize(("path", "html"), NONE)
def test_false_friends_of_the_next_page(path: str, html: str) -> None:
    assert outline(html.encode(), SITE + path).next_page is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_address_may_be_numbered(path: str, text: str) -> None:
    page_number(f"{SITE}/{path}")
    outline(
        f'<a href="/{path}">{text}</a><a rel=next href="?{path}">2</a>'.encode("utf-8", "replace"), f"{SITE}/{path}"
    )
