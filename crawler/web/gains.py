"""The report of a re-extraction: what each source gains and loses, as lines and as JSON's types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text
from sqlalchemy import Connection

from crawler.gains import LOST_TOO_MUCH, group, loses_much
from crawler.store import reextractions
from crawler.store.reapplying import Applied
from crawler.store.reextractions import Begun, Example
from crawler.text import one_line

MOST_REJECTED = 5  # articles of a source that are named as such
MOST_TEXTS = 3  # paragraphs that are shown of an example, of either kind
SHORT = 110  # characters of a paragraph
SIGNS = {"lost": "-", "gained": "+"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a run has found. `rejected`: by source, some articles that stay although they would be none any more."""

    run: int
    asked: Mapping[str, Any]
    sources: Mapping[str, Counter[str]]
    largest: Sequence[Example] = ()
    rejected: Mapping[str, Sequence[Example]] = field(default_factory=dict)

    @property
    def total(self) -> Counter[str]:
        return sum(self.sources.values(), Counter[str]())


def report_of(connection: Connection, begun: Begun) -> Report:
    """What a run has found, as it is in the database."""
    found = reextractions.found(connection, begun.id)
    staying = [name for name, counted in found.items() if group(counted, "rejected") or group(counted, "failed")]
    return Report(
        run=begun.id,
        asked=begun.asked.plain,
        sources=found,
        largest=reextractions.largest(connection, begun.id),
        rejected={name: reextractions.rejected(connection, begun.id, name, MOST_REJECTED) for name in staying},
    )


def lines(report: Report) -> Iterator[Text]:
    """For people; a colour never says anything that a word does not."""
    shown = {name: found for name, found in sorted(report.sources.items()) if _is_news(found)}
    for name, found in shown.items():
        yield from _of_source(name, found, report.rejected.get(name, ()))
    if report.largest:
        yield Text("The largest changes:", style="bold")
        for number, one in enumerate(report.largest, start=1):
            yield from _of_example(number, one)
    if len(report.sources) > len(shown) > 0:
        yield Text(f"{len(report.sources) - len(shown)} more sources: nothing would change", style="dim")
    if len(shown) != 1 or len(report.sources) != 1:
        yield Text.assemble((f"{'All':<20} ", "bold"), _figures(report.total))
    for name, found in shown.items():
        if loses_much(found):
            yield Text(
                f"WARNING: {name} loses {_share(found)} of its words, more than {LOST_TOO_MUCH:.0%}: look at it first",
                style="bold red",
            )


def _is_news(found: Mapping[str, int]) -> bool:
    named = ("changed", "new", "readdressed")
    return any(found.get(name) for name in named) or bool(group(found, "rejected") or group(found, "failed"))


def _of_source(name: str, found: Counter[str], rejected: Sequence[Example]) -> Iterator[Text]:
    yield Text.assemble((f"{name:<20} ", "bold"), _figures(found))
    for word, told in _details(found):
        yield Text(f"  {word}: {told}")
    for one in rejected:
        yield Text(f"    {one.reason}  {_look(one)}  {_shown(one.url)}", style="dim")


def _figures(found: Counter[str]) -> str:
    parts = [f"{found['articles']:,} articles, {found['changed']:,} would change"]
    if found["changed"]:
        parts[0] += f" ({found['revised']:,} with a revision)"
    if found["words/lost"] or found["words/gained"]:
        parts.append(
            f"words -{found['words/lost']:,} +{found['words/gained']:,} of {found['words']:,} (-{_share(found)})"
        )
        parts.append(f"paragraphs -{found['paragraphs/lost']:,} +{found['paragraphs/gained']:,}")
    if found["new"]:
        parts.append(f"{found['new']:,} new articles of {found['words/new']:,} words")
    return "; ".join(parts)


