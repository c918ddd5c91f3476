"""Words that say who speaks to whom and of what, by language: read once per text, all languages at the same time.

`rules/appeals/<language>.yaml` lists words and phrases for each signal; `universal.yaml` holds what needs no language
(currencies, names of services). The signals of a text are one integer with a group of bits for each language, so that
a language is judged by itself and false friends do not add up ("my" is Polish for "we"). A token's bits are looked up
once and remembered: a page costs little more than splitting it into words.

`none` lists exceptions from endings. In the files, `*` stands for
any ending or, in front, any beginning; in a phrase `..` skips up to four words. Words match at their boundaries
("spende" is in "suspended"); scripts without spaces match anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

SIGNALS = (
    "ask", "we", "you", "money", "journalism", "gate", "mail", "app", "channel", "account", "member", "prompt", "said",
    "soft", "me",
)  # fmt: skip
BIT = {signal: 1 << at for at, signal in enumerate(SIGNALS)}
WIDTH = 16  # bits a language; the lowest group is the universal one
GROUP = (1 << WIDTH) - 1
UNIVERSAL = "universal"
ENGLISH = 1  # its group: the first after the universal one
MEMORY = 50_000  # tokens remembered
_FAMILIES = (
    ("no", "nb", "nn", "da", "sv"), ("hr", "sr", "bs", "sh", "me", "cnr"), ("cs", "sk"), ("id", "ms"),
    ("ru", "uk", "be"), ("zh", "yue"), ("he", "iw"), ("es", "gl"), ("mk", "bg"),
)  # fmt: skip
_SPACES = re.compile(r"\s+")
_QUOTED = re.compile(r"\"[^\"]*\"|«[^«»]*»|「[^「」]*」|『[^『』]*』")
_SIGNS = "[$£€₹₴₺₽₩₫฿₪¥₦₱]"
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u0900-\u0dff]")  # vowel signs are no `\w`, but part of a word
_MARKED_TOKEN = re.compile(
    _SIGNS + "|[\\w\u0300-\u036f\u0591-\u05bd\u0900-\u0dff]+(?:['-][\\w\u0300-\u036f\u0900-\u0dff]+)*"
)
_TOKEN = re.compile(_SIGNS + r"|\w+(?:['-]\w+)*\$?")
_ASCII_TOKEN = re.compile(r"[$]|\w+(?:['-]\w+)*\$?", re.ASCII)
_DENSE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CLITICS = "وفبلكהובלשמכ"  # one letter written together with the next word in Arabic and Hebrew
_PLAIN = {
    "’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "״": '"', "\u00a0": " ", "…": "...",
    "\u200c": "", "\u200d": "", "\u0307": "", "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه",
}  # fmt: skip
_FOLD = str.maketrans(_PLAIN | {chr(mark): "" for mark in (*range(0x64B, 0x653), 0x640)})


@lru_cache(maxsize=4_096)  # rules and appeals look at the same blocks, and a source's menus recur
def folded(text: str) -> str:
    """Lower case, straight quotes, single spaces, one spelling of Arabic letters: what matchers compare."""
    text = text.casefold()
    return _SPACES.sub(" ", text if text.isascii() else text.translate(_FOLD)).strip()


def unquoted(text: str) -> str:
    """A folded text without what stands in quotation marks."""
    if '"' not in text and "«" not in text and "「" not in text and "『" not in text:
        return text
    return _QUOTED.sub(" ", text)


def tokens(text: str) -> list[str]:
    """The words of a folded text, and currency signs."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text)
    return (_MARKED_TOKEN if _MARKS.search(text) else _TOKEN).findall(text)


Phrase = tuple[str | re.Pattern[str], int]


