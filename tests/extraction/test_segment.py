"""segment(): no word is lost, none is split, blocks end where a reader sees them end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from lxml.etree import _Element as Element

from crawler.extraction.body import parse
from crawler.extraction.segment import count_words, segment

INLINE = ("a", "b", "em", "span", "i", "strong", "sub", "time", "mark", "label")
BLOCKS = ("p", "div", "section", "blockquote", "h2", "li", "figcaption", "pre")
WORDS = st.text("abcäöжあ", min_size=1, max_size=6)


def texts(content: str) -> list[str]:
    tree = parse(f"<html><body>{content}</body></html>".encode())
    assert tree is not None
    return [piece.text for piece in segment(tree)]


def kinds(content: str) -> list[tuple[str, str]]:
    tree = parse(f"<html><body>{content}</body></html>".encode())
    assert tree is not None
    return [(piece.kind, piece.text) for piece in segment(tree)]


def nodes() -> st.SearchStrategy[str]:
    """HTML of nested inline and block elements; text may touch tags, so a word may span elements."""
    leaf = st.one_of(
        WORDS, WORDS.map(lambda word: f" {word} "), st.sampled_from(["<br>", "<!-- no -->", "<img src=x>"])
    )

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        content = st.lists(inner, max_size=4).map("".join)
        return st.builds(lambda tag, text: f"<{tag}>{text}</{tag}>", st.sampled_from(INLINE), content)

    inline = st.recursive(leaf, grow, max_leaves=8)
    block = st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>", st.sampled_from(BLOCKS), st.lists(inline, max_size=5)
    )
    return st.lists(block, min_size=1, max_size=6).map("".join)


def visible(element: Element) -> str:
    """All text, with a blank where a block element or a line break parts words."""
    if not isinstance(element.tag, str):
        return element.tail or ""
    apart = "" if element.tag in INLINE or element.tag == "img" else " "
    inside = (element.text or "") + "".join(visible(child) for child in element)
    return apart + inside + apart + (element.tail or "")


@given(nodes())
def test_the_pieces_words_are_the_pages(content: str) -> None:
    tree = lxml_html.fromstring(f"<html><body>{content}</body></html>")
    body = tree.find("body")
    assert body is not None
    assert " ".join(piece.text for piece in segment(tree)).split() == visible(body).split()


def test_inline_markup_ends_no_block() -> None:
    assert texts("<p>The <b>har</b>bour <a href=x>bridge</a>, <em>they</em> say</p>") == [
        "The harbour bridge, they say"
    ]


def test_one_break_is_a_blank_and_two_end_a_block() -> None:
    assert texts("<div>one<br>two<br><br>three<br> <br>four</div>") == ["one two", "three", "four"]


def test_text_between_blocks_is_a_block() -> None:
    assert texts("<div>before<p>inside</p>after</div>") == ["before", "inside", "after"]


def test_tables_are_a_block_for_each_row() -> None:
    found = kinds("<table><tr><th>Day</th><th>Tide</th></tr><tr><td>Monday</td><td>06:12</td></tr></table>")
    assert found == [("table", "Day | Tide"), ("table", "Monday | 06:12")]


def test_lists_quotes_and_headings_keep_their_kind() -> None:
    found = kinds("<h2>On</h2><ul><li>one</li><li><p>two</p></li></ul><blockquote><p>said</p></blockquote>")
    assert found == [("heading", "On"), ("list", "one"), ("list", "two"), ("quote", "said")]


def test_scripts_styles_and_comments_have_no_text() -> None:
    assert texts("<p>a<script>x()</script><!-- c -->b<style>p{}</style></p><template><p>t</p></template>") == ["ab"]


@pytest.mark.parametrize("tag", ["div", "span", "b", "li"])
def test_deep_nesting(tag: str) -> None:
    depth = 20_000
    found = texts(f"<p>first words</p>{f'<{tag}>' * depth}deep{f'</{tag}>' * depth}")
    assert found[0] == "first words"


def test_link_density() -> None:
    tree = parse(b"<html><body><p><a href=x>all of it</a></p><p>none</p><p>half <a href=x>half</a></p></body></html>")
    assert tree is not None
    whole, none, half = segment(tree)
    assert (whole.link_density, none.link_density) == (1.0, 0.0)
    assert 0.3 < half.link_density < 0.7


def test_words_of_scripts_without_spaces() -> None:
    assert count_words("three small words") == 3
    assert count_words("日本語の文章です") == 4
    assert not re.search(r"\s", "日本語の文章です")
