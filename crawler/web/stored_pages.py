"""Stored pages and their months in a terminal; whole lines when piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.store.versions import Month, Version
from crawler.text import one_line

MB = 1_000_000
COLUMNS = ("page", "fetched", "status", "outcome", "bytes", "stored", "address")
MONTHLY = ("month", "pages", "MB", "stored MB", "share", "with dictionary", "on disk MB")


def plain(version: Version) -> dict[str, Any]:
    """JSON's types."""
    return {**asdict(version), "fetched_at": version.fetched_at.isoformat()}


def show_versions(versions: Sequence[Version], console: Console) -> None:
    """The newest with all that is known of it, then all."""
    for name, value in _rows(versions[0]):
        console.print(Text.assemble((f"{name:<12} ", "bold"), _shown(value)), soft_wrap=True)
    if len(versions) > 1:
        console.print(f"\n{len(versions)} versions")
        _print_table(COLUMNS, [_cells(one) for one in versions], console)


def _rows(one: Version) -> Iterator[tuple[str, str]]:
    yield "page", str(one.id)
    yield "url", one.url
    yield "source", one.source or "–"
    yield "article", str(one.article_id or "–")
    yield "fetched", f"{one.fetched_at:%Y-%m-%d %H:%M:%S.%f%z}" + (f" by crawl {one.crawl_id}" if one.crawl_id else "")
    yield "status", str(one.status)
    yield "outcome", one.outcome + (f": {one.detail}" if one.detail else "")
    dictionary = f", dictionary {one.dictionary_id}" if one.dictionary_id else ""
    yield "bytes", f"{one.html_bytes:,}, stored in {one.stored_bytes:,} ({_share(one)}{dictionary})"
    for name, value in sorted(one.rights.items()):
        yield "rights", f"{name}: {value}"
    for name, value in one.headers.items():
        yield "header", f"{name}: {value}"


def _shown(text: str) -> str:
    """Without control characters: what a server says must not steer the reader's terminal."""
    return one_line(text) or ""


def _cells(one: Version) -> list[str]:
    sizes = (f"{one.html_bytes:,}", f"{one.stored_bytes:,}")
    return [str(one.id), f"{one.fetched_at:%Y-%m-%d %H:%M:%S}", str(one.status), one.outcome, *sizes, one.url]


def _share(one: Version | Month) -> str:
    return f"{one.stored_bytes / one.html_bytes:.3f}" if one.html_bytes else "–"


def show_months(months: Sequence[Month], console: Console) -> None:
    """A line each, and their sum."""
    figures = ("pages", "with_dictionary", "html_bytes", "stored_bytes", "bytes")
    whole = Month(name="all", **{name: sum(getattr(one, name) for one in months) for name in figures})
    _print_table(MONTHLY, [_monthly(one) for one in [*months, whole]], console)


def _monthly(one: Month) -> list[str]:
    name = one.name.removeprefix("pages_").replace("_", "-")
    sizes = (f"{one.html_bytes / MB:,.1f}", f"{one.stored_bytes / MB:,.1f}", _share(one))
    return [name, f"{one.pages:,}", *sizes, f"{one.with_dictionary:,}", f"{one.bytes / MB:,.1f}"]


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    if not console.is_terminal:
        for row in (columns, *rows):
            print("\t".join(map(_shown, row)))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        left = name in ("fetched", "outcome", "address", "month")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "address", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(cell)) for cell in row))
    console.print(table)
