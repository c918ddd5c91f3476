"""What the block model looks at: where a block stands and what the voters say of its neighbours.

A feature is a name that a block has or has not ("words=5", "box=beside1-1"), so that the weights are a plain table and
a decision can be read aloud. No words and no class names: geometry holds for languages and sites that nobody trained
on (measured: a lexicon and class tokens added nothing, see training/README.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lxml.etree import _Element as Element

from crawler.extraction.places import container, ends_sentence, signature
from crawler.extraction.segment import Piece
from crawler.extraction.topic import Topic

Features = tuple[str, ...]

LONG = 20  # words of a paragraph that is certainly prose
MENU_LINKS = 0.9  # link density from which a block that no voter chose needs no decision
_WORDS = (1, 3, 6, 10, 20, 40, 80)
_SHARES = (0.0001, 0.05, 0.2, 0.5)
_LINKS = (0.01, 0.2, 0.5, 0.9)
_BOX_CHARS = (40, 150, 400, 1_000, 3_000)
_CARDS = (2, 3, 5)
_AROUND = ("aside", "nav", "footer", "header", "form", "figure", "table", "article", "main", "button", "dl")
_EMPHASIS = {"em": "italic", "i": "italic", "strong": "bold", "b": "bold", "a": "link", "span": "span"}
_OPENING = "\"'“„«‹「『‘"


@dataclass(slots=True)
class _Place:
    """A block with what is computed once for it."""

    piece: Piece
    box: Element | None
    signature: tuple[object, ...]
    voted: bool
    dense: bool


def features(
    pieces: Sequence[Piece],
    voted: Sequence[bool],
    dense: Sequence[bool],
) -> list[Features | None]:
    """The features of each block, None for those that need no decision: dropped ones, and menus that nobody chose."""
    return list(_Page(pieces, voted, dense).all())


def vote_of(voted: bool, dense: bool) -> int:
    """Which of its four weights a feature takes: of neither voter's choice, density's, trafilatura's, both's."""
    return 2 * voted + dense


class _Page:
    """The article as the voters see it, against which each block is held."""

    def __init__(self, pieces: Sequence[Piece], voted: Sequence[bool], dense: Sequence[bool]) -> None:
        self.places = [
            _Place(piece, container(piece), signature(piece), chosen, prose)
            for piece, chosen, prose in zip(pieces, voted, dense, strict=True)
        ]
        self.chosen = self._chosen()
        indices = [i for i, yes in enumerate(self.chosen) if yes]
        self.first, self.last = (indices[0], indices[-1]) if indices else (len(pieces), -1)
        long = [i for i in indices if pieces[i].words >= LONG and pieces[i].kind != "caption"]
        self.first_long, self.last_long = (long[0], long[-1]) if long else (len(pieces), -1)
        self._count_containers(indices)
        self.topic = Topic([piece.text for piece in pieces], self.chosen)
        self.texts = Counter(piece.text for piece in pieces)
        self.themes: dict[Element, str] = {}
        self.relations: dict[Element | None, str] = {}

    def _chosen(self) -> list[bool]:
        """Trafilatura's choice; where the other voter sees twice as much text, both."""
        first = sum(len(place.piece.text) for place in self.places if place.voted)
        second = sum(len(place.piece.text) for place in self.places if place.dense)
        return [place.voted or (place.dense and second > 2 * first) for place in self.places]

    def _count_containers(self, indices: Sequence[int]) -> None:
        self.in_box: Counter[Element | None] = Counter()
        self.alike: Counter[tuple[object, ...]] = Counter()
        for i in indices:
            place = self.places[i]
            self.in_box[place.box] += len(place.piece.text)
            self.alike[place.signature] += len(place.piece.text)
        self.chars = max(1, sum(self.in_box.values()))
        self.main = max(self.in_box, key=lambda box: self.in_box[box]) if indices else None
        self.above = [] if self.main is None else list(self.main.iterancestors())
        self.box_chars: Counter[Element | None] = Counter()
        self.box_links: Counter[Element | None] = Counter()
        self.held: dict[Element | None, list[int]] = {}
        for i, place in enumerate(self.places):
            self.held.setdefault(place.box, []).append(i)
            self.box_chars[place.box] += len(place.piece.text)
            self.box_links[place.box] += place.piece.link_chars
        self.cards = Counter(_card(box) for box in self.box_chars)

    def all(self) -> Iterator[Features | None]:
        for i, place in enumerate(self.places):
            piece = place.piece
            skipped = piece.reason or (piece.link_density > MENU_LINKS and not place.voted and not place.dense)
            yield None if skipped else tuple(self.of(i))

    def of(self, i: int) -> Iterator[str]:
        place = self.places[i]
        piece = place.piece
        kind = f"h{min(piece.level, 4)}" if piece.level else piece.kind
        words, links = bisect_right(_WORDS, piece.words), bisect_right(_LINKS, piece.link_density)
        ends = "s" if ends_sentence(piece.text) else ":" if piece.text.endswith((":", "：")) else "-"
        tail, box = self.tail(i), self.relation(place.box)
        yield "bias"
        yield f"kind={kind},{ends}"
        yield f"words={words},{ends}"
        yield f"words={words},links={links}"
        yield f"kind={kind},tail={tail}"
        yield f"theme={self.theme(place.box)},box={box}"
        yield from self.of_container(place, box, words, self.position(i))
        yield from self.of_neighbours(i, kind)
        yield from self.of_form(piece, words, tail)

    def of_container(self, place: _Place, box: str, words: int, at: str) -> Iterator[str]:
        alike = bisect_right(_SHARES, self.alike[place.signature] / self.chars)
        size = bisect_right(_BOX_CHARS, self.box_chars[place.box])
        linked = bisect_right(_LINKS, min(1.0, self.box_links[place.box] / max(1, self.box_chars[place.box])))
        cards = bisect_right(_CARDS, self.cards[_card(place.box)])
        yield f"mine={bisect_right(_SHARES, self.in_box[place.box] / self.chars)}"
        yield f"at={at}"
        yield f"box={box},alike={alike}"
        yield f"box={box},words={words}"
        yield f"box={box},at={at}"
        yield f"box={box},size={size}"
        yield f"box={box},cards={cards}"
        yield f"size={size},cards={cards}"
        yield f"size={size},linked={linked}"
        yield from (f"in={tag}" for tag in _AROUND if tag in place.piece.tags)

    def of_neighbours(self, i: int, kind: str) -> Iterator[str]:
        own = self.places[i]
        before, after = self.kind(i - 1), self.kind(i + 1)
        yield "around=" + "".join(self.vote(at) for at in (i - 2, i - 1, i + 1, i + 2))
        yield f"kind={kind},prev={before}"
        yield f"kind={kind},next={after}"
        near = [self.places[at] for at in range(max(0, i - 3), min(len(self.places), i + 4))]
        yield f"run={sum(place.box is own.box for place in near)}"
        yield f"kin={sum(place.signature == own.signature for place in near)}"

    def of_form(self, piece: Piece, words: int, tail: str) -> Iterator[str]:
        emphasis = _emphasis(piece)
        if emphasis:
            yield f"all={emphasis},words={words}"
            yield f"all={emphasis},tail={tail}"
        if self.texts[piece.text] > 1:
            yield "twice"
        if piece.text.isupper():
            yield f"upper,links={bisect_right(_LINKS, piece.link_density)}"
        if "@" in piece.text:
            yield f"@,tail={tail}"
        if piece.text[0] in _OPENING:
            yield "quoted"

    # -- where ----------------------------------------------------------------------------------------------------

    def theme(self, box: Element | None) -> str:
        """How far a container as a whole shares the article's topic; the article's own is not asked."""
        if box is None or box is self.main:
            return "-"
        if box not in self.themes:
            self.themes[box] = self.topic.of(self.held[box])
        return self.themes[box]

    def relation(self, box: Element | None) -> str:
        known = self.relations.get(box)
        if known is None:
            known = self.relations[box] = self._relation(box)
        return known

    def _relation(self, box: Element | None) -> str:
        """How a container stands to the one that holds most of the article."""
        if self.main is None or box is None:
            return "none"
        if box is self.main:
            return "same"
        if box in self.above:
            return "above"
        if box.tag == self.main.tag and box.get("class") == self.main.get("class"):
            return "twin" + str(_distance(box, self.main))  # an article that advertising cuts into equal halves
        for depth, element in enumerate(box.iterancestors(), 1):
            if element is self.main:
                return f"inside{min(depth, 3)}"
            if element in self.above:
                return f"beside{min(depth, 3)}-{min(1 + self.above.index(element), 3)}"
        return "else"

    def position(self, i: int) -> str:
        if self.last < 0:
            return "none"
        if i < self.first:
            return f"before{min(self.first - i, 4)}"
        if i > self.last:
            return f"after{min(i - self.last, 4)}"
        return "first" if i == self.first else "last" if i == self.last else "within"

    def tail(self, i: int) -> str:
        """How far behind the last long paragraph, or before the first."""
        if self.last_long < 0:
            return "none"
        if i > self.last_long:
            return f"+{min(i - self.last_long, 5)}"
        return f"-{min(self.first_long - i, 5)}" if i < self.first_long else "0"

    # -- neighbours -----------------------------------------------------------------------------------------------

    def vote(self, at: int) -> str:
        if not 0 <= at < len(self.places):
            return "."
        return "x" if self.places[at].piece.reason else "v" if self.chosen[at] else "-"

    def kind(self, at: int) -> str:
        if not 0 <= at < len(self.places):
            return "."
        piece = self.places[at].piece
        if piece.reason:
            return "x"
        return piece.kind[0] + ("L" if piece.words >= LONG else "s") + ("a" if piece.link_density > 0.5 else "")


def _distance(box: Element, other: Element) -> int:
    """1 for siblings, 2 for cousins, 3 for what is further apart."""
    parent, its = box.getparent(), other.getparent()
    if parent is its:
        return 1
    return 2 if parent is not None and its is not None and parent.getparent() is its.getparent() else 3


def _card(box: Element | None) -> object:
    """What equal boxes side by side share: teasers come in rows."""
    return None if box is None else (box.getparent(), box.tag, box.get("class"))


def _emphasis(piece: Piece) -> str | None:
    """The one inline element that holds all of a block's text: a note in italics, a label in bold, a link."""
    element = piece.element
    if len(element) != 1 or (element.text and not element.text.isspace()):
        return None
    child = element[0]
    if not isinstance(child.tag, str) or (child.tail and not child.tail.isspace()):
        return None
    return _EMPHASIS.get(child.tag)
