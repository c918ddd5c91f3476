"""LISTEN news_articles: who listens is told of new and changed articles when they are committed.

    connection = psycopg.connect(url, autocommit=True)
    connection.execute("LISTEN news_articles")
    for notice in connection.notifies():
        print(json.loads(notice.payload))  # {"id": 17, "source": "bbc", "url": "https://…", "outcome": "new"}

The outcome is `new`, `updated` (there is a revision of what was), `cleaned` (of what the source's template left in) or
`forgotten`: it is gone, and so should be what was made of it; then there is no address.
A notice reaches whoever listens at that moment and is not kept: to miss none, listen, and fetch what came before with
`scrapy export --cursor`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

CHANNEL = "news_articles"
# PostgreSQL takes payloads below 8000 bytes: an address that is too long for one is left out.
_TELL = text("""
SELECT pg_notify(:channel, CASE WHEN octet_length(whole) < 8000 THEN whole
    ELSE CAST(json_build_object('id', id, 'source', source, 'url', NULL, 'outcome', outcome) AS text) END)
FROM (
    SELECT id, source, outcome,
        CAST(json_build_object('id', id, 'source', source,
            'url', CASE WHEN outcome <> 'forgotten' THEN url END, 'outcome', outcome) AS text) AS whole
    FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[])) AS changed(id, outcome) JOIN articles USING (id)
    OFFSET 0
) AS told
""")


def tell(connection: Connection, changes: Sequence[tuple[int, str]]) -> None:
    """Send a notice for each (article's id, outcome) once the transaction is committed."""
    if changes:
        ids, outcomes = zip(*changes, strict=True)
        connection.execute(_TELL, {"channel": CHANNEL, "ids": list(ids), "outcomes": list(outcomes)})
