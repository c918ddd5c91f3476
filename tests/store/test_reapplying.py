"""What `scrapy reextract` has found is applied beside running crawls: nothing newer is lost, nothing waits for ever."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from crawler.items import Block
from crawler.pipelines.again import Job, Reading, judged
from crawler.recheck import STEPS
from crawler.recurrence import block_key
from crawler.store import (
    articles,
    checks,
    models,
    pages,
    partitions,
    reading,
    reapplying,
    reextractions,
    subjects,
    writer,
)
from crawler.store.engine import Database
from crawler.store.frontier import Due
from crawler.store.reapplying import Applied
from crawler.store.reextractions import Change
from crawler.store.subjects import Asked
from crawler.web.inspection import Inspection, origin_rows
from tests.store.rows import AT, SITE, a_page, an_article, an_entry, ask, column, leased

RULES = "rules of today"
BODIES = "SELECT body FROM articles ORDER BY id"


def told(words: str) -> dict[str, Any]:
    """An article's body and blocks."""
    return {"body": words, "blocks": (Block(kind="paragraph", text=words, kept=True),)}


def crawled(database: Database, due: list[Due], html: bytes = b"<p>1", *, days: int = 0, **changes: Any) -> None:
    """As if a crawl had fetched these pages."""
    at, entries = AT + timedelta(days=days), []
    for entry in (an_entry(one, html=html, **changes) for one in due):
        assert entry.archived
        archived = replace(entry.archived, page=replace(entry.archived.page, fetched_at=at))
        entries.append(replace(entry, visit=replace(entry.visit, fetched_at=at), archived=archived))
    with database.engine.begin() as connection:
        writer.commit(connection, None, entries)


def found(database: Database, words: str, **changes: Any) -> int:
    """A run that has found that all articles read otherwise; returns its id."""
    with database.engine.begin() as connection:
        run = reextractions.begin(connection, Asked(), RULES, anew=True).id
        ids = subjects.article_ids(connection, Asked(), 0)
        given = []
        for subject in subjects.of_articles(connection, ids):
            assert subject.old is not None
            number = int(subject.old["url"].rpartition("/")[2])
            row = articles.row_of(an_article(number, **(told(words) | changes)))
            content, _ = articles.renewed(subject.old, row)
            given.append(Change(subject=subject, outcome="changed", weight=1, content=content))
        reextractions.note(connection, run, given, {"herald": Counter(articles=len(given))})
        reextractions.finish(connection, run)
    return run


def applied(database: Database, run: int, most: int = 100) -> Applied:
    done = Applied()
    for outcome in ("changed", "new"):
        while True:
            with database.engine.begin() as connection:
                if not (batch := reapplying.next_batch(connection, run, "herald", outcome, most)):
                    break
                done += reapplying.apply(connection, run, batch, STEPS)
    return done


def test_it_is_a_revision_and_no_new_fetch(database: Database) -> None:
    crawled(database, leased(database, 2))
    seen = column(database, "SELECT seen_at FROM articles ORDER BY id")
    assert applied(database, found(database, "What today's rules read.")) == Applied(2, 2, 0)
    assert column(database, BODIES) == ["What today's rules read."] * 2
    assert column(database, "SELECT body FROM revisions") == ["The bridge opened on Monday."] * 2
    assert column(database, "SELECT seen_at FROM articles ORDER BY id") == seen
    assert ask(database, "SELECT count(*) FROM reextracted") == ask(database, "SELECT count(*) FROM edit_rates") == 0
    assert ask(database, "SELECT applied FROM reextractions") == 2
    assert not any(checks.run(database.engine, check).count for check in checks.CHECKS)


def test_what_no_reader_sees_makes_no_revision(database: Database) -> None:
    crawled(database, leased(database, 1))
    run = found(database, "The bridge opened on Monday.", section="Elsewhere", evidence={"headline": "og:title"})
    assert applied(database, run) == Applied(1, 0, 0)
    assert ask(database, "SELECT section FROM articles") == "Elsewhere"
    assert ask(database, "SELECT count(*) FROM revisions") == 0


def test_what_a_crawl_has_fetched_since_stays(database: Database) -> None:
    due = leased(database, 2)
    crawled(database, due)
    run = found(database, "What today's rules read.")
    crawled(database, due[:1], b"<p>2", days=1, **told("What the publisher writes now."))
    assert applied(database, run) == Applied(1, 1, 1)
    assert column(database, BODIES) == ["What the publisher writes now.", "What today's rules read."]


