"""What a view of the schema `news` is, and how its columns are told."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from crawler.store.models import Base


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a view. `type` as PostgreSQL's format_type says it; `sql`: the expression behind it."""

    name: str
    type: str
    comment: str
    sql: str


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A view of the schema `news`. `origin`: its query from FROM on."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    origin: str

    @property
    def query(self) -> str:
        """The SELECT that defines it."""
        return f"SELECT {', '.join(f'{one.sql} AS {one.name}' for one in self.columns)} {self.origin}"


def type_of(kind: TypeEngine[object]) -> str:
    """As PostgreSQL's format_type says it."""
    return kind.compile(postgresql.dialect()).lower()  # type: ignore[no-untyped-call]


def own(alias: str, model: type[Base], names: str, **renamed: str) -> tuple[Column, ...]:
    """A table's own columns with their own comments, by their names; `renamed`: what else some are called here."""
    columns = model.__table__.columns
    return tuple(
        Column(
            name=renamed.get(name, name),
            type=type_of(columns[name].type),
            comment=_public(columns[name].comment or ""),
            sql=f"{alias}.{name}",
        )
        for name in names.split()
    )


def _public(comment: str) -> str:
    """What a table's comment refers to, as readers of the schema `news` know it."""
    return re.sub(
        r"\b(articles|crawls|urls)\.id\b", r"news.\1.id", comment.replace("sources.id", "news.sources.source")
    )


def made(name: str, kind: str, comment: str, sql: str) -> Column:
    return Column(name=name, type=kind, comment=comment, sql=sql)
