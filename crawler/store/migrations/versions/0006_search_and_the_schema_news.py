"""Full-text search, and the schema `news` with the role that reads it

The generated column rewrites `articles` and all its indexes under an exclusive lock, and needs as much free space
again. Measured: 0.3 ms an article of 400 words, 1.6 ms one of 800 Chinese signs, to which the GIN index comes; at a
million that is an estimated 10 to 15 minutes. Crawls that run meanwhile wait for it: better stop them first.
The views of the schema come from crawler/store/views/, which env.py puts in place after every migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

# Primary subtags and the configuration of each. A server knows those that its version came with (Estonian: from 18).
CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

# Scripts that set no spaces between words, and Hangul, whose words carry their particles: Thai, Lao, Myanmar, Khmer,
# kana, Han, Hangul.
SCRIPTS = (
    (0x0E01, 0x0E3A), (0x0E40, 0x0E4E), (0x0E81, 0x0ECD), (0x1000, 0x103F), (0x1780, 0x17D3), (0x3005, 0x3007),
    (0x3041, 0x3096), (0x30A1, 0x30FA), (0x30FC, 0x30FE), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF), (0xFF66, 0xFF9D), (0x20000, 0x323AF),
)  # fmt: skip
CLASS = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in SCRIPTS)  # of a regular expression
MOST = 200_000  # characters of a body: with more a tsvector might pass its megabyte, and the article be refused
MOST_UNSPACED = 50_000

ROLE = """
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'news_reader') THEN
        CREATE ROLE news_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of the cluster has just made it
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'news_reader was not created: this user may not create roles';
END
$do$
"""

# A run of such a script as overlapping pairs of letters and its last letter alone; all else as it is. Each is written
# in ASCII (u6771u4eac), which every parser in every locale takes for one word.
BIGRAMS = """
CREATE FUNCTION news.bigrams(given text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $sql$
SELECT coalesce(string_agg(
    CASE WHEN NOT unspaced THEN letter
         WHEN next_unspaced THEN ' u' || to_hex(ascii(letter)) || 'u' || to_hex(ascii(next)) || ' '
         ELSE ' u' || to_hex(ascii(letter)) || ' ' END, '' ORDER BY place), '')
FROM (
    SELECT place, letter, unspaced, lead(letter) OVER w AS next, lead(unspaced) OVER w AS next_unspaced
    FROM (SELECT place, letter, {unspaced} AS unspaced
          FROM string_to_table(given, NULL) WITH ORDINALITY AS letters(letter, place)) AS told
    WINDOW w AS (ORDER BY place)
) AS paired
$sql$
"""
CODE = """
CREATE FUNCTION news.search_code(language text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT CASE WHEN split_part(language, '-', 1) = ANY (news.search_codes()) THEN split_part(language, '-', 1)
       ELSE 'simple' END
$sql$
"""
CODES = """
CREATE FUNCTION news.search_codes() RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT '{{{codes},simple}}'::text[]
$sql$
"""
CONFIGURATION = """
CREATE FUNCTION news.search_configuration(code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT CASE code {cases} ELSE 'pg_catalog.simple' END
$sql$
"""
WORDS = """
CREATE FUNCTION news.search_words(code text, given text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT CASE code
    {cases}
    ELSE CASE WHEN given ~ '[{letters}]'
         THEN to_tsvector('pg_catalog.simple', news.bigrams(left(given, {most_unspaced})))
         ELSE to_tsvector('pg_catalog.simple', given) END
    END
$sql$
"""
VECTOR = """
CREATE FUNCTION news.search_vector(language text, headline text, body text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT setweight(news.search_words(news.search_code(language), left(coalesce(headline, ''), {most})), 'A')
    || news.search_words(news.search_code(language), left(coalesce(body, ''), {most}))
$sql$
"""
# Within quotes a run becomes its pairs, outside a phrase of them. The last letter alone is left out where a pair ends
# with it already, since the word may go on in the article.
PHRASES = """
CREATE FUNCTION news.search_phrases(query text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $sql$
SELECT coalesce(string_agg(
    CASE WHEN mod(place, 2) = 0 THEN '"' || news.trimmed_bigrams(part) || '"' ELSE (
        SELECT coalesce(string_agg(
            CASE WHEN run[1] ~ '^[{letters}]' THEN '"' || news.trimmed_bigrams(run[1]) || '"' ELSE run[1] END,
            '' ORDER BY number), '')
        FROM regexp_matches(part, '[{letters}]+|[^{letters}]+', 'g') WITH ORDINALITY AS runs(run, number)
    ) END, ' ' ORDER BY place), '')
FROM unnest(string_to_array(query, '"')) WITH ORDINALITY AS parts(part, place)
$sql$
"""
TRIMMED = r"""
CREATE FUNCTION news.trimmed_bigrams(given text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $sql$
SELECT regexp_replace(news.bigrams(given), '(u[0-9a-f]+(u[0-9a-f]+))\s+\2\s*$', '\1')
$sql$
"""
# One letter alone stands for every pair that begins with it.
QUERY = r"""
CREATE FUNCTION news.search_query(language text, query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $sql$
SELECT CASE news.search_code(language)
    {cases}
    ELSE CASE WHEN query ~ '[{letters}]'
         THEN regexp_replace(websearch_to_tsquery('pg_catalog.simple', news.search_phrases(query))::text,
                             '''(u[0-9a-f]{{4,5}})''', '''\1'':*', 'g')::tsquery
         ELSE websearch_to_tsquery('pg_catalog.simple', query) END
    END
$sql$
"""
# What of an article answers a query, for people: plain text in which <b> and </b> mark the words.
EXCERPT = """
CREATE FUNCTION news.search_excerpt(language text, body text, query text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $sql$
SELECT CASE WHEN news.search_code(language) = 'simple' AND query ~ '[{letters}]' THEN (
    SELECT regexp_replace(
        substr(body, greatest(coalesce(min(nullif(strpos(lower(body), lower(term[1])), 0)), 1) - 40, 1), 160),
        '(' || string_agg(term[1], '|' ORDER BY length(term[1]) DESC) || ')', '<b>\\1</b>', 'gi')
    FROM regexp_matches(query, '[{letters}]+|[[:alnum:]]+', 'g') AS term
) ELSE ts_headline(news.search_configuration(news.search_code(language))::regconfig, left(body, 20000),
                   news.search_query(language, query),
                   'MaxFragments=2, MaxWords=20, MinWords=8, FragmentDelimiter=" … "') END
$sql$
"""


FOUND = """
CREATE TYPE news.found AS (article_id bigint, source text, url text, published_at timestamptz, language text,
    headline text, excerpt text, rank real)
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS news")
    op.execute(ROLE)
    for statement in _functions():
        op.get_bind().exec_driver_sql(statement)
    search = sa.Computed("news.search_vector(language, headline, body)", persisted=True)
    op.add_column("articles", sa.Column("search", postgresql.TSVECTOR(), search, nullable=True))
    op.create_index("ix_articles_search", "articles", ["search"], unique=False, postgresql_using="gin")


def _functions() -> list[str]:
    has = set(op.get_bind().execute(sa.text("SELECT cfgname FROM pg_ts_config")).scalars())
    known = {code: f"pg_catalog.{name}" for code, name in CONFIGURATIONS.items() if name in has}
    unspaced = " OR ".join(f"ascii(letter) BETWEEN {low} AND {high}" for low, high in SCRIPTS)
    return [
        BIGRAMS.format(unspaced=f"({unspaced})"),
        TRIMMED,
        CODES.format(codes=",".join(known)),
        CODE,
        CONFIGURATION.format(cases=_cases("'{name}'", known)),
        WORDS.format(cases=_cases("to_tsvector('{name}', given)", known), letters=CLASS, most_unspaced=MOST_UNSPACED),
        VECTOR.format(most=MOST),
        PHRASES.format(letters=CLASS),
        QUERY.format(cases=_cases("websearch_to_tsquery('{name}', query)", known), letters=CLASS),
        EXCERPT.format(letters=CLASS),
        FOUND,
    ]


def _cases(result: str, known: dict[str, str]) -> str:
    return "\n    ".join(f"WHEN '{code}' THEN {result.format(name=name)}" for code, name in known.items())
