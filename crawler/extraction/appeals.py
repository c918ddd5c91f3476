"""Appeals to the reader ("we need your help ..."), which have no fixed wording, recognised as whole runs.

`lexicon` reads which signals a block sends: ask, we, you, money, journalism, gate and more; the publication's own name
counts as "we", a link to a donation or subscription page as "ask". A block whose signals add up in one language is the
core of a run, and the run grows over its neighbours: labels, buttons and further sentences of the same letter that say
nothing tell-tale alone. What stands in quotation marks sends no signal and attribution vetoes, since an article about
donations quotes such sentences. Deleting single sentences by phrase was measured to delete content (16 of 51), which
is why blocks and runs are judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from lxml.etree import _Element as Element

from crawler.extraction.lexicon import BIT, GROUP, WIDTH, folded, group, unquoted, vocabulary
from crawler.extraction.segment import Piece

LABEL_WORDS = 8  # a label or button is at most this long
BUTTONS = 0.9  # share of link text above which a block is buttons
CORE_WORDS = range(3, 161)
LONG_WORDS = 60  # a longer block says many things by chance
SHORT_WORDS = 40  # without "we", only a block this short is a prompt
PROSE_WORDS = 12
MAX_ADDRESSES = 3  # places of a page with an appeal that only its address gives away
MAX_LABELS = 4  # in a row that say nothing: beyond, it is a menu
GAP_WORDS = 45  # of one sentence between two of a letter
TOPICS = group("money", "journalism", "gate", "mail", "app", "channel", "account", "member")
PRODUCTS = group("gate", "mail", "app", "channel", "account")
KINDS = frozenset(("support", "paywall", "newsletter", "registration", "membership", "app", "channel"))
GOODS = group("money", "gate", "mail", "app", "channel", "account", "member")
ABOUT = PRODUCTS | group("money", "member")
SAYING_LITTLE = group("we", "you", "said", "journalism")
_POLITE = re.compile(r"(?<=[a-zäöüß,] )(?:Sie|Ihnen|Ihr(?:e[nrms]?)?)\b")  # German's "you" is a capital letter
_COUNTRY = re.compile(r"\bUS\b")
_QUOTES = re.compile(r"[\"“”„«»‟❝❞]|(?<!\w)'(?=\w)")
_INSIDE = re.compile(r"[\"“„«❝](.+?)[\"”“»❞]")
_END = (".", "。", "!", "?", "！", "？", "।", "؟", "…")
_LINKS = re.compile(
    r"donat|donor|spende|unterst|support(?!/)|subscri|suscri|abonn|(?<![a-z])abo(?![a-z])|assine|assinatura|abbona|prenumer|predplat|"
    r"pretplat|membership|mitglied|/join|contribut|patreon|paypal|buymeacoffee|newsletter|nyhetsbrev|nieuwsbrief|signup|"
    r"sign-up|register|registr|login|signin|t\.me/|whatsapp\.com/channel|play\.google\.com/store/apps|apps\.apple\.com|"
    r"podderzh|pidtrym|wspier|wesprzyj|podpor|sostieni|apoya|apoie|soutenir|faire-un-don|steun|tilaa|lahjoita|bagis",
    re.IGNORECASE,
)


@lru_cache(maxsize=2_048)  # a run grows over blocks that were judged just before
def signals(text: str, site: str = "") -> int:
    """The signals of a text outside of quotation marks, all languages; `site` is the publication's name as written."""
    spoken = _COUNTRY.sub(" ", text) if "US" in text and not text.isupper() else text  # the country is no "us"
    if _POLITE.search(spoken):
        spoken += " xsiex"
    bits = vocabulary().signals(unquoted(folded(spoken)))
    if site and site in text and re.search(rf"(?<!\w){re.escape(site)}(?![a-z0-9])", text):  # "Time" is no "time"
        bits |= BIT["we"]
    return bits


def is_quoted(text: str) -> bool:
    """Mostly speech: the publisher does not put its own appeal in quotation marks."""
    if text[0] in "—–―" or (text[0] in "“„«" and not _INSIDE.search(text)):  # a dialogue; a speech of many paragraphs
        return True
    if len(_QUOTES.findall(text)) < 2:
        return False
    return sum(map(len, _INSIDE.findall(text))) * 3 >= len(text)


def is_attributed(text: str, language: str | None = None) -> bool:
    """Somebody is said to have said it."""
    bits = signals(text)
    if not bits & vocabulary().everywhere("said"):
        return False
    return any(vocabulary().of(bits, at) & BIT["said"] for at in _spoken(bits, language))


def _spoken(bits: int, language: str | None) -> list[int]:
    """The languages in which a text sends most signals: "he" is a pronoun here and a verb there."""
    near = vocabulary().near(language)
    counts = {at: (bits >> WIDTH * at & GROUP).bit_count() + (at in near) for at in vocabulary().heard(bits)}
    most = max(counts.values(), default=0)
    return sorted((at for at, count in counts.items() if count >= most - 1), key=lambda at: (at not in near, at))