def test_a_template_that_was_learned_meanwhile_holds(database: Database) -> None:
    crawled(database, leased(database, 1))
    box = "Vilu sed karmo lint, vaton helu prim sodare kel nomi."
    prose = "A paragraph that is longer than the box so that the box may go, or else it would be spared for its share."
    blocks = tuple(Block(kind="paragraph", text=words, kept=True) for words in (prose, prose[2:], box))
    run = found(database, "", body="\n".join(block.text for block in blocks), blocks=blocks)
    with database.engine.begin() as connection:
        values = {"source": "herald", "key": block_key(box), "state": "learned", "articles": 3, "evidence": []}
        connection.execute(insert(models.BoilerplateBlock).values(values))
    assert applied(database, run).revised == 1
    assert ask(database, BODIES) == f"{prose}\n{prose[2:]}"


def test_an_article_stays_the_one_it_is(database: Database) -> None:
    """Whatever address its page is found to name now."""
    crawled(database, leased(database, 2))
    keys = column(database, "SELECT key FROM articles ORDER BY id")
    run = found(database, "What today's rules read.", canonical_url=f"{SITE}/2", url=f"{SITE}/2?print=1")
    assert applied(database, run) == Applied(2, 2, 0)
    assert column(database, "SELECT key FROM articles ORDER BY id") == keys
    assert not any(checks.run(database.engine, check).count for check in checks.CHECKS)


def test_an_article_is_made_of_its_own_newest_page(database: Database) -> None:
    due = leased(database, 2)
    crawled(database, due)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE urls SET article_id = (SELECT min(id) FROM articles)"))
        for url_id, number, days, outcome in ((1, 1, 1, "article"), (2, 2, 2, "article"), (1, 1, 3, "soft_404")):
            page = a_page(number, url_id=due[url_id - 1].url_id, at=AT + timedelta(days=days))
            pages.store(connection, [pages.Archived(page=page, outcome=outcome)], None)
        rows = connection.execute(select(models.Article.__table__).limit(1).order_by(models.Article.id)).mappings()
        article = {**rows.one(), "seen_at": AT + timedelta(days=1, minutes=2)}
        held = reading.pages_of(connection, [article])[article["id"]]
        assert held.fetched_at == AT + timedelta(days=1)
        older = {**article, "seen_at": AT + timedelta(hours=1)}  # what came later was no other version
        assert reading.pages_of(connection, [older])[article["id"]].fetched_at == AT
        page_ = reading.page(connection, held)
        edited = {**article, "seen_at": AT + timedelta(hours=12)}  # and the month of that page is gone
        assert reading.pages_of(connection, [edited]) == {}
        assert reading.pages_of(connection, [edited], or_any=True)[article["id"]].fetched_at == AT + timedelta(days=1)
    assert page_ is not None and page_.url == f"{SITE}/1"


def paragraphs(number: int) -> dict[str, Any]:
    lines = [f"Paragraph {n} tells a great deal about the bridge that was built in Saltmere." for n in range(number)]
    blocks = tuple(Block(kind="paragraph", text=line, kept=True) for line in lines)
    return {"body": "\n".join(lines), "blocks": blocks, "access": "full" if number > 2 else "truncated"}


def test_a_page_that_the_crawl_refused_never_becomes_the_articles(database: Database) -> None:
    """The whole page is gone with its month; what was fetched later shows the beginning only."""
    due = leased(database, 1)
    crawled(database, due, b"whole", **paragraphs(8))
    crawled(database, due, b"cut", days=20, **paragraphs(2))
    list(partitions.prune(database.engine, datetime(2026, 12, 1, tzinfo=UTC)))
    assert ask(database, "SELECT count(*) FROM pages") == 1
    with database.engine.connect() as connection:
        [article] = column(database, "SELECT id FROM articles")
        [subject] = subjects.of_articles(connection, [article])
        assert subject.held is None
        counted, change = judged(Reading(job=Job(subject=subject), reason="without_page"))
        assert (counted["without_page"], change) == (1, None)
        shown, stored = reading.raw_page(connection, article), reading.article(connection, article)
    assert shown and stored and shown.html == b"cut" and stored.is_older_than(shown)
    said = [row.note for row in origin_rows(Inspection(seen=stored.article, url=None, stored=stored, raw=shown))]
    assert said[-1].endswith("fetched after this version, whose own page is not stored")


def test_another_address_page_stays_the_articles_where_its_own_was_refused(database: Database) -> None:
    due = leased(database, 2)
    crawled(database, due[1:], b"whole", canonical_url=f"{SITE}/1", **paragraphs(8))
    crawled(database, due[:1], b"cut", days=1, **paragraphs(2))
    with database.engine.connect() as connection:
        [subject] = subjects.of_articles(connection, column(database, "SELECT id FROM articles"))
        assert subject.held and subject.held.url_id == due[1].url_id


