"""Fixed rules that judge one block, kept as data.

A rule (`rules/*.yaml`) has an id, a kind, matchers from a closed set and its own examples of what it drops and keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Protocol

import yaml

from crawler.extraction.lexicon import folded as folded
from crawler.extraction.segment import Piece

SITE = "\x00"
CLOSING = " .:!?»›→…-"  # what may stand around a label
# A name takes an article in a sentence: "Support The Example Post", "Unterstützen Sie den Beispiel-Boten".
_DETERMINERS = ("", "the ", "den ", "die ", "das ", "der ", "le ", "la ", "les ", "el ", "il ", "o ", "a ", "de ")


class SourceRule(Protocol):
    """What a seed's own rule offers; `crawler.sources` has the model."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def matches(self, text: str) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the package. Every matcher that is given has to match; `{site}` stands for the publication's name."""

    id: str
    kind: str
    equals: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    regex: str | None = None
    max_words: int | None = None
    drops: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()

    def matches(self, text: str, words: int, site: str = "") -> bool:
        """Whether a folded text of so many words is this rule's; `site` is the folded name of the publication."""
        if self.max_words is not None and words > self.max_words:
            return False
        if self.equals and text.strip(CLOSING) not in self._equals:
            return False
        if self.starts_with and not _starts(text, _filled(self.starts_with, site)):
            return False
        if self.contains and not any(part in text for part in _filled(self.contains, site)):
            return False
        if self.regex is None:
            return True
        return bool(_compiled(self.regex).search(text.replace(site, SITE) if site and "{site}" in self.regex else text))

    @cached_property
    def names_site(self) -> bool:
        return any("{site}" in part for part in (self.regex or "", *self.starts_with, *self.contains))

    @cached_property
    def _equals(self) -> frozenset[str]:
        return frozenset(self.equals)


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    """`{site}` is a sign that takes the name's place in the text: one pattern for all publications."""
    return re.compile(regex.replace("{site}", f"(?:{'|'.join(map(re.escape, _DETERMINERS))}){SITE}"))


@lru_cache(maxsize=1_024)
def _filled(parts: tuple[str, ...], site: str) -> tuple[str, ...]:
    plain = tuple(part for part in parts if "{site}" not in part)
    named = [part for part in parts if "{site}" in part] if site else []
    return plain + tuple(part.replace("{site}", the + site) for part in named for the in _DETERMINERS)


def _starts(text: str, parts: tuple[str, ...]) -> bool:
    """At a word's end: "The Example Post" does not start "the example postponed"."""
    text = text.lstrip("¡¿ ")
    if not text.startswith(parts):
        return False
    return any(text.startswith(part) and not text[len(part) : len(part) + 1].isalnum() for part in parts)


def loaded(name: str) -> Any:
    text = files("crawler.extraction").joinpath("rules", name).read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)  # twenty times faster


@cache
def rules() -> tuple[Rule, ...]:
    """The package's rules, in file order; the first that matches names the reason."""
    return tuple(_rule(entry) for entry in loaded("blocks.yaml"))


@cache
def _labels() -> dict[str, Rule]:
    """Label -> its rule: most rules' words are found with one look."""
    return {label: rule for rule in reversed(rules()) for label in rule.equals}


@cache
def _others() -> tuple[Rule, ...]:
    """Rules that are neither labels nor name the publication."""
    return tuple(rule for rule in rules() if not rule.equals and not rule.names_site)


@cache
def _naming() -> tuple[Rule, ...]:
    return tuple(rule for rule in rules() if rule.names_site)


def _rule(entry: dict[str, Any]) -> Rule:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    for matcher in ("equals", "starts_with", "contains"):
        if matcher in fields:
            fields[matcher] = tuple(folded(part) for part in fields[matcher])
    return Rule(**fields)


def drop_rules(pieces: Sequence[Piece], site: str, source_rules: Iterable[SourceRule] = ()) -> None:
    """Drop every block that a rule matches, the source's own rules first."""
    own = list(source_rules)
    place = folded(site)
    for piece in pieces:
        if piece.reason:
            continue
        for source_rule in own:
            if source_rule.matches(piece.text):
                piece.drop(source_rule.kind, source_rule.id)
                break
        else:
            _drop_by_package(piece, place)


@dataclass(frozen=True)
class _Screen:
    """Most rules in four looks: a page has hundreds of blocks, and nearly none of them matches any rule."""

    anchored: re.Pattern[str]
    loose: re.Pattern[str] | None
    starts: tuple[str, ...]
    parts: re.Pattern[str]

    def passes(self, text: str) -> bool:
        return bool(
            self.anchored.match(text)
            or (self.loose and self.loose.search(text))
            or text.lstrip("¡¿ ").startswith(self.starts)
            or self.parts.search(text)
        )


@cache
def _screen() -> _Screen:
    patterns = [rule.regex for rule in _others() if rule.regex]
    open_ended = [rule.regex for rule in _others() if rule.regex and not rule.contains]
    loose = [pattern for pattern in open_ended if not _is_anchored(pattern)]
    return _Screen(
        anchored=_union(pattern for pattern in patterns if _is_anchored(pattern)),
        loose=_union(loose) if loose else None,
        starts=tuple(part for rule in _others() for part in rule.starts_with),
        parts=_union(re.escape(part) for rule in _others() for part in rule.contains),
    )


def _union(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"[^\W\w]")


def _is_anchored(pattern: str) -> bool:
    """Whether each alternative on the top level starts with `^`."""
    depth, starts = 0, pattern.startswith("^")
    for before, at, after in zip(" " + pattern, pattern, pattern[1:] + " ", strict=False):
        if before != "\\":
            depth += (at in "([") - (at in ")]")
            starts = starts and not (at == "|" and depth == 0 and after != "^")
    return starts


def _drop_by_package(piece: Piece, site: str) -> None:
    text = folded(piece.text)
    label = _labels().get(text.strip(CLOSING))
    likely = (label,) if label else _others() if _screen().passes(text) else ()
    if site and site in text:
        likely = (*likely, *_naming())
    for rule in likely:
        if rule.matches(text, piece.words, site):
            piece.drop(rule.kind, rule.id)
            return
