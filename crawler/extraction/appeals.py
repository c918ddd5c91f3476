"""Appeals to the reader ("we need your help ..."), which have no fixed wording, recognised as whole runs.

`rules/appeals.yaml` lists words by language for six signals: ask, we, you, money, journalism, gate; the publication's
own name counts as "we". A block whose signals add up is the core of a run, and the run grows over its neighbours:
labels, buttons and further sentences of the same letter that say nothing tell-tale alone. What stands in quotation
marks sends no signal and attribution vetoes, since an article about donations quotes such sentences. Deleting single
sentences by phrase was measured to delete content (16 of 51), which is why blocks and runs are judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from lxml.etree import _Element as Element

from crawler.extraction.rules import folded, loaded
from crawler.extraction.segment import Piece

SIGNALS = ("ask", "we", "you", "money", "journalism", "gate")
LABEL_WORDS = 7  # a label or button is at most this long
BUTTONS = 0.9  # share of link text above which a block is buttons
CORE_WORDS = range(6, 221)
_QUOTES = re.compile(r"[\"“”„«»‟❝❞]|(?<!\w)'(?=\w)")
_QUOTED = re.compile(r"\"[^\"]*\"|«[^«»]*»|「[^「」]*」")
_TOKEN = re.compile(r"[$£€]|\w+(?:['-]\w+)*\$?")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ATTRIBUTED = re.compile(
    r"\b(?:said|says|told|wrote|argued|added|announced|according to|sagte|sagt|erklärte|teilte .{1,60} mit|laut|zufolge"
    r"|a déclaré|a dit|a indiqué|affirme|selon|d'après|dijo|declaró|afirmó|explicó|según|ha detto|ha dichiarato|spiega"
    r"|secondo|disse|afirmou|segundo|zei|volgens|сказал\w*|заявил\w*|сообщил\w*|рассказал\w*|по словам|powiedział\w*"
    r"|według)\b|述べた|話した|によると"
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
    languages: dict[str, dict[str, list[str]]] = loaded("appeals.yaml")
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


@lru_cache(maxsize=256)  # the run grows over blocks that were judged just before
def appeal_signals(text: str, site: str = "") -> frozenset[str]:
    """Which of the six signals a text sends outside of quotation marks. `site` is the publication's name."""
    own = _QUOTED.sub(" ", folded(text))
    words = _TOKEN.findall(own)
    tokens, joined, dense = frozenset(words), " ".join(words), bool(_DENSE.search(own))
    found = {name for name, words_of in lexicon().items() if words_of.found_in(tokens, joined, dense)}
    if site and re.search(rf"(?<!\w){re.escape(site)}(?![a-z0-9])", text):  # as written: "Time" is no "time"
        found.add("we")
    return frozenset(found)


def is_quoted(text: str) -> bool:
    """Mostly speech: the publisher does not put its own appeal in quotation marks."""
    if len(_QUOTES.findall(text)) < 2:
        return False
    inside = re.findall(r"[\"“„«❝](.+?)[\"”“»❞]", text)
    return sum(map(len, inside)) * 3 >= len(text)


def is_attributed(text: str) -> bool:
    """Somebody is said to have said it."""
    return bool(_ATTRIBUTED.search(_QUOTED.sub(" ", folded(text))))


def is_appeal(text: str, site: str = "") -> bool:
    """The core of a run: the publication speaks to its reader, asks, and names money, its journalism or a gate."""
    found = appeal_signals(text, site)
    if "ask" not in found or not found & {"we", "journalism"} or is_quoted(text) or is_attributed(text):
        return False
    # A shop's "you can sign up for $5 a month" speaks to the reader too, but not as a publication.
    return len(found) >= 3 and bool(found & {"we", "you"}) and bool(found & {"money", "journalism", "gate"})


def is_sentence(piece: Piece) -> bool:
    """Prose, as against labels and rows of buttons."""
    if piece.link_density > BUTTONS:
        return False
    return piece.words > LABEL_WORDS or piece.text.rstrip("\"”»')").endswith((".", "。"))


def drop_appeals(pieces: Sequence[Piece], site: str = "", headline: str | None = None) -> None:
    """Drop each appeal with the whole run around it as `support`, or `paywall` if it is about a gate and no money."""
    title = folded(headline or "")
    cores = {
        i
        for i, piece in enumerate(pieces)
        if not piece.reason
        and piece.words in CORE_WORDS
        and piece.link_density < 0.9
        and is_appeal(piece.text, site)
        and folded(piece.text) != title
    }
    for core in sorted(cores):
        if not pieces[core].reason:
            _drop_run(pieces, core, cores, site)


def _drop_run(pieces: Sequence[Piece], core: int, cores: set[int], site: str) -> None:
    run = [core]
    for step in (1, -1):
        at = core + step
        while 0 <= at < len(pieces):
            if at in cores or _joins(pieces, at, at - step, site):
                run.append(at)
            elif _is_gap(pieces, at, step, cores, site):
                run += [at, at + step]
                at += step
            else:
                break
            at += step
    found = frozenset[str]().union(*(appeal_signals(pieces[at].text, site) for at in run))
    kind = "paywall" if "gate" in found and "money" not in found else "support"
    for at in run:
        if not pieces[at].reason:
            pieces[at].drop(kind, "appeal-run" if at != core else "appeal")


def _joins(pieces: Sequence[Piece], at: int, before: int, site: str) -> bool:
    """Whether a run takes in a neighbour: a further sentence of the letter, or a label of it."""
    piece = pieces[at]
    if piece.reason in ("support", "paywall"):
        return True
    if piece.reason or piece.level == 1 or is_quoted(piece.text) or is_attributed(piece.text):
        return False
    if not is_sentence(piece) and piece.kind != "heading" and _same_box(piece, pieces[before], at > before):
        return True
    found = appeal_signals(piece.text, site)
    return "ask" in found or ("we" in found and len(found) >= 2)


def _is_gap(pieces: Sequence[Piece], at: int, step: int, cores: set[int], site: str) -> bool:
    """One sentence between two of a letter, all three siblings, is the letter's too."""
    beyond, gap = at + step, pieces[at]
    if not 0 <= beyond < len(pieces) or gap.reason or gap.level or is_quoted(gap.text) or is_attributed(gap.text):
        return False
    siblings = {piece.element.getparent() for piece in (pieces[at - step], gap, pieces[beyond])}
    return len(siblings) == 1 and (beyond in cores or _joins(pieces, beyond, at, site))


def _same_box(one: Piece, other: Piece, forward: bool) -> bool:
    """Whether two blocks share a parent or one's parent holds the other: the box of a letter and its buttons.

    Backwards only a direct sibling counts, or a run would climb into the article above it.
    """
    first: Element | None = one.element.getparent()
    second: Element | None = other.element.getparent()
    if first is None or second is None:
        return False
    if not forward:
        return first is second and one.element.tag != "p"
    return first is second or second in first.iterancestors() or first in second.iterancestors()
