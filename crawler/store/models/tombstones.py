"""What publishers wanted removed: known well enough to be refused, and no better."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, THIS_TRANSACTION, Base, Instant, one_of

TOMBSTONES = ("page", "site", "source")


class Tombstone(Base):
    """What was forgotten (`scrapy forget`) and never comes back: an address, a site or a source, as a digest."""

    __tablename__ = "tombstones"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the tombstone"
    )
    act: Mapped[int] = mapped_column(
        BigInteger, comment="Tombstones of one thing that was forgotten have the same: an article has several addresses"
    )
    kind: Mapped[str] = mapped_column(
        Text, comment="page (an address), site (all below a home page) or source (whatever bears its name)"
    )
    digest: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        comment="SHA-256 of the address's key (urls.url_key), of the site or of the name: it shows no address, but who "
        "knows one can look for it; null: it may come again",
    )
    article_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="What the article's articles.id was; once an article; null: another address, or a source"
    )
    source: Mapped[str | None] = mapped_column(Text, comment="Whose it was: sources.id; null: nothing of it was stored")
    forgotten_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was forgotten")
    why: Mapped[str | None] = mapped_column(Text, comment="Why, as whoever did it has written")
    by_whom: Mapped[str] = mapped_column(Text, comment="Who did it: user@machine")
    undone_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it was allowed to come again (`scrapy forget --undo`); null: it is not"
    )
    changed_xid: Mapped[int] = mapped_column(
        BigInteger,
        server_default=text(THIS_TRANSACTION),
        comment="The transaction that wrote the row. For export cursors",
    )
    __table_args__ = (
        CheckConstraint(one_of("kind", TOMBSTONES), name="kind"),
        Index(None, "digest", unique=True),
        Index(None, "act"),
        Index("ix_tombstones_article_id", "article_id", postgresql_where=text("article_id IS NOT NULL")),
    )
