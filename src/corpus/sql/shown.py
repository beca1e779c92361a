"""How the answer to a query looks: a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from itertools import islice
from math import isfinite
from typing import Any

import pyarrow as pa

from corpus.render import aligned, clean
from corpus.sql.answers import Answer

CELL = 60
"""Characters of a value in a table; in a record, where a row does not fit, VALUE of them."""
VALUE = 1000
MOST_COLUMNS = 100
PAGE = 1000
"""Rows under one header."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet compute a cell; a text that begins so gets an apostrophe before it."""


def rows_of(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """The rows of an answer as Python has them, one by one."""
    for batch in answer.batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def names_of(schema: pa.Schema) -> list[str]:
    """The names of the columns, each once: a second `doc_id` is doc_id_2.

    >>> names_of(pa.schema([("a", pa.int8()), ("a_2", pa.int8()), ("a", pa.int8())]))
    ['a', 'a_2', 'a_3']
    """
    times: Counter[str] = Counter()
    names: dict[str, None] = {}
    for name in schema.names:
        times[name] += 1
        while (each := name if times[name] == 1 else f"{name}_{times[name]}") in names:
            times[name] += 1
        names[each] = None
    return list(names)


def as_table(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> int:
    """Prints the rows under their names, or as records where they are too wide, and returns how many there were."""
    names, right, shown, rest = names_of(schema), [_is_number(kind) for kind in schema.types], 0, iter(rows)
    while (page := [[_cell(value) for value in row] for row in islice(rest, PAGE)]) or not shown:
        lines = _lines(list(map(clean, names)), page, right)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        shown += len(page)
        if len(page) < PAGE:
            break
    return shown


def _lines(names: list[str], page: list[list[str]], right: list[bool]) -> Iterable[str]:
    if len(names) <= MOST_COLUMNS:
        table = [[_cut(cell, CELL) for cell in row] for row in [names, *page]]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        if not sys.stdout.isatty() or sum(widths) + 2 * len(widths) <= shutil.get_terminal_size().columns:
            return aligned([table[0], ["-" * width for width in widths], *table[1:]], right)
    return _records(names, page)


def _records(names: list[str], page: list[list[str]]) -> Iterator[str]:
    """A line for each value, under the number of its row."""
    widest = min(max(map(len, names[:MOST_COLUMNS])), CELL)
    for number, row in enumerate(page, 1):
        yield f"-- {number}"
        for name, cell in list(zip(names, row, strict=True))[:MOST_COLUMNS]:
            yield f"{_cut(name, CELL).ljust(widest)}  {_cut(cell, VALUE)}"
        if len(names) > MOST_COLUMNS:
            yield f"… and {len(names) - MOST_COLUMNS:,} more columns: name those to be shown, or take --csv or --json"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cell(value: Any) -> str:
    """A value on one line, harmless; nulls are told from texts without a letter."""
    return "NULL" if value is None else clean(value) if isinstance(value, str) else clean(_text(value))


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def as_csv(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> int:
    """Writes CSV and returns how many rows there were; a null is empty, and no text is a formula."""
    to_terminal, shown = sys.stdout.isatty(), 0
    sheet = csv.writer(sys.stdout, lineterminator="\n")
    sheet.writerow([_field(name, to_terminal) for name in names_of(schema)])
    for shown, row in enumerate(rows, 1):  # noqa: B007 (counted)
        sheet.writerow([_field(value, to_terminal) for value in row])
    return shown


def _field(value: Any, to_terminal: bool) -> str:
    text = "" if value is None else value if isinstance(value, str) else _text(value)
    guarded = f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
    return clean(guarded) if to_terminal else guarded


def as_json(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> int:
    """Writes a list of objects in ASCII, a line for each row, and returns how many there were."""
    names, shown = names_of(schema), 0
    for shown, row in enumerate(rows, 1):
        print("[" if shown == 1 else ",", json.dumps(dict(zip(names, map(_plain, row), strict=True))))
    print("]" if shown else "[]")
    return shown


def _plain(value: Any) -> Any:
    """The value as JSON has it: times, decimals and what is no number as text, bytes in hex."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    return value if isinstance(value, str | int | float | None) else str(value)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
