"""What is forgotten is nowhere in the database, what is not is as it was, and it does not come back."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from crawler.errors import ConfigurationError
from crawler.items import Article, Block, Candidate
from crawler.packing import Dictionary, pack
from crawler.sources import Source
from crawler.store import (
    checks,
    crawls,
    cursors,
    dictionaries,
    disabling,
    dump,
    frontier,
    identity,
    intake,
    pages,
    tombstones,
    writer,
)
from crawler.store.account import ENVIRONMENT
from crawler.store.engine import Database
from crawler.store.forgetting import acts, finding, removing, sources
from crawler.store.forgetting.finding import Found
from crawler.store.frontier import Visit
from crawler.store.pages import Archived, sha256
from crawler.store.programs import binary
from crawler.store.writer import Entry
from tests.runs import until
from tests.store.rows import AT, OTHER, SITE, SOURCE, a_page, an_article, ask, begun, candidates, column, leased
from tests.store.test_templates import BOX, prose

SECRET = "Zwobbelquint"  # in the victim's headline, slug, feed title, picture, author and keywords
PARAGRAPHS = [f"Quaxnebel {n} " + " ".join(f"drimpf{n}{i}" for i in range(30)) + "." for n in range(6)]
WORDS = ("zwobbelquint", "quaxnebel", "drimpf")
SLUG = f"{SITE}/2026/{SECRET.lower()}"
DICTIONARY = text("""
INSERT INTO page_dictionaries (source, content_zstd, content_bytes, samples, bytes_before, bytes_after)
VALUES ('herald', :zstd, :n, 6, 2, 1)
""")
STAGED = text("""
INSERT INTO reextracted (run_id, source, article_id, url_id, page_id, fetched_at, outcome, weight, content)
SELECT :run, 'herald', article_id, id, 1, now(), 'changed', 3, CAST(:c AS jsonb) FROM urls WHERE article_id IS NOT NULL
""")
DUMP = ["--data-only", "--inserts", "--no-owner"]


def entry(url: str, url_id: int, article: Article, *, html: bytes, chain: tuple[str, ...] = ()) -> Entry:
    page = replace(a_page(url_id=url_id, html=html), url=url, requested_url=chain[0] if chain else url, chain=chain)
    page = replace(page, source=article.source)
    visit = Visit(url_id=url_id, source=article.source, outcome="article", html_sha256=sha256(html))
    return Entry(visit=visit, archived=Archived(page=page, outcome="article"), article=article)


def of_texts(url: str, texts: list[str], **changes: Any) -> Article:
    blocks = tuple(Block(kind="paragraph", text=one, kept=True) for one in texts)
    given = {"url": url, "canonical_url": url, "blocks": blocks, "body": "\n".join(texts), "headline": url}
    return an_article(1, **(given | changes))


def html_of(article: Article) -> bytes:
    return f"<html><h1>{article.headline}</h1>{article.body}</html>".encode()


def lease(connection: Connection, crawl_id: int, url: str, source: str = "herald", **hints: Any) -> int:
    due = frontier.lease_one(connection, crawl_id, Candidate(url=url, source=source, found_in="feed", **hints))
    assert due is not None
    return due.url_id


def victim(**changes: Any) -> Article:
    given = {"headline": f"{SECRET} opens", "authors": (f"A. {SECRET}",), "tags": (SECRET,), "images": ()}
    return replace(of_texts(SLUG, [*PARAGRAPHS, BOX], **given), **changes)


@pytest.fixture
def filled(database: Database) -> Database:
    """An article with everything that an article can leave behind, among others that must not suffer."""
    with database.engine.begin() as connection:
        crawl_id = begun(connection)
        page = html_of(victim())
        content = Dictionary(page + b"<p>of another</p>" * 50)
        given = {"zstd": pack(content.content), "n": len(content.content)}
        connection.execute(
            DICTIONARY,
            given,
        )
        first, amp = f"{SITE}/go/{SECRET}", f"{SLUG}/amp"
        intake.add(
            connection, "herald", [Candidate(url=first, source="herald", found_in="feed", title=f"{SECRET} opens")]
        )
        url_id = lease(connection, crawl_id, first)
        writer.commit(connection, crawl_id, [entry(SLUG, url_id, victim(), html=page, chain=(first,))])
        edited = victim(headline=f"{SECRET} closes", blocks=victim().blocks[1:], body="\n".join([*PARAGRAPHS[1:], BOX]))
        writer.commit(connection, crawl_id, [entry(SLUG, url_id, edited, html=html_of(edited), chain=(first,))])
        intake.add(
            connection, "herald", [*candidates(range(90, 93)), Candidate(url=amp, source="herald", found_in="feed")]
        )
        # Another address that turned out to be it, and one that was asked for by hand.
        late = lease(connection, crawl_id, f"{SITE}/late/{SECRET}", title=f"{SECRET} late")
        writer.commit(
            connection, crawl_id, [Entry(visit=Visit(url_id=late, source="herald", outcome="moved", detail=SLUG))]
        )
        connection.execute(
            text(
                "INSERT INTO crawls (spider, sources, arguments, host, pid, version) VALUES ('page', '{herald}', "
                "CAST(:a AS jsonb), 'h', 1, '1')"
            ),
            {"a": json.dumps({"url": SLUG})},
        )
        # Copies: one of the same source, one of another; and articles that share the begging letter.
        for n, (url, source) in enumerate([(f"{SITE}/copy", "herald"), ("https://courier.example/copy", "courier")]):
            article = of_texts(url, PARAGRAPHS[1:], source=source, published_at=AT + timedelta(hours=n + 1))
            writer.commit(
                connection, crawl_id, [entry(url, lease(connection, crawl_id, url, source), article, html=b"<p>copy")]
            )
        for n in range(1, 4):
            article = of_texts(f"{SITE}/{n}", [*prose(n), BOX])
            html = html_of(article)
            writer.commit(
                connection, crawl_id, [entry(article.url, lease(connection, crawl_id, article.url), article, html=html)]
            )
        run = connection.execute(
            text("INSERT INTO reextractions (asked, rules, version, host) VALUES ('{}', 'r', '1', 'h') RETURNING id")
        ).scalar_one()
        connection.execute(
            STAGED,
            {"run": run, "c": json.dumps({"body": PARAGRAPHS[0]})},
        )
        connection.execute(text("DELETE FROM reextracted WHERE source = 'herald' AND url_id <> :id"), {"id": url_id})
        crawls.give_back(connection, [crawl_id])
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
    return database


def everything(database: Database) -> str:
    """All that the database holds, raw pages and dictionaries unpacked, in lower case."""
    told = subprocess.run(
        [binary("pg_dump"), "--dbname", database.url, *DUMP], env=ENVIRONMENT, capture_output=True, check=True
    )
    parts = [told.stdout]
    with database.engine.connect() as connection:
        for row in connection.execute(text("SELECT html_zstd, html_bytes, dictionary_id FROM pages")):
            parts.append(dictionaries.unpacked(connection, *row))
        for number in connection.execute(
            text("SELECT id FROM page_dictionaries WHERE content_zstd IS NOT NULL")
        ).scalars():
            parts.append(dictionaries.get(connection, number).content)
    return b"\n".join(parts).decode(errors="replace").lower()


def forget(database: Database, **what: Any) -> Found:
    with database.engine.connect() as connection:
        found = finding.find(connection, **what)
    removing.forget_page(database.engine, found, "they asked", "me@here")
    list(removing.settle(database.engine))
    return found


def broken(database: Database) -> dict[str, tuple[str, ...]]:
    findings = [checks.run(database.engine, check) for check in checks.CHECKS]
    return {one.check.name: one.examples for one in findings if one.count}


def test_nothing_is_left_of_an_article(filled: Database) -> None:
    before = everything(filled)
    assert [word in before for word in WORDS] == [True] * 3
    assert column(filled, "SELECT kind FROM duplicates ORDER BY article_id") == ["copy", "copy"]
    number = ask(filled, "SELECT id FROM articles WHERE key LIKE '%/zwobbelquint'")
    with psycopg.connect(filled.url, autocommit=True) as listening:
        listening.execute("LISTEN news_articles")
        found = forget(filled, url=f"{SITE}/go/{SECRET}?utm_source=x")  # any of its addresses
        told = [json.loads(one.payload) for one in listening.notifies(timeout=0.1)]
    assert told == [{"id": number, "source": "herald", "url": None, "outcome": "forgotten"}]
    assert [copy["source"] for copy in found.copies] == ["herald", "courier"]

    # The copies, which are others' addresses of the same text, are still there: they go one by one.
    assert ask(filled, "SELECT original_id FROM duplicates") == found.copies[0]["id"]  # one of them is the original now
    assert ask(filled, "SELECT count(*) FROM duplicates") == 1
    for copy in found.copies:
        forget(filled, article_id=copy["id"])
    after = everything(filled)
    assert [word for word in WORDS if word in after] == []
    assert broken(filled) == {}
    assert ask(filled, "SELECT count(*) FROM articles") == 3
    assert ask(filled, "SELECT count(*) FROM page_dictionaries") == 0
    assert ask(filled, "SELECT count(*) FROM pages WHERE dictionary_id IS NOT NULL") == 0
    assert ask(filled, "SELECT arguments FROM crawls WHERE spider = 'page'") == {"url": "forgotten"}
    # The begging letter was taught by others, too.
    assert ask(filled, "SELECT state FROM boilerplate_blocks WHERE sample = :box", box=BOX) == "learned"
    assert ask(filled, "SELECT array_agg(article_id ORDER BY id) FROM tombstones WHERE article_id IS NOT NULL") == [
        number,
        *(copy["id"] for copy in found.copies),
    ]
    rows = "SELECT source || ' ' || why FROM news.forgotten ORDER BY article_id"
    assert column(filled, rows) == ["herald they asked", "herald they asked", "courier they asked"]


def test_it_does_not_come_back_by_any_way(filled: Database) -> None:
    for copy in forget(filled, url=SLUG).copies:
        forget(filled, article_id=copy["id"])
    fresh = f"{SITE}/fresh-address"
    with filled.engine.begin() as connection:
        crawl_id = begun(connection)
        named = [Candidate(url=url, source="herald", found_in="feed", title=SECRET)
                 for url in (SLUG, f"{SLUG}?utm_medium=a", f"{SLUG}/amp", f"{SITE}/go/{SECRET}")]  # fmt: skip
        assert intake.add(connection, "herald", named).forgotten == 2
        assert intake.exclude(connection, "herald", named, "listing_url") == 0
        assert frontier.lease_one(connection, crawl_id, named[0]) is None
        # In flight when it was forgotten, under an address that was not known; and one that only redirects there.
        in_flight = lease(connection, crawl_id, fresh)
        got = entry(fresh, in_flight, victim(url=fresh, canonical_url=SLUG), html=html_of(victim()))
        captured = replace(got.visit, url_id=0, fetched_at=AT)
        archived = replace(got, visit=captured, found=Candidate(url=SLUG, source="herald", found_in="archive"))
        assert writer.commit(connection, crawl_id, [got, archived]) == [writer.Stored(forgotten=True)] * 2
        due = frontier.lease_one(connection, crawl_id, Candidate(url=f"{SITE}/r", source="herald", found_in="feed"))
        assert due
        assert identity.redirected(connection, due, SLUG, permanent=False) == "forgotten"
        crawls.give_back(connection, [crawl_id])
    assert tombstones.of_page("herald.example/fresh-address") in column(filled, "SELECT digest FROM tombstones")
    assert [word for word in WORDS if word in everything(filled)] == []
    assert broken(filled) == {}
    with filled.engine.begin() as connection:  # allowed again, by its former number
        number = connection.execute(text("SELECT min(article_id) FROM tombstones")).scalar_one()
        acts.undo(connection, acts.acts_of(connection, article_id=number))
        assert not tombstones.is_forgotten(connection, fresh)
        assert intake.add(connection, "herald", named).new == 2
        assert connection.execute(text("SELECT count(*) FROM news.forgotten")).scalar_one() == 3


def test_a_writer_that_is_faster_is_waited_for(filled: Database) -> None:
    """What it commits goes as well; one that is slower finds the tombstone."""
    url_id = ask(filled, "SELECT id FROM urls WHERE article_id = (SELECT min(id) FROM articles)")
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND NOT granted"
    edited = victim(body="\n".join(PARAGRAPHS), blocks=victim().blocks[:-1], headline=f"{SECRET} a third time")
    with filled.engine.connect() as connection:
        stored = writer.commit(connection, None, [entry(SLUG, url_id, edited, html=html_of(edited))])
        forgetter = threading.Thread(target=forget, args=(filled,), kwargs={"url": SLUG})
        forgetter.start()
        until(lambda: ask(filled, waiting, lock=tombstones.LOCK))
        connection.commit()
    forgetter.join()
    assert stored[0].outcome == "updated"
    assert f"{SECRET} a third".lower() not in everything(filled)
    assert broken(filled) == {}


def test_what_names_it_wrongly_stays(filled: Database) -> None:
    """A page with an article of its own that claims it as canonical is refused, and not removed."""
    own = ask(filled, "SELECT id FROM urls WHERE key = 'herald.example/1'")
    forget(filled, url=SLUG)
    before = ask(filled, "SELECT body FROM articles WHERE key = 'herald.example/1'")
    with filled.engine.begin() as connection:
        wrong = of_texts(f"{SITE}/1", prose(77), canonical_url=SLUG)
        stored = writer.commit(connection, None, [entry(f"{SITE}/1", own, wrong, html=b"<p>")])
    assert stored == [writer.Stored(forgotten=True)]
    assert ask(filled, "SELECT body FROM articles WHERE key = 'herald.example/1'") == before
    assert ask(filled, "SELECT state || ' ' || reason FROM urls WHERE id = :id", id=own) == "excluded forgotten"
    assert broken(filled) == {}


def test_a_source_goes_in_batches_and_goes_on_where_it_was(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "BATCH", 2)
    engine = filled.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        cursor = cursors.current(connection, {"source": ["herald"]})
    ids = column(filled, "SELECT id FROM articles WHERE source = 'herald' ORDER BY id")
    found_by_it = (
        "UPDATE urls SET source = 'herald' WHERE article_id IN (SELECT id FROM articles WHERE source = 'courier')"
    )
    with filled.engine.begin() as connection:
        connection.execute(text(found_by_it))
    for some in sources.forget_source(filled.engine, "herald", None, "me@here"):
        if some["articles"]:
            break  # Ctrl-C
    assert 0 < ask(filled, "SELECT count(*) FROM articles WHERE source = 'herald'") < len(ids)
    assert list(broken(filled)) == ["forgotten", "condemned"]
    with filled.engine.begin() as connection:  # meanwhile nothing of it is let in
        assert intake.add(connection, "herald", candidates([1, 500])).forgotten == 2
        assert intake.add(connection, "courier", candidates([501], OTHER)).new == 1
    list(sources.forget_source(filled.engine, "herald", None, "me@here"))
    list(removing.settle(filled.engine))
    assert broken(filled) == {}
    assert column(filled, "SELECT source FROM articles") == ["courier"]
    assert column(filled, "SELECT source FROM urls WHERE article_id IS NOT NULL") == ["courier"]
    for table in ("urls", "listings", "boilerplate_blocks", "url_shapes", "page_dictionaries", "reextracted"):
        assert ask(filled, f"SELECT count(*) FROM {table} WHERE source = 'herald'") == 0, table
    assert ask(filled, "SELECT count(*) FROM pages") == 1
    with engine.connect() as connection:
        assert [row["id"] for row in cursors.forgotten(connection, cursor)] == ids
    with filled.engine.begin() as connection:  # under another name it is refused, too
        again = Source.model_validate({"id": "other", "name": "H", "homepage": "https://www.herald.example/en/"})
        said = disabling.barred(connection, [again])["other"]
        assert said.startswith("other was forgotten as herald: ") and said.endswith("scrapy forget --undo herald")
        assert not disabling.barred(connection, [OTHER])
        assert frontier.take(connection, 1, {"herald": 5}, 5) == []
        for one in ({"url": SLUG}, {"url": f"{SITE}/never-stored"}, {"article_id": ids[0]}):
            with pytest.raises(ConfigurationError, match="with all of herald: scrapy forget --undo herald"):
                acts.acts_of(connection, **one)
        acts.undo(connection, acts.acts_of(connection, source="herald"))
        assert disabling.barred(connection, [SOURCE, again]) == {}
        assert intake.add(connection, "herald", candidates([1])).new == 1


HOMES = {
    "https://paper.example/": (
        ["paper.example/", "paper.example/a/b/c/d/e/f"],
        ["sport.paper.example/", "per.example/"],
    ),
    "https://host.example/a/b/c/deep/": (
        ["host.example/a/b/c/deep", "host.example/a/b/c/deep/1?x=1"],
        ["host.example/a/b/c/another/1", "host.example/a/b/c", "host.example/a/b/c/deeper"],
    ),
    "https://host.example/?site=herald": (
        ["host.example/?site=herald"],
        ["host.example/?site=kurier", "host.example/1"],
    ),
}


@pytest.mark.parametrize("homepage", HOMES)
def test_a_site_is_what_lies_below_its_home_page(database: Database, homepage: str) -> None:
    site, (inside, outside) = tombstones.of_site(homepage), HOMES[homepage]
    with database.engine.connect() as connection:
        for key in inside + outside:
            assert (site in tombstones.digests(key)) is (key in inside), key
            own = "(SELECT CAST(:key AS text) AS key, 'x' AS source) AS own"
            found = text(f"SELECT digest FROM {own}, LATERAL ({tombstones.SQL_DIGESTS}) AS its(digest)")
            assert set(connection.execute(found, {"key": key}).scalars()) >= set(tombstones.digests(key, "x")), key


def test_what_goes_with_a_source_is_known_before(filled: Database) -> None:
    with filled.engine.begin() as connection:
        connection.execute(text("UPDATE articles SET source = 'courier' WHERE key = 'herald.example/1'"))
        extent = sources.extent(connection, "herald")
        assert (extent.site, extent.strays) == ("herald.example", 1)
        connection.execute(text("UPDATE sources SET homepage = 'https://herald.example/en/' WHERE id = 'courier'"))
        assert sources.extent(connection, "herald").site is None


def test_pages_that_were_packed_with_it_are_packed_anew(database: Database) -> None:
    due = leased(database, 3)
    with database.engine.begin() as connection:
        writer.commit(
            connection,
            1,
            [
                entry(
                    due[0].candidate.url,
                    due[0].url_id,
                    victim(url=due[0].candidate.url, canonical_url=due[0].candidate.url),
                    html=html_of(victim()),
                )
            ],
        )
        kept, own = (Dictionary(one * 9) for one in (b"<p>harmless", b"<p>and" + html_of(victim())))
        for content in (kept, own):
            connection.execute(
                DICTIONARY,
                {"zstd": pack(content.content), "n": len(content.content)},
            )
    with database.engine.begin() as connection:
        archived = [
            Archived(
                page=a_page(2, url_id=due[1].url_id, html=b"<p>others' page %d" % n, at=AT + timedelta(hours=n)),
                outcome="article",
            )
            for n in range(5)
        ]
        pages.store(connection, archived, None)
        connection.execute(text("UPDATE articles SET body = body"))
    assert ask(database, "SELECT count(*) FROM pages WHERE dictionary_id = 2") == 5
    with database.engine.connect() as connection:
        found = finding.find(connection, url=due[0].candidate.url)
    removing.forget_page(database.engine, found, None, "me@here")
    with database.engine.begin() as connection:  # what is stored meanwhile is packed with another
        page = a_page(3, url_id=due[2].url_id, html=b"<p>harmless and new")
        pages.store(connection, [Archived(page=page, outcome="article")], None)
    assert list(dictionaries.retire(database.engine)) == [5]
    assert column(database, "SELECT id FROM page_dictionaries") == [1]
    assert column(database, "SELECT DISTINCT dictionary_id FROM pages ORDER BY 1") == [1, None]
    with database.engine.connect() as connection:
        assert pages.latest(connection, due[1].url_id) == b"<p>others' page 4"
    assert [word for word in WORDS if word in everything(database)] == []


def test_an_older_backup_brings_it_back_but_not_what_is_known_of_it(filled: Database, tmp_path: Path) -> None:
    dump.backup(filled, tmp_path / "before.dump")
    forget(filled, url=SLUG)
    dump.restore(filled, tmp_path / "before.dump", replace=True)
    assert "forgotten" in broken(filled)
    with filled.engine.connect() as connection:
        returned = acts.returned(connection)
    assert {SLUG, f"{SITE}/go/{SECRET}"} <= set(returned)
    acts_before = ask(filled, "SELECT count(DISTINCT act) FROM tombstones")
    done = sum(removing.forget_returned(filled.engine, returned, None, "me@here"), Counter())
    list(removing.settle(filled.engine))
    assert (done["articles"], done["returned"]) == (1, len(returned))
    assert ask(filled, "SELECT count(DISTINCT act) FROM tombstones") == acts_before
    assert broken(filled) == {}
    assert ask(filled, "SELECT count(*) FROM articles") == 5


def test_what_has_come_back_with_a_new_address_goes_alone(filled: Database) -> None:
    """Who allows one of them again allows no other."""
    ids = column(filled, "SELECT id FROM articles WHERE source = 'herald' ORDER BY id DESC LIMIT 2")
    put = """INSERT INTO tombstones (act, kind, digest, article_id, source, by_whom)
        SELECT id, 'page', sha256(convert_to(key, 'UTF8')), id, source, 'x' FROM articles WHERE id = ANY(:ids)"""
    alias = """INSERT INTO url_aliases (url, key, url_id, how)
        SELECT url || '/more', key || '/more', id, 'redirect' FROM urls WHERE article_id = :id"""
    with filled.engine.begin() as connection:
        connection.execute(text(put), {"ids": ids})
        connection.execute(text(alias), {"id": ids[0]})
        returned = acts.returned(connection)
    done = sum(removing.forget_returned(filled.engine, returned, None, "me@here"), Counter())
    assert (done["articles"], len(returned)) == (2, 2)
    acts_of = column(filled, "SELECT act FROM tombstones ORDER BY id")
    assert acts_of[:2] == sorted(ids) and acts_of[2] not in ids and len(acts_of) == 3
    list(removing.settle(filled.engine))
    assert broken(filled) == {}


def test_a_source_that_came_back_goes_as_a_whole(filled: Database, tmp_path: Path) -> None:
    dump.backup(filled, tmp_path / "before.dump")
    list(sources.forget_source(filled.engine, "herald", None, "me@here"))
    dump.restore(filled, tmp_path / "before.dump", replace=True)
    with filled.engine.connect() as connection:
        assert acts.returned_sources(connection) == ["herald"]
        assert acts.returned(connection, ["herald"]) == []
    list(sources.forget_source(filled.engine, "herald", None, "me@here"))
    list(removing.settle(filled.engine))
    with filled.engine.connect() as connection:
        assert (acts.returned_sources(connection), acts.returned(connection)) == ([], [])
    assert broken(filled) == {}


def test_no_statement_for_a_page_or_a_batch_reads_whole_tables(database: Database) -> None:
    """Without sequential scans the planner still takes one where there is no other way."""
    given = {"ids": [1], "articles": [1], "keys": ["herald.example/1"], "addresses": [SITE], "source": "herald"}
    found = ("_ARTICLES_AT", "_ROWS", "_REDIRECTING", "_OTHER_ADDRESSES", "_OTHERS")
    asked_of = {finding: found, removing: ("_ASKED", "_STAGED"), sources: ("_URLS_OF", "_GIVE_AWAY", "_STAGED")}
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for module, statement in [(module, name) for module, names in asked_of.items() for name in names]:
            explained = getattr(module, statement)
            asked = {name: given[name] for name in explained.compile().params}
            plan = "\n".join(connection.execute(text(f"EXPLAIN {explained.text}"), asked).scalars())
            assert "Seq Scan" not in plan and "SubPlan" not in plan, f"{statement}: {plan}"
            assert statement != "_REDIRECTING" or "ix_urls_leading" in plan, plan