def core_language(text: str, words: int, site: str = "", language: str | None = None) -> int:
    """The language in which a block is the core of an appeal, 0 for none."""
    bits = signals(text, site)
    if not bits & vocabulary().everywhere("ask", "prompt", "soft") or is_quoted(text):
        return 0
    near = vocabulary().near(language)
    for at in _spoken(bits, language):
        found = vocabulary().of(bits, at)
        if _is_core(found, words) if at in near or not near else _is_foreign_core(found, words):
            return at
    return 0


def _is_core(found: int, words: int) -> bool:
    """The publication speaks to its reader, asks, and names money, its journalism, a gate or another of its goods."""
    topics, products = (found & TOPICS).bit_count(), (found & PRODUCTS).bit_count()
    if found & BIT["said"]:
        return False
    if words > LONG_WORDS:
        return not ~found & group("ask", "we", "you") and (topics >= 3 or (topics >= 2 and bool(found & BIT["prompt"])))
    if found & BIT["prompt"] and (found & group("ask", "we", "you", "soft") or topics >= 2 or (topics and words <= 25)):
        return words <= SHORT_WORDS or found.bit_count() >= 4
    if found & BIT["ask"]:
        return _is_asking(found, words, topics, products)
    return bool(found & BIT["soft"]) and _is_softly_asking(found, words, topics, products)


def _is_asking(found: int, words: int, topics: int, products: int) -> bool:
    if found & BIT["we"]:
        return topics >= 2 or (topics >= 1 and (bool(found & BIT["you"]) or words <= 20))
    if found & BIT["you"] and found & BIT["money"] and found & BIT["soft"] and words <= SHORT_WORDS:
        return True
    if found & BIT["you"] and topics >= 2 and found & (PRODUCTS | group("journalism", "member")):
        return words <= SHORT_WORDS
    return words <= 25 and (products >= 2 or (products >= 1 and bool(found & BIT["you"])))


def _is_softly_asking(found: int, words: int, topics: int, products: int) -> bool:
    """With words that a shop or a columnist might use, too, more has to come together."""
    if not found & BIT["you"] or words > 30:
        return False
    return topics >= 2 if found & BIT["we"] else products >= 2 and topics >= 3


def _is_address(found: int) -> bool:
    """Speaks to the reader of what a publication offers or needs, without a word of asking that we know."""
    if found & BIT["said"] or not found & group("we", "you"):
        return False
    if not found & BIT["you"]:
        more = (found & TOPICS).bit_count() >= 2 or bool(found & group("ask", "soft", "mail", "app"))
        return bool(found & GOODS) and more
    return bool(found & GOODS)


def _is_foreign_core(found: int, words: int) -> bool:
    """In another language than the page's, words may be false friends."""
    return words <= LONG_WORDS and not ~found & group("ask", "prompt") and _is_core(found, words)


def is_appeal(text: str, site: str = "") -> bool:
    """Whether a text alone is the core of a run."""
    return core_language(text, len(text.split()), site) > 0


def is_sentence(piece: Piece) -> bool:
    """Prose, as against labels and rows of buttons."""
    if piece.link_density > BUTTONS:
        return False
    return piece.words > LABEL_WORDS or piece.text.rstrip("\"”»')").endswith((".", "。"))


def links_to_appeal(piece: Piece) -> bool:
    """Whether a block's links lead to a page for donors, subscribers or members."""
    return any(_LINKS.search(link.get("href") or "") for link in piece.element.iter("a"))


@dataclass
class _Run:
    """One appeal: its core, the language that it speaks, and the blocks that it took in."""

    language: int
    at: list[int] = field(default_factory=list)