class _Memory(dict[str, int]):
    """Token -> bits, filled as tokens are met."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __missing__(self, token: str) -> int:
        if len(self) >= MEMORY:
            self.clear()
        bits = self[token] = self.vocabulary.lookup(token)
        return bits


class Vocabulary:
    """The words of all languages, sorted by how they are looked up."""

    def __init__(self, languages: dict[str, dict[str, list[str]]]) -> None:
        self.languages = tuple(languages)  # the universal group first
        self.phrase_bit = 1 << WIDTH * len(self.languages)
        self.exact: dict[str, int] = {}
        self.prefixes: dict[str, list[tuple[str, int]]] = {}  # by their first two characters
        self.suffixes: dict[str, int] = {}
        self.dense: dict[str, int] = {}
        self.phrases: dict[str, list[Phrase]] = {}  # first word, with its `*` -> phrases
        for at, signals in enumerate(languages.values()):
            for signal, parts in signals.items():
                for part in () if signal == "none" else parts:
                    self._add(part, BIT[signal] << WIDTH * at)
        self.open_phrases: dict[str, list[tuple[str, list[Phrase]]]] = {}
        for first in [first for first in self.phrases if first.endswith("*")]:
            self.open_phrases.setdefault(first[:2], []).append((first[:-1], self.phrases[first]))
        self.without_suffix = {word for signals in languages.values() for word in signals.get("none", ())}
        self.memory = _Memory(self)
        self.begun: dict[str, list[Phrase]] = {}  # token -> phrases that it may begin
        self._dense_parts = self._dense_union()

    def _add(self, part: str, bits: int) -> None:
        if _DENSE.search(part):
            table, key = self.dense, part
        elif " " in part:
            self.phrases.setdefault(part.split()[0], []).append((_phrase(part), bits))
            return
        elif part.startswith("*"):
            table, key = self.suffixes, part[1:]
        elif part.endswith("*"):
            self.prefixes.setdefault(part[:2], []).append((part[:-1], bits))
            return
        else:
            table, key = self.exact, part
        table[key] = table.get(key, 0) | bits

    def _dense_union(self) -> re.Pattern[str]:
        """Finds the longest part at each place, which has the bits of the shorter ones, too."""
        for part in self.dense:
            for end in range(1, len(part)):
                self.dense[part] |= self.dense.get(part[:end], 0)
        parts = sorted(self.dense, key=len, reverse=True)
        return re.compile("(?=(" + "|".join(map(re.escape, parts)) + "))")

    def lookup(self, token: str) -> int:
        bits, begun = self._bits(token), self._starting(token)
        if token[0] in _CLITICS and len(token) > 3:
            bits |= self._bits(token[1:])
        if begun:
            self.begun[token] = begun
            bits |= self.phrase_bit
        return bits

    def _bits(self, token: str) -> int:
        bits = self.exact.get(token, 0)
        for prefix, of_prefix in self.prefixes.get(token[:2], ()):
            if token.startswith(prefix):
                bits |= of_prefix
        for length in () if token in self.without_suffix else range(2, min(8, len(token))):
            bits |= self.suffixes.get(token[-length:], 0)
        return bits

    def _starting(self, token: str) -> list[Phrase]:
        """The phrases whose first word a token may be."""
        return self.phrases.get(token, []) + [
            phrase
            for prefix, phrases in self.open_phrases.get(token[:2], ())
            if token.startswith(prefix)
            for phrase in phrases
        ]

    def signals(self, text: str) -> int:
        """The bits of a folded text."""
        words, bits = tokens(text), 0
        for word in words:
            bits |= self.memory[word]
        if bits & self.phrase_bit:
            bits |= self._phrase_signals(words)
        if not text.isascii() and _DENSE.search(text):
            for part in self._dense_parts.findall(text):
                bits |= self.dense[part]
        return bits & ~self.phrase_bit

    def _phrase_signals(self, words: list[str]) -> int:
        line, bits = f" {' '.join(words)} ", 0
        for word in {word for word in words if self.memory[word] & self.phrase_bit}:
            for pattern, of_phrase in self.begun[word]:
                if of_phrase & ~bits and (pattern in line if isinstance(pattern, str) else pattern.search(line)):
                    bits |= of_phrase
        return bits

    @cache  # noqa: B019 - there is one vocabulary
    def everywhere(self, *signals: str) -> int:
        """The bits of some signals in every language."""
        of_one = group(*signals)
        return sum(of_one << WIDTH * at for at in range(len(self.languages)))

    def heard(self, bits: int) -> list[int]:
        """The languages in which a text sends any signal."""
        bits >>= WIDTH
        heard, at = [], 1
        while bits:
            if bits & GROUP:
                heard.append(at)
            bits, at = bits >> WIDTH, at + 1
        return heard

    @cache  # noqa: B019
    def near(self, language: str | None) -> frozenset[int]:
        """A page's own language, those close to it, and English; nothing when it is unknown to us."""
        code = (language or "").lower().replace("_", "-").split("-")[0]
        names = next((family for family in _FAMILIES if code in family), (code,))
        found = {at for at, name in enumerate(self.languages) if at and name in names}
        return frozenset(found | {ENGLISH}) if found else frozenset()

    @cache  # noqa: B019
    def kin(self, language: int) -> frozenset[int]:
        return self.near(self.languages[language]) | {language}

    def among(self, bits: int, languages: frozenset[int]) -> int:
        """The groups of some languages together, with what is universal."""
        found = bits & GROUP
        for at in languages:
            found |= bits >> WIDTH * at & GROUP
        return found

    def group_of(self, signal: str, language: int) -> int:
        return BIT[signal] << WIDTH * language

    def of(self, bits: int, language: int) -> int:
        """One language's group, with what is universal."""
        return (bits | bits >> WIDTH * language) & GROUP


def group(*signals: str) -> int:
    return sum(BIT[signal] for signal in signals)


def _phrase(part: str) -> str | re.Pattern[str]:
    if "*" not in part and ".." not in part:
        return f" {part} "
    words = [re.escape(word).replace(r"\*", r"\S*") for word in part.split()]
    line = " ".join(["", *words, ""])
    return re.compile(line.replace(r" \.\. ", r" (?:\S+ ){0,4}?"))


@cache
def vocabulary() -> Vocabulary:
    found = {path.name.removesuffix(".yaml"): path for path in _folder() if path.name.endswith(".yaml")}
    names = [UNIVERSAL, "en", *sorted(found.keys() - {UNIVERSAL, "en"})]
    return Vocabulary({name: _read(found[name].read_text(encoding="utf-8")) for name in names})


def _folder() -> Iterable[Traversable]:
    return files("crawler.extraction").joinpath("rules", "appeals").iterdir()


def _read(text: str) -> dict[str, list[str]]:
    given: dict[str, str] = yaml.load(text, yaml.CSafeLoader)
    return {signal: [folded(part) for part in parts.split(",") if part.strip()] for signal, parts in given.items()}
