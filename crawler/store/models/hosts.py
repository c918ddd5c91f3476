"""What all crawlers together know of a host."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant


class Host(Base):
    """When a host may be asked again, for all crawlers together."""

    __tablename__ = "hosts"
    host: Mapped[str] = mapped_column(Text, primary_key=True, comment="Host and port")
    next_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="The next request may leave")
    held_until: Mapped[datetime | None] = mapped_column(Instant, comment="What a Retry-After asked for")


class Robots(Base):
    """The robots.txt of an origin, or why there is none."""

    __tablename__ = "robots"
    origin: Mapped[str] = mapped_column(Text, primary_key=True, comment="Scheme, host and port")
    body: Mapped[bytes] = mapped_column(
        LargeBinary, comment="The first 500 KiB of the file; empty: there is none, and all is allowed"
    )
    status: Mapped[int | None] = mapped_column(Integer, comment="HTTP status; null: no answer")
    failure: Mapped[str | None] = mapped_column(
        Text, comment="Why it could not be read, which forbids everything; null: it could"
    )
    fetched_at: Mapped[datetime] = mapped_column(Instant, comment="When it was fetched")
    good_until: Mapped[datetime] = mapped_column(Instant, comment="When it is asked for again")
