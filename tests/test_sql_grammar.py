"""Which SQL is run: queries over the dataset's tables as they were typed, and nothing that writes, opens or hides."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from deltalake import QueryBuilder

from corpus.errors import ConfigError
from corpus.sql.grammar import read_query
from corpus.sql.shell import split

DANGEROUS = [
    "COPY snapshot TO '{out}'",
    "COPY (SELECT 1) TO '{out}' STORED AS CSV",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT * FROM snapshot",
    "INSERT INTO snapshot VALUES (1)",
    "UPDATE snapshot SET text = ''",
    "DELETE FROM snapshot",
    "MERGE INTO snapshot USING versions ON true WHEN MATCHED THEN DELETE",
    "DROP TABLE snapshot",
    "ALTER TABLE snapshot ADD COLUMN x INT",
    "TRUNCATE TABLE snapshot",
    "SET datafusion.catalog.information_schema = true",
    "SHOW TABLES",
    "DESCRIBE snapshot",
    "EXPLAIN ANALYZE SELECT 1",
    "PREPARE p AS SELECT 1",
    "BEGIN",
    "SELECT 1; DROP TABLE snapshot",
    "SELECT 1; SELECT 2",
    "SELECT 1 /* ; */ ; COPY snapshot TO '{out}' --",
    "SELECT * INTO t FROM snapshot",
    "WITH t AS (INSERT INTO snapshot VALUES (1)) SELECT * FROM t",
    "SELECT * FROM (COPY snapshot TO '{out}')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM '{out}.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM snapshot, generate_series(1, 10)",
    "SELECT * FROM snapshot CROSS JOIN range(1, 10)",
    "SELECT * FROM unnest([1, 2])",
    "SELECT * FROM snapshot, LATERAL (SELECT 1)",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM datafusion.public.snapshot",
    "SELECT * FROM TABLE(snapshot)",
    "SELECT * FROM snapshot FOR UPDATE",
    "SELECT * FROM snapshot TABLESAMPLE (10 PERCENT)",
    "SELECT * FROM snapshot WITH ORDINALITY",
    "SELECT AS STRUCT 1 AS a FROM snapshot",
    "SELECT ? FROM snapshot",
    "SELECT $1, @a, :b",
    "WITH snapshot AS (SELECT 1) SELECT * FROM snapshot",
    "VALUES (1)",
    "x EXCEPT SELECT * FROM snapshot",
    "(x) UNION SELECT 1",
    "SELECT * FROM (snapshot)",
    "TABLE snapshot",
    "",
    ";",
    "-- nothing",
]
HARMLESS = """
SELECT a.doc_id FROM snapshot VERSION AS OF 3 AS a JOIN snapshot VERSION AS OF 4 AS b USING (doc_id)
SELECT platform, count(DISTINCT lang) FILTER(WHERE chars > 3) FROM snapshot GROUP BY platform HAVING count(*) > 1
SELECT * FROM snapshot ORDER BY chars DESC NULLS LAST, doc_id NULLS FIRST LIMIT 3 OFFSET 1
SELECT rank() OVER (PARTITION BY platform ORDER BY chars DESC) AS n FROM snapshot QUALIFY n = 1
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT max(i) FROM n
SELECT 1 UNION ALL SELECT 2 EXCEPT SELECT 3
SELECT a FROM (VALUES (1), (2)) AS t(a)
(SELECT 1) UNION (SELECT 2)
SELECT string_agg(platform, ',' ORDER BY platform), to_hex(7 % 4), median(chars), random() < 2 FROM snapshot
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY chars) FROM snapshot
SELECT CAST(created_on AS TEXT), EXTRACT(YEAR FROM created_on), date_trunc('month', created_on) FROM snapshot
SELECT SUBSTRING(text, 1, 3), text LIKE '%it''s%', text ILIKE 'a\\_%' ESCAPE '\\' FROM snapshot
SELECT * EXCEPT (text) FROM snapshot AS s WHERE NOT EXISTS(SELECT 1 FROM versions WHERE number = s.bucket)
SELECT [1, 2][1], INTERVAL '1' DAY, CASE WHEN TRUE THEN NULL ELSE 'x' END
SELECT first, rows FROM funnel, versions WHERE number = version AND "reason" IN ('OBJECTED')
SELECT platform, surface, count(*) FROM snapshot GROUP BY GROUPING SETS ((platform), (surface))
"""


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_is_no_query_over_our_tables_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_query(text)


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_a_query_is_run_as_it_was_typed(text: str) -> None:
    ran = read_query(text).sql()
    assert ran == text.replace("snapshot VERSION AS OF 3", '"snapshot@3"').replace(
        "snapshot VERSION AS OF 4", '"snapshot@4"'
    )
    if "VERSION" not in text:
        assert read_query(ran).sql() == ran


def test_comments_are_not_run() -> None:
    assert read_query("SELECT /* ; COPY */ 1 -- '\n, 2 /*! x */").sql() == "SELECT 1, 2"


def test_a_function_keeps_its_name_and_none_that_the_engine_has_can_reach_out() -> None:
    """A new engine may bring functions that read files: then this list changes, and somebody looks at it."""
    engine = QueryBuilder({"datafusion.catalog.information_schema": "true"})
    found = engine.execute("SELECT DISTINCT routine_name FROM information_schema.routines").read_all()
    names = sorted(found["routine_name"].to_pylist())
    for name in names:
        arguments = {"extract": "YEAR FROM a", "substring": "a, 1", "trim": "a"}.get(name, "a, b")
        text = f"SELECT {name}({arguments})"
        assert read_query(text).sql().casefold() == text.casefold()
    outward = [name for name in names if any(word in name for word in ("file", "read", "url", "http", "path", "env"))]
    assert outward == ["file_row_index", "input_file_name"]


def _mutated(rng: random.Random, text: str) -> str:
    """The text with other case, white space, comments, quotes and pieces of others: harmful still, or nonsense."""
    pieces = text.split(" ")
    for _ in range(rng.randrange(1, 5)):
        spot = rng.randrange(len(pieces))
        other = rng.choice(DANGEROUS).split(" ")
        change = rng.randrange(8)
        if change == 0:
            pieces[spot] = "".join(rng.choice((c.lower(), c.upper())) for c in pieces[spot])
        elif change == 1:
            pieces.insert(spot, rng.choice(["/**/", "/* ' */", "--\n", "\n\t", "\u00a0", "/*/**/*/", "\x00", "\ufeff"]))
        elif change == 2:
            pieces.insert(spot, rng.choice(["(", ")", "'", '"', "`", ";", "$$", "\\", "E'", "@", "#", "--", "/*"]))
        elif change == 3:
            pieces[spot:spot] = other[: rng.randrange(len(other) + 1)]
        elif change == 4:
            pieces = ["SELECT", "1;", *pieces]
        elif change == 5:
            pieces = ["WITH", "x", "AS", "(", *pieces, ")", "SELECT", "*", "FROM", "x"]
        elif change == 6:
            pieces = ["SELECT", "*", "FROM", "(", *pieces, ")"]
        else:
            pieces = [*pieces, rng.choice(["UNION", "EXCEPT"]), "SELECT", "*", "FROM", "snapshot"]
    return " ".join(pieces)


def test_what_passes_of_mutated_statements_is_a_query_that_the_engine_can_only_answer(tmp_path: Path) -> None:
    rng, out, passed = random.Random(20261124), tmp_path / "out", 0
    tables = QueryBuilder()
    for number in range(1500):
        text = _mutated(rng, DANGEROUS[number % len(DANGEROUS)]).replace("{out}", str(out))
        try:
            query = read_query(text)
        except ConfigError:
            continue
        passed += 1
        ran = query.sql()
        assert ran.lstrip("( ").startswith(("SELECT", "WITH")), text
        assert read_query(ran.replace('"snapshot@', '"')).sql()
        try:
            tables.execute(ran).read_all()
        except Exception:
            continue
    assert passed > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("select * from snapshots", "no table snapshots (did you mean 'snapshot'?)"),
        ("select 1\nfrom members", "members names people"),
        ("select 1\n  from mmebers", "line 2, column 8"),
        ("select *\nfrom snapshot where", "near 'where' (line 2"),
        ("drop table snapshot", "begins with DROP"),
        ("select 'abc", "not closed"),
        ("select " + "(" * 5000, "nested too deeply"),
        ("select " + "1 + (" * 150 + "1" + ")" * 150, "nested too deeply"),
        ("select " + "1 " * 600_000, "1,200,007 characters"),
        ("select 1; select 2", "there are 2 statements"),
        ("select * from versions version as of 3", "Only snapshot has versions"),
        ("select * from snapshot timestamp as of '2026-11-01'", "Only snapshot has versions"),
        ("select * from snapshot version as of 1.5", "Only snapshot has versions"),
    ],
)
def test_a_mistake_is_told_in_a_sentence_with_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_query(text)
    assert sentence in str(told.value)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1", ""]),
        ("select ';'; select 2; sel", ["select ';'", " select 2", " sel"]),
        ("select 'a;", ["select 'a;"]),
        ("select 1 -- ;\n;", ["select 1 -- ;\n", ""]),
        (";;", [""]),
    ],
)
def test_a_text_is_split_at_semicolons_that_end_a_query(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces
