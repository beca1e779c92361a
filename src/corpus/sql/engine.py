"""The process that answers one query: reads what is asked from stdin, writes columns of Arrow to stdout.

It may hold so much memory, and ends as soon as whoever asked is gone. Mistakes it tells on stderr and by its exit code.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pyarrow as pa

from corpus.errors import ConfigError, CorpusError, DatasetError, nearest
from corpus.sql.grammar import Query, read_query
from corpus.sql.tables import funnel_sql, versions_sql
from corpus.versions import Version, build_at, newest, opened, versions

CANNOT = 70
"""The exit code for what is nobody's mistake."""


def main() -> int:
    """Answers the request on stdin."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    with suppress(ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (asked["memory"], asked["memory"]))
    try:
        _write(answer(Path(asked["warehouse"]), asked["dataset"], asked["number"], asked["sql"], asked["rows"]))
    except CorpusError as mistake:
        print(mistake, file=sys.stderr)
        return mistake.exit_code
    return 0


def _end_with_the_asker() -> None:
    sys.stdin.read()
    os._exit(CANNOT)


def _write(batches: Iterator[pa.RecordBatch]) -> None:
    first = next(batches)
    with pa.ipc.new_stream(sys.stdout.buffer, first.schema) as sink:
        for batch in chain([first], batches):
            sink.write_batch(batch)


def answer(warehouse: Path, dataset: str, number: int | None, text: str, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of a query over a dataset, at most so many if not 0; first of all none, which tells the columns.

    Raises ConfigError for what the query gets wrong, DatasetError for a version that is not there.
    """
    query, known = read_query(text), versions(warehouse, dataset)
    asked = newest(known) if number is None else build_at(known, number)
    engine = opened(warehouse / dataset, snapshot=("snapshot", asked.number), **_others(query, known))
    try:
        found = pa.RecordBatchReader.from_stream(engine.execute(_with_ours(query, known, rows)))
        said = {"snapshot": asked.name} if "snapshot" in query.tables else {}
        schema = pa.schema([pa.field(field.name, _plain(field.type)) for field in found.schema], metadata=said)
        yield pa.RecordBatch.from_pylist([], schema)
        for batch in found:
            yield batch.cast(schema, safe=False)
    except GeneratorExit:
        raise
    except BaseException as wrong:  # the engine's are bare Exceptions, and its panics not even those
        raise told(str(wrong), query) from None


def _others(query: Query, known: list[Version]) -> dict[str, tuple[str, int]]:
    """The versions that the query names itself, under the names that they have in it."""
    return {f"snapshot@{number}": ("snapshot", build_at(known, number).number) for number in query.versions}


def _with_ours(query: Query, known: list[Version], rows: int) -> str:
    """The query as it is run, with those of our own tables that it reads put before it."""
    ours = {"versions": versions_sql, "funnel": funnel_sql}
    before = ", ".join(f"{name} AS ({sql(known)})" for name, sql in ours.items() if name in query.tables)
    sql = query.sql(rows)
    if not before:
        return sql
    start = next((start for start in ("WITH RECURSIVE ", "WITH ") if sql.startswith(start)), "")
    return f"{start or 'WITH '}{before}{', ' if start else ' '}{sql.removeprefix(start)}"


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type in which Python has a value for it: its clocks know no billionths of a second."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in kind])
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us") if pa.types.is_duration(kind) else kind


def told(wrong: str, query: Query) -> CorpusError:
    """What the engine has against a query, as a sentence with the place."""
    if re.search("Object Store error|Parquet error", wrong):
        said = wrong.rpartition("Object Store error: ")[2]
        return DatasetError(f"A file is missing or damaged, `corpus verify` says which else: {said}")
    if found := re.search("duplicate qualified field name ([^.]+)", wrong):
        return ConfigError(f"Two tables are called {found[1]} here: give one another name, as {found[1]} AS other.")
    if found := re.search(r"No field named (\S+?)\.?(?:\s|$)", wrong):
        name = found[1].replace('"', "").rpartition(".")[2]
        valid = re.search(r"Valid fields are (.+?)\.?$", wrong, re.DOTALL)
        columns = [field.replace('"', "").rpartition(".")[2] for field in valid[1].split(", ")] if valid else []
        there = f"; there are {', '.join(dict.fromkeys(columns))}" if columns else ""
        return ConfigError(f"There is no column {name}{nearest(name, columns)}{query.place_of(name)}{there}.")
    if found := re.search(r"Invalid function '(.+?)'\.(?:\s+Did you mean ('.+?')\?)?", wrong):
        hint = nearest(found[1], _COMMON) or (f" (did you mean {found[2]}?)" if found[2] else "")
        return ConfigError(f"There is no function {found[1]}{hint}{query.place_of(found[1])}.")
    if found := re.search(r"No function matches the given name and argument types '(.+?)'", wrong):
        return ConfigError(f"No function takes this: {found[1]}{query.place_of(found[1].partition('(')[0])}.")
    said = wrong.rpartition("caused by\n")[2].strip()
    return ConfigError(f"The query cannot be answered: {re.sub(_KIND, '', said)}")


_COMMON = ("count", "sum", "avg", "min", "max", "median", "length", "lower", "upper", "round", "coalesce", "date_trunc")
"""Functions that people mean, before the engine's own guess among three hundred."""
_KIND = re.compile(r"^((External|Arrow|Schema|SQL|DataFusion|Execution) error: |Error during planning: )+")

if __name__ == "__main__":
    sys.exit(main())
