"""Readers for the public corpora, by path: nothing of them is kept here.

A sample holds whatever truth its corpus offers; what it does not offer is None or empty.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

MAX_OPTIONAL = 4  # with more optional paragraphs, only all and none of them are tried
_LANGUAGE = re.compile(rb"<html[^>]*?\blang\s*=\s*[\"']?([A-Za-z]{2,3})", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A page with its truth. `bodies` are the acceptable references, one line a paragraph."""

    id: str
    corpus: str
    html: bytes
    url: str | None = None
    language: str | None = None  # two letters, as the page declares it
    bodies: tuple[str, ...] = ()
    title: str | None = None
    authors: tuple[str, ...] = ()
    published: str | None = None  # ISO 8601
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()


class MissingData(Exception):
    """A corpus is not where it was said to be."""


def declared_language(html: bytes) -> str | None:
    found = _LANGUAGE.search(html[:20_000])
    return found[1].decode().lower()[:2] if found else None


def read_zyte(root: Path) -> Iterator[Sample]:
    """scrapinghub/article-extraction-benchmark: bodies made by hand, no fields."""
    for name, truth in _json(root / "ground-truth.json").items():
        html = _page(root / "html" / f"{name}.html.gz")
        body = "\n".join(line.strip() for line in truth.get("articleBody", "").splitlines() if line.strip())
        yield Sample(
            id=name,
            corpus="zyte",
            html=html,
            url=truth.get("url"),
            language=declared_language(html),
            bodies=(body,),
        )


def read_fundus(root: Path) -> Iterator[Sample]:
    """flairNLP/fundus: what a parser written for each publisher gave, reviewed; the standfirst may be there or not."""
    for country in sorted(path for path in (root / "tests/resources/parser/test_data").iterdir() if path.is_dir()):
        info = _json(country / "meta.info") if (country / "meta.info").is_file() else {}
        for annotation in sorted(country.glob("*.json")):
            for path, truth in _versions(annotation):
                html = _page(path)
                yield Sample(
                    id=f"{country.name}/{path.name.removesuffix('.html.gz')}",
                    corpus="fundus",
                    html=html,
                    url=info.get(path.name, {}).get("url"),
                    language=declared_language(html),
                    bodies=tuple(_bodies(truth["body"])),
                    title=truth.get("title"),
                    authors=tuple(truth.get("authors") or ()),
                    published=truth.get("publishing_date"),
                )


def _versions(annotation: Path) -> list[tuple[Path, dict[str, Any]]]:
    """A publisher's pages by date beside its annotations by version: the n-th belong together."""
    truths = sorted(_json(annotation).items(), key=lambda item: [int(number) for number in _NUMBER.findall(item[0])])
    dated = re.compile(re.escape(annotation.stem) + r"_\d{4}_\d\d_\d\d\.html\.gz")
    paths = sorted(path for path in annotation.parent.glob("*.html.gz") if dated.fullmatch(path.name))
    return [(path, truth) for path, (_, truth) in zip(paths, truths, strict=True)]


def _bodies(body: dict[str, Any]) -> Iterator[str]:
    summary = list(body.get("summary") or [])
    text = [line for part in body["sections"] for line in (*part.get("headline", ()), *part["paragraphs"])]
    sizes = range(len(summary), -1, -1) if len(summary) <= MAX_OPTIONAL else (len(summary), 0)
    for size in sizes:
        for chosen in combinations(summary, size):
            yield "\n".join([*chosen, *text])


def read_segments(root: Path) -> Iterator[Sample]:
    """adbar/trafilatura: pieces of text that have to be there and pieces that must not."""
    tests = root / "tests"
    for url, truth in sorted(_json(tests / "evaldata.json").items()):
        path = next(p for p in (tests / "cache" / truth["file"], tests / "eval" / truth["file"]) if p.is_file())
        html = _page(path)
        yield Sample(
            id=truth["file"],
            corpus="segments",
            html=html,
            url=url,
            language=declared_language(html),
            wanted=tuple(truth["with"]),
            unwanted=tuple(truth["without"]),
        )


READERS: dict[str, tuple[str, Callable[[Path], Iterator[Sample]]]] = {
    "zyte": ("scrapinghub/article-extraction-benchmark", read_zyte),
    "fundus": ("flairNLP/fundus", read_fundus),
    "segments": ("adbar/trafilatura", read_segments),
}


def load(corpus: str, data_root: Path) -> list[Sample]:
    """All samples of a corpus whose clone lies under `data_root` as owner+name, owner/name or name."""
    repository, reader = READERS[corpus]
    for folder in (repository.replace("/", "+"), repository, repository.partition("/")[2]):
        if (data_root / folder).is_dir():
            return list(reader(data_root / folder))
    raise MissingData(f"{data_root} holds no clone of {repository}: pass the folder that does as --data-root")


def _json(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _page(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content
