"""The slices of a re-extraction: every page in one of them, each looked at by one process, and counted once."""

from __future__ import annotations

import threading
from array import array
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from crawler.errors import StoreError
from crawler.period import Period
from crawler.store import reextractions, slices, subjects
from crawler.store.engine import Database
from crawler.store.queue import Job, enqueue
from crawler.store.slices import portions
from crawler.store.subjects import Asked
from tests.runs import until
from tests.store.rows import ask, column, held, leased
from tests.store.test_reapplying import RULES, crawled, found

AT = datetime(2026, 10, 1, 12, 30, tzinfo=UTC)


@given(st.sets(st.integers(1, 10**12), max_size=50), st.integers(1, 20))
def test_every_page_is_in_one_slice(ids: set[int], size: int) -> None:
    given_ = array("q", sorted(ids))
    cut = list(portions(given_, size))
    assert [one for part in cut for one in part] == list(given_)
    assert all(0 < len(part) <= size for part in cut)


@given(
    st.builds(
        Asked,
        sources=st.lists(st.sampled_from("abc"), unique=True).map(lambda names: tuple(sorted(names))),
        period=st.builds(Period, since=st.none() | st.just(AT), until=st.none() | st.just(AT)),
        articles=st.sets(st.integers(1, 99)).map(lambda ids: tuple(sorted(ids))),
        articles_only=st.booleans(),
        left_out=st.just(()) | st.just(("x", "y")),
    )
)
def test_a_question_comes_back_out_of_the_database(asked: Asked) -> None:
    assert Asked.of(asked.plain) == asked


def begun(database: Database, size: int) -> int:
    with database.engine.begin() as connection:
        run = reextractions.begin(connection, Asked(), RULES, anew=True).id
        slices.cut(connection, run, Asked(), size)
    return run


@pytest.mark.parametrize("size", [1, 3, 100])
def test_two_processes_share_them_and_the_sum_is_that_of_one(database: Database, size: int) -> None:
    crawled(database, leased(database, 7))
    run = begun(database, size)
    looked: list[int] = []

    def work() -> None:
        with database.engine.connect() as connection:
            while True:
                with connection.begin():
                    part = slices.claim(connection, run)
                if part is None:
                    return
                with database.engine.begin() as other:
                    ids = subjects.article_ids(other, Asked(), part.after, part.last)
                    assert slices.step(other, part.id, part.after, ids[-1], len(ids))
                    reextractions.note(other, run, [], {"herald": Counter(articles=len(ids)), "x": Counter(pages=1)})
                looked.extend(ids)
                with database.engine.begin() as other:
                    if slices.finish(other, part.id) is not None:
                        ends.append(reextractions.finish(other, run))
                slices.leave(connection, part.id)
                connection.commit()

    ends: list[bool] = []
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO sources (id, name, homepage, seed) VALUES ('x', 'X', 'https://x', '{}')"))
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    number = ask(database, "SELECT count(*) FROM reextraction_slices")
    assert (number, ends) == (-(-7 // size), [False])
    assert sorted(looked) == column(database, "SELECT id FROM articles ORDER BY id")
    with database.engine.connect() as connection:
        assert reextractions.found(connection, run) == {"herald": Counter(articles=7), "x": Counter(pages=number)}
        assert slices.extent(connection, run) == (7, 7, 0)


def test_a_slice_whose_process_is_gone_is_taken_over_and_what_comes_late_is_not_counted(database: Database) -> None:
    crawled(database, leased(database, 4))
    run = begun(database, 4)
    with database.engine.connect() as first, database.engine.connect() as second:
        part = slices.claim(first, run)
        assert part is not None and slices.claim(second, run) is None and slices.take(second, part.id) is None
        first.invalidate()  # its connection is lost, and it does not notice
        while (other := slices.claim(second, run)) is None:
            second.rollback()
        middle = column(database, "SELECT id FROM articles ORDER BY id")[1]
        with database.engine.begin() as connection:
            assert slices.step(connection, part.id, part.after, middle, 2)
            assert not slices.step(connection, other.id, other.after, middle, 2)
        assert slices.extent(second, run) == (2, 4, 1)


def test_what_is_worked_on_or_waits_for_workers_keeps_its_place(database: Database) -> None:
    crawled(database, leased(database, 2))
    run = found(database, "What today's rules read.")
    with database.engine.connect() as worker, database.engine.connect() as person:
        reextractions.hold(worker, run)
        with pytest.raises(StoreError, match=rf"another re-extraction runs .*--run {run} shares it"):
            reextractions.begin(person, Asked(), "other rules")
        person.rollback()
        assert reextractions.begin(person, Asked(), RULES).id == run
        person.commit()
        worker.invalidate()
        until(lambda: not held(database, reextractions.LOCK))
        with database.engine.begin() as connection:
            enqueue(connection, [Job(task="reextract", arguments={"run": run, "slice": 1})])
        with pytest.raises(StoreError, match=rf"re-extraction {run} waits for workers.*run:{run}"):
            reextractions.begin(person, Asked(), "other rules")
