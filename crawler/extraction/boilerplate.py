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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any, Protocol

import yaml
from lxml.etree import _Element as Element

from crawler.extraction.segment import Piece

SIGNALS = ("ask", "we", "you", "money", "journalism", "gate")
CUT = frozenset(("support", "paywall", "newsletter", "consent", "link-farm", "headline", "caption", "related", "share", "byline", "legal"))
LABEL_WORDS = 7  # a label or button is at most this long
_QUOTES = re.compile(r"[\"“”„«»‟❝❞]|(?<!\w)'(?=\w)")
_SPACES = re.compile(r"\s+")
_TOKEN = re.compile(r"[$£€]|\w+(?:['-]\w+)*\$?")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
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
        """Whether a folded text of so many words is this rule's; `site` is the folded name of the publication."""
        if self.max_words is not None and words > self.max_words:
            return False
        if self.equals and text.strip(" .:!?»›→…-") not in self._equals:
            return False
        if self.starts_with and not any(_starts(text, part) for part in _filled(self.starts_with, site)):
            return False
        if self.contains and not any(part in text for part in _filled(self.contains, site)):
            return False
        return self._regex is None or bool(self._regex.search(text))

    @cached_property
    def _equals(self) -> frozenset[str]:
        return frozenset(self.equals)

    @cached_property
    def _regex(self) -> re.Pattern[str] | None:
        return re.compile(self.regex) if self.regex else None


@cache
def _filled(parts: tuple[str, ...], site: str) -> tuple[str, ...]:
    return tuple(part.replace("{site}", site) for part in parts if site or "{site}" not in part)


def _starts(text: str, part: str) -> bool:
    """At a word's end: "The Example Post" does not start "the example postponed"."""
    return text.startswith(part) and not text[len(part) : len(part) + 1].isalnum()


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


@dataclass(frozen=True)
class Lexicon:
    """The words of all languages for one signal, sorted by how they are looked up: a text is read once."""

    words: frozenset[str]
    stems: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]  # first word -> phrases
    scripts: tuple[str, ...]  # of languages that put no spaces between words

    def found_in(self, tokens: frozenset[str], text: str, dense: bool) -> bool:
        if not self.words.isdisjoint(tokens) or any(token.startswith(self.stems) for token in tokens):
            return True
        spaced = f" {text} "
        for first in self.phrases.keys() & tokens:
            if any(f" {phrase} " in spaced for phrase in self.phrases[first]):
                return True
        return dense and any(part in text for part in self.scripts)


@cache
def lexicon() -> dict[str, Lexicon]:
    """signal -> its words. They match at their boundaries ("spende" is in "suspended"); `*` stands for any ending."""
    languages: dict[str, dict[str, list[str]]] = _loaded("appeals.yaml")
    return {name: _indexed([part for words in languages.values() for part in words.get(name, ())]) for name in SIGNALS}


def _indexed(parts: list[str]) -> Lexicon:
    dense = [part for part in parts if _DENSE.search(part)]
    spaced = [part for part in parts if part not in dense]
    phrases: dict[str, tuple[str, ...]] = {}
    for part in (part for part in spaced if " " in part):
        first = part.split()[0]
        phrases[first] = (*phrases.get(first, ()), part)
    return Lexicon(
        words=frozenset(part for part in spaced if " " not in part and not part.endswith("*")),
        stems=tuple(part[:-1] for part in spaced if " " not in part and part.endswith("*")),
        phrases=phrases,
        scripts=tuple(dense),
    )


@lru_cache(maxsize=64)  # the run grows over blocks that were judged just before
def appeal_signals(text: str) -> frozenset[str]:
    """Which of the six signals a folded text sends."""
    words = _TOKEN.findall(text)
    tokens, joined, dense = frozenset(words), " ".join(words), bool(_DENSE.search(text))
    return frozenset(name for name, words_of in lexicon().items() if words_of.found_in(tokens, joined, dense))


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
    if "ask" not in found or not found & {"we", "journalism"} or is_quoted(text):
        return False
    # A shop's "you can sign up for $5 a month" speaks to the reader too, but not as a publication.
    return len(found) >= 3 and bool(found & {"we", "you"}) and bool(found & {"money", "journalism", "gate"})


def _is_sentence(piece: Piece) -> bool:
    return piece.words > LABEL_WORDS or piece.text.rstrip("\"”»')").endswith((".", "。"))


def _grows_over(piece: Piece, same_container: bool) -> bool:
    """Whether a run takes in a neighbour: a further sentence of the letter, or a label of it."""
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
        if not piece.reason
        and 6 <= piece.words <= 220
        and piece.link_density < 0.9
        and folded(piece.text) != title
        and is_appeal(piece.text)
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
    """Take appeals and prompts out of the tree, so that no voter is misled by them: an element goes when all its blocks do.

    Captions, labels and the headline stay: they are landmarks by which a voter finds the article.
    """
    kept_elements: set[Element] = set()
    for piece in pieces:
        if piece.reason not in CUT:
            kept_elements.add(piece.element)
            kept_elements.update(piece.element.iterancestors())
    for piece in pieces:
        element = piece.element
        if piece.reason in CUT and element not in kept_elements:
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
