from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.text import clean, json_safe, one_line

any_text = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ""),
        ("", ""),
        ("  a  b \t c ", "a b c"),
        ("a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        (" a \n  b ", "a\nb"),
        ("a\n\nb", "a\n\nb"),
        ("\n\n a \n", "a"),
        ("a\x00b\x07c\x9dd\x7f", "abcd"),
        ("so\u00adft zero\u200bwidth \ufeffbom", "soft zerowidth bom"),
        ("1\u00a0000\u202f000\u3000x", "1 000 000 x"),
        ("cafe\u0301", "café"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("lone \ud800 one", "lone \ufffd one"),
        ("pair \ud83d\ude00", "pair \U0001f600"),
    ],
)
def test_clean(text: str | None, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), (" \n\u200b ", None), ("a\n\n b\u00a0c\n", "a b c"), ("\x00", None)]
)
def test_one_line(text: str | None, expected: str | None) -> None:
    assert one_line(text) == expected


@given(any_text)
def test_clean_is_idempotent_and_storable(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "\x00" not in cleaned
    cleaned.encode()


@given(any_text)
def test_one_line_is_idempotent(text: str) -> None:
    line = one_line(text)
    assert one_line(line) == line
    assert line is None or "\n" not in line


def test_json_safe_reaches_every_string() -> None:
    value = {"a\x00": ["\ud800", ("b\x00", 1, None, True)], "n": float("nan"), "i": float("inf"), "f": 1.5}
    assert json_safe(value) == {"a": ["\ufffd", ["b", 1, None, True]], "n": None, "i": None, "f": 1.5}


@given(
    st.recursive(any_text | st.floats() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(any_text, inner))
)
def test_json_safe_values_can_be_stored(value: object) -> None:
    stored = json.dumps(json_safe(value), ensure_ascii=False, allow_nan=False).encode()
    assert b"\\u0000" not in stored