def test_what_a_crawl_has_stored_since_is_no_new_article(database: Database) -> None:
    """It came through another address, and newer; the old page only leads to it now."""
    due = leased(database, 2)
    [entry] = [an_entry(one, html=b"old") for one in due[:1]]
    assert entry.archived
    old = replace(entry.archived, outcome="no_body", page=replace(entry.archived.page, fetched_at=AT))
    with database.engine.begin() as connection:
        visit = replace(entry.visit, outcome="no_body")
        writer.commit(connection, None, [replace(entry, visit=visit, archived=old, article=None)])
        run = reextractions.begin(connection, Asked(), RULES, anew=True).id
        [url] = subjects.url_ids(connection, Asked(), 0)
        [subject] = subjects.of_urls(connection, [url])
        content = articles.row_of(an_article(1, **told("What was printed thirty days ago.")))
        change = Change(subject=subject, outcome="new", weight=1, content=content)
        reextractions.note(connection, run, [change], {"herald": Counter(new=1)})
    crawled(database, due[1:], b"new", days=30, canonical_url=f"{SITE}/1", **told("What is printed today."))
    assert applied(database, run) == Applied(0, 0, 1)
    assert column(database, BODIES) == ["What is printed today."]
    assert ask(database, "SELECT count(*) FROM revisions") == 0
    assert (
        ask(database, "SELECT article_id FROM urls WHERE id = :id", id=url)
        == column(database, "SELECT id FROM articles")[0]
    )


def test_what_the_database_refuses_is_told_of(database: Database) -> None:
    crawled(database, leased(database, 1))
    run = found(database, "What today's rules read.")
    with database.engine.begin() as connection:
        [staged] = reapplying.next_batch(connection, run, "herald", "changed")
    with pytest.raises(DBAPIError, match="refused") as error, database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE articles ADD CONSTRAINT refused CHECK (body NOT LIKE 'What%')"))
        reapplying.apply(connection, run, [staged], STEPS)
    with database.engine.begin() as connection:
        reapplying.refuse(connection, staged, error.value)
        assert reextractions.waiting(connection, run) == {"failed": 1}
        [example] = reextractions.rejected(connection, run, "herald", 5)
    assert example.reason is not None and example.reason.startswith("store_refused: new row for relation")


def test_the_same_question_goes_on_and_another_takes_its_place(database: Database) -> None:
    crawled(database, leased(database, 2))
    run = found(database, "What today's rules read.")

    def begin(asked: Asked, rules: str = RULES) -> tuple[bool, str, int]:
        with database.engine.begin() as connection:
            begun = reextractions.begin(connection, asked, rules)
            return begun.id == run, begun.how, sum(reextractions.waiting(connection, begun.id).values())

    assert begin(Asked()) == (True, "found", 2)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE reextractions SET finished_at = NULL"))
    assert begin(Asked()) == (True, "resumed", 2)
    assert begin(Asked(), "other rules") == (False, "new", 0)
    assert begin(Asked()) == (False, "new", 0)
    assert ask(database, "SELECT count(*) FROM reextractions") == 1
    assert begin(Asked(sources=("herald",))) == (False, "new", 0)


def test_beside_running_crawls_nothing_waits_for_ever_and_nothing_newer_is_lost(database: Database) -> None:
    """Crawls that edit the same articles, in another order, while the rules' changes are applied to all of them."""
    number = 30
    due = leased(database, number)
    crawled(database, due)
    start, failures = threading.Barrier(3), list[BaseException]()
    wins: Counter[str] = Counter()

    def crawl(mine: list[Due], days: int) -> None:
        for at in range(0, len(mine), 7):
            crawled(database, mine[at : at + 7], b"<p>2", days=days, **told("What the publisher writes."))

    def rules() -> None:
        done = applied(database, run, most=4)
        wins.update(applied=done.applied, skipped=done.skipped)

    run = found(database, "What today's rules read.")

    def guarded(work: Any, *given: Any) -> None:
        try:
            start.wait(100)
            work(*given)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=guarded, args=(crawl, due[:15][::-1], 1)),
        threading.Thread(target=guarded, args=(crawl, due[10:25], 1)),
        threading.Thread(target=guarded, args=(rules,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert failures == []
    assert wins.total() == number
    bodies = column(database, BODIES)
    assert bodies == ["What the publisher writes."] * 25 + ["What today's rules read."] * 5
    assert not any(checks.run(database.engine, check).count for check in checks.CHECKS)
