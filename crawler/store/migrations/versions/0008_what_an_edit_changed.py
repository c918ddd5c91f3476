"""What an edit changed, paragraph by paragraph, and who changed it

Revisions that are there already are compared with the versions that came after them, some hundred at a time: about 1 ms
each, so that 100,000 of them take some two minutes. The tables of articles and pages are only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from crawler.editions import Edition, told

revision = "0008"
down_revision = "0007"

BATCH = 200  # two versions with their ledgers are some 100 KB
_OLD = sa.text("""
SELECT r.id, r.headline, r.body, r.content, a.source, a.url, a.headline AS a_headline, a.body AS a_body,
    jsonb_build_object('blocks', a.blocks, 'authors', a.authors, 'published_at', a.published_at, 'access', a.access,
        'published_raw', a.published_raw, 'published_zone_assumed', a.published_zone_assumed,
        'is_accessible_for_free', a.is_accessible_for_free) AS a_content,
    n.id AS n_id, n.headline AS n_headline, n.body AS n_body, n.content AS n_content
FROM revisions r JOIN articles a ON a.id = r.article_id
LEFT JOIN revisions n ON n.article_id = r.article_id AND n.revision = r.revision + 1
WHERE r.id > :after ORDER BY r.id LIMIT :batch
""")
_SET = sa.text("UPDATE revisions SET diff = :diff WHERE id = :revision").bindparams(
    sa.bindparam("diff", type_=postgresql.JSONB)
)


def upgrade() -> None:
    # Neither default is volatile: the rows that are there are not written anew for it.
    op.add_column("revisions", sa.Column("cause", sa.Text(), server_default="publisher", nullable=False))
    op.add_column("revisions", sa.Column("diff", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False))
    op.create_check_constraint(op.f("ck_revisions_cause"), "revisions", "cause IN ('publisher', 'rules')")
    op.create_index(op.f("ix_revisions_replaced_at"), "revisions", ["replaced_at"])
    connection, after = op.get_bind(), 0
    while rows := connection.execute(_OLD, {"after": after, "batch": BATCH}).mappings().all():
        connection.execute(_SET, [{"revision": row["id"], "diff": _diff(row)} for row in rows])
        after = rows[-1]["id"]


def _diff(row: Mapping[Any, Any]) -> list[dict[str, Any]]:
    following = "a" if row["n_id"] is None else "n"
    old = _edition(row, row["headline"], row["body"], row["content"])
    new = _edition(row, row[f"{following}_headline"], row[f"{following}_body"], row[f"{following}_content"])
    return [change.plain() for change in told(old, new)]


def _edition(row: Mapping[Any, Any], headline: str | None, body: str, content: Mapping[str, Any]) -> Edition:
    return Edition.of({**content, "headline": headline, "body": body, "source": row["source"], "url": row["url"]})