class _Page:
    """The blocks of a page while the appeals among them are looked for."""

    def __init__(self, pieces: Sequence[Piece], site: str, headline: str | None, language: str | None) -> None:
        self.pieces, self.site, self.language = pieces, site, language
        title = folded(headline or "")
        self.about = bool(title) and any(
            vocabulary().of(signals(title), at) & ABOUT for at in vocabulary().near(language)
        )
        self.cores = {at: language for at, piece in enumerate(pieces) if (language := self._core(piece, title))}
        if not self.about and self._is_impersonal():
            self._add_addresses()

    def _core(self, piece: Piece, title: str) -> int:
        if piece.reason or piece.words not in CORE_WORDS or piece.level == 1:
            return 0
        language = core_language(piece.text, piece.words, self.site, self.language)
        if not language or folded(piece.text) == title:
            return 0
        # An article about apps or subscriptions tells its reader what to do with them.
        return 0 if self.about and not self.found_in(piece, language) & BIT["we"] else language

    def _is_impersonal(self) -> bool:
        """Whether the article speaks neither as "we" nor to "you": then a paragraph that does is not the article's."""
        near = vocabulary().near(self.language) or vocabulary().near("en")
        personal = plain = 0
        for at, piece in enumerate(self.pieces):
            if not piece.reason and at not in self.cores and piece.words >= PROSE_WORDS and piece.link_density < 0.5:
                found = vocabulary().among(signals(piece.text, ""), near)
                if found & group("we", "you") and not is_quoted(piece.text):
                    personal += not found & GOODS or piece.words > LONG_WORDS
                else:
                    plain += 1
        return personal <= 1 or personal * 8 <= plain

    def _add_addresses(self) -> None:
        """Short paragraphs that speak to the reader of money or goods; many of them would be the article itself."""
        near = vocabulary().near(self.language) or vocabulary().near("en")
        found = [
            at
            for at, piece in enumerate(self.pieces)
            if at not in self.cores and not piece.reason and piece.words in range(6, SHORT_WORDS + 1)
            and piece.level != 1 and piece.link_density < BUTTONS and not is_quoted(piece.text)
            and _is_address(vocabulary().among(signals(piece.text), near))
        ]
        runs = sum(at - 2 not in found and at - 1 not in found for at in found)
        if runs <= MAX_ADDRESSES:
            self.cores |= dict.fromkeys(found, min(near - {1}, default=1))

    def found_in(self, piece: Piece, language: int) -> int:
        """A block's signals in the language of a run and those close to it, English being everybody's second."""
        return vocabulary().among(signals(piece.text, self.site), vocabulary().kin(language))

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
        kind = self._kind(run)
        for at in run.at:
            if not self.pieces[at].reason:
                self.pieces[at].drop(kind, "appeal-run" if at != core else "appeal")

    def _grow(self, run: _Run, at: int, step: int) -> None:
        labels = 0
        while 0 <= at < len(self.pieces):
            silent = _is_label(self.pieces[at]) and not self.found(at, run.language) & ~SAYING_LITTLE
            labels = labels + 1 if silent else 0
            if labels > (MAX_LABELS if step > 0 else 1):
                return
            if at in self.cores or self._joins(run, at, at - step):
                run.at.append(at)
            elif self._is_gap(run, at, step):
                run.at += [at, at + step]
                at += step
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
        if found & BIT["said"]:
            return False
        if _is_label(piece):
            return bool(found & group("ask", "prompt")) or _is_labels_place(piece, last, at > before)
        if piece.words > LONG_WORDS and not (found & BIT["we"] and found & group("ask", "prompt")):
            return False
        if found & BIT["prompt"]:
            return True
        others = (found & (TOPICS | group("ask", "you", "soft"))).bit_count()
        if found & BIT["we"] and others >= 1:
            return True
        return others >= 2 and bool(found & BIT["ask"] or not ~found & group("soft", "you"))

    def _is_gap(self, run: _Run, at: int, step: int) -> bool:
        """One sentence between two of a letter, all three siblings, is the letter's too."""
        beyond, gap = at + step, self.pieces[at]
        if not 0 <= beyond < len(self.pieces) or gap.reason or gap.level or gap.words > GAP_WORDS:
            return False
        if is_quoted(gap.text) or self.found(at, run.language) & BIT["said"]:
            return False
        siblings = {piece.element.getparent() for piece in (self.pieces[at - step], gap, self.pieces[beyond])}
        if len(siblings) > 1:
            return False
        if beyond in self.cores or not _is_label(self.pieces[beyond]):
            return beyond in self.cores or self._joins(run, beyond, at)
        return bool(self.found(beyond, run.language) & (PRODUCTS | group("ask", "prompt")))

    def _kind(self, run: _Run) -> str:
        """What an appeal is for, by the signals of its blocks."""
        found = 0
        for at in run.at:
            found |= self.found(at, run.language)
        if found & BIT["money"] or (found & BIT["journalism"] and not found & PRODUCTS):
            gated = found & BIT["gate"] and not found & BIT["journalism"]
            return "paywall" if gated else "support"
        for signal, kind in _KIND_OF.items():
            if found & BIT[signal]:
                return kind
        return "support"


_KIND_OF = {
    "mail": "newsletter", "app": "app", "channel": "channel", "gate": "paywall", "account": "registration",
    "member": "membership",
}  # fmt: skip


def drop_appeals(
    pieces: Sequence[Piece], site: str = "", headline: str | None = None, language: str | None = None
) -> None:
    """Drop each appeal with the whole run around it, as the kind that its signals name.

    `language` is what the page declares: in others, English apart, more has to come together.
    """
    page = _Page(pieces, site, headline, language)
    for core in sorted(page.cores):
        if not pieces[core].reason:
            page.drop(core)


def _is_label(piece: Piece) -> bool:
    short = piece.words <= LABEL_WORDS and not piece.text.rstrip("\"”»')").endswith((".", "。"))
    return short or piece.link_density > BUTTONS


def _is_labels_place(one: Piece, other: Piece, forward: bool) -> bool:
    """Whether a label stands in the box of a letter: two blocks share a parent or one's parent holds the other.

    Above a letter only a direct sibling counts, or a run would climb into the article.
    """
    first: Element | None = one.element.getparent()
    second: Element | None = other.element.getparent()
    if first is None or second is None:
        return False
    if not forward:
        return first is second and one.kind != "heading"
    if one.kind == "heading" and first is second and one.level is not None and one.level <= 3:
        return False  # more likely the article's next heading
    return first is second or second in first.iterancestors() or first in second.iterancestors()
