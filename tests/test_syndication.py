"""A crawl of two papers that print the same agency's articles: each story once, by one condition in SQL."""

from __future__ import annotations

from pathlib import Path

import psycopg

from crawler.store import checks
from crawler.store.engine import Database
from tests.runs import Bench, cloned
from tests.site.gazette import Gazette

ONCE = "SELECT count(*) FROM news.articles WHERE duplicate_of IS NULL"
CLUSTERS = """
SELECT count(*) AS articles, count(DISTINCT source) AS sources, count(DISTINCT headline) AS headlines,
       count(*) FILTER (WHERE is_original) AS originals
FROM news.duplicates GROUP BY cluster_id
"""
TWO_OF_A_STORY = {"articles": 2, "sources": 2, "headlines": 1, "originals": 1}


def test_a_copy_at_another_paper_is_found_while_it_is_crawled(server_url: str, template: str, tmp_path: Path) -> None:
    with cloned(server_url, template) as database_url, Gazette(3, feeds=True) as one, Gazette(4, feeds=True) as other:
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
        bench.seeds.mkdir()
        for name, paper in (("one", one), ("other", other)):
            seed = f"name: {name}\nhomepage: {paper.url}/\nfeeds: [{paper.url}/feed.xml]\n"
            (bench.seeds / f"{name}.yaml").write_text(seed)
        assert bench.crawl("news").status == 0
        assert bench.value("SELECT count(*) FROM articles") == 7
        assert bench.value(ONCE) == 4
        assert bench.rows(CLUSTERS) == [TWO_OF_A_STORY] * 3
        with Database(database_url) as database:
            assert [checks.run(database.engine, check).count for check in checks.CHECKS] == [0] * len(checks.CHECKS)

        with psycopg.connect(database_url) as connection:  # as migrated from before there were clusters
            connection.execute("DELETE FROM duplicates")
            connection.execute("DELETE FROM bands")
            connection.execute("INSERT INTO duplicates (article_id) SELECT id FROM articles")
        assert bench.value(ONCE) == 7
        assert bench.scrapy("db", "compare").out == "7 articles compared\n"
        assert bench.value(ONCE) == 4
