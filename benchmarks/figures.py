"""The lines of the table: what each measures, how good is good enough, and one run over the corpora for all of them."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import Progress

from benchmarks import cost, scores, trial
from benchmarks.corpora import Sample, load
from benchmarks.injection import STYLES
from benchmarks.systems import BASELINE, OURS, Answer, Extractor

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    key: str
    target: float
    form: str = ".1%"
    up: bool = True  # higher is better
    strict: bool = False  # under the target, not at it

    def reached(self, value: float) -> bool:
        if self.up:
            return value >= self.target
        return value < self.target if self.strict else value <= self.target


@dataclass(frozen=True)
class Line:
    name: str
    title: str
    figures: tuple[Figure, ...]
    needs: str  # zyte, fundus, segments, appeals, reporting, cost; by comma


def under(key: str, target: float) -> Figure:
    return Figure(key, target, up=False, strict=True)


LINES = (
    Line(
        "zyte",
        "scrapinghub F1 / exact",
        (Figure("zyte_f1", 0.972, ".3f"), Figure("zyte_exact", 0.45, ".3f")),
        "zyte",
    ),
    Line("fundus", "fundus tests F1", (Figure("fundus_f1", 0.970, ".3f"),), "fundus"),
    Line("segments", "trafilatura's own segments F1", (Figure("segments_f1", 0.935, ".3f"),), "segments"),
    Line("dates", "publication instant / day right", (Figure("instant", 0.95), Figure("day", 0.98)), "fundus"),
    Line("fields", "headline / authors right", (Figure("headline", 0.92), Figure("authors", 0.92)), "fundus"),
    Line("boxed", "appeals left, styled / hashed box", (under("styled", 0.02), under("hashed", 0.02)), "appeals"),
    Line("bare", "appeals left, bare paragraphs", (under("bare", 0.05),), "appeals"),
    Line("short", "appeals left, pages of 1 to 3 paragraphs", (under("short", 0.05),), "appeals"),
    Line(
        "reporting",
        "reporting lost / above a letter",
        (under("reporting", 0.01), under("beside", 0.01)),
        "reporting",
    ),
    Line(
        "words",
        "words lost, corpora / beside an appeal",
        (under("lost", 0.01), under("own_lost", 0.01)),
        "zyte,fundus,appeals",
    ),
    Line(
        "cpu",
        "CPU a page over trafilatura / worst page, s",
        (Figure("cpu", 1.0, ".2f", up=False), Figure("worst", 3.0, ".2f", up=False, strict=True)),
        "cost",
    ),
)


@dataclass
class Run:
    """Figures by extractor and key, and what they were counted from."""

    values: dict[str, dict[str, float | None]] = field(default_factory=dict)
    outcomes: dict[str, list[trial.Outcome]] = field(default_factory=dict)
    kept: dict[str, list[trial.Kept]] = field(default_factory=dict)
    cost: cost.Cost | None = None

    def as_json(self) -> dict[str, Any]:
        return {"figures": self.values, "cost": asdict(self.cost) if self.cost else None}


class Measuring:
    """One run: corpora are loaded once, and only what the lines need is extracted."""

    def __init__(self, lines: Sequence[Line], extractors: dict[str, Extractor], data: Path, progress: Progress) -> None:
        self.needs = {need for line in lines for need in line.needs.split(",")}
        self.extractors, self.progress, self.run = extractors, progress, Run(values={name: {} for name in extractors})
        wanted = self.needs & {"zyte", "fundus", "segments"}
        if self.needs & {"appeals", "reporting", "cost"}:
            wanted |= {"zyte", "fundus"}
        self.samples = {corpus: load(corpus, data) for corpus in sorted(wanted)}

    def __call__(self) -> Run:
        lost: dict[str, list[tuple[int, int]]] = {name: [] for name in self.extractors}
        for corpus in ("zyte", "fundus", "segments"):
            if corpus in self.needs:
                for name in self.extractors:
                    lost[name] += self._corpus(corpus, name)
        for name, pairs in lost.items():
            if pairs:
                self.run.values[name]["lost"] = sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs)
        if self.needs & {"appeals", "reporting"}:
            self._trials()
        if "cost" in self.needs:
            self._cost()
        return self.run

    def _corpus(self, corpus: str, name: str) -> list[tuple[int, int]]:
        """Fill in one extractor's figures on one corpus; returns words lost and words of each page."""
        samples = self.samples[corpus]
        step = self._stepper(f"{corpus}: {name}", len(samples))
        answers = [_stepped(step, self._timed(name, sample)) for sample in samples]
        if corpus == "segments":
            pages = [scores.segments(s.wanted, s.unwanted, a.text) for s, a in zip(samples, answers, strict=True)]
            self.run.values[name]["segments_f1"] = scores.segments_f1(pages)
            return []
        best = [scores.best_reference(s.bodies, a.text) for s, a in zip(samples, answers, strict=True)]
        self.run.values[name][f"{corpus}_f1"] = scores.corpus_f1([page for _, page in best])
        right = [scores.exact(body, answer.text) for (body, _), answer in zip(best, answers, strict=True)]
        self.run.values[name][f"{corpus}_exact"] = scores.mean(right)
        if corpus == "fundus":
            self.run.values[name] |= _fields(samples, answers)
        return [scores.words_lost(body, answer.text) for (body, _), answer in zip(best, answers, strict=True)]

    def _timed(self, name: str, sample: Sample) -> Answer:
        started = time.process_time()
        answer = _safely(self.extractors[name], sample.html, sample.url)
        self._worst(name, time.process_time() - started)
        return answer

    def _worst(self, name: str, seconds: float) -> None:
        self.run.values[name]["worst"] = max(self.run.values[name].get("worst") or 0.0, seconds)

    def _trials(self) -> None:
        hosts = trial.gather([*self.samples["fundus"], *self.samples["zyte"]])
        cases = list(trial.cases(hosts)) if "appeals" in self.needs else []
        sheets = list(trial.sheets(hosts)) if "reporting" in self.needs else []
        for name, extractor in self.extractors.items():
            step = self._stepper(f"appeals: {name}", len(cases) + len(sheets))
            extract = _body(extractor)
            before = trial.Before(extract)
            outcomes = [_stepped(step, trial.judge(case, extract, before)) for case in cases]
            kept = [one for sheet in sheets for one in _stepped(step, trial.judge_sheet(sheet, extract))]
            self.run.outcomes[name], self.run.kept[name] = outcomes, kept
            self.run.values[name] |= _trial_figures(outcomes, kept)

    def _cost(self) -> None:
        samples = [*self.samples["zyte"], *self.samples["fundus"]]
        found = cost.measure(samples, self._stepper("CPU", len(samples) * cost.ROUNDS))
        self.run.cost = found
        self.run.values[OURS]["cpu"], self.run.values[BASELINE]["cpu"] = found.ratio, 1.0
        self._worst(OURS, found.worst)
        self._worst(BASELINE, found.worst_theirs)

    def _stepper(self, description: str, total: int) -> Callable[[], None]:
        task = self.progress.add_task(description, total=total)
        return lambda: self.progress.advance(task)


