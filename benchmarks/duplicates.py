"""How well articles that tell one text are found, and what that costs a stored one, however many there are.

    python -m benchmarks.duplicates [--rows 1000 10000 100000 1000000] [--database-url URL]
        [--light URL] [--heavy URL]     a newsweb with --multiply N, and one with --mutate heavy besides
        [--data-root DIR]               the corpora of benchmarks.accuracy

Everything goes through `articles.save` and `duplicates.learn` in shuffled batches into a database of its own. First
stories that are made up: told by one to six sources, word for word, with a credit and a correction, cut, extended, a
sentence added here and there; half of them agencies'. Then forms: sentences with numbers and names in them, filled in
for three events within hours, with a copy of each. Pairs and clusters are held against the truth, and so is the
original. `--light`: all variants of a page are one story. `--heavy`: half of the long words differ and every variant is
a story of its own; where a page's text is not in lower-case Latin letters little or nothing differs, so pairs that were
joined are told by the share of words that differ. `--data-root`: saved pages of many publishers; every pair that was
joined is printed, to be looked at, and the nearest that were not.

Then the cost: bands of so many articles are put in, and PROBE articles are settled among them that are new, copies, or
have a prompt of 24 words that all of them have.

November 2026, two cores that others used. 1,500 made-up stories: precision of pairs 100 %, recall 99.9 %, 99.8 % of
clusters whole, the original right in all. 300 forms filled in three times: precision and recall 100 % (without
`likeness.one_form`: 20 and 99 %). 190 real pages in 30 languages, four light variants each: precision 100 %,
recall 98.2 % (the rest: two paywall stubs and a live blog, which have to be equal; a list whose variants have numbered
notes in it, as a form has). Heavy variants: none of 768
pairs in which more than 15 % of the words differ are joined, two of 203 with 10 to 15 %, six of 27 with 5 to 10 %, all
of 142 with less (pages in other scripts, or of few long words). 685 saved pages of several hundred publishers: one pair
joined, which is one article; three reports of one event, two of one trial, two of one company's releases stay apart.
CPU an article: new 37 + 110 µs at ten thousand articles, copies 647 + 200, prompts 130 + 450; before the rarity of
bands counted, at a million: new 41 + 280 (24 index pages, not all in memory), copies 713 + 410, prompts 130 + 230. Its
bands in the worker 263. 2.0 KB an article.
"""

from __future__ import annotations

import argparse
import difflib
import itertools
import json
import multiprocessing
import os
import random
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

from benchmarks import corpora
from benchmarks.filling import fill_bands, vacuum
from benchmarks.frontier import own_database, server
from benchmarks.search import Maker
from crawler.extraction import extract
from crawler.items import Article, Block, Page
from crawler.likeness import BANDS, SHORT, Likeness, Text, bands_of
from crawler.pipelines.normalise import article_of
from crawler.sources import Source
from crawler.store import articles, crawls, duplicates
from crawler.store.engine import Database

STORIES, BATCH = 1_500, 100
SIZES = (1_000, 10_000, 100_000, 1_000_000)
PROBE, ROUNDS = 1_000, 3
FROM = datetime(2026, 1, 1, tzinfo=UTC)
WIRES = {"Reuters": "PARIS (Reuters) - {}", "AFP": "Paris (AFP) – {}", "dpa": "Berlin (dpa) - {}", "EFE": "{}\n(EFE)"}
CHANGED = (0.02, 0.05, 0.1, 0.15, 0.2, 1.0)  # steps of the share of words that differ


