"""Which blocks are not the article, and why: fixed rules kept as data, and appeals recognised as whole runs.

A rule (`rules/*.yaml`) has an id, a kind, matchers from a closed set and its own examples. It judges one block.

An appeal ("we need your help ...") has no fixed wording. `rules/appeals.yaml` lists words by language for six signals:
ask, we, you, money, journalism, gate. A block whose signals add up is the core of a run, and the run grows over its
neighbours: labels, buttons and further sentences of the same letter that say nothing tell-tale alone. Quotation and
attribution veto, since an article about donations quotes such sentences. Deleting single sentences by phrase was
measured to delete content (16 of 51), which is why blocks and runs are judged, never sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

import yaml
from lxml.etree import _Element as Element

from crawler.extraction.segment import Piece

SIGNALS = ("ask", "we", "you", "money", "journalism", "gate")
LABEL_WORDS = 7  # a label or button is at most this long
_QUOTES = re.compile(r"[\"“”„«»‟❝❞]|(?<!\w)'(?=\w)")
_SPACES = re.compile(r"\s+")
_FOLD = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "\u00a0": " ", "…": "..."})


def folded(text: str) -> str:
    """Lower case, straight quotes, single spaces: what matchers compare."""
    return _SPACES.sub(" ", text.translate(_FOLD)).strip().casefold()


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
        if self.max_words is not None and words > self.max_words:
            return False
        tests: list[Callable[[], bool]] = []
        if self.equals:
            tests.append(lambda: text.strip(" .:!?»›→…-") in self._filled(self.equals, site))
        if self.starts_with:
            tests.append(lambda: text.startswith(tuple(self._filled(self.starts_with, site))))
        if self.contains:
            tests.append(lambda: any(part in text for part in self._filled(self.contains, site)))
        if self.regex:
            pattern = self.regex
            tests.append(lambda: bool(_compiled(pattern).search(text)))
        return bool(tests) and all(test() for test in tests)

    @staticmethod
    def _filled(parts: Iterable[str], site: str) -> list[str]:
        return [part.replace("{site}", site) for part in parts if site or "{site}" not in part]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _loaded(name: str) -> Any:
    text = files("crawler.extraction").joinpath("rules", name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def rules() -> tuple[Rule, ...]:
    """The package's rules, in file order; the first that matches names the reason."""
    return tuple(
        Rule(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
        for entry in _loaded("blocks.yaml")
    )


@cache
def signals() -> dict[str, re.Pattern[str]]:
    """signal -> one pattern over all languages; words match at their boundaries ("spende" is in "suspended")."""
    languages: dict[str, dict[str, list[str]]] = _loaded("appeals.yaml")
    found: dict[str, re.Pattern[str]] = {}
    for signal in SIGNALS:
        parts = [part for words in languages.values() for part in words.get(signal, ())]
        found[signal] = re.compile("|".join(_bounded(part) for part in sorted(parts, key=len, reverse=True)))
    return found


def _bounded(part: str) -> str:
    """`*` at the end stands for any ending; scripts without spaces have no boundaries."""
    if re.search(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", part):
        return re.escape(part)
    stem = part.removesuffix("*")
    return rf"(?<!\w){re.escape(stem)}" + (r"\w*" if part.endswith("*") else r"(?!\w)")


def appeal_signals(text: str) -> frozenset[str]:
    """Which of the six signals a folded text sends."""
    return frozenset(name for name, pattern in signals().items() if pattern.search(text))


def is_quoted(text: str) -> bool:
    """Speech or attribution: the publisher does not put its own appeal in quotation marks."""
    quotes = _QUOTES.findall(text)
    if len(quotes) < 2:
        return False
    inside = re.findall(r"[\"“„«❝](.+?)[\"”“»❞]", text)
    return sum(map(len, inside)) * 3 >= len(text)


def is_appeal(text: str) -> bool:
    """The core of a run: the publication speaks to its reader, asks, and names money, its journalism or a gate."""
    found = appeal_signals(folded(text))
    if "ask" not in found or is_quoted(text):
        return False
    return len(found & {"we", "you"}) >= 1 and len(found) >= 3 and bool(found & {"money", "journalism", "gate"})


def _is_sentence(piece: Piece) -> bool:
    return piece.words > LABEL_WORDS or piece.text.rstrip("\"”»')").endswith((".", "。"))


def _grows_over(piece: Piece, same_container: bool) -> bool:
    """Whether a run takes in a neighbour: a further sentence of the letter, or a label of it."""
    if piece.hidden:
        return False
    found = appeal_signals(folded(piece.text))
    if is_quoted(piece.text):
        return False
    if same_container and not _is_sentence(piece) and piece.kind != "heading":
        return True
    return "ask" in found or ("we" in found and len(found) >= 2)


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


def _drop_by_package(piece: Piece, site: str) -> None:
    text = folded(piece.text)
    for rule in rules():
        if rule.matches(text, piece.words, site):
            piece.drop(rule.kind, rule.id)
            return


def drop_appeals(pieces: Sequence[Piece], headline: str | None = None) -> None:
    """Find the core of each appeal and drop the whole run around it as `support` (or `paywall`, if it is about a gate)."""
    title = folded(headline or "")
    cores = {
        i
        for i, piece in enumerate(pieces)
        if not piece.reason and 6 <= piece.words <= 220 and folded(piece.text) != title and is_appeal(piece.text)
    }
    for core in sorted(cores):
        if not pieces[core].reason:
            _drop_run(pieces, core, cores)


def _drop_run(pieces: Sequence[Piece], core: int, cores: set[int]) -> None:
    gate = "gate" in appeal_signals(folded(pieces[core].text))
    money = "money" in appeal_signals(folded(pieces[core].text))
    kind = "paywall" if gate and not money else "support"
    run = [core]
    for step in (1, -1):
        at = core + step
        while 0 <= at < len(pieces) and (at in cores or _joins(pieces, at, at - step)):
            run.append(at)
            at += step
    for at in run:
        if not pieces[at].reason:
            pieces[at].drop(kind, "appeal-run" if at != core else "appeal")


def _joins(pieces: Sequence[Piece], at: int, before: int) -> bool:
    piece = pieces[at]
    if piece.reason in ("support", "paywall"):
        return True
    if piece.reason or piece.level == 1:
        return False
    forward = at > before
    return _grows_over(piece, _same_box(piece.element, pieces[before].element, forward))


def _same_box(one: Element, other: Element, forward: bool) -> bool:
    """Whether two blocks share a parent or one's parent holds the other: the box of a letter and its buttons.

    Backwards only a direct sibling counts, or a run would climb into the article above it.
    """
    first, second = one.getparent(), other.getparent()
    if first is None or second is None:
        return False
    if not forward:
        return first is second and one.tag != "p"
    return first is second or second in first.iterancestors() or first in second.iterancestors()


def cut(pieces: Sequence[Piece]) -> None:
    """Take dropped blocks out of the tree, so that no voter is misled by them. An element goes when all its blocks do."""
    kept_elements: set[Element] = set()
    for piece in pieces:
        if not piece.reason:
            kept_elements.add(piece.element)
            kept_elements.update(piece.element.iterancestors())
    for piece in pieces:
        element = piece.element
        if piece.reason and element not in kept_elements:
            parent = element.getparent()
            if parent is not None and element.tag != "body":
                _remove(element, parent)


def _remove(element: Element, parent: Element) -> None:
    tail = element.tail
    if tail and tail.strip():
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "") + " " + tail
        else:
            previous.tail = (previous.tail or "") + " " + tail
    parent.remove(element)
