"""One row a page, whatever its addresses; listings, hosts, robots.txt, shapes and edit rates in the database"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from crawler.urls import is_variant, url_key

revision = "0004"
down_revision = "0003"

Instant = sa.DateTime(timezone=True)
NOW = sa.text("now()")
BATCH = 10_000


def upgrade() -> None:
    _columns()
    _tables()
    _keys()
    op.alter_column("urls", "key", nullable=False)
    op.alter_column("articles", "key", nullable=False)
    op.drop_constraint("uq_urls_url", "urls")
    op.drop_constraint("uq_articles_canonical_url", "articles")
    op.create_unique_constraint(op.f("uq_urls_key"), "urls", ["key"])
    op.create_unique_constraint(op.f("uq_articles_key"), "articles", ["key"])
    op.drop_index("ix_urls_due", "urls")
    op.create_index(
        "ix_urls_due",
        "urls",
        ["source", "rank", "not_before", "id"],
        postgresql_where=sa.text("not_before IS NOT NULL AND state <> 'leased'"),
    )


def _columns() -> None:
    op.add_column("urls", sa.Column("key", sa.Text(), nullable=True))
    op.add_column("urls", sa.Column("is_variant", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("urls", sa.Column("state_before", sa.Text(), nullable=True))
    op.add_column("urls", sa.Column("detail", sa.Text(), nullable=True))
    op.add_column("urls", sa.Column("rank", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("urls", sa.Column("step", sa.SmallInteger(), nullable=True))
    op.add_column("urls", sa.Column("published_at", Instant, nullable=True))
    op.alter_column("urls", "not_before", nullable=True)
    op.execute("UPDATE urls SET not_before = NULL WHERE state NOT IN ('queued', 'leased')")
    op.execute("UPDATE urls SET state_before = 'queued' WHERE state = 'leased'")
    op.add_column("articles", sa.Column("key", sa.Text(), nullable=True))
    rights = sa.Column("rights", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False)
    op.add_column("pages", rights)


def _tables() -> None:
    op.create_table(
        "url_aliases",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("url_id", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("found_at", Instant, server_default=NOW, nullable=False),
        sa.CheckConstraint("how IN ('address', 'redirect', 'canonical')", name=op.f("ck_url_aliases_how")),
        sa.ForeignKeyConstraint(["url_id"], ["urls.id"], name=op.f("fk_url_aliases_url_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_url_aliases")),
    )
    op.create_index(op.f("ix_url_aliases_key"), "url_aliases", ["key"])
    op.create_index(op.f("ix_url_aliases_url_id"), "url_aliases", ["url_id"])
    op.create_table(
        "listings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("gave", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("body_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("lease_crawl", sa.BigInteger(), nullable=True),
        sa.Column("found_at", Instant, server_default=NOW, nullable=False),
        sa.Column("checked_at", Instant, nullable=True),
        sa.Column("changed_at", Instant, nullable=True),
        sa.Column("not_before", Instant, server_default=NOW, nullable=True),
        sa.CheckConstraint(
            "kind IN ('homepage', 'feed', 'sitemap', 'archive', 'section', 'further')", name=op.f("ck_listings_kind")
        ),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_listings_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listings")),
    )
    op.create_index(op.f("ix_listings_source_url"), "listings", ["source", "url"], unique=True)
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("next_at", Instant, server_default=NOW, nullable=False),
        sa.Column("held_until", Instant, nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_hosts")),
    )
    op.create_table(
        "robots",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("fetched_at", Instant, nullable=False),
        sa.Column("good_until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_robots")),
    )
    op.create_table(
        "url_shapes",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.Column("articles", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("others", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_url_shapes_source")),
        sa.PrimaryKeyConstraint("source", "shape", name=op.f("pk_url_shapes")),
    )
    op.create_table(
        "edit_rates",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("checks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("edits", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_edit_rates_source")),
        sa.PrimaryKeyConstraint("source", "step", name=op.f("pk_edit_rates")),
    )


def _keys() -> None:
    """Every row gets its key; of rows that share one, the first with an article stays, the others are its aliases.

    The program's own `url_key`, not a copy: a migration that changes keys will have to make all of them anew.
    """
    connection = op.get_bind()
    for table, column in (("urls", "url"), ("articles", "canonical_url")):
        last = 0
        select = sa.text(f"SELECT id, {column} FROM {table} WHERE id > :last ORDER BY id LIMIT {BATCH}")  # noqa: S608
        update = sa.text(f"UPDATE {table} SET key = :key WHERE id = :id")  # noqa: S608 (names of our own)
        while rows := connection.execute(select, {"last": last}).all():
            last = rows[-1][0]
            connection.execute(update, [{"id": id_, "key": url_key(url) or url} for id_, url in rows])
            if table == "urls" and (variants := [id_ for id_, url in rows if is_variant(url)]):
                marked = sa.text("UPDATE urls SET is_variant = true WHERE id = ANY(:ids)")
                connection.execute(marked, {"ids": variants})
    for statement in _MERGE:
        connection.execute(sa.text(statement))


# Twins among the articles: the newest has the key, the others keep all they have under a key of their own.
_MERGE = (
    "CREATE TEMP TABLE twin_articles ON COMMIT DROP AS SELECT id, first_value(id) OVER "
    "(PARTITION BY key ORDER BY updated_at DESC, id) AS kept FROM articles",
    "UPDATE urls SET article_id = kept FROM twin_articles t WHERE urls.article_id = t.id AND t.id <> t.kept",
    "UPDATE articles SET key = key || '#' || articles.id FROM twin_articles t "
    "WHERE articles.id = t.id AND t.id <> t.kept",
    "CREATE TEMP TABLE twin_urls ON COMMIT DROP AS SELECT id, url, key, first_value(id) OVER (PARTITION BY key "
    "ORDER BY article_id IS NULL, state NOT IN ('queued', 'leased'), is_variant, id) AS kept FROM urls",
    "INSERT INTO url_aliases (url, key, url_id, how) SELECT url, key, kept, 'address' FROM twin_urls WHERE id <> kept",
    "UPDATE pages SET url_id = kept FROM twin_urls t WHERE pages.url_id = t.id AND t.id <> t.kept",
    "DELETE FROM urls USING twin_urls t WHERE urls.id = t.id AND t.id <> t.kept",
    "UPDATE urls SET published_at = articles.published_at FROM articles WHERE articles.id = urls.article_id",
)
