"""`news.search` in many languages: what is found, what is not, in which order, with what excerpt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from crawler.items import Article
from crawler.store import articles, crawls, search
from crawler.store.engine import Database
from tests.store.rows import AT, OTHER, SITE, SOURCE, an_article, ask, column

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
UNSPACED = "東京都庁前駅大会議員市場价格上涨。「」 、"


@pytest.fixture(autouse=True)
def sources(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])


def store(database: Database, *given_: Article) -> None:
    with database.engine.begin() as connection:
        articles.save(connection, given_)


def an(language: str | None, headline: str, body: str, number: int = 1, **changes: Any) -> Article:
    return an_article(number, language=language, headline=headline, body=body, **changes)


def found(database: Database, query: str, arguments: str = "", **values: Any) -> list[str]:
    """The headlines, best first."""
    return column(database, f"SELECT headline FROM news.search(:asked{arguments}) AS found", asked=query, **values)


def excerpts(database: Database, query: str) -> list[str]:
    return column(database, "SELECT excerpt FROM news.search(:asked)", asked=query)


# -- languages -------------------------------------------------------------------------------------------------------

# language: headline, body, queries (in other forms than the text has, where there are such), what must not be found
SPEECH: dict[str, tuple[str, str, list[str], list[str]]] = {
    "en": ("Shipyard wins orders", "The yards will build six ferries.", ["order", "ferry building"], ["tram"]),
    "de": ("Neue Brücken für Köln", "Die Häuser am Fluss bleiben stehen.", ["Brücke", "haus", "KÖLN"], ["Straße"]),
    "fr": ("Les ouvriers manifestent", "Des élections sont annoncées.", ["ouvrière", "élection"], ["grève"]),
    "es": ("Las elecciones municipales", "Los candidatos hablaron ayer.", ["elección", "candidato"], ["huelga"]),
    "ru": ("Выборы в городе", "Жители домов ждали автобусы.", ["дом", "автобус", "ЖИТЕЛЬ"], ["поезд"]),
    "tr": ("Yeni köprüler açıldı", "Kitapların fiyatı arttı.", ["köprü", "kitap"], ["tren"]),
    "ar": ("افتتاح الجسر الجديد", "قال الوزير إن المدارس ستفتح أبوابها.", ["جسر", "مدارس"], ["قطار"]),
    "el": ("Νέες γέφυρες", "Οι εκλογές έγιναν χθες.", ["γέφυρα", "εκλογή"], ["τρένο"]),
    "hi": ("नई सड़कें बनेंगी", "किताबें महँगी हुईं।", ["सड़क", "किताब"], ["रेल"]),
    "pl": ("Nowy most otwarty", "Pociąg pojechał do Łodzi.", ["most", "łodzi"], ["tramwaj"]),  # has no stemmer: simple
    "uk": ("Новий міст", "Потяг поїхав до Львова.", ["міст", "львова"], ["трамвай"]),
    "zh": ("北京市场价格上涨", "中国经济增长放缓,专家说。", ["经济", "经济增长", "市场价格", "北"], ["上海", "经长"]),
    "ja": (
        "東京都で大雨",
        "気象庁によると、JR東日本の電車が止まった。",
        ["東京", "気象庁", "雨", "JR 電車"],
        ["京大", "大阪"],
    ),
    "ko": ("서울시장 선거", "정부는 새로운 정책을 발표했다.", ["서울", "정책", "서울시장 발표"], ["부산"]),
    "th": ("กรุงเทพมหานครน้ำท่วม", "รัฐบาลประกาศนโยบายใหม่", ["กรุงเทพ", "นโยบาย"], ["เชียงใหม่"]),
}


@pytest.mark.parametrize("language", SPEECH)
@pytest.mark.parametrize("asked", ["", ", language => :language"])
def test_each_language_is_searched_as_it_is(database: Database, language: str, asked: str) -> None:
    for number, (code, (headline, body, _, _)) in enumerate(SPEECH.items()):
        store(database, an(code, headline, body, number))
    headline, _, queries, others = SPEECH[language]
    values = {"language": language} if asked else {}
    for query in queries:
        assert headline in found(database, query, asked, **values), query
    for query in others:
        assert headline not in found(database, query, asked, **values), query


@pytest.mark.parametrize("language", [None, "zh-Hant", "zh", "xx"])
def test_script_counts_and_not_the_tag(database: Database, language: str | None) -> None:
    store(database, an(language, "北京市场", "市场价格上涨"))
    assert found(database, "市场价格") == ["北京市场"]


def test_regions_are_the_same_language(database: Database) -> None:
    store(database, an("en-GB", "Harbours", "Ships."), an("pt-BR", "Portos", "Navios.", 2))
    assert found(database, "harbour", ", 'en'") == ["Harbours"]
    assert found(database, "harbour", ", 'en-GB'") == ["Harbours"]
    assert found(database, "harbour", ", 'en-US'") == []


# -- queries ---------------------------------------------------------------------------------------------------------


def test_what_a_search_engine_understands(database: Database) -> None:
    store(
        database,
        an("en", "One", "The old bridge over the river was closed."),
        an("en", "Two", "A river runs under every bridge.", 2),
        an("zh", "三", "东京的大学和京都的市场", 3),
    )
    assert found(database, '"old bridge"') == ["One"]
    assert set(found(database, "old or runs")) == {"One", "Two"}
    assert found(database, "bridge -closed") == ["Two"]
    assert found(database, '"京都的市场"') == found(database, "大学 市场") == found(database, "北京 or 京都") == ["三"]
    assert found(database, "大学 -市场") == found(database, '"大学市场"') == []


def test_a_word_is_negated_as_each_language_reads_it(database: Database) -> None:
    store(database, an("de", "Haus", "Häuser mit Gärten."))
    assert found(database, "haus") == ["Haus"]
    assert found(database, "haus -garten") == []


def test_the_headline_weighs_more(database: Database) -> None:
    store(
        database,
        an("en", "Weather", "It rained. " * 5 + "The harbour was closed."),
        an("en", "The harbour is closed", "It rained. " * 6, 2),
    )
    assert found(database, "harbour") == ["The harbour is closed", "Weather"]


def test_source_time_and_number(database: Database) -> None:
    store(
        database,
        an("en", "Old", "A harbour.", published_at=AT - timedelta(days=9)),
        an("en", "New", "A harbour.", 2),
        an("en", "Undated", "A harbour.", 3, published_at=None),
        an("en", "Courier", "A harbour.", 4, source="courier", published_at=AT - timedelta(days=1)),
    )
    assert found(database, "harbour") == ["New", "Courier", "Old", "Undated"]
    since = AT - timedelta(days=1)
    assert found(database, "harbour", ", since => :since", since=since) == ["New", "Courier"]
    assert found(database, "harbour", ", until => :since", since=since) == ["Old"]
    assert found(database, "harbour", ", source => 'courier'") == ["Courier"]
    assert found(database, "harbour", ", most => 2") == ["New", "Courier"]


def test_excerpts_mark_what_was_found(database: Database) -> None:
    filler = "Nothing of the kind was said on any other day of that long year. " * 20
    store(
        database,
        an("en", "One", f"{filler} Two ferries sank near the pier. {filler}"),
        an("ja", "二", "前" * 300 + "東京都で大雨が降った" + "後" * 300, 2),
        an("pl", "Trzy", f"{filler} Pociąg do Łodzi. {filler}", 3),
    )
    assert "Two <b>ferries</b> sank" in excerpts(database, "ferry")[0]
    assert "<b>東京都</b>で大雨が降った" in excerpts(database, "東京都")[0]
    assert "Pociąg do <b>Łodzi</b>." in excerpts(database, "ŁODZI")[0]
    assert all(len(one) < 400 for query in ("ferry", "東京都", "łodzi") for one in excerpts(database, query))


@pytest.mark.parametrize("query", ["", "  ", "the", '"', "-", "or", "()&|!:*'\\", "-the", "东" * 3_000, "u4e00"])
def test_odd_queries_are_no_errors(database: Database, query: str) -> None:
    store(database, an("en", "One", "The bridge."), an("zh", "一", "东京", 2))
    found(database, query)


# -- what is stored --------------------------------------------------------------------------------------------------


def test_the_words_follow_the_text(database: Database) -> None:
    store(database, an("en", "One", "A bridge."))
    store(database, an("en", "One", "A tunnel."))
    assert (found(database, "bridge"), found(database, "tunnel")) == ([], ["One"])


@pytest.mark.parametrize(
    "body",
    [
        " ".join(f"слово{number}" for number in range(150_000)),
        "".join(chr(0x4E00 + number * number % 20_000) for number in range(300_000)),
        "x" * 3_000_000,
    ],
    ids=["words", "signs", "one word"],
)
@pytest.mark.parametrize("language", ["ru", "zh"])
def test_no_text_is_too_long(database: Database, language: str, body: str) -> None:
    store(database, an(language, "Long", body), an(language, body, "Short", 2))
    assert ask(database, "SELECT count(*) FROM articles") == 2


def rewritten(database: Database, query: str, values: Sequence[str]) -> Any:
    return ask(database, query, **dict(zip("ab", values, strict=True)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_TEXT, ANY_TEXT, st.sampled_from(["en", "ar", "zh", "th", "tr"]))
def test_no_text_and_no_query_is_an_error(database: Database, words: str, query: str, language: str) -> None:
    statement = "SELECT news.search_vector(:l, :a, :a) @@ news.search_query(:l, :b), news.search_excerpt(:l, :a, :b)"
    ask(database, statement, a=words, b=query, l=language)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(UNSPACED, max_size=30), st.text(UNSPACED[:12], min_size=1, max_size=4))
def test_a_run_is_found_where_it_stands_and_nowhere_else(database: Database, words: str, query: str) -> None:
    matches = "SELECT news.search_vector('zh', '', :a) @@ news.search_query('zh', :b)"
    assert rewritten(database, matches, (words, query)) == (query in words)
    assert rewritten(database, matches, (words + query + words, query)) is True


def test_each_article_has_an_address_of_its_own(database: Database) -> None:
    store(database, an("en", "One", "A bridge."))
    row = "SELECT url || ' ' || source || ' ' || language FROM news.search('bridge')"
    assert ask(database, row) == f"{SITE}/1 herald en"


def test_the_index_answers_a_rare_word(database: Database) -> None:
    """Many rows, a word in one of them: the plan is the index's, not a scan of all."""
    store(database, *(an("en", f"Number {n}", f"Word{n} and much else that is said.", n) for n in range(300)))
    with database.engine.begin() as connection:
        connection.execute(text("ANALYZE articles"))
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.execute(
            text("EXPLAIN SELECT article_id FROM news.search_index WHERE search @@ news.search_query('en', 'word77')")
        )
        assert "ix_articles_search" in "\n".join(plan.scalars())


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        ("", ""),
        (", source => 'wire'", " AND source = 'wire'"),
        (", since => :since", " AND published_at >= :since"),
        (", since => :since, until => :until", " AND published_at >= :since AND published_at < :until"),
    ],
)
def test_windows_leave_nothing_out(database: Database, arguments: str, condition: str) -> None:
    """Windows of two articles, instants that seven share, articles without one: as if all had been asked."""
    sources = (SOURCE.id, OTHER.id)
    made = [
        an("en", f"N {n}", ("bridge", "tram", "harbour")[n % 3], n, source=sources[n % 2],
           published_at=AT + timedelta(days=n // 7) if n % 5 else None) for n in range(70)
    ]  # fmt: skip
    store(database, *made)
    with database.engine.begin() as connection:
        for statement in search.functions(window=2):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    given_ = {"since": AT + timedelta(days=2), "until": AT + timedelta(days=8)}
    asked = f"SELECT article_id FROM news.search('tram', most => 70{arguments}) ORDER BY 1"
    plain = f"SELECT id FROM news.articles WHERE body = 'tram'{condition} ORDER BY 1"
    assert column(database, asked.replace("wire", OTHER.id), **given_) == column(
        database, plain.replace("wire", OTHER.id), **given_
    )


def test_what_only_other_languages_read_so_takes_no_place(database: Database) -> None:
    """Another stemmer makes "new" of "news": newer articles that say "new" are no matches, however many there are."""
    store(database, *(an("en", f"Old {n}", "The news.", n, published_at=AT) for n in range(5)))
    later = AT + timedelta(days=1)
    store(
        database,
        *(an("en", f"Late {n}", "A new one.", n, published_at=later) for n in range(10, 10 + 2 * search.RANKED)),
    )
    assert sorted(found(database, "news")) == [f"Old {n}" for n in range(5)]
    assert sorted(found(database, "news -new")) == [f"Old {n}" for n in range(5)]


def test_a_query_that_only_excludes_finds_nothing(database: Database) -> None:
    store(database, an("en", "One", "A bridge."))
    assert found(database, "-tram") == []


def test_a_language_is_found_in_any_case(database: Database) -> None:
    store(database, an("en", "One", "A bridge."))
    assert found(database, "bridges", ", language => 'EN'") == ["One"]
    assert found(database, "bridges", ", most => -1") == []


def test_a_million_hyphens_are_no_error(database: Database) -> None:
    store(database, an("en", "One", "A bridge."))
    assert found(database, "-" * 501 + "bridge") in ([], ["One"])
