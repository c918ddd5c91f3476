"""A survey in a terminal: what a site offers with evidence and scores; whole lines when it is piped.

A colour never says anything that a word beside it does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.discovery.listed import Listed
from crawler.discovery.measures import measures
from crawler.discovery.proposal import Proposal
from crawler.discovery.samples import Leak, Sample
from crawler.discovery.survey import Finding, Missing
from crawler.text import one_line

YES, NO = "✓", "✗"
WIDE = 110  # columns from which an address stands beside its figures
MAX_LEFT_OUT = 12  # lists of no use that are shown on a terminal
MAX_LEAKS = 5
MAX_LEAK = 160  # characters


def show_proposal(found: Proposal, file: str, now: datetime, console: Console) -> None:
    """Who it is, what it lists, what its articles give."""
    identity = found.identity
    rows = [
        ("file", file, "from its name"),
        ("name", identity.name, identity.evidence["name"]),
        ("homepage", identity.homepage, ""),
        ("language", identity.language or "–", identity.evidence["language"]),
        ("country", identity.country or "–", identity.evidence["country"]),
    ]
    if found.allow:
        rows.append(
            ("articles", found.allow, "what nearly all addresses of its feeds share, and not those of its sitemaps")
        )
    for name, value, evidence in rows:
        text = Text(f"{name:<9} ", style="bold").append(value, style="not bold")
        console.print(text.append(f"  [{evidence}]" if evidence else "", style="not bold dim"), soft_wrap=True)
    console.print()
    show_lists(found.findings, found.missing, now, console)
    show_samples(found.samples, console)
    show_leaks(found.leaks, console)


# -- lists ----------------------------------------------------------------------------------------------------------


def show_lists(findings: Sequence[Finding], missing: Sequence[Missing], now: datetime, console: Console) -> None:
    """Those of use first, then those that are left out, each with the reason."""
    used, unused = [one for one in findings if one.use], [one for one in findings if not one.use]
    shown = unused[:MAX_LEFT_OUT] if console.is_terminal else unused
    if console.is_terminal and console.width >= WIDE:
        console.print(_list_table([*used, *shown], now))
    else:
        for one in [*used, *shown]:
            console.print(_list_line(one, now), soft_wrap=not console.is_terminal)
    for lost in missing:
        line = Text.assemble((f"{NO} {lost.outcome}  ", "bold yellow"), lost.url, (f"  {_said(lost)}", "dim"))
        console.print(line, soft_wrap=not console.is_terminal)
    if len(unused) > len(shown):
        console.print(f"and {len(unused) - len(shown)} more of no use; --json shows all", style="dim")


def _list_table(findings: Sequence[Finding], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in (
        "",
        "score",
        "kind",
        "used as",
        "entries",
        "dated",
        f"last {measures().judging.new_days} d",
        "newest",
    ):
        table.add_column(title, justify="right" if title in ("score", "entries", "dated") else "left", no_wrap=True)
    table.add_column("address, and why", overflow="fold")
    for one in findings:
        listed = one.listed
        figures = (f"{listed.total:,}", _dated(listed), _new(listed, now), _newest(listed))
        address = Text(listed.url).append(f"\n{one.offer.origin}: {one.why}", style="dim")
        table.add_row(_mark(one.use is not None), f"{one.score:.2f}", listed.kind, one.use or "–", *figures, address)
    return table


def _list_line(one: Finding, now: datetime) -> Text:
    listed = one.listed
    figures = f"{listed.kind}, {listed.total:,} {'files' if listed.kind == 'index' else 'entries'}"
    if listed.dates:
        figures += f", {_dated(listed)} dated, {_new(listed, now)} recent, newest {_newest(listed)}"
    line = _mark(one.use is not None).append(f" {one.score:.2f}  {one.use or 'left out'}  ")
    line.append(listed.url, style="not bold default")
    return line.append(f"  {figures}; {one.offer.origin}: {one.why}", style="not bold dim default")


def _mark(good: bool) -> Text:
    return Text(YES, style="bold green") if good else Text(NO, style="yellow")


def _said(lost: Missing) -> str:
    return f"{lost.origin}: {lost.detail}" if lost.detail else lost.origin


def _dated(listed: Listed) -> str:
    return f"{listed.share(len(listed.dates)):.0%}" if listed.entries else "–"


def _new(listed: Listed, now: datetime) -> str:
    return str(listed.new(now, measures().judging.new_days)) if listed.dates else "–"


def _newest(listed: Listed) -> str:
    return f"{listed.dates[0]:%Y-%m-%d}" if listed.dates else "–"


# -- samples --------------------------------------------------------------------------------------------------------


def show_samples(samples: Sequence[Sample], console: Console) -> None:
    """A row for each, and the shares of them that have what an article should have."""
    if not samples:
        return
    console.print()
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("", "words", "published", "lang", "access", "authors"):
        table.add_column(title, justify="right" if title in ("words", "authors") else "left", no_wrap=True)
    table.add_column("article, and what was dropped", overflow="fold")
    for one in samples:
        if console.is_terminal:
            table.add_row(*_cells(one), _told(one, "\n"))
        else:
            console.print(
                Text("  ").join([Text(str(cell)) for cell in _cells(one)] + [_told(one, "  ")]), soft_wrap=True
            )
    if console.is_terminal:
        console.print(table)
    console.print(shares(samples), style="bold", soft_wrap=not console.is_terminal)


def _cells(one: Sample) -> list[Text | str]:
    date = f"{one.published_at:%Y-%m-%d}" if one.published_at else "–"
    return [
        _mark(one.is_article),
        str(one.words or "–"),
        date,
        one.language or "–",
        one.access or "–",
        str(one.authors or "–"),
    ]


def _told(one: Sample, between: str) -> Text:
    text = Text() if one.is_article else Text(f"{one.verdict}  ", style="bold")
    text.append(one_line(one.headline) or "–").append(f"{between}{one.url}", style="dim")
    dropped = ", ".join(f"{reason} {number}" for reason, number in sorted(one.dropped.items()))
    notes = [
        f"dropped: {dropped}" if dropped else "",
        one.detail,
        "its date is the feed's" if one.dated_by == "feed" else "",
    ]
    for note in filter(None, notes):
        text.append(f"{between}{note}", style="dim")
    return text


def shares(samples: Sequence[Sample]) -> str:
    """How many of the samples are articles, and have a date, authors, a headline."""
    good = [one for one in samples if one.is_article]
    having = {
        "with headline": sum(one.headline is not None for one in good),
        "with date": sum(one.published_at is not None for one in good),
        "with author": sum(one.authors > 0 for one in good),
    }
    others = Counter(one.verdict for one in samples if not one.is_article)
    parts = [f"{len(good)} of {len(samples)} samples are articles"]
    parts += [f"{number} {words}" for words, number in having.items()] if good else []
    parts += [f"{number} {word}" for word, number in others.items()]
    return ", ".join(parts)


def show_leaks(leaks: Sequence[Leak], console: Console) -> None:
    """Blocks of the template that stand in the articles' text."""
    for leak in leaks[:MAX_LEAKS]:
        text = leak.text if len(leak.text) <= MAX_LEAK else f"{leak.text[: MAX_LEAK - 1]}…"
        console.print(
            Text.assemble((f"! in the text of {leak.articles} samples: ", "bold yellow"), text), soft_wrap=True
        )
