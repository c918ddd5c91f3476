"""Which transaction last wrote an article, for exports that skip none; words of 0.1.0 in `urls` made today's"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

XID = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"

# OR REPLACE: a restored backup of an earlier schema meets the function that was here before.
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION articles_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := {XID};
    RETURN NEW;
END $$
"""
_TRIGGER = """
CREATE TRIGGER articles_changed BEFORE INSERT OR UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION articles_changed()
"""

_WORDS = [
    "article", "live_blog", "video", "gallery", "paywall_stub", "not_modified", "duplicate", "listing",
    "no_content", "no_body", "no_headline", "not_an_article", "soft_404", "consent_wall", "bot_challenge",
    "store_refused", "extraction_failed", "extraction_timeout", "extraction_memory", "extraction_crashed",
    "extraction_no_worker", "not_found", "gone", "forbidden", "refused", "rate_limited", "server_error",
    "not_html", "too_large", "truncated", "bad_response", "bad_encoding", "redirect_loop", "bad_redirect",
    "timeout", "dns", "connection", "tls", "download_error", "blocked_address", "unsupported_scheme",
    "robots_forbidden", "robots_unreachable", "host_unavailable", "crawl_closing", "browser_missing",
    "render_failed", "listing_url", "ignored", "moved", "internal_error",
]  # fmt: skip
# 0.1.0 gave an article no word, a page that was to be tried again the word of its failure, and had words of its own.
_OLD_WORDS = """
UPDATE urls SET detail = coalesce(detail, reason), attempts = 0, reason = CASE
    WHEN state = 'queued' THEN NULL
    WHEN state = 'unchanged' THEN 'not_modified'
    WHEN state = 'fetched' THEN CASE WHEN article_id IS NULL THEN 'no_content' ELSE 'article' END
    WHEN state = 'gone' THEN 'not_found'
    WHEN state = 'forbidden' THEN 'forbidden'
    WHEN state = 'failed' THEN 'download_error'
    ELSE 'robots_forbidden' END
WHERE state <> 'leased' AND CASE state WHEN 'queued' THEN reason IS NOT NULL AND reason <> 'crawl_closing'
    ELSE reason IS NULL OR reason <> ALL(:words) END
"""


def upgrade() -> None:
    # The default is not volatile: the rows that are there get one value, and are not written anew.
    changed = sa.Column("changed_xid", sa.BigInteger(), server_default=sa.text(XID), nullable=False)
    op.add_column("articles", changed)
    op.create_index(op.f("ix_articles_changed_xid"), "articles", ["changed_xid"])
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    op.get_bind().execute(sa.text(_OLD_WORDS), {"words": _WORDS})
