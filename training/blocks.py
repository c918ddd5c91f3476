"""Train the block model: `python -m training.blocks --data-root DIR`, or `--check` to validate it by source.

Every page goes through the rules and to trafilatura as in a crawl; its blocks are labelled by the reference texts of
three public corpora, and the weights are written to crawler/extraction/model.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from benchmarks import corpora, scores
from crawler.extraction import extract, prepared
from crawler.extraction.density import densest
from crawler.extraction.features import Features, features, vote_of
from crawler.extraction.segment import Piece
from training.injected import MARK, injected
from training.labels import Label, by_reference, by_segments, without_conventions
from training.logistic import Sample, fit

MODEL = Path(__file__).parents[1] / "crawler" / "extraction" / "model.json"
L2 = 32.0
RARE = 10  # times a feature has to be seen
BY_HAND = 1.5  # weight of a corpus whose truth was made by hand
INJECTED = 0.3  # of a page with an appeal in it
FOLDS = 5


@dataclass(frozen=True)
class Page:
    """A page of a corpus with all that the model sees of it."""

    sample: corpora.Sample
    source: str
    pieces: Sequence[Piece]
    features: Sequence[Features | None]
    votes: Sequence[int]
    labels: Sequence[Label]

    @property
    def is_injected(self) -> bool:
        return MARK in self.sample.id

    def samples(self) -> Iterator[Sample]:
        """Its labelled blocks. A page weighs about the same whatever its length, a block by its share of the page."""
        size = max(100, sum(piece.words for piece, label in zip(self.pieces, self.labels, strict=True) if label))
        trust = BY_HAND if self.sample.corpus == "zyte" else 1.0
        trust *= INJECTED if self.is_injected else 1.0
        for piece, found, vote, label in zip(self.pieces, self.features, self.votes, self.labels, strict=True):
            if found is not None and label is not None:
                yield Sample(found, vote, label, trust * (0.3 + min(1.0, piece.words / size * 10)))


def pages(root: Path) -> list[Page]:
    """All corpora's pages, and those that can take an appeal once more with one.

    Into these the rules do not look for appeals: the model is to know a letter that no rule knows.
    """
    samples = [sample for name in corpora.READERS for sample in corpora.load(name, root)]
    plain = [page for sample in samples if (page := _page(sample))]
    return plain + [page for sample in injected(samples) if (page := _page(sample, appeals=False))]


def _page(sample: corpora.Sample, appeals: bool = True) -> Page | None:
    work = prepared(sample.html, sample.url, appeals=appeals)
    if work is None:
        return None
    dense = densest(work.pieces)
    return Page(
        sample=sample,
        source=source_of(sample),
        pieces=work.pieces,
        features=features(work.pieces, work.voted, dense),
        votes=[vote_of(voted, prose) for voted, prose in zip(work.voted, dense, strict=True)],
        labels=_labels(sample, work.pieces),
    )


def _labels(sample: corpora.Sample, pieces: Sequence[Piece]) -> list[Label]:
    if not sample.bodies:
        return by_segments(pieces, sample.wanted, sample.unwanted)
    labels = by_reference(pieces, sample.bodies)
    return labels if sample.corpus == "zyte" else without_conventions(pieces, labels)


def source_of(sample: corpora.Sample) -> str:
    """The publication, so that no page of a fold has a sister in the training set."""
    if sample.corpus == "fundus":
        return sample.id.split("_")[0]
    return (urlsplit(sample.url or "").hostname or sample.id).removeprefix("www.")


def train(given: Sequence[Page]) -> dict[str, list[float]]:
    return fit([sample for page in given for sample in page.samples()], l2=L2, rare=RARE)


def bodies(given: Sequence[Page], table: dict[str, list[float]]) -> list[str]:
    """What extraction, all of it, makes of pages by these weights."""
    with patch("crawler.extraction.model.weights", lambda: table):
        return [extract(page.sample.html, page.sample.url).body for page in given]


def fold_of(source: str) -> int:
    return int(hashlib.md5(source.encode(), usedforsecurity=False).hexdigest(), 16) % FOLDS


def cross_validated(given: Sequence[Page]) -> list[str]:
    """The body of each plain page by weights that never saw its source."""
    found: dict[int, str] = {}
    for fold in range(FOLDS):
        table = train([page for page in given if fold_of(page.source) != fold])
        inside = [page for page in given if fold_of(page.source) == fold and not page.is_injected]
        found |= dict(zip(map(id, inside), bodies(inside, table), strict=True))
    return [found[id(page)] for page in given if not page.is_injected]


def report(plain: Sequence[Page], found: Sequence[str]) -> None:
    pages = list(zip(plain, found, strict=True))
    for corpus in ("zyte", "fundus"):
        best = [(scores.best_reference(p.sample.bodies, body), body) for p, body in pages if p.sample.corpus == corpus]
        exact = scores.mean(scores.exact(reference, body) for (reference, _), body in best)
        print(f"{corpus}: F1 {scores.corpus_f1([overlap for (_, overlap), _ in best]):.4f} exact {exact:.4f}")
    segments = [scores.segments(p.sample.wanted, p.sample.unwanted, body) for p, body in pages if not p.sample.bodies]
    print(f"segments: F1 {scores.segments_f1(segments):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=Path("../shared/data"), help="folder of the three corpora")
    parser.add_argument("--check", action="store_true", help="validate by source instead of writing the weights")
    args = parser.parse_args()
    given = pages(args.data_root)
    plain = [page for page in given if not page.is_injected]
    print(f"{len(given)} pages, {sum(1 for page in given for _ in page.samples())} labelled blocks")
    if args.check:
        report(plain, cross_validated(given))
        return
    table = {name: [round(weight, 2) for weight in own] for name, own in train(given).items()}
    report(plain, bodies(plain, table))
    MODEL.write_text(_json(table), encoding="utf-8")


def _json(table: dict[str, list[float]]) -> str:
    lines = ",\n".join(f"    {json.dumps(name)}: {own}" for name, own in sorted(table.items()) if any(own))
    votes = json.dumps(["neither", "density", "trafilatura", "both"])
    return f'{{\n  "votes": {votes},\n  "weights": {{\n{lines}\n  }}\n}}\n'


if __name__ == "__main__":
    main()
