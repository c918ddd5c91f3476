"""The words and weights of `rules/links.yaml`, folded and ready to be looked up."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_BETWEEN = re.compile(r"[\W_]+")
_PLAIN = str.maketrans({"ø": "o", "æ": "ae", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "œ": "oe"})


def folded(text: str) -> str:
    """Lower case, no accents, one hyphen for whatever is neither letter nor digit."""
    lower = text.lower()
    if not lower.isascii():
        apart = unicodedata.normalize("NFD", lower.translate(_PLAIN))
        lower = "".join(char for char in apart if not unicodedata.combining(char))
    return _BETWEEN.sub("-", lower).strip("-")


def words(name: str) -> frozenset[str]:
    """What whole segments of paths are compared with."""
    return _words()[name]


@cache
def queries(name: str) -> frozenset[str]:
    """Names of parameters that search, that lead to an account, that number pages or count what is skipped."""
    return frozenset(_data()["queries"][name])


@cache
def listed(name: str) -> frozenset[str]:
    """`files`, `pages`, `editions` or `numbers`."""
    return frozenset(map(folded, _data()[name]))


@cache
def next_words() -> frozenset[str]:
    """What the link to a listing's next page says."""
    return frozenset(folded(text) for language in _data()["next"] for text in language)


def weights() -> dict[str, dict[str, float]]:
    """Kind of link -> sign -> weight."""
    table: dict[str, dict[str, float]] = _data()["weights"]
    return table


@cache
def _words() -> dict[str, frozenset[str]]:
    return {
        name: frozenset(folded(text) for language in languages for text in language)
        for name, languages in _data()["words"].items()
    }


@cache
def _data() -> dict[str, Any]:
    text = files("crawler.discovery").joinpath("rules", "links.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)  # twenty times faster
    return data
