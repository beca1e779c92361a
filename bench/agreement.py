"""Whether our tables and the opponent's files say the same."""

from __future__ import annotations

from pathlib import Path

import duckdb
from deltalake import DeltaTable

import by_hand

COMPARED = {
    "snapshot": "doc_id, text, platform, surface, lang, created_on, chars, copies, bucket",
    "members": "doc_id, post_id, account_id, role, bucket",
    "exclusions": "post_id, reasons, primary_reason, kept_instead, similarity, bucket",
}
"""Of a post_id that is repeated, whose author stands in the ledger is not said by the contract: it is not compared."""


def differences(dataset: Path, files: Path) -> dict[str, int]:
    """How many rows of each table only one of the two has."""
    with by_hand.opened(files / "spilled") as database:
        return {table: _different(database, dataset, files, table, names) for table, names in COMPARED.items()}


def _different(database: duckdb.DuckDBPyConnection, dataset: Path, files: Path, table: str, names: str) -> int:
    """How many rows of a table are on one side alone."""
    ours = [uri.removeprefix("file://") for uri in DeltaTable(str(dataset / table)).file_uris()]
    both = (ours, [str(files / f"{table}.parquet")])
    one_way = (
        f"SELECT count(*) FROM (SELECT {names} FROM read_parquet(?) EXCEPT ALL SELECT {names} FROM read_parquet(?))"
    )
    found = (database.execute(one_way, sides).fetchone() for sides in (both, both[::-1]))
    return sum(int(row[0]) for row in found if row)
