"""People out of bylines: roles, agencies, publications, several at once, printed ones."""

from __future__ import annotations

import pytest

from crawler.extraction.names import looks_like_a_person, people
from tests.extraction.heads import TEXT, article, fields, meta

H1 = "<h1>Barge hits the old bridge</h1>"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("By Nora Quill", ["Nora Quill"]),
        ("Von Nora Quill und Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Nora Quill, Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Nora Quill, Berlin", ["Nora Quill"]),
        ("Nora Quill, New York", ["Nora Quill"]),
        ("Nora Quill, Berlin, Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Nora Quill and Emil Varga; Tess Aldous", ["Nora Quill", "Emil Varga", "Tess Aldous"]),
        ("Nora Quill / Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Nora Quill with Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Автор: Вера Лугова", ["Вера Лугова"]),
        ("Par Nora Quill et Emil Varga", ["Nora Quill", "Emil Varga"]),
        ("Erstellt von Nora Quill", ["Nora Quill"]),
        ("Nora Quill, Chief Political Correspondent", ["Nora Quill"]),
        ("Nora Quill (Example Agency)", ["Nora Quill"]),
        ("Nora Quill | Reporter", ["Nora Quill"]),
        ("Nora Quill for The Example Post", ["Nora Quill"]),
        ("Nora Quill Example Post Staff", ["Nora Quill"]),
        ("Example Post - Nora Quill", ["Nora Quill"]),
        ("Nora Quill nora.quill@post.example", ["Nora Quill"]),
        ("Nora Quill @noraquill", ["Nora Quill"]),
        ("NORA QUILL", ["Nora Quill"]),
        ("Ida Levin, Amy Ilves", ["Ida Levin", "Amy Ilves"]),  # "le", "am" and "il" are also words
        ("김하나 기자", ["김하나"]),
        ("(责编：王小明、李大山)", []),
        ("责编：王小明、李大山", ["王小明", "李大山"]),
        ("Example Post", []),
        ("Example Post Newsroom", []),
        ("post.example", []),
        ("Redaktion", []),
        ("https://post.example/author/nora", []),
        ("nora@post.example", []),
        ("admin", []),
        ("105092", []),
        ("(Image: Example Agency)", []),
        ("Byron Vance", ["Byron Vance"]),
        ("By Nora Quill Feb. 10, 2022", ["Nora Quill"]),
        ("Nora Quill March 5, 2026", ["Nora Quill"]),
    ],
)
def test_people(raw: str, expected: list[str]) -> None:
    assert list(people(raw, "Example Post", "www.post.example")) == expected


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Nora Quill", True),
        ("Nora van der Quill", True),
        ("Nora O’Quill-Varga", True),
        ("Вера Лугова", True),
        ("Getting started", False),
        ("Read more", False),
        ("Nora", False),
        ("Nora Quill writes about bridges", False),
    ],
)
def test_what_looks_like_a_person(text: str, person: bool) -> None:
    assert looks_like_a_person(text) is person


# --- what machines are told


def test_an_author_that_is_only_an_id_is_looked_up() -> None:
    record = {
        "@graph": [article(author={"@id": "#p1"}), {"@type": "Person", "@id": "#p1", "name": "Nora Quill"}],
    }
    assert fields(record=record).authors == ("Nora Quill",)


def test_given_and_family_name() -> None:
    person = {"@type": "Person", "givenName": "Nora", "familyName": "Quill"}
    assert fields(record=article(author=[person])).authors == ("Nora Quill",)


def test_agencies_and_initials_are_dropped_beside_people_and_kept_alone() -> None:
    assert fields(record=article(author="Nora Quill, Emil Varga/XYZ")).authors == ("Nora Quill", "Emil Varga")
    alone = fields(record=article(author={"@type": "Person", "name": "XYZ"}))
    assert (alone.authors, alone.evidence["authors"]) == (("XYZ",), "organisation")


def test_an_organisation_signs_only_when_nobody_does() -> None:
    agency = {"@type": "Organization", "name": "Example Agency"}
    person = {"@type": "Person", "name": "Nora Quill"}
    assert fields(record=article(author=[agency, person])).authors == ("Nora Quill",)
    assert fields(record=article(author=agency)).authors == ("Example Agency",)
    byline = '<div class="byline">By Nora Quill</div>'
    assert fields("", H1 + byline + TEXT, article(author=agency)).authors == ("Nora Quill",)


def test_meta_that_names_more_people_completes_json_ld() -> None:
    found = fields(meta("author", "Nora Quill, Emil Varga"), "", article(author="Nora Quill"))
    assert (found.authors, found.evidence["authors"]) == (("Nora Quill", "Emil Varga"), "meta:author")


# --- what is printed


@pytest.mark.parametrize(
    "byline",
    [
        '<div class="story__byline">By Nora Quill</div>',
        '<p>By <a href="/a/nq" rel="author">Nora Quill</a> | 5 March 2026 | 3 comments</p>',
        '<span itemprop="author">Nora Quill</span>',
        "<p>Von Nora Quill, 5. März 2026</p>",
        '<div class="byline"><a class="byline__author" href="/a/nq">By Nora Quill</a> <time>Feb. 10, 2022</time></div>',
        "<p>Autorin: Nora Quill</p>",
        "<p>Nora Quill</p>",  # alone above the first paragraph
        '<div class="author"><img alt=""><b>NORA QUILL</b><i class="author-role">Chief reporter</i></div>',
    ],
)
def test_a_printed_byline(byline: str) -> None:
    found = fields("", H1 + byline + TEXT)
    assert (found.authors, found.evidence["authors"]) == (("Nora Quill",), "byline")


@pytest.mark.parametrize(
    "line",
    [
        '<div class="author">All our authors write for free</div>',
        '<a href="/tag/nora-quill">Nora Quill</a>',  # a tag, not an author
        '<figure><figcaption class="photo-credit author">Nora Quill</figcaption></figure>',
        "<p>By the river, a new bridge</p>",
        "<h3>Nora Quill</h3>",
    ],
)
def test_what_is_no_byline(line: str) -> None:
    assert fields("", H1 + line + TEXT).authors == ()


def test_a_byline_of_another_story_far_below_is_not_taken() -> None:
    other = "<p>short</p>" * 60 + '<p class="byline">By Nora Quill</p>'
    assert fields("", H1 + TEXT + other).authors == ()


def test_a_pen_name_in_the_authors_own_element() -> None:
    body = H1 + '<p>Posted on <time>5 March 2026</time> by <span class="author vcard">riverwatcher</span></p>' + TEXT
    assert fields("", body).authors == ("riverwatcher",)