def measure(lines: Sequence[Line], extractors: dict[str, Extractor], data: Path, progress: Progress) -> Run:
    return Measuring(lines, extractors, data, progress)()


def _stepped(step: Callable[[], None], value: T) -> T:
    step()
    return value


def _safely(extractor: Extractor, html: bytes, url: str | None) -> Answer:
    """An extractor that fails on a page gave nothing: a figure, not a stop. Some peers print, too."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return extractor(html, url)
    except Exception:
        return Answer()


def _body(extractor: Extractor) -> trial.Extract:
    return lambda html, url: _safely(extractor, html, url).text


def _fields(samples: Sequence[Sample], answers: Sequence[Answer]) -> dict[str, float | None]:
    pairs = list(zip(samples, answers, strict=True))
    titled = [(s.title, a.headline) for s, a in pairs if s.title]
    signed = [(s.authors, a.authors or ()) for s, a in pairs if s.authors]
    dated = [(s.published, a.published) for s, a in pairs if s.published]
    clocked = [pair for pair in dated if scores.moment(pair[0])[1]]
    return {
        "headline": scores.mean(scores.same_headline(*pair) for pair in titled) if _given(titled) else None,
        "authors": scores.mean(scores.authors_f1(*pair) for pair in signed) if _given(signed) else None,
        "day": scores.mean(scores.same_day(*pair) for pair in dated) if _given(dated) else None,
        "instant": scores.mean(scores.same_instant(*pair) for pair in clocked) if _given(clocked) else None,
    }


def _given(pairs: Sequence[tuple[object, object]]) -> bool:
    """Does the extractor know the field at all?"""
    return any(value for _, value in pairs)


def _trial_figures(outcomes: Sequence[trial.Outcome], kept: Sequence[trial.Kept]) -> dict[str, float | None]:
    left = {style: trial.share_left(o for o in outcomes if o.case.style == style) for style in STYLES}
    return left | {
        "own_lost": trial.own_share_lost(outcomes),
        "reporting": trial.share_lost(one for one in kept if not one.beside_appeal),
        "beside": trial.share_lost(one for one in kept if one.beside_appeal),
    }
