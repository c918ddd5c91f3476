"""What articles said before, and who else tells their text."""

from __future__ import annotations

from crawler.store.models import Article, Duplicate, Revision
from crawler.store.views.view import View, made, own

STORIES = """FROM (
    SELECT article_id, original_id, cluster, kind, likeness, contained, why, agency
    FROM duplicates WHERE original_id IS NOT NULL
    UNION ALL
    SELECT original_id, original_id, min(cluster), 'original', 1, 1, min(why), min(agency)
    FROM duplicates WHERE original_id IS NOT NULL GROUP BY original_id
) AS d JOIN articles a ON a.id = d.article_id
LEFT JOIN (
    SELECT original_id, count(*) + 1 AS articles FROM duplicates WHERE original_id IS NOT NULL GROUP BY original_id
) AS n ON n.original_id = d.original_id"""  # counted once a cluster; not at all where nobody asks how many there are

REVISIONS = View(
    name="revisions",
    comment="Earlier versions of articles, with what the next version changed.",
    columns=(
        *own("r", Revision, "article_id revision"),
        *own("a", Article, "source url"),
        *own("r", Revision, "headline body"),
        made(
            "authors",
            "text[]",
            Article.__table__.c.authors.comment or "",
            "ARRAY(SELECT jsonb_array_elements_text(r.content -> 'authors'))",
        ),
        made(
            "published_at",
            "timestamp with time zone",
            Article.__table__.c.published_at.comment or "",
            "(r.content ->> 'published_at')::timestamptz",
        ),
        *own("r", Revision, "changed stored_at replaced_at cause"),
    ),
    origin="FROM revisions r JOIN articles a ON a.id = r.article_id",
)

REVISION_CHANGES = View(
    name="revision_changes",
    comment="What edits changed, before and after: a row a headline, a date, a paragraph, …",
    columns=(
        *own("r", Revision, "article_id"),
        made("revision", "integer", "Number of the version before; the one after is the next", "r.revision"),
        *own("a", Article, "source url"),
        made("changed_at", "timestamp with time zone", "When the version after was stored", "r.replaced_at"),
        made(
            "field",
            "text",
            "headline, body, correction (a note of the newspaper that is new; one in the text is a row of the body "
            "too), authors, published_at, access or is_accessible_for_free",
            "d.change ->> 'field'",
        ),
        made(
            "change",
            "text",
            "changed, or of paragraphs also added, removed and moved (word by word)",
            "d.change ->> 'change'",
        ),
        made(
            "position",
            "integer",
            "Which paragraph of the body after, from 1; a removed one: of the body before; null: no paragraph",
            "1 + coalesce((d.change ->> 'to')::integer, (d.change ->> 'at')::integer)",
        ),
        made("before", "text", "The value or paragraph before; null: there was none", "d.change ->> 'before'"),
        made("after", "text", "The value or paragraph after; null: there is none", "d.change ->> 'after'"),
        made(
            "cause",
            "text",
            "publisher; rules: the page had it before too, and our rules keep it now or no longer; "
            "noise: a counter, a teaser, a block of the source's template",
            "d.change ->> 'cause'",
        ),
        made("number", "bigint", "Order of the rows of one revision, from 1: as one reads", "d.number"),
        *own("a", Article, "headline language"),
    ),
    origin="FROM revisions r JOIN articles a ON a.id = r.article_id, "
    "jsonb_array_elements(r.diff) WITH ORDINALITY AS d(change, number)",
)

DUPLICATES = View(
    name="duplicates",
    comment="Articles that tell one text: a row an article of a cluster, its probable original among them.",
    columns=(
        made("cluster_id", "bigint", Duplicate.__table__.c.cluster.comment or "", "d.cluster"),
        made("article_id", "bigint", "The article: news.articles.id", "d.article_id"),
        *own("a", Article, "source url headline published_at"),
        made("is_original", "boolean", "It is the probable original", "d.article_id = d.original_id"),
        made("original_id", "bigint", "The probable original: news.articles.id", "d.original_id"),
        made("kind", "text", f"original; else {Duplicate.__table__.c.kind.comment}", "d.kind"),
        *own("d", Duplicate, "likeness contained why agency"),
        made("articles", "bigint", "Articles of the cluster", "n.articles"),
    ),
    origin=STORIES,
)
