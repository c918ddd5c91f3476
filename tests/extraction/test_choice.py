"""What a review found: nested lists, tables, copies, names in lists, service information, data that is rescued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.extraction import extract
from crawler.sources import load_source

URL = "https://www.herald.example/2026/05/01/bridge"
PROSE = [
    "The council decided on Monday that the old bridge will be closed for repairs until the spring of next year.",
    "Engineers had found cracks in two of its four pillars when they looked at it during the low water of August.",
    "Buses will take the long way round by the quarry, which adds eleven minutes to the journey into the town.",
    "The ferry that was sold in 1987 is to be bought back, said the mayor, who has already written to its owner.",
]


def page(*parts: str) -> bytes:
    return f"<html lang=en><body><article><h1>Bridge closed</h1>{''.join(parts)}</article></body></html>".encode()


def paragraphs(*texts: str) -> str:
    return "".join(f"<p>{text}</p>" for text in texts)


def test_nested_lists_keep_their_items() -> None:
    nested = "<ul><li>North bank<ul><li>Mill Lane</li><li>Quay Street</li></ul></li><li>South bank</li></ul>"
    body = extract(page(paragraphs(*PROSE[:2]), nested, paragraphs(*PROSE[2:])), URL).body.split("\n")
    assert body == [*PROSE[:2], "North bank", "Mill Lane", "Quay Street", "South bank", *PROSE[2:]]


def test_a_table_between_paragraphs_stays() -> None:
    rows = "".join(f"<tr><td>Pillar {i}</td><td>{i} cm</td></tr>" for i in range(1, 4))
    body = extract(page(paragraphs(*PROSE[:2]), f"<table>{rows}</table>", paragraphs(*PROSE[2:])), URL).body
    assert "Pillar 1 | 1 cm\nPillar 2 | 2 cm\nPillar 3 | 3 cm" in body


def test_the_copy_for_small_screens_goes() -> None:
    twice = f"<div class=desktop>{paragraphs(*PROSE)}</div><div class=mobile>{paragraphs(*PROSE)}</div>"
    assert extract(page(twice), URL).body.split("\n") == PROSE


def test_names_in_a_list_are_no_authors() -> None:
    winners = "<p>The winners were:</p><ul><li>Ann Reed</li><li>Joe Hill</li><li>Mia Wong</li></ul>"
    found = extract(page(paragraphs(PROSE[0]), winners, paragraphs(*PROSE[1:])), URL)
    assert found.authors == ()
    assert "Mia Wong" in found.body


@pytest.mark.parametrize(
    "service",
    [
        "To donate to the victims of the flood, visit www.floodfund.example. You can give as little as £5.",
        "Anyone who saw the accident can register as a witness by calling 01632 960 123 until Friday evening.",
    ],
)
def test_service_information_is_reporting(service: str) -> None:
    assert service in extract(page(paragraphs(*PROSE[:2], service, *PROSE[2:])), URL).body


def test_a_heading_below_a_letter_is_the_articles() -> None:
    letter = "We need your help: please support our journalism with $5 a month."
    parts = paragraphs(*PROSE[:2], letter) + "<h2>And what will you do when it is closed?</h2>" + paragraphs(*PROSE[2:])
    body = extract(page(parts), URL).body
    assert letter not in body
    assert "And what will you do when it is closed?" in body


def test_rescued_text_obeys_the_seeds_own_rules(tmp_path: Path) -> None:
    seed = tmp_path / "herald.yaml"
    seed.write_text(
        "name: Herald\nhomepage: https://www.herald.example/\nboilerplate:\n"
        "  - {id: zork, kind: support, starts_with: [Zork], drops: [Zork helps.], keeps: [A zork.]}\n"
    )
    record = {
        "@type": "NewsArticle",
        "headline": "Bridge closed",
        "articleBody": "\n".join([*PROSE, "Zork helps us all."]),
    }
    html = f"<html><body><script type='application/ld+json'>{json.dumps(record)}</script></body></html>"
    found = extract(html.encode(), URL, source=load_source(seed))
    assert found.body.split("\n") == PROSE
    assert [block.reason for block in found.dropped] == ["support"]


@pytest.mark.parametrize("html", [b"", b"   ", b"%PDF-1.7\n\x00\x01\x02", b"\x89PNG\r\n\x1a\n\x00"])
def test_what_is_no_page_has_no_content(html: bytes) -> None:
    found = extract(html, URL)
    assert (found.page_type, found.body) == ("no_content", "")
