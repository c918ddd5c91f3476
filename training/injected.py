"""Corpus pages with our own training appeals put into them: they teach the model what a begging letter's place is.

The wordings (training/appeals) are not those of the examination (benchmarks/appeals), nor are the pages' seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.corpora import Sample
from benchmarks.hosts import real_host
from benchmarks.injection import PLACES, make_case
from benchmarks.wordings import Appeal, Text

FOLDER = Path(__file__).resolve().parent / "appeals"
SEED = 1
# Only boxes: bare paragraphs taught the model to drop the off-topic sentences of short articles (4 % of their words).
STYLES = ("styled", "hashed")
MARK = "+"  # between a page's id and the style of what was put into it
KNOWN_AS = {"membership": "registration"}  # whose class names its box takes


@cache
def appeals() -> dict[str, list[Appeal]]:
    """Training appeals by language."""
    found = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}
    return {language: [_appeal(language, entry) for entry in data["appeals"]] for language, data in found.items()}


def _appeal(language: str, entry: dict[str, Any]) -> Appeal:
    texts = tuple(Text(block["text"], block["tag"]) for block in entry["blocks"])
    return Appeal(language, "training", KNOWN_AS.get(entry["kind"], entry["kind"]), texts)


def injected(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Each page that can take them with one appeal in each kind of box, in its own language where we have one."""
    for number, sample in enumerate(samples):
        host = real_host(sample) if sample.bodies else None
        if host is None:
            continue
        ours = appeals().get(host.language or "", appeals()["en"])
        for turn, style in enumerate(STYLES):
            appeal = ours[(number + turn) % len(ours)]
            case = make_case(host, appeal, style, PLACES[(number + turn) % len(PLACES)], SEED)
            yield replace(sample, id=f"{sample.id}{MARK}{style}", html=case.html)
