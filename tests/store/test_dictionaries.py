"""Pages of a source as the dictionary of its later ones: who gets one, when, and that every page stays readable."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from crawler.errors import MissingDictionary, StoreError
from crawler.packing import Trial
from crawler.store import dictionaries, pages, reading, writer
from crawler.store.dictionaries import SAMPLES, review
from crawler.store.engine import Database
from tests.store.rows import AT, a_page, an_entry, ask, column, leased

DICE = random.Random(5)


def words(number: int) -> bytes:
    return " ".join(f"{DICE.randrange(10**9):x}" for _ in range(number)).encode()


TEMPLATE, OTHER_TEMPLATE = words(2_000), words(2_000)


def fill(database: Database, number: int, template: bytes, first: int = 1) -> dict[int, bytes]:
    """Articles of one source with their pages, and the bytes of each by URL."""
    due = leased(database, first + number - 1)
    assert len(due) == number
    html = {one.url_id: template + words(50) for one in due}
    run = ask(database, "SELECT max(id) FROM crawls")
    with database.engine.begin() as connection:
        writer.commit(connection, run, [an_entry(one, html=html[one.url_id]) for one in due])
    return html


def as_stored(database: Database) -> dict[int, bytes | None]:
    with database.engine.connect() as connection:
        ids = connection.execute(text("SELECT DISTINCT url_id FROM pages")).scalars().all()
        return {url_id: pages.latest(connection, url_id) for url_id in ids}


def later(database: Database) -> None:
    """Another review is due."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE page_dictionaries SET reviewed_at = now() - interval '8 days'"))


def test_a_source_with_enough_pages_gets_one_and_its_next_pages_are_small(database: Database) -> None:
    html = fill(database, SAMPLES - 1, TEMPLATE)
    assert review(database.engine, "herald") is None
    html |= fill(database, 1, TEMPLATE, SAMPLES)
    trial = review(database.engine, "herald")
    assert trial and trial.dictionary and trial.after < trial.before / 4
    assert review(database.engine, "herald") is None  # not due
    html |= fill(database, 2, TEMPLATE, SAMPLES + 1)
    sizes = column(database, "SELECT octet_length(html_zstd) FROM pages ORDER BY id")
    assert max(sizes[SAMPLES:]) < min(sizes[:SAMPLES]) / 4
    assert column(database, "SELECT dictionary_id FROM pages ORDER BY id") == [None] * SAMPLES + [1, 1]
    assert as_stored(database) == html


def test_one_that_does_not_pay_is_not_looked_for_again_at_once(database: Database) -> None:
    due = leased(database, SAMPLES)
    with database.engine.begin() as connection:
        writer.commit(connection, 1, [an_entry(one, html=words(500)) for one in due])
    trial = review(database.engine, "herald")
    assert trial and trial.dictionary is None
    assert review(database.engine, "herald") is None
    fill(database, 1, TEMPLATE, SAMPLES + 1)
    assert column(database, "SELECT dictionary_id FROM pages WHERE dictionary_id IS NOT NULL") == []
    assert column(database, "SELECT content_zstd FROM page_dictionaries") == [None]


def test_a_new_template_gets_a_new_one_and_the_old_pages_stay_readable(database: Database) -> None:
    html = fill(database, SAMPLES, TEMPLATE)
    review(database.engine, "herald")
    html |= fill(database, SAMPLES, TEMPLATE, SAMPLES + 1)
    later(database)
    trial = review(database.engine, "herald")
    assert trial and trial.dictionary is None
    assert ask(database, "SELECT count(*) FROM page_dictionaries") == 1
    assert review(database.engine, "herald") is None  # it was looked for
    html |= fill(database, 2 * SAMPLES, OTHER_TEMPLATE, 2 * SAMPLES + 1)
    later(database)
    assert review(database.engine, "herald") is not None
    html |= fill(database, 1, OTHER_TEMPLATE, 4 * SAMPLES + 1)
    assert column(database, "SELECT DISTINCT dictionary_id FROM pages ORDER BY 1") == [1, 2, None]
    with Database(database.url) as other:  # one that has nothing in memory
        assert as_stored(other) == html
        with other.engine.connect() as connection:
            assert sorted(page.html for page in reading.pages_in(connection, reading.Wanted())) == sorted(html.values())


def test_processes_that_end_at_once_train_once(database: Database) -> None:
    fill(database, SAMPLES, TEMPLATE)
    start, found = threading.Barrier(3), list[Trial | None]()

    def run() -> None:
        with Database(database.url) as own:
            own.engine.connect().close()
            start.wait()
            found.append(review(own.engine, "herald"))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in found if one]) == 1
    assert ask(database, "SELECT count(*) FROM page_dictionaries") == 1


def test_what_is_missing_or_damaged_says_so(database: Database) -> None:
    fill(database, SAMPLES, TEMPLATE)
    review(database.engine, "herald")
    [url_id] = fill(database, 1, TEMPLATE, SAMPLES + 1)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE pages SET html_bytes = 1 WHERE dictionary_id IS NULL"))
        connection.execute(text("UPDATE page_dictionaries SET id = DEFAULT"))
    with Database(database.url) as other, other.engine.connect() as connection:
        with pytest.raises(MissingDictionary, match="dictionary 1 of stored pages is missing"):
            pages.latest(connection, url_id)
        with pytest.raises(StoreError, match="a stored page is damaged: the packed page has another length"):
            pages.latest(connection, 1)


def test_a_broken_dictionary_stops_no_page_and_is_replaced(database: Database) -> None:
    fill(database, SAMPLES, TEMPLATE)
    review(database.engine, "herald")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE page_dictionaries SET content_bytes = 1"))
    with Database(database.url) as other:
        html = fill(other, 1, TEMPLATE, SAMPLES + 1)
        assert column(other, "SELECT DISTINCT dictionary_id FROM pages") == [None]
        later(other)
        trial = review(other.engine, "herald")
        assert trial and trial.dictionary
        html |= fill(other, 1, TEMPLATE, SAMPLES + 2)
        assert column(other, "SELECT dictionary_id FROM pages WHERE dictionary_id IS NOT NULL") == [2]
        stored = as_stored(other)
        assert {url_id: stored[url_id] for url_id in html} == html


def test_few_are_held_in_memory(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dictionaries, "HELD", 25_000)
    fill(database, SAMPLES, TEMPLATE)
    review(database.engine, "herald")
    with database.engine.begin() as connection:
        copy = "source, content_zstd, content_bytes, samples, bytes_before, bytes_after"
        for _ in range(2):
            connection.execute(text(f"INSERT INTO page_dictionaries ({copy}) SELECT {copy} FROM page_dictionaries"))
        shelf = dictionaries.Shelf()
        first = shelf.get(connection, 1)
        assert shelf.get(connection, 1) is first
        assert shelf.get(connection, 2) is not first
        assert shelf.get(connection, 1) is not first


def test_pages_of_other_sources_are_not_touched(database: Database) -> None:
    fill(database, SAMPLES, TEMPLATE)
    review(database.engine, "herald")
    assert review(database.engine, "courier") is None
    page = a_page(url_id=1, html=TEMPLATE, at=AT + timedelta(days=1))
    with database.engine.begin() as connection:
        pages.store(connection, [pages.Archived(page=page, outcome="article")], None)
        assert {name: one[0] for name, one in dictionaries.newest(connection, ["courier", "herald"]).items()} == {
            "herald": 1
        }
        assert pages.latest(connection, 1) == TEMPLATE