@dataclass(frozen=True, kw_only=True)
class Telling:
    """An article with its truth: whose story it is, and whether it is the original."""

    article: Article
    story: str
    original: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """What became of tellings that were stored: their clusters, and the originals of these."""

    tellings: Sequence[Telling]
    cluster: dict[int, int]  # index of a telling -> index of its original


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Articles that tell one text: precision, recall, cost")
    parser.add_argument("--rows", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--light", help="URL of a newsweb with variants")
    parser.add_argument("--heavy", help="URL of a newsweb with heavy variants")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora")
    parser.add_argument("--stories", type=int, default=STORIES, help="made up")
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console = Console(width=150)
    with server(given.database_url) as url:
        kept = Kept(url)
        console.print(scores("made-up stories", kept.settled(list(made(given.stories)))))
        console.print(scores("forms that a robot fills in", kept.settled(list(forms(given.stories // 5)))))
        if given.light:
            console.print(scores("light variants", kept.settled(served(given.light))))
        if given.heavy:
            console.print(*apart(kept.settled(served(given.heavy))), sep="\n")
        if given.data_root:
            console.print(*real(kept.settled(saved(given.data_root))), sep="\n", highlight=False, markup=False)
        if given.rows:
            console.print(costs(url, given.rows))


# -- stories that are made up ------------------------------------------------------------------------------------------


def made(stories: int) -> Iterator[Telling]:
    """Each by one source to six, in the languages of the search benchmark; its original is first or an agency's."""
    maker, chance = Maker(), random.Random(7)  # noqa: S311
    for number in range(stories):
        base = replace(maker.article(number), published_at=FROM + timedelta(minutes=13 * number))
        wire = chance.choice([*WIRES, *[None] * len(WIRES)])
        for copy in range(chance.choice((1, 1, 1, 2, 3, 4, 6))):
            at = FROM + timedelta(minutes=13 * number + copy * chance.randint(1, 300))
            body = base.body if not copy else _retold(maker, chance, base.body)
            credit = wire if wire and (not copy or chance.random() < 0.4) else None
            yield Telling(
                article=_article(
                    f"s{(number + copy * 7) % 50}",
                    f"{number}-{copy}",
                    WIRES[credit].format(body) if credit else body,
                    at,
                ),
                story=str(number),
                original=not copy,
            )


def forms(number: int) -> Iterator[Telling]:
    """A form's sentences with numbers and names in them, filled in three times within days; and a copy of each."""
    maker, chance = Maker(), random.Random(9)  # noqa: S311
    for form in range(number):
        frame = [maker._line(False, chance.randint(6, 25)).rstrip(".") for _ in range(chance.randint(6, 16))]
        blanks = sorted(chance.sample(range(len(frame)), chance.randint(3, 5)))
        for event in range(3):
            filled = [
                f"{line} {chance.choice(maker.words)} {chance.randint(1, 9_999)} {chance.choice(maker.words)}."
                if at in blanks
                else f"{line}."
                for at, line in enumerate(frame)
            ]
            told, at = "\n".join(filled), FROM + timedelta(hours=13 * form + 5 * event)
            for copy, body in enumerate((told, f"{told}\n{maker._line(False, 9)}")):
                article = _article(f"s{event * 2 + copy}", f"{form}-{event}-{copy}", body, at + timedelta(hours=copy))
                yield Telling(article=article, story=f"{form}-{event}", original=not copy)


def _retold(maker: Maker, chance: random.Random, body: str) -> str:
    lines = body.split("\n")
    chinese = body.endswith("。")
    match chance.randrange(5):
        case 0:
            return body
        case 1:  # cut
            return "\n".join(lines[: max(4, len(lines) * chance.randint(50, 90) // 100)])
        case 2:  # what was there before, what others say
            return "\n".join([*lines, *(maker._line(chinese, 40) for _ in range(chance.randint(1, 5)))])
        case 3:  # an own beginning
            return "\n".join([maker._line(chinese, 30), *lines[1:]])
        case _:
            return "\n".join(f"{line} {maker._line(chinese, 9)}" if chance.random() < 0.4 else line for line in lines)


def _article(source: str, slug: str, body: str, at: datetime | None, headline: str | None = None) -> Article:
    url = f"https://www.{source}.example/{slug}"
    return Article(
        source=source, url=url, canonical_url=url, headline=headline or slug, body=body, authors=(), published_at=at,
        published_raw=None, published_zone_assumed=False, modified_at=None, modified_raw=None, language=None,
        section=None, tags=(), description=None, images=(), is_accessible_for_free=None, evidence={},
        blocks=tuple(Block(kind="paragraph", text=line, kept=True) for line in body.split("\n")),
    )  # fmt: skip


# -- pages -------------------------------------------------------------------------------------------------------------


def served(url: str) -> list[Telling]:
    """Every article of a newsweb, as a crawl would store it; variants of one page are one story."""
    with urllib.request.urlopen(f"{url}/_newsweb/articles") as answer:  # noqa: S310 (a local server's)
        listed = json.load(answer)
    pages = [(one["url"], _fetched(url, one["url"]), one["original_url"]) for one in listed]
    return _extracted(pages)


def _fetched(proxy: str, url: str) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    return bytes(opener.open(url).read())


def saved(root: Path) -> list[Telling]:
    """Pages of the corpora, each a story of its own: two of them that are one are found by eye."""
    samples = [sample for corpus in corpora.READERS for sample in corpora.load(corpus, root)]
    pages = {sample.url or f"http://{sample.id}.invalid/": sample for sample in samples}  # versions of a page are one
    return _extracted([(url, sample.html, sample.id) for url, sample in pages.items()])


def _extracted(pages: Sequence[tuple[str, bytes, str]]) -> list[Telling]:
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        found = pool.starmap(_telling, pages, chunksize=8)
    return [one for one in found if one]


def _telling(url: str, html: bytes, story: str) -> Telling | None:
    extraction = extract(html, url)
    page = Page(
        url=url, requested_url=url, source=_source_of(url), status=200, headers={}, html=html,
        fetched_at=datetime.now(UTC),
    )  # fmt: skip
    article = replace(article_of(page, extraction), canonical_url=url)  # variants may name the first
    return Telling(article=article, story=story) if len(article.body.split()) > 1 else None


def _source_of(url: str) -> str:
    host = (urlsplit(url).hostname or "nowhere").removeprefix("www.")
    return "s_" + "".join(letter if letter.isalnum() else "_" for letter in host)


# -- what was found ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A server on which databases are made for articles, and dropped."""

    url: str

    def settled(self, tellings: Sequence[Telling]) -> Found:
        """Store all of them in an order of chance."""
        order = random.Random(3).sample(range(len(tellings)), len(tellings))  # noqa: S311
        index: dict[int, int] = {}
        with own_database(self.url) as database:
            with database.engine.begin() as connection:
                _sources(connection, {telling.article.source for telling in tellings})
            for start in range(0, len(order), BATCH):
                some = order[start : start + BATCH]
                with database.engine.begin() as connection:
                    stored = articles.save(connection, [tellings[one].article for one in some])
                    duplicates.learn(connection, _given(tellings, some, stored))
                index |= {one.id: at for one, at in zip(stored, some, strict=True)}
            with database.engine.connect() as connection:
                rows = connection.execute(text("SELECT article_id, original_id FROM news.duplicates")).all()
        return Found(tellings=tellings, cluster={index[one]: index[original] for one, original in rows})


def _given(
    tellings: Sequence[Telling], some: Sequence[int], stored: Sequence[articles.Saved]
) -> list[tuple[int, tuple[int, ...]]]:
    return [(one.id, bands_of(tellings[at].article.body)) for one, at in zip(stored, some, strict=True)]


def _sources(connection: Connection, names: Iterable[str]) -> None:
    crawls.save_sources(
        connection,
        [Source.model_validate({"id": one, "name": one, "homepage": f"https://www.{one}.example/"}) for one in names],
    )


def _pairs(groups: Iterable[Iterable[int]]) -> set[tuple[int, int]]:
    return {pair for group in groups for pair in itertools.combinations(sorted(group), 2)}


def _grouped(keys: dict[int, int] | dict[int, str]) -> list[frozenset[int]]:
    groups: dict[int | str, set[int]] = defaultdict(set)
    for one, key in keys.items():
        groups[key].add(one)
    return [frozenset(group) for group in groups.values() if len(group) > 1]


def scores(title: str, found: Found) -> Table:
    """Pairs and clusters against the truth. Bodies too short to be compared do not count."""
    long = {at for at, one in enumerate(found.tellings) if not Text.of(one.article.body).is_short}
    wanted = _grouped({at: found.tellings[at].story for at in long})
    have = _grouped({at: original for at, original in found.cluster.items() if at in long})
    right, claimed = _pairs(wanted), _pairs(have)
    known = [original for original in set(found.cluster.values()) if original in long]
    firsts = {one.story for one in found.tellings if one.original}
    judged = [one for one in known if found.tellings[one].story in firsts]
    table = Table("", "", title=f"{title}: {len(long):,} articles of {SHORT} words and more", show_header=False)
    table.add_row("pairs: precision", _share(len(right & claimed), len(claimed)))
    table.add_row("pairs: recall", _share(len(right & claimed), len(right)))
    table.add_row("clusters found whole, and nothing else in them", _share(len({*wanted} & {*have}), len(wanted)))
    if judged:
        table.add_row("the original is", _share(sum(found.tellings[one].original for one in judged), len(judged)))
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole if whole else 1:.2%}  ({part:,} of {whole:,})"


def apart(found: Found) -> Iterator[str]:
    """How many pairs of variants were joined, by the share of their words that differ."""
    groups = _grouped({at: one.story for at, one in enumerate(found.tellings)})
    joined, all_ = Counter[float](), Counter[float]()
    for one, other in sorted(_pairs(groups)):
        first, second = (Text.of(found.tellings[at].article.body) for at in (one, other))
        if not (first.is_short or second.is_short):
            step = next(step for step in CHANGED if _differ(first.words, second.words) <= step)
            all_[step] += 1
            joined[step] += one in found.cluster and found.cluster[one] == found.cluster.get(other)
    other = sum(found.tellings[a].story != found.tellings[b].story for a, b in _pairs(_grouped(found.cluster)))
    yield f"heavy variants: {other} pairs of two pages joined; of one page's:"
    for step in CHANGED:
        yield f"  up to {step:4.0%} of the words differ: {joined[step]:>5,} of {all_[step]:>5,} pairs joined"


def _differ(one: Sequence[str], other: Sequence[str]) -> float:
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) / len(one)
    return 1 - difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def real(found: Found, nearest: int = 12) -> Iterator[str]:
    """Every pair that was joined, and the nearest that were not."""
    told = [Text.of(one.article.body) for one in found.tellings]
    seen: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, one in enumerate(told):
        for shingle in one.shingles:
            seen[shingle].append(at)
    common = Counter(pair for some in seen.values() if len(some) < 50 for pair in itertools.combinations(some, 2))
    likes = {pair: Likeness.of(told[pair[0]], told[pair[1]]) for pair, _ in common.most_common(2_000)}
    claimed = _pairs(_grouped(found.cluster))
    yield f"saved pages: {len(told):,} articles, {len(claimed)} pairs joined:"
    for pair in sorted(claimed):
        yield _line(found, pair, Likeness.of(told[pair[0]], told[pair[1]]))
    yield "the nearest that were not:"
    rest = sorted(likes.items() - {(pair, likes[pair]) for pair in claimed if pair in likes}, key=_nearness)
    for pair, likeness in rest[:nearest]:
        yield _line(found, pair, likeness)


def _nearness(item: tuple[tuple[int, int], Likeness]) -> float:
    return -max(item[1].jaccard, item[1].contained / 2)


def _line(found: Found, pair: tuple[int, int], likeness: Likeness) -> str:
    names = (
        f"{found.tellings[at].article.source[2:24]} {(found.tellings[at].article.headline or '')[:44]!r}"
        f" ({found.tellings[at].article.page_type}, {len(found.tellings[at].article.body.split())})"
        for at in pair
    )
    return f"  {likeness.jaccard:.2f} {likeness.contained:.2f} {likeness.kind or '-':<9}  {'  |  '.join(names)}"


# -- what it costs -----------------------------------------------------------------------------------------------------


def costs(url: str, sizes: Sequence[int]) -> Table:
    """Microseconds an article, by the number of articles whose bands are there."""
    columns = ("articles", "new", "copies", "prompts", "in the worker", "bytes an article")
    table = Table(*columns, title="µs of CPU an article: ours + the server's (its own machine's only)")
    for rows in sizes:
        with own_database(url) as database:
            with database.engine.begin() as connection:
                fill_bands(connection, -rows, -1)  # of articles that are not there
            vacuum(database)
            table.add_row(f"{rows:,}", *_cost(database))
    return table


def _cost(database: Database) -> Iterator[str]:
    maker, chance = Maker(), random.Random(11)  # noqa: S311
    with database.engine.begin() as connection:
        _sources(connection, [f"s{number}" for number in range(50)])
    prompt = " ".join(maker._line(False, 12) for _ in range(2))
    kinds: dict[str, list[Article]] = {"new": [], "copies": [], "prompts": []}
    for number in range(PROBE * ROUNDS):
        article = maker.article(number)
        kinds["new"].append(article)
        kinds["copies"].append(
            _article(f"s{number % 50}", f"copy-{number}", _retold(maker, chance, article.body), FROM)
        )
        kinds["prompts"].append(_article(f"s{number % 50}", f"prompt-{number}", prompt, FROM))
    for some in kinds.values():
        rounds = [_learned(database, some[at * PROBE : (at + 1) * PROBE]) for at in range(ROUNDS)]
        ours, servers = min(rounds, key=sum)
        yield f"{ours:.0f} + {servers:.0f}"
    started = time.process_time()
    for article in kinds["new"][:PROBE]:
        bands_of(article.body)
    yield f"{(time.process_time() - started) / PROBE * 1e6:.0f}"
    with database.engine.connect() as connection:
        size = "SELECT pg_total_relation_size('bands') / (count(*) / :bands) FROM bands"
        yield f"{connection.execute(text(size), {'bands': BANDS}).scalar_one():,.0f}"


def _learned(database: Database, some: Sequence[Article]) -> tuple[float, float]:
    """Their rows are written in transactions of their own, so that only what is asked for is timed."""
    ours = servers = 0.0
    for start in range(0, len(some), BATCH):
        batch = some[start : start + BATCH]
        with database.engine.begin() as connection:
            stored = articles.save(connection, batch)
        given = [(one.id, bands_of(article.body)) for one, article in zip(stored, batch, strict=True)]
        with database.engine.begin() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            theirs, own = _cpu(pid), time.process_time()
            duplicates.learn(connection, given)
            ours, servers = ours + time.process_time() - own, servers + _cpu(pid) - theirs
    return ours / len(some) * 1e6, servers / len(some) * 1e6


def _cpu(pid: int) -> float:
    """Seconds of a process of this machine."""
    try:
        spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
