"""What a source's past teaches about fetching: how often looks find edits, and what its addresses look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, text

from crawler.recheck import Rates

MEMORY = 1_000  # past so many looks or pages the counts are halved, so that a change of habit shows

_LOOKED = text(f"""
INSERT INTO edit_rates AS known (source, step, checks, edits) VALUES (:source, :step, :checks, :edits)
ON CONFLICT (source, step) DO UPDATE SET
    checks = known.checks / (CASE WHEN known.checks >= {MEMORY} THEN 2 ELSE 1 END) + excluded.checks,
    edits = known.edits / (CASE WHEN known.checks >= {MEMORY} THEN 2 ELSE 1 END) + excluded.edits
""")  # noqa: S608 (a number of our own)
_SHAPED = text(f"""
INSERT INTO url_shapes AS known (source, shape, articles, others) VALUES (:source, :shape, :articles, :others)
ON CONFLICT (source, shape) DO UPDATE SET
    articles = known.articles / (CASE WHEN known.articles + known.others >= {MEMORY} THEN 2 ELSE 1 END)
               + excluded.articles,
    others = known.others / (CASE WHEN known.articles + known.others >= {MEMORY} THEN 2 ELSE 1 END) + excluded.others
""")  # noqa: S608
MOST_SHAPES = 2_000  # of a source that are read back, the most frequent ones

Looked = tuple[str, int, bool]  # source, step, whether there was an edit
Shaped = tuple[str, str, bool]  # source, shape, whether it was an article


def looked(connection: Connection, looks: Iterable[Looked]) -> None:
    """Count looks at stored articles."""
    counted = _counted(looks)
    rows = [{"source": s, "step": step, "checks": n, "edits": edits} for (s, step), (n, edits) in counted]
    if rows:
        connection.execute(_LOOKED, rows)


def rates(connection: Connection, source: str) -> Rates:
    """Step -> looks and edits."""
    found = connection.execute(text("SELECT step, checks, edits FROM edit_rates WHERE source = :s"), {"s": source})
    return {step: (checks, edits) for step, checks, edits in found}


def shaped(connection: Connection, pages: Iterable[Shaped], weight: int = 1) -> None:
    """Count what the addresses of articles, and of pages that are none, look like."""
    rows = [
        {"source": source, "shape": shape, "articles": articles * weight, "others": (number - articles) * weight}
        for (source, shape), (number, articles) in _counted(pages)
    ]
    if rows:
        connection.execute(_SHAPED, rows)


def shapes(connection: Connection, source: str) -> Mapping[str, tuple[int, int]]:
    """Shape -> articles and others."""
    statement = text("""
        SELECT shape, articles, others FROM url_shapes WHERE source = :s ORDER BY articles + others DESC LIMIT :most
    """)
    return {s: (a, o) for s, a, o in connection.execute(statement, {"s": source, "most": MOST_SHAPES})}


def _counted(given: Iterable[tuple[str, object, bool]]) -> list[tuple[tuple[str, object], tuple[int, int]]]:
    """(source, what) -> how many, and how many of these said yes; sorted as every writer does."""
    number: Counter[tuple[str, object]] = Counter()
    yes: Counter[tuple[str, object]] = Counter()
    for source, what, said in given:
        number[source, what] += 1
        yes[source, what] += said
    return [(pair, (number[pair], yes[pair])) for pair in sorted(number, key=str)]
