"""Appeals to the reader ("we need your help ..."), which have no fixed wording, recognised as whole runs.

`lexicon` reads which signals a block sends: ask, we, you, money, journalism, gate and more; the publication's own name
counts as "we", a link to a donation or subscription page as "ask". A block whose signals add up in one language is the
core of a run, and the run grows over its neighbours: labels, buttons and further sentences of the same letter that say
nothing tell-tale alone. Where the article itself says neither "we" nor "you", a short paragraph that does is enough.
What stands in quotation marks sends no signal and attribution vetoes, since an article about donations quotes such
sentences. Deleting single sentences by phrase was measured to delete content (16 of 51), which
is why blocks and runs are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lxml.etree import _Element as Element

from crawler.extraction.asking import (
    LONG_WORDS,
    PRODUCTS,
    SHORT_WORDS,
    TOPICS,
    core_language,
    is_address,
    is_confession,
    is_personal,
    is_quoted,
    signals,
)
from crawler.extraction.labels import BUTTONS, CONTACT, is_label, is_labels_place, links_to_appeal
from crawler.extraction.lexicon import BIT, ENGLISH, GROUP, WIDTH, folded, group, vocabulary
from crawler.extraction.segment import Piece

MAX_BLOCKS = 5_000  # of a page that is looked at
CORE_WORDS = range(3, 161)
PROSE_WORDS = 12
MAX_ADDRESSES = 3  # places of a page with an appeal that only its address gives away
TEASER_WORDS = 4
MAX_LABELS = 4  # in a row that say nothing: beyond, it is a menu
GAP_WORDS = 45  # of a sentence between two of a letter
MAX_GAP = 3  # such sentences between two cores
KINDS = frozenset(("support", "paywall", "newsletter", "registration", "membership", "app", "channel"))
ABOUT = PRODUCTS | group("money", "member")
GOODS_OR_ASK = PRODUCTS | group("money", "member", "ask", "prompt", "soft")
LETTER = group("money", "journalism", "member")  # what a text of several paragraphs asks for
SAYING_LITTLE = group("we", "you", "said", "journalism")


@dataclass
class _Run:
    """One appeal: its core, the language that it speaks, and the blocks that it took in."""

    language: int
    at: list[int] = field(default_factory=list)


def _language_heard(pieces: Sequence[Piece]) -> str | None:
    """The language whose words a page that declares none holds most of."""
    tally: dict[int, int] = {}
    for piece in pieces:
        if piece.words in range(PROSE_WORDS, CORE_WORDS.stop):
            bits = signals(piece.text)
            for at in vocabulary().heard(bits):
                tally[at] = tally.get(at, 0) + (bits >> WIDTH * at & GROUP).bit_count()
    return vocabulary().languages[max(tally, key=lambda at: tally[at])] if tally else None


class _Page:
    """The blocks of a page while the appeals among them are looked for."""

    def __init__(self, pieces: Sequence[Piece], site: str, headline: str | None, language: str | None) -> None:
        known = bool(vocabulary().near(language))
        self.pieces, self.site = pieces, site
        self.language = language if known else _language_heard(pieces)
        self.near = vocabulary().near(self.language)
        title = folded(headline or "")
        self.about = bool(title) and any(vocabulary().of(signals(title), at) & ABOUT for at in self.near)
        self.cores = {at: core for at, piece in enumerate(pieces) if (core := self._core(piece, title))}
        self.personal = not self._is_impersonal()
        self.impersonal = bool(self.near) and not self.about and not self.personal
        if self.impersonal:
            self._add_addresses()
        elif self.personal:  # an opinion asks its reader for many things
            self.cores = {at: core for at, core in self.cores.items() if self._is_publications(at, core)}

    def _core(self, piece: Piece, title: str) -> int:
        if piece.reason or piece.words not in CORE_WORDS or piece.level == 1:
            return 0
        if piece.link_chars and piece.element.tag != "p" and piece.link_density > BUTTONS:
            return 0  # a menu's
        language = core_language(piece.text, piece.words, self.site, self.language)
        if not language or folded(piece.text) == title:
            return 0
        if CONTACT.search(piece.text) and not self.found_in(piece, language) & group("we", "journalism"):
            return 0  # service information: where to give, to register, to pay
        # An article about apps or subscriptions tells its reader what to do with them.
        return 0 if self.about and not self.found_in(piece, language) & BIT["we"] else language

    def _is_publications(self, at: int, language: int) -> bool:
        named = signals(self.pieces[at].text, self.site) != signals(self.pieces[at].text)
        return named or bool(self.found_in(self.pieces[at], language) & (PRODUCTS | BIT["journalism"]))

    def _is_impersonal(self) -> bool:
        """Whether the article speaks neither as "we" nor to "you": then a paragraph that does is not the article's."""
        personal = plain = 0
        for at, piece in enumerate(self.pieces):
            if not piece.reason and at not in self.cores and piece.words >= PROSE_WORDS:
                if piece.link_density >= 0.5 or any(near in self.cores for near in range(at - 2, at + 3)):
                    continue
                if piece.words > CORE_WORDS.stop:
                    plain += 1
                    continue
                if not self._addresses(piece, is_personal) or is_quoted(piece.text):
                    plain += 1
                elif piece.words > LONG_WORDS or not self._addresses(piece, is_address):
                    personal += 1
        return personal <= 1 or personal * 8 <= plain

    def _add_addresses(self) -> None:
        """Short paragraphs that speak to the reader of money or goods; many of them would be the article itself."""
        found = [
            at
            for at, piece in enumerate(self.pieces)
            if at not in self.cores
            and not piece.reason
            and piece.words in range(6, SHORT_WORDS + 1)
            and piece.level != 1
            and piece.link_density < BUTTONS
            and not is_quoted(piece.text)
            and not CONTACT.search(piece.text)
            and self._addresses(piece, is_address)
        ]
        runs = sum(at - 2 not in found and at - 1 not in found for at in found)
        if runs <= MAX_ADDRESSES:
            self.cores.update(dict.fromkeys(found, min(self.near - {1}, default=1)))

    def _addresses(self, piece: Piece, judge: Callable[[int], bool]) -> bool:
        """Whether a block does, in the language that it speaks most: Spanish "has" is an English word, too."""
        bits = signals(piece.text)
        counts = {at: (bits >> WIDTH * at & GROUP).bit_count() for at in self.near}
        most = max(counts.values(), default=0)
        return most > 0 and all(judge(vocabulary().of(bits, at)) for at, count in counts.items() if count == most)

    def found_in(self, piece: Piece, language: int) -> int:
        """A block's signals in the language of a run and those close to it, English being everybody's second."""
        bits = signals(piece.text, self.site)
        if language != ENGLISH:  # "i" and "my" are words of other languages
            bits &= ~(BIT["me"] << WIDTH * ENGLISH)
        return vocabulary().among(bits, vocabulary().kin(language))

    def found(self, at: int, language: int) -> int:
        """The same with where the block's links lead."""
        found = self.found_in(self.pieces[at], language)
        if self.pieces[at].link_chars and links_to_appeal(self.pieces[at]):
            found |= BIT["ask"] | BIT["gate"]
        return found

    def drop(self, core: int) -> None:
        run = _Run(self.cores[core], [core])
        for step in (1, -1):
            self._grow(run, core + step, step)
        self._take_heading(run)
        kind = self._kind(run)
        for at in run.at:
            if not self.pieces[at].reason:
                own = self._own_kind(at, run.language) or kind
                self.pieces[at].drop(own, "appeal-run" if at != core else "appeal")

    def drop_above_buttons(self) -> None:
        """A button that a rule knew gives away the sentence above it that speaks of the same."""
        for above, button in pairwise(self.pieces):
            if button.reason not in KINDS or (button.rule or "").startswith("appeal") or not is_label(button):
                continue
            if above.reason or above.level or is_label(above) or above.words > SHORT_WORDS or is_quoted(above.text):
                continue
            siblings = above.element.getparent() is button.element.getparent()
            if siblings and self._addresses(above, _speaks_of_goods):
                above.drop(button.reason, "above-button")

    def _take_heading(self, run: _Run) -> None:
        """A heading over nothing but the letter is the letter's."""
        top, end = min(run.at) - 1, max(run.at) + 1
        if top < 0 or not (self.pieces[top].level or 0) > 1 or self.pieces[top].reason:
            return
        parent = self.pieces[top].element.getparent()
        below = self.pieces[end] if end < len(self.pieces) else None
        if below is None or below.reason or below.level or below.element.getparent() is not parent:
            run.at.append(top)

    def _grow(self, run: _Run, at: int, step: int) -> None:
        labels = 0
        while 0 <= at < len(self.pieces):
            silent = is_label(self.pieces[at]) and not self.found(at, run.language) & ~SAYING_LITTLE
            labels = labels + 1 if silent else 0
            if labels > (MAX_LABELS if step > 0 else 1):
                return
            if at in self.cores or self._joins(run, at, at - step):
                run.at.append(at)
            elif size := self._gap(run, at, step):
                run.at += [at + offset * step for offset in range(size + 1)]
                at += size * step
            else:
                return
            at += step

    def _joins(self, run: _Run, at: int, before: int) -> bool:
        """Whether a run takes in a neighbour: a further sentence of the letter, or a label of it."""
        piece, last = self.pieces[at], self.pieces[before]
        if piece.reason in KINDS:
            return True
        if piece.reason or piece.level == 1 or piece.kind == "quote" or is_quoted(piece.text):
            return False
        found = self.found(at, run.language)
        if found & BIT["said"] or is_confession(found, piece.words):
            return False
        if piece.words > TEASER_WORDS and piece.link_density > BUTTONS and not found & GOODS_OR_ASK:
            return False  # leads to another article
        if is_label(piece):
            return bool(found & group("ask", "prompt")) or is_labels_place(piece, last, at > before)
        if piece.level and not found & group("ask", "prompt"):
            return False  # a heading of the article, an interview's question
        if piece.words > LONG_WORDS and not (found & BIT["we"] and found & group("ask", "prompt")):
            return False
        if found & BIT["prompt"]:
            return True
        letter = self._asks_for_money(run) or bool(found & TOPICS)  # behind a prompt the article goes on
        if self.impersonal and letter and piece.words <= GAP_WORDS and self._addresses(piece, is_personal):
            return True
        others = (found & (TOPICS | group("ask", "you", "soft"))).bit_count()
        if self.personal:
            return bool(found & BIT["ask"] and found & BIT["we"]) and others >= 3
        if found & BIT["we"] and others >= 1:
            return True
        return others >= 2 and bool(found & BIT["ask"] or not ~found & group("soft", "you"))

    def _asks_for_money(self, run: _Run) -> bool:
        return any(self.found_in(self.pieces[each], run.language) & LETTER for each in run.at)

    def _gap(self, run: _Run, at: int, step: int) -> int:
        """How many sentences that say nothing tell-tale stand between two of one letter, all siblings; 0 for no gap.

        A prompt is no letter: behind it the article goes on.
        """
        if not self._asks_for_money(run):
            return 0
        parent = self.pieces[at - step].element.getparent()
        for size in range(1, MAX_GAP + 1):
            if not self._is_silent(run, at + (size - 1) * step, parent):
                return 0
            beyond = at + size * step
            if not 0 <= beyond < len(self.pieces) or self.pieces[beyond].element.getparent() is not parent:
                return 0
            if beyond in self.cores or (size == 1 and self._goes_on(run, beyond, at)):
                return size
        return 0

    def _is_silent(self, run: _Run, at: int, parent: Element | None) -> bool:
        if not 0 <= at < len(self.pieces):
            return False
        piece = self.pieces[at]
        if piece.reason or piece.level or piece.words > GAP_WORDS or piece.element.getparent() is not parent:
            return False
        return not is_quoted(piece.text) and not self.found(at, run.language) & group("said", "me")

    def _goes_on(self, run: _Run, beyond: int, at: int) -> bool:
        if is_label(self.pieces[beyond]) and not self.found(beyond, run.language) & (PRODUCTS | group("ask", "prompt")):
            return False
        return self._joins(run, beyond, at)

    def _kind(self, run: _Run) -> str:
        """What most blocks of an appeal are about, or the kind of a label in it that a rule knew."""
        each = [self.found_in(self.pieces[at], run.language) for at in run.at]
        votes = {kind: sum(bool(found & BIT[signal]) for found in each) for signal, kind in _KIND_OF.items()}
        votes["membership"] = sum(bool(found & BIT["member"] and not found & BIT["money"]) for found in each)
        votes["support"] = sum(bool(found & BIT["money"] and not found & PRODUCTS) for found in each)
        if any(votes.values()):
            return max(votes, key=lambda kind: (votes[kind], kind == "support"))
        return next((reason for at in run.at if (reason := self.pieces[at].reason)), "support")

    def _own_kind(self, at: int, language: int) -> str | None:
        """A block's own kind: prompts of several kinds often stand one below the other."""
        found = self.found_in(self.pieces[at], language)
        if found & BIT["money"] or not found & group("ask", "prompt", "mail", "channel", "app"):
            return None
        if found & BIT["journalism"] and not found & group("mail", "channel", "app"):
            return None
        kind = next((_KIND_OF[signal] for signal in ("mail", "channel", "app", "account") if found & BIT[signal]), None)
        return None if kind == "registration" and is_label(self.pieces[at]) else kind  # a paywall's "log in"


_KIND_OF = {
    "mail": "newsletter", "channel": "channel", "app": "app", "account": "registration", "gate": "paywall",
    "member": "membership",
}  # fmt: skip


def drop_appeals(
    pieces: Sequence[Piece], site: str = "", headline: str | None = None, language: str | None = None
) -> None:
    """Drop each appeal with the whole run around it, as the kind that its signals name.

    `language` is what the page declares: in others, English apart, more has to come together.
    """
    if len(pieces) > MAX_BLOCKS:
        return  # a catalogue
    page = _Page(pieces, site, headline, language)
    for core in sorted(page.cores):
        if not pieces[core].reason:
            page.drop(core)
    page.drop_above_buttons()


def _speaks_of_goods(found: int) -> bool:
    if found & group("said", "me"):
        return False
    return bool(found & GOODS_OR_ASK and found & group("we", "you", "ask", "prompt", "soft"))
