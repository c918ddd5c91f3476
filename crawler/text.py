"""Text as it may be stored: NFC, no control characters, no lone surrogates, one kind of blank."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any
from unicodedata import is_normalized

MAX_MARKUP = 2_000_000  # characters of a string with markup; no article is longer
_LINE_BREAK = re.compile("\r\n|[\r\x85\u2028\u2029]")
# U+200C and U+200D stay: Persian spelling and joined emoji need them.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff]")
_BLANKS = re.compile("[ \t\x0b\x0c\x1c-\x1f\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_EDGES = re.compile(" ?\n ?")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAG = re.compile(r"<[^<>]*>")  # a "<" inside ends the look: no text of many of them takes quadratic time
_WORD = re.compile(r"\w+")
_DENSE_SCRIPT = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def clean(text: str | None) -> str:
    """Normalise `text` line by line; idempotent.

    NFC; control and invisible characters go; every run of blanks, tabs included, is one space; lines and the whole are
    trimmed. Line breaks stay.
    """
    if not text:
        return ""
    text = _without_surrogates(text)
    text = _LINE_BREAK.sub("\n", text)
    text = _INVISIBLE.sub("", text)
    text = unicodedata.normalize("NFC", text)
    text = _BLANKS.sub(" ", text)
    return _LINE_EDGES.sub("\n", text).strip(" \n")


def one_line(text: str | None) -> str | None:
    """`clean`, with line breaks as spaces; None when nothing is left."""
    if not text:
        return None
    # Nearly all text of nearly all pages needs no more than this, and a page has thousands of pieces of it.
    joined = " ".join(text.split())
    if joined.isprintable() and not _CONTROL.search(text) and (joined.isascii() or is_normalized("NFC", joined)):
        return joined or None
    return " ".join(line for line in clean(text).split("\n") if line) or None


def without_tags(text: str, instead: str = " ") -> str:
    """A string's text without its markup; `instead` stands for each tag. What is beyond MAX_MARKUP is cut off."""
    return _TAG.sub(instead, text[:MAX_MARKUP])


def count_words(text: str) -> int:
    """Words; in scripts that are written without spaces every two characters count as one."""
    dense = len(_DENSE_SCRIPT.findall(text))
    return len(_WORD.findall(_DENSE_SCRIPT.sub(" ", text) if dense else text)) + (dense + 1) // 2


def json_safe(value: Any) -> Any:
    """A copy of `value` that PostgreSQL's jsonb takes: no NUL, no lone surrogates, None for NaN or infinity."""
    if isinstance(value, str):
        return _without_surrogates(value).replace("\x00", "")
    if isinstance(value, dict):
        return {json_safe(key) if isinstance(key, str) else key: json_safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _without_surrogates(text: str) -> str:
    """Join surrogate pairs to the character that they mean; what stands alone becomes U+FFFD."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


_NO_LETTER = re.compile(r"[\W_]+")


def key(text: str) -> str:
    """What makes two texts the same: letters and digits, without case."""
    return _NO_LETTER.sub("", text).casefold()
