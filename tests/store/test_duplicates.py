"""Clusters as they are kept up: whatever the order, the batches, the edits and the writers, they are what all at once
would give."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from crawler import recurrence
from crawler.copies import Told, originals
from crawler.items import Article, Block
from crawler.likeness import bands_of
from crawler.recurrence import block_key
from crawler.store import articles, checks, cleaning, crawls, dump, duplicates, models, writer
from crawler.store.engine import Database, migrate, migration_config
from tests.prose import prose
from tests.store.rows import AT, OTHER, SOURCE, an_article, an_entry, ask, column, leased

TEXT = prose("wire", 120)
EVERYBODY = tuple(range(duplicates.STRONG))  # bands that make everyone everyones neighbour
STARS = "SELECT article_id, original_id FROM duplicates WHERE original_id IS NOT NULL"


@pytest.fixture(autouse=True)
def sources(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])


def told_by(number: int, body: str = TEXT, **changes: Any) -> Article:
    """An article with a body; those of a higher number are later."""
    blocks = tuple(Block(kind="paragraph", text=line, kept=True) for line in body.split("\n"))
    at = AT + timedelta(minutes=number)
    given = {"published_at": at, "headline": f"Headline {number}", "authors": ()} | changes
    return an_article(number, body=body, blocks=blocks, **given)


def store(database: Database, *given: Article, bands: tuple[int, ...] | None = None) -> list[int]:
    """As the writer does; returns the ids."""
    with database.engine.begin() as connection:
        saved = articles.save(connection, given)
        duplicates.learn(connection, [(one.id, bands) for one in saved if one.outcome != "unchanged"])
    return [one.id for one in saved]


def stars(database: Database) -> dict[int, int]:
    with database.engine.connect() as connection:
        return dict(connection.execute(text(STARS)).all())


def clusters(database: Database) -> dict[int, int]:
    with database.engine.connect() as connection:
        return dict(connection.execute(text("SELECT article_id, cluster_id FROM news.duplicates")).all())


def sound(database: Database) -> bool:
    wanted = ("copies", "clusters", "compared", "orphans_bands", "orphans_duplicates")
    found = [checks.run(database.engine, check) for check in checks.CHECKS if check.name in wanted]
    assert len(found) == len(wanted)
    return not any(one.count for one in found)


# -- what a reader sees ------------------------------------------------------------------------------------------------


def test_a_copy_at_another_source_is_one_story(database: Database) -> None:
    [own] = store(database, told_by(1))
    copy = told_by(2, f"Berlin (dpa) - {TEXT}", source="courier", url="https://courier.example/2",
                   canonical_url="https://courier.example/2", published_at=AT + timedelta(hours=3))  # fmt: skip
    [wire] = store(database, copy)
    [other] = store(database, told_by(3, prose("another", 120)))
    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT * FROM news.duplicates ORDER BY article_id")).mappings().all()
    assert [(row["article_id"], row["original_id"], row["is_original"], row["kind"]) for row in found] == [
        (own, wire, False, "copy"),
        (wire, wire, True, "original"),
    ]
    assert {(row["why"], row["agency"], row["articles"]) for row in found} == {("agency_credit", "dpa", 2)}
    assert 0.9 < found[0]["likeness"] < 1 and found[1]["likeness"] == 1
    assert found[0]["cluster_id"] == found[1]["cluster_id"]
    assert column(database, "SELECT id FROM news.articles WHERE duplicate_of IS NULL ORDER BY id") == [wire, other]
    assert sound(database)


def test_the_same_body_is_the_same_and_half_of_it_shortened(database: Database) -> None:
    first, same, half = store(database, told_by(1), told_by(2), told_by(3, TEXT[: len(TEXT) * 6 // 10]))
    assert stars(database) == {same: first, half: first}
    assert ask(database, "SELECT likeness FROM duplicates WHERE article_id = :id", id=same) == 1
    assert ask(database, "SELECT kind FROM duplicates WHERE article_id = :id", id=half) == "shortened"


# -- the same whatever the way -----------------------------------------------------------------------------------------

PARTS = [prose(part, 30) for part in range(7)]


@dataclass(frozen=True)
class Plan:
    """Articles by the parts they are made of, the batches in which they come, and what some become later."""

    parts: list[list[int]]
    batches: list[list[int]]
    edits: list[tuple[int, list[int]]] = field(default_factory=list)
    credited: frozenset[int] = frozenset()

    def article(self, number: int, parts: Sequence[int]) -> Article:
        body = "\n".join(PARTS[part] for part in sorted(parts))
        # Out of order in time, so that later ones take over from earlier ones.
        at = AT + timedelta(hours=number * 5 % 8)
        return told_by(number, body, published_at=at, authors=("AFP",) if number in self.credited else ())


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    number = draw(st.integers(2, 8))
    some = st.lists(st.integers(0, 6), min_size=2, max_size=6, unique=True)
    order = draw(st.permutations(range(number)))
    cuts = sorted(draw(st.sets(st.integers(1, number - 1)))) if number > 1 else []
    batches = [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, number], strict=True)]
    edits = draw(st.lists(st.tuples(st.integers(0, number - 1), some), max_size=4))
    return Plan([draw(some) for _ in range(number)], batches, edits, draw(st.frozensets(st.integers(0, 7), max_size=2)))


def all_at_once(database: Database) -> dict[int, int]:
    with database.engine.connect() as connection:
        given = {"ids": column(database, "SELECT id FROM articles"), "letters": 1_000_000, "most": 1_000}
        return originals(Told.of(**row) for row in connection.execute(duplicates.ARTICLES, given).mappings())


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plans())
def test_clusters_are_those_of_all_articles_at_once(database: Database, plan: Plan) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("TRUNCATE articles, bands, duplicates CASCADE"))
    for batch in plan.batches:
        store(database, *(plan.article(number, plan.parts[number]) for number in batch), bands=EVERYBODY)
        assert stars(database) == all_at_once(database)
    for number, parts in plan.edits:
        store(database, plan.article(number, parts), bands=EVERYBODY)
        assert stars(database) == all_at_once(database)
    assert sound(database)


def test_a_bridge_that_comes_first_in_time_joins_two_clusters_and_the_older_number_stays(database: Database) -> None:
    one, other = prose("one", 100), prose("other", 100)
    a, b = store(database, told_by(10, one), told_by(11, one))
    c, d = store(database, told_by(12, other), told_by(13, other))
    assert stars(database) == {b: a, d: c}
    number = clusters(database)[a]
    [bridge] = store(database, told_by(1, f"{one}\n{other}"))
    assert stars(database) == dict.fromkeys((a, b, c, d), bridge)
    assert set(clusters(database).values()) == {number}


def test_an_edit_that_leaves_and_one_that_comes_back(database: Database) -> None:
    first, second, third = store(database, told_by(1), told_by(2), told_by(3))
    number = clusters(database)[first]
    store(database, told_by(1, prose("another", 120)))
    assert stars(database) == {third: second}
    assert clusters(database) == {second: number, third: number}
    store(database, told_by(3, prose("a third", 120)))
    assert stars(database) == {} and clusters(database) == {}
    store(database, told_by(1), told_by(3))
    assert stars(database) == {second: first, third: first}
    assert sound(database)


def test_a_cluster_whose_original_is_deleted_finds_another_and_none_is_of_one(database: Database) -> None:
    first, second, third = store(database, told_by(1), told_by(2), told_by(3))
    number = clusters(database)[first]
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM articles WHERE id = :id"), {"id": first})
    assert clusters(database) == {} and sound(database)
    assert duplicates.catch_up(database.engine) == 2
    assert clusters(database) == {second: number, third: number}
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM articles WHERE id = :id"), {"id": third})
    assert clusters(database) == {} and sound(database)
    assert ask(database, "SELECT count(*) FROM bands WHERE article_id = :id", id=third) == 0


# -- limits ------------------------------------------------------------------------------------------------------------


def test_an_original_with_very_many_copies_stays_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_COPIES", 5)
    first = store(database, *(told_by(number) for number in range(10, 18)))[0]
    [earlier] = store(database, told_by(1))
    assert set(stars(database).values()) == {first} and earlier in stars(database)
    assert ask(database, "SELECT why FROM duplicates WHERE article_id = :id", id=earlier) == "settled"
    store(database, told_by(10, prose("another", 120)))  # what cannot be settled with it is left for later
    assert len(stars(database)) < 8 and sound(database)
    duplicates.catch_up(database.engine)
    assert set(stars(database)) == set(column(database, "SELECT id FROM articles")) - {first, earlier}
    assert set(stars(database).values()) == {earlier} and sound(database)


@pytest.mark.parametrize("batch", [1, 7, 25])
def test_very_many_copies_are_one_cluster_though_few_have_each_other_near(
    database: Database, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(duplicates, "NEAREST", 3)
    monkeypatch.setattr(duplicates, "PER_BAND", 4)
    order = random.Random(batch).sample(range(25), 25)
    for start in range(0, 25, batch):
        store(database, *(told_by(number) for number in order[start : start + batch]))
    assert len(stars(database)) == 24
    assert stars(database) == all_at_once(database) and sound(database)


def test_when_an_original_with_very_many_copies_leaves_they_are_one_cluster_still(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "MOST_COPIES", 50)
    given = [told_by(number, f"{prose('c', 150)}\nExtra line number {number} of it.") for number in range(1, 151)]
    first, second, *_ = store(database, *given[:100])
    store(database, *given[100:])
    assert set(stars(database).values()) == {first}
    store(database, told_by(1, prose("another", 150)))
    assert set(stars(database).values()) == {second} and sound(database)  # few have it near
    duplicates.catch_up(database.engine)
    assert Counter(stars(database).values()) == {second: 148} and sound(database)


def test_a_view_that_does_not_ask_for_copies_does_not_look_for_them(database: Database) -> None:
    assert "duplicates" not in "".join(column(database, "EXPLAIN SELECT headline FROM news.articles"))
    assert "duplicates" in "".join(column(database, "EXPLAIN SELECT duplicate_of FROM news.articles"))


def test_a_cluster_is_counted_once_and_looked_up_by_its_original(database: Database) -> None:
    everything = "SELECT original_id, max(articles) FROM news.duplicates GROUP BY 1"
    one = "SELECT source, articles FROM news.duplicates WHERE original_id = 17"
    assert "SubPlan" not in "".join(column(database, f"EXPLAIN {everything}"))
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "".join(connection.execute(text(f"EXPLAIN {one}")).scalars())
    assert "Seq Scan" not in plan and plan.count("original_id = 17") >= 3
    assert "count" not in "".join(column(database, "EXPLAIN VERBOSE SELECT kind, likeness FROM news.duplicates"))


def test_a_prompt_that_thousands_have_costs_a_few_comparisons(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "Subscribe to read all of this story. You have read three of your free articles this month."
    store(database, *(told_by(number, prompt) for number in range(60)))
    read: list[int] = []
    monkeypatch.setattr(duplicates, "likeness", lambda one, other: read.append(other.id))
    store(database, told_by(99, prompt))
    assert 0 < len(read) <= duplicates.NEAREST
    assert stars(database) == {}


def test_among_very_many_reports_of_one_robot_a_copy_finds_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "PER_BAND", 8)
    monkeypatch.setattr(duplicates, "NEAREST", 4)
    frame = prose("robot", 160).split("\n")
    reports = [
        "\n".join(
            f"{line} In {prose((day, at), 3)} {day * 7 + at} of {prose((at, day), 2)} came."
            for at, line in enumerate(frame)
        )
        for day in range(40)
    ]
    store(database, *(told_by(day, report) for day, report in enumerate(reports)))
    assert stars(database) == {}
    ids = column(database, "SELECT id FROM articles ORDER BY published_at")
    copies = store(database, *(told_by(100 + day, f"{reports[day]}\nThe Herald.") for day in (3, 21, 39)))
    assert stars(database) == dict(zip(copies, (ids[3], ids[21], ids[39]), strict=True))


# -- through the writer, at once, and later ----------------------------------------------------------------------------


def entries(database: Database, number: int, **changes: Any) -> list[writer.Entry]:
    made = []
    for due in leased(database, number):
        article = told_by(int(due.candidate.url.rpartition("/")[2]))
        made.append(replace(an_entry(due), article=article, bands=bands_of(article.body)))
    return made


def test_the_writer_settles_what_is_new_and_what_was_edited(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = entries(database, 2)
    with database.engine.begin() as connection:
        with monkeypatch.context() as patched:
            patched.setattr(duplicates, "bands_of", None)  # they came with the page
            one, two = writer.commit(connection, None, [first, second])
        assert stars_of(connection) == {two.article_id: one.article_id}
        edited = replace(second, article=told_by(2, prose("another", 120)), bands=bands_of("not what is stored " * 9))
        writer.commit(connection, None, [edited])
        assert stars_of(connection) == {}
    assert sound(database)
    keys = column(database, "SELECT key FROM bands WHERE article_id = :id", id=two.article_id)
    assert set(keys) == set(bands_of(prose("another", 120)))


def stars_of(connection: Any) -> dict[int, int]:
    return dict(connection.execute(text(STARS)).all())


def test_what_a_template_loses_does_not_make_it_a_copy_any_more(database: Database) -> None:
    box = prose("box", 160)
    line = box.replace("\n", " ")
    first, second = store(database, told_by(1, f"{prose(1, 60)}\n{line}"), told_by(2, f"{prose(2, 60)}\n{line}"))
    assert stars(database) == {second: first}
    learned = "INSERT INTO boilerplate_blocks (source, key, state, evidence, decided_at, clean_from) "
    learned += "VALUES ('herald', :key, 'learned', '[]', now(), now() - interval '1 day')"
    with database.engine.begin() as connection:
        connection.execute(text(learned), {"key": block_key(line)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recurrence, "MAX_SHARE", 0.9)
        assert cleaning.clean(database.engine, "herald") == 2
    assert stars(database) == {} and sound(database)
    keys = column(database, "SELECT key FROM bands WHERE article_id = :id", id=first)
    assert set(keys) == set(bands_of(prose(1, 60)))


def test_writers_at_the_same_time_make_one_cluster_of_two_copies(database: Database) -> None:
    writers, rounds, failures = 4, 6, list[BaseException]()
    barrier = threading.Barrier(writers)

    def work(who: int) -> None:
        try:
            for turn in range(rounds):
                barrier.wait(100)
                many = range(turn * 100, turn * 100 + 5)
                order: Iterable[int] = many if who % 2 else reversed(many)
                store(database, *(told_by(who * 10_000 + number, prose(number, 80)) for number in order))
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(who,)) for who in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert ask(database, "SELECT count(DISTINCT cluster_id) FROM news.duplicates") == rounds * 5
    assert ask(database, "SELECT min(articles) FROM news.duplicates") == writers
    assert stars(database) == all_at_once(database) and sound(database)


def test_what_was_stored_before_waits_and_is_compared_bit_by_bit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.engine.begin() as connection:
        articles.save(connection, [told_by(number, prose(number % 4, 80)) for number in range(12)])
        connection.execute(text("INSERT INTO duplicates (article_id) SELECT id FROM articles"))  # as the migration
    monkeypatch.setattr(duplicates, "BATCH", 5)
    assert sound(database) and clusters(database) == {}
    assert duplicates.catch_up(database.engine, seconds=0) == 5
    assert duplicates.catch_up(database.engine) == 7
    assert duplicates.catch_up(database.engine) == 0
    assert stars(database) == all_at_once(database)
    assert len(clusters(database)) == 12 and sound(database)


def test_a_database_from_before_there_were_clusters(bare_url: str) -> None:
    with Database(bare_url) as old:
        with old.engine.begin() as connection:
            config = migration_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0007")
            crawls.save_sources(connection, [SOURCE])
            rows = [articles.row_of(told_by(number)) for number in range(3)]
            connection.execute(insert(models.Article), rows)
        migrate(old.engine)
        assert ask(old, "SELECT count(*) FROM duplicates WHERE original_id IS NULL") == 3
        assert ask(old, "SELECT count(*) FROM news.articles WHERE duplicate_of IS NULL") == 3
        assert duplicates.catch_up(old.engine) == 3
        assert ask(old, "SELECT count(*) FROM news.articles WHERE duplicate_of IS NULL") == 1
        assert ask(old, "SELECT max(articles) FROM news.duplicates") == 3 and sound(old)


def test_what_waits_is_compared_by_several_while_others_edit_it(database: Database) -> None:
    given = [told_by(number, prose(number % 8, 60)) for number in range(80)]
    with database.engine.begin() as connection:
        articles.save(connection, given)
        connection.execute(text("INSERT INTO duplicates (article_id) SELECT id FROM articles"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(duplicates, "BATCH", 10)
        works: list[Callable[[], object]] = [lambda: duplicates.catch_up(database.engine)] * 2
        works += [lambda: [store(database, told_by(n, prose("edit", 60))) for n in range(0, 80, 5)]]
        with ThreadPoolExecutor(3) as threads:
            for future in [threads.submit(work) for work in works]:
                future.result()
    assert not column(database, "SELECT 1 FROM duplicates WHERE original_id IS NULL")
    assert stars(database) == all_at_once(database) and sound(database)


def test_clusters_come_back_with_a_backup(database: Database, tmp_path: Path) -> None:
    first, second = store(database, told_by(1), told_by(2))
    before = clusters(database)
    dump.backup(database, tmp_path / "backup")
    store(database, told_by(3), told_by(4, prose(1)), told_by(5, prose(1)))
    dump.restore(database, tmp_path / "backup", replace=True)
    assert clusters(database) == before and stars(database) == {second: first}
    [third] = store(database, told_by(3))
    assert stars(database) == {second: first, third: first}
    _, other = store(database, told_by(6, prose(2)), told_by(7, prose(2)))
    assert clusters(database)[other] != before[first] and sound(database)
