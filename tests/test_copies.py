"""Who is the probable original, whose text it is, and what the others are to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.agencies import agency_of, credited
from crawler.copies import Told, likeness, originals, why
from tests.prose import prose
from tests.test_likeness import DRAWS, QUAKES

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
TEXT = prose("wire")


def told(number: int, **changes: Any) -> Told:
    values: dict[str, Any] = {
        "homepage": "https://herald.example/", "headline": f"Headline {number}", "body": TEXT, "authors": [],
        "page_type": "article", "published_at": AT, "published_raw": None, "stored_at": AT + timedelta(days=1),
    }  # fmt: skip
    return Told.of(id=number, **(values | changes))


def test_the_agencys_own_page_comes_before_a_credit_and_that_before_an_earlier_hour() -> None:
    first = told(1, published_at=AT - timedelta(hours=5))
    credit = told(2, authors=["Reuters"])
    own = told(3, homepage="https://www.reuters.com/", published_at=AT + timedelta(hours=5))
    assert originals([first, credit, own]) == {1: 3, 2: 3}
    assert originals([first, credit]) == {1: 2}
    assert (why(own, credit), why(credit, first), own.agency) == ("agency_page", "agency_credit", "Reuters")


def test_the_earliest_is_the_original_and_without_a_date_the_first_that_was_stored() -> None:
    later, earlier = told(1, published_at=AT + timedelta(hours=1)), told(2)
    assert originals([later, earlier]) == {1: 2}
    assert why(earlier, later) == "published_first"
    undated = told(3, published_at=None, stored_at=AT - timedelta(hours=1))
    assert originals([later, earlier, undated]) == {1: 3, 2: 3}
    assert why(undated, earlier) == "stored_first"
    assert why(told(4), told(5)) == "stored_first"


def test_a_date_without_a_time_is_not_midnight() -> None:
    day = told(1, published_at=AT.replace(hour=0), published_raw="2026-11-20")
    assert originals([day, told(2)]) == {1: 2}
    assert originals([day, told(3, published_at=AT + timedelta(days=1))]) == {3: 1}


def test_the_zone_of_the_session_says_nothing() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    day, hour = AT.replace(hour=0), AT.replace(hour=15, minute=0)  # midnight in Tokyo
    for zone in (UTC, tokyo):
        dated = told(1, published_at=day.astimezone(zone), published_raw="2026-11-20")
        timed = told(3, published_at=hour.astimezone(zone), published_raw="20 November 2026, 3 pm")
        assert originals([dated, told(2)]) == {1: 2}
        assert timed.at == hour


def test_why_the_settled_original_is_one() -> None:
    many = told(1, published_at=AT + timedelta(days=1), settled=True)
    credit, earlier, later = told(2, authors=["Reuters"]), told(3), told(4, published_at=AT + timedelta(days=2))
    assert originals([many, credit, earlier, later]) == {2: 1, 3: 1, 4: 1}
    assert (why(many, credit), why(many, earlier), why(many, later)) == ("settled", "settled", "published_first")
    agencys = told(5, homepage="https://www.reuters.com/", settled=True)
    assert why(agencys, credit) == "agency_page"


def test_a_chain_of_changes_does_not_end_as_one_story() -> None:
    parts = [prose(part, 60) for part in range(12)]
    chain = [
        told(number, body="\n".join(parts[number : number + 5]), published_at=AT + timedelta(hours=number))
        for number in range(8)
    ]
    found = originals(chain)
    assert found == {1: 0, 3: 2, 5: 4, 7: 6}


def test_short_texts_stubs_and_live_blogs_have_to_be_equal_and_to_have_one_headline() -> None:
    prompt = "Subscribe to read all of this story. You have read three of your free articles this month."
    assert likeness(told(1, body=prompt), told(2, body=prompt)) is None
    assert likeness(told(1, body=prompt, headline="One"), told(2, body=prompt, headline="ONE!")) is not None
    stub = told(1, page_type="paywall_stub", headline="One")
    assert likeness(stub, told(2, headline="One", body=f"{TEXT} more")) is None
    assert likeness(told(1, page_type="live_blog"), told(2, page_type="live_blog")) is None


@given(st.permutations(range(6)), st.lists(st.sampled_from(["", "AFP", "dpa"]), min_size=6, max_size=6))
def test_the_order_in_which_they_come_does_not_matter(order: list[int], credits: list[str]) -> None:
    articles = [
        told(number, body=f"{TEXT}\n{prose(number % 3, 40 * (number % 3))}", authors=[credits[number]])
        for number in range(6)
    ]
    assert originals([articles[number] for number in order]) == originals(articles)


@pytest.mark.parametrize(
    ("agency", "authors", "body"),
    [
        ("Reuters", [], "PARIS, May 3 (Reuters) - The minister said so."),
        ("Reuters", [], "［東京 3日 ロイター］ - 橋が開通した。"),
        ("Reuters", [], "Text.\n(Reporting by Jane Doe; Editing by John Roe)"),
        ("Reuters", ["Reuters Staff"], "Text."),
        ("AFP", [], "Paris (AFP) – Le ministre l'a dit."),
        ("AFP", [], "Text.\n© 2026 AFP"),
        ("AFP", ["Le Monde avec AFP"], "Text."),
        ("dpa", [], "Berlin (dpa/lsw) - Die Bahn fährt."),
        ("dpa", ["Lisa Meier, dpa"], "Text."),
        ("dpa", [], "Text.\nQuelle: dpa"),
        ("ANSA", [], "(ANSA) - ROMA, 3 MAG - Il ministro."),
        ("EFE", [], "Madrid, 3 may (EFE).- El ministro."),
        ("TASS", [], "МОСКВА, 3 мая. /ТАСС/. Министр сказал."),
        ("Kyodo", [], "【東京共同】橋が開通した。"),
        ("Xinhua", [], "新华社北京5月3日电 大桥通车。"),
        ("Yonhap", [], "(서울=연합뉴스) 홍길동 기자 = 다리가 열렸다."),
        ("PR Newswire", [], "NEW YORK, May 3, 2026 /PRNewswire/ -- Acme opens a bridge."),
        ("Reuters", [], "BERLIN (Reuters) - The minister said so."),
        ("dpa", [], "Berlin, 3. Mai (dpa) – Die Bahn fährt."),
        ("dpa", [], "Frankfurt/Main, dpa – Die Bahn fährt."),
        ("AP", [], "WASHINGTON, D.C., May 3, 2026 (AP) — The minister said so."),
        ("AFP", [], "Rio de Janeiro (AFP) - Le ministre l'a dit."),
        ("PTI", [], "New Delhi, May 3 (PTI) The bridge.\nThe bridge was opened. (PTI)"),
        ("ANSA", [], "Text.\nIl ministro ha detto: «Basta». (ANSA)."),
        ("EFE", [], "Text.\nLo dijo el ministro.\nEFE"),
        (None, [], "PAP – the party that has governed Singapore since 1959 – won again on Saturday."),
        (None, [], "Bloomberg – who ran for president in 2020 – has said he will not run again."),
        (None, [], "TT – the Isle of Man race – starts on Monday."),
        (None, [], "In Audi's new TT – the third of its kind – there is room."),
        (None, [], "Palestinian Authority (PA) – the body that governs the West Bank – said so."),
        (None, [], "The Pakistan Tehreek-e-Insaf (PTI) - the largest party - said so."),
        (None, [], "In 2020 Imran Khan's party (PTI) – then in power – said so."),
        (None, [], "The vote was held on Monday.\nIt was boycotted by the Palestinian Authority (PA)."),
        (None, [], "He spoke.\nThe rally was called by Pakistan Tehreek-e-Insaf (PTI)."),
        (None, [], "He spoke.\nHe found help at Alcoholics Anonymous (AA)."),
        (None, [], "He left the party (PTI)\nIt was the end."),
        (None, ["Ann Thropic"], "The Pakistan Tehreek-e-Insaf (PTI) said on Monday that it would march."),
        (None, [], "Reuters was bought for 20 million.\nThe agency AFP was not."),
        (None, ["Apa Dpan"], "The New York Times - a paper - said so."),
    ],
)
def test_whose_text_it_says_to_be(agency: str | None, authors: list[str], body: str) -> None:
    assert credited(authors, body) == agency


def test_an_agencys_site() -> None:
    assert agency_of("https://www.reuters.com/world/") == "Reuters"
    assert agency_of("https://english.news.cn/") == "Xinhua"
    assert agency_of("https://kansa.it/") is None


def test_what_is_published_weeks_apart_is_a_copy_only_if_it_is_the_same() -> None:
    later = AT + timedelta(days=40)
    credit = f"{TEXT}\nReporting by the Herald."
    assert likeness(told(1, body=credit, published_at=AT + timedelta(days=13)), told(2)) is not None
    assert likeness(told(1, body=credit, published_at=later), told(2)) is None
    assert likeness(told(2), told(1, body=credit, published_at=later)) is None
    assert likeness(told(1, published_at=later), told(2)) is not None
    assert likeness(told(1, body=credit, published_at=later, headline="Headline 2"), told(2)) is not None
    shorter = TEXT[: len(TEXT) // 2]
    assert likeness(told(1, body=shorter, published_at=later, headline="Headline 2"), told(2)) is None
    assert likeness(told(1, body=credit, published_at=None, stored_at=later), told(2)) is not None


def test_two_earthquakes_and_two_draws_are_two_stories() -> None:
    for forms in (QUAKES, DRAWS):
        assert originals(told(number, body=body) for number, body in enumerate(forms)) == {}
    assert originals([told(0, body=QUAKES[0]), told(1, body=f"{QUAKES[0]}\nThe Herald.")]) == {1: 0}