def _details(found: Counter[str]) -> Iterator[tuple[str, str]]:
    fields: dict[str, list[str]] = {}
    for key, number in group(found, "field").items():
        name, _, how = key.partition("/")
        fields.setdefault(name, []).append(f"{number:,} {how}")
    if fields:
        yield "fields", "; ".join(f"{name} {', '.join(told)}" for name, told in fields.items())
    words = {
        "dropped": "dropped blocks",
        "restored": "restored blocks",
        "rejected": "would be no articles any more, and stay",
        "failed": "could not be read",
    }
    for name, word in words.items():
        if counted := group(found, name):
            yield word, ", ".join(f"{kind} {number:,}" for kind, number in counted.items())
    if found["readdressed"]:
        yield "name another address now, and stay where they are", f"{found['readdressed']:,}"
    if found["without_page"]:
        yield "stay, since the page of their version is not stored", f"{found['without_page']:,}"


def _share(found: Mapping[str, int]) -> str:
    return f"{found.get('words/lost', 0) / max(1, found.get('words', 0)):.1%}".replace("%", " %")


def _of_example(number: int, one: Example) -> Iterator[Text]:
    told = one.told
    what = "new" if one.article_id is None else f"-{told.words_lost:,} +{told.words_gained:,} words"
    yield Text(f"{number:>2}. {one.source}  {what}  {_shown(one.headline or '–')}")
    for word, style in (("lost", "red"), ("gained", "green")):
        texts: tuple[str, ...] = getattr(told, word)
        for text in texts[:MOST_TEXTS]:
            yield Text(f"    {SIGNS[word]} {_short(text)}", style=style)
        if len(texts) > MOST_TEXTS:
            yield Text(f"    {SIGNS[word]} and {len(texts) - MOST_TEXTS:,} more", style=style)
    yield Text(f"    {_look(one)}", style="dim")


def _look(one: Example) -> str:
    """The command that shows more."""
    if one.article_id is None:
        return f"scrapy inspect '{_shown(one.url)}'"
    return f"scrapy inspect {one.article_id} --again"


def _shown(text: str) -> str:
    """Without control characters: what a page says must not steer the reader's terminal."""
    return one_line(text) or ""


def _short(text: str) -> str:
    text = _shown(text)
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def plain(report: Report) -> dict[str, Any]:
    """All that is counted, and the examples whole."""
    return {
        "run": report.run,
        "asked": dict(report.asked),
        "sources": {name: _plain(found) for name, found in sorted(report.sources.items())},
        "total": _plain(report.total),
        "largest": [
            {
                "article": one.article_id,
                "source": one.source,
                "headline": one.headline,
                "url": one.url,
                "words": {"lost": one.told.words_lost, "gained": one.told.words_gained},
                "lost": list(one.told.lost),
                "gained": list(one.told.gained),
            }
            for one in report.largest
        ],
        "stay": [
            {"article": one.article_id, "source": name, "url": one.url, "reason": one.reason}
            for name, examples in sorted(report.rejected.items())
            for one in examples
        ],
    }


def _plain(found: Counter[str]) -> dict[str, Any]:
    fields: dict[str, dict[str, int]] = {}
    for key, number in group(found, "field").items():
        name, _, how = key.partition("/")
        fields.setdefault(name, {})[how] = number
    single = ("articles", "changed", "revised", "new", "pages", "without_page", "readdressed")
    return {
        **{name: found[name] for name in single},
        "words": {"before": found["words"], **{name: found[f"words/{name}"] for name in ("lost", "gained", "new")}},
        "paragraphs": {name: found[f"paragraphs/{name}"] for name in ("lost", "gained")},
        "fields": fields,
        **{name: group(found, name) for name in ("dropped", "restored", "rejected", "failed")},
        "loses_much": loses_much(found),
    }


def sentence(applied: Applied) -> str:
    """What was done."""
    said = f"applied {applied.applied:,} changes, {applied.revised:,} with a revision"
    if applied.skipped:
        said += f"; {applied.skipped:,} not, since their pages were fetched again meanwhile: run it again"
    if applied.refused:
        said += f"; {applied.refused:,} refused by the database"
    return said
