"""Which of a page's titles is its headline, and what is cut from it."""

from __future__ import annotations

import pytest

from crawler.extraction.titles import without_site
from tests.extraction.heads import article, fields, meta

NAMES = ["Example Post", "www.example-post.example"]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Bridge closed | Example Post", "Bridge closed"),
        ("Bridge closed - Example Post", "Bridge closed"),
        ("Bridge closed – News – Example Post", "Bridge closed – News"),
        ("Bridge closed – Traffic – Example Post", "Bridge closed"),  # the section that the page names
        ("Bridge closed | Example Post | Daily news from the river", "Bridge closed"),
        ("Bridge closed: Example Post Online", "Bridge closed: Example Post Online"),
        ("Bridge closed-ExamplePost", "Bridge closed"),
        ("Example Post: Bridge closed", "Example Post: Bridge closed"),
        ("Example Post | Bridge closed", "Bridge closed"),
        ("Example Post » Blog Archive » Bridge closed", "Bridge closed"),
        ("Bridge - closed", "Bridge - closed"),
        ("Storm-hit Bridge-Town", "Storm-hit Bridge-Town"),
        ("Example Post", "Example Post"),
    ],
)
def test_a_headline_without_the_site(title: str, expected: str) -> None:
    assert without_site(title, NAMES, ["Traffic"]) == expected


@pytest.mark.parametrize(
    "title",
    [
        "大桥今日关闭，市民绕行-例报",
        "大桥今日关闭，市民绕行_例报",
        "大桥今日关闭，市民绕行｜例报",
        "大桥今日关闭，市民绕行-交通ㅣ例报",
    ],
)
def test_separators_of_scripts_without_blanks(title: str) -> None:
    assert without_site(title, ["例报"]) == "大桥今日关闭，市民绕行"


def test_a_short_name_does_not_cut_a_headline_that_begins_with_it() -> None:
    assert (
        without_site("Mail chief | Post office closures widen", ["Post"]) == "Mail chief | Post office closures widen"
    )


def test_json_ld_and_og_against_the_title_element() -> None:
    record = article(headline="Bridge: all you need to know")
    head = "<title>Bridge: all you need to know | Post</title>" + meta("og:title", "The bridge is shut")
    found = fields(head, "<h1>The bridge is shut</h1>", record)
    assert (found.headline, found.evidence["headline"]) == ("The bridge is shut", "h1")


def test_json_ld_stands_against_an_h1_that_is_the_title_element() -> None:
    head = "<title>River: bridge shut, ferries, detours</title>" + meta(
        "og:title", "River: bridge shut, ferries, detours"
    )
    found = fields(head, "<h1>River: bridge shut, ferries, detours</h1>", article(headline="A barge and a pier"))
    assert found.headline == "A barge and a pier"


def test_the_printed_headline_beats_a_title_for_search_engines() -> None:
    head = "<title>Bridge shut: what to know</title>" + meta("og:title", "Bridge shut: what to know")
    assert fields(head, "<h1>The bridge that nobody wanted is shut</h1>").headline == (
        "The bridge that nobody wanted is shut"
    )


@pytest.mark.parametrize(
    "h1",
    [
        '<h1 class="site-title"><a href="/">River Notes</a></h1>',
        "<h1>River Notes</h1>",
    ],
)
def test_an_h1_that_names_the_site_or_a_section_is_no_headline(h1: str) -> None:
    found = fields("<title>Barge hits the old bridge | River Notes</title>", h1, url="https://example-post.example/a")
    assert found.headline == "Barge hits the old bridge"


@pytest.mark.parametrize("h1", ["<h1>Example Post</h1>", "<h1>News</h1>"])
def test_an_h1_that_has_nothing_in_common_with_the_title_is_no_headline(h1: str) -> None:
    found = fields("<title>Barge hits the old bridge</title>", h1, url="https://example-post.example/a")
    assert found.headline == "Barge hits the old bridge"


def test_of_several_h1_the_one_that_the_title_repeats() -> None:
    body = "<h1>Quick links</h1><h1>Services</h1><h1>Barge hits the old bridge</h1>"
    found = fields("<title>Town hall - News - Barge hits the old bridge</title>", body)
    assert found.headline == "Barge hits the old bridge"


def test_a_kicker_in_the_same_h1_is_cut() -> None:
    head = meta("og:title", "Barge hits the old bridge")
    assert fields(head, "<h1><span>5 March 2026</span> Barge hits the old bridge</h1>").headline == (
        "Barge hits the old bridge"
    )


def test_a_headline_is_not_cut_at_its_own_beginning() -> None:
    head = "<title>Storm hits the coast</title>" + meta("og:title", "Storm hits the coast, two ferries turned back")
    assert fields(head, "<h1>Storm hits the coast, two ferries turned back</h1>").headline == (
        "Storm hits the coast, two ferries turned back"
    )


def test_a_title_cut_for_a_card_is_not_taken() -> None:
    record = article(headline="Storm hits the coast, two…")
    assert fields("", "<h1>Storm hits the coast, two ferries turned back</h1>", record).headline == (
        "Storm hits the coast, two ferries turned back"
    )


def test_entities_are_undone_even_twice() -> None:
    assert fields(record=article(headline="Fish &amp;amp; chips")).headline == "Fish & chips"
