"""Which appeal goes into which page, and what an extractor makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.corpora import Sample
from benchmarks.hosts import Host, invented, real_host
from benchmarks.injection import PLACES, STYLES, Case, left, make_case, own_words_lost, with_paragraphs
from benchmarks.wordings import Appeal, Text, appeals, reporting

SEED = 7
TOGETHER = 4  # paragraphs of reporting put into one page
FOREIGN = 2  # English appeals put into so many pages of any language, each
INVENTED = 3  # pages made for each language
TURNS = {"styled": 1, "hashed": 1, "bare": 2, "short": 2}  # pages that each appeal is put into

Extract = Callable[[bytes, str | None], str]  # gives the body


@dataclass(frozen=True)
class Outcome:
    """What is left of an appeal, block by block, and how many of the page's own words went with it."""

    case: Case
    left: tuple[bool, ...]
    own_lost: int
    own_words: int


@dataclass(frozen=True)
class Kept:
    """A paragraph of reporting: was it lost, and did an appeal stand below?"""

    language: str
    text: Text
    beside_appeal: bool
    lost: bool


@dataclass
class Hosts:
    """Pages by language, real ones before invented ones, and every real one for foreign appeals."""

    by_language: dict[str, list[Host]] = field(default_factory=lambda: defaultdict(list))
    real: list[Host] = field(default_factory=list)

    def pick(self, language: str, number: int) -> Host:
        """The number-th page of a language: real and invented ones take turns where there are both."""
        found = self.by_language[language]
        real = [host for host in found if host.real]
        made = [host for host in found if not host.real]
        group = made if not real or (number % 2 and made) else real
        return group[number // 2 % len(group)]


def gather(samples: Iterable[Sample]) -> Hosts:
    hosts = Hosts()
    for sample in samples:
        if host := real_host(sample):
            hosts.real.append(host)
            hosts.by_language[host.language or "?"].append(host)
    for language, report in reporting().items():
        hosts.by_language[language] += [invented(report, layout) for layout in range(INVENTED)]
    return hosts


def cases(hosts: Hosts) -> Iterator[Case]:
    """Each appeal in each style in pages of its language; English ones in pages of any language as well."""
    for number, appeal in enumerate(appeals()):
        for kind, style in enumerate(STYLES):
            for turn in range(TURNS[style]):
                host = hosts.pick(appeal.language, number * 3 + kind + turn)
                yield make_case(host, appeal, style, PLACES[(number + kind + turn) % 3], SEED)
            if appeal.language == "en" and hosts.real:
                for turn in range(FOREIGN):
                    host = hosts.real[(number * 31 + kind * 7 + turn * 53) % len(hosts.real)]
                    yield make_case(host, appeal, style, PLACES[(number + turn) % 3], SEED)


class Before:
    """Bodies before anything was injected, extracted once a page."""

    def __init__(self, extract: Extract) -> None:
        self._extract = extract
        self._bodies: dict[str, str] = {}

    def __call__(self, host: Host) -> str:
        if host.id not in self._bodies:
            self._bodies[host.id] = self._extract(host.html, host.url)
        return self._bodies[host.id]


def judge(case: Case, extract: Extract, before: Before) -> Outcome:
    body, once = extract(case.html, case.host.url), before(case.host)
    remains = left([block.text for block in case.appeal.blocks], body, once)
    return Outcome(case, tuple(remains), *own_words_lost(case.host.own, body, once))


def sheets(hosts: Hosts) -> Iterator[tuple[Host, Sequence[Text], Appeal | None]]:
    """Pages with reporting put into them: all of it alone, and all of it once more with a letter below."""
    letters = {appeal.language: appeal for appeal in reversed(appeals()) if appeal.kind == "support"}
    for language, report in reporting().items():
        for start in range(0, len(report.about), TOGETHER):
            texts = report.about[start : start + TOGETHER]
            for below in (None, letters.get(language)):
                yield hosts.pick(language, start // TOGETHER + bool(below)), texts, below


def judge_sheet(sheet: tuple[Host, Sequence[Text], Appeal | None], extract: Extract) -> list[Kept]:
    host, texts, below = sheet
    body = extract(with_paragraphs(host, texts, below), host.url)
    there = left([text.text for text in texts], body, "")
    return [Kept(host.language or "?", text, bool(below), not kept) for text, kept in zip(texts, there, strict=True)]


def share_left(outcomes: Iterable[Outcome]) -> float | None:
    """Of all injected blocks, the share that is left; None without any."""
    blocks = [one for outcome in outcomes for one in outcome.left]
    return sum(blocks) / len(blocks) if blocks else None


def share_lost(kept: Iterable[Kept]) -> float | None:
    found = [one.lost for one in kept]
    return sum(found) / len(found) if found else None


def own_share_lost(outcomes: Iterable[Outcome]) -> float | None:
    pairs = [(outcome.own_lost, outcome.own_words) for outcome in outcomes]
    return sum(lost for lost, _ in pairs) / max(1, sum(total for _, total in pairs)) if pairs else None
