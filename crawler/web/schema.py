"""The description of the database, out of the code that makes it: for the terminal, for a pipe, as docs/schema.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Column as TableColumn
from sqlalchemy import Table as StoredTable

from crawler.store.models import Base
from crawler.store.search import FOUND, FOUND_COMMENT, FUNCTIONS
from crawler.store.views import VIEWS, type_of

REFERENCE = re.compile(r"\b(\w+)\.id\b")  # in a comment: where there is no foreign key, this is the link
INTRODUCTION = """# The database

Made by `scrapy db describe --markdown > docs/schema.md`; do not edit it. The same words are COMMENTs in the database:
`\\d+ news.articles` in psql, and whatever a BI tool shows.

The views of the schema `news` are the public surface. They keep the names, types and order of their columns from
version to version; new columns come at the end. The tables behind them may change. All instants are `timestamptz`.

`news_reader` may read the schema `news` and nothing else. Give it to a user of yours: `GRANT news_reader TO analyst;`
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A column. `keys`: PK, FK."""

    name: str
    type: str
    comment: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """A table, a view, a type or a function, which has no columns but a usage as its name."""

    name: str
    kind: str
    comment: str
    fields: tuple[Field, ...] = ()

    @property
    def bare(self) -> str:
        """Its name alone, with the schema."""
        return self.name.partition("(")[0]


def relations() -> list[Relation]:
    """All of them: what is public first."""
    return [*_public(), *(_of_table(table) for table in _tables())]


def named(name: str) -> list[Relation]:
    """Those of that name, with or without its schema: `articles` is a view and a table."""
    wanted = name.lower()
    return [one for one in relations() if wanted in (one.bare, one.bare.removeprefix("news."))]


def _tables() -> list[StoredTable]:
    return sorted(Base.metadata.tables.values(), key=lambda table: table.name)


def _public() -> Iterator[Relation]:
    for view in VIEWS:
        fields = tuple(Field(name=one.name, type=one.type, comment=one.comment) for one in view.columns)
        yield Relation(name=f"news.{view.name}", kind="view", comment=view.comment, fields=fields)
    for function in FUNCTIONS:
        yield Relation(name=function.usage, kind="function", comment=function.comment)
    found = tuple(Field(name=name, type=kind, comment=comment) for name, (kind, comment) in FOUND.items())
    yield Relation(name="news.found", kind="type", comment=FOUND_COMMENT, fields=found)


def _of_table(table: StoredTable) -> Relation:
    return Relation(
        name=table.name,
        kind="table",
        comment=table.comment or "",
        fields=tuple(
            Field(name=one.name, type=type_of(one.type), comment=one.comment or "", keys=_keys(one))
            for one in table.columns
        ),
    )


def _keys(column: TableColumn[object]) -> tuple[str, ...]:
    return (("PK",) if column.primary_key else ()) + (("FK",) if column.foreign_keys else ())


# -- in a terminal ---------------------------------------------------------------------------------------------------


def show(found: Sequence[Relation], console: Console) -> None:
    """Tables in a terminal; piped, a line a column with tabs between name, column, type and comment."""
    for one in found:
        if console.is_terminal:
            _show(one, console)
        else:
            print(*_lines(one), sep="\n")


def _show(one: Relation, console: Console) -> None:
    console.print(Text.assemble((one.name, "bold"), (f"  {one.kind}", "dim")))
    console.print(Text(one.comment), soft_wrap=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for field in one.fields:
        table.add_row(Text(field.name, "cyan"), Text(" ".join((field.type, *field.keys))), Text(field.comment))
    if one.fields:
        console.print(table)
    console.print()


def _lines(one: Relation) -> list[str]:
    whole = "\t".join((one.name, "", one.kind, one.comment))
    return [whole, *("\t".join((one.name, field.name, field.type, field.comment)) for field in one.fields)]


# -- as a page -------------------------------------------------------------------------------------------------------


def markdown() -> str:
    """The whole of docs/schema.md."""
    public = [part for one in _public() for part in _section(one)]
    tables = [part for table in _tables() for part in _section(_of_table(table))]
    parts = [INTRODUCTION, "## Views and search\n", *public, "## Tables\n", _diagram(), *tables]
    return "\n".join(parts).rstrip() + "\n"


def _section(one: Relation) -> Iterator[str]:
    yield f"### {one.bare}\n\n{one.comment}\n"
    if one.kind == "function":
        yield f"```sql\n{one.name}\n```\n"
        return
    yield "| column | type | |\n|---|---|---|"
    for field in one.fields:
        yield f"| `{field.name}` | {' '.join((field.type, *field.keys))} | {_cell(field.comment)} |"
    yield ""


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _diagram() -> str:
    """Keys and links only; a dotted link is no foreign key."""
    entities = [line for table in _tables() for line in _entity(table)]
    links = [line for table in _tables() for column in table.columns for line in _links(table.name, column)]
    return "\n".join(["```mermaid", "erDiagram", *entities, *links, "```\n"])


def _entity(table: StoredTable) -> Iterator[str]:
    yield f"    {table.name} {{"
    for column in table.columns:
        if _keys(column) or _target(column):
            keys = ", ".join(_keys(column))
            yield f"        {type_of(column.type).replace(' ', '_')} {column.name} {keys}".rstrip()
    yield "    }"


def _links(table: str, column: TableColumn[object]) -> Iterator[str]:
    for key in column.foreign_keys:
        yield f"    {key.column.table.name} ||--o{{ {table} : {column.name}"
    if not column.foreign_keys and (target := _target(column)):
        yield f"    {target} ||..o{{ {table} : {column.name}"


def _target(column: TableColumn[object]) -> str | None:
    found = REFERENCE.search(column.comment or "")
    return found[1] if found and found[1] in Base.metadata.tables else None
