"""Which articles tell one text, and how they are found."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Double, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import Base, one_of

COPY_KINDS = ("copy", "shortened", "extended", "adapted")
COPY_REASONS = ("agency_page", "agency_credit", "published_first", "stored_first", "settled")


class Band(Base):
    """Keys under which articles with alike texts find one another: a row a MinHash band (likeness.bands_of).

    A trigger of `articles` removes the rows of those that are deleted: a foreign key would be looked up for each row.
    """

    __tablename__ = "bands"
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, comment="Hash of the band")
    article_id: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="The article: articles.id"
    )
    __table_args__ = (Index(None, "article_id"),)


class Duplicate(Base):
    """An article that is a copy of another, its original; or one that waits to be compared (see duplicates.py)."""

    __tablename__ = "duplicates"
    article_id: Mapped[int] = mapped_column(
        BigInteger,
        ForeignKey("articles.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        comment="The article: articles.id",
    )
    original_id: Mapped[int | None] = mapped_column(
        BigInteger,
        ForeignKey("articles.id", ondelete="SET NULL"),
        comment="The probable original of its text: articles.id; null: to be compared",
    )
    cluster: Mapped[int | None] = mapped_column(
        BigInteger, comment="Number of the cluster: stays when copies come and go, and when the original changes"
    )
    kind: Mapped[str | None] = mapped_column(
        Text,
        comment="What it is to the original: copy (nearly the same), shortened (most of it is in the original), "
        "extended (most of the original is in it), adapted (two thirds of both are the same)",
    )
    likeness: Mapped[float | None] = mapped_column(
        Double, comment="Share of both texts' runs of five words that both have, 0 to 1 (Jaccard)"
    )
    contained: Mapped[float | None] = mapped_column(
        Double, comment="Share of the shorter text that the other contains, 0 to 1"
    )
    why: Mapped[str | None] = mapped_column(
        Text,
        comment="Why that is the original: agency_page (it is the news agency's own page), agency_credit (it credits "
        "one), published_first, stored_first, settled (the copy would be, but the original has very many copies)",
    )
    agency: Mapped[str | None] = mapped_column(Text, comment="The news agency of the original, if it names one")
    __table_args__ = (
        CheckConstraint("original_id <> article_id", name="other"),
        CheckConstraint(
            "original_id IS NULL OR cluster IS NOT NULL AND kind IS NOT NULL AND likeness IS NOT NULL "
            "AND contained IS NOT NULL AND why IS NOT NULL",
            name="complete",
        ),
        CheckConstraint(one_of("kind", COPY_KINDS), name="kind"),
        CheckConstraint(one_of("why", COPY_REASONS), name="why"),
        Index(None, "original_id"),
        Index("ix_duplicates_waiting", "article_id", postgresql_where=text("original_id IS NULL")),
    )
