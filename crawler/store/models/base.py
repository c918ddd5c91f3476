"""What all tables share: the naming of constraints, and docstrings as COMMENTs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, MetaData, text
from sqlalchemy.orm import DeclarativeBase

Instant = DateTime(timezone=True)
NOW = text("now()")
THIS_TRANSACTION = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"  # xid8 as the number that it is


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class's docstring is its table's COMMENT, and `comment=` its columns': schema.py puts them in place."""
        super().__init_subclass__(**kwargs)
        cls.__table__.comment = " ".join((cls.__doc__ or "").split())  # type: ignore[attr-defined]


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The condition that a column holds one of these words."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
