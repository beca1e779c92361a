"""The opponent: one DuckDB program that judges, deduplicates and writes by the same rules, from Parquet to Parquet."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

import duckdb
from deltalake import DeltaTable

from corpus.dataset_key import BLOCK, INNER_PAD, OUTER_PAD
from corpus.reasons import in_order
from corpus.schemas import input_columns

HERE = Path(__file__).parent
INPUTS = ("posts", "profiles", "objections", "links", "notices", "requests")
OUTPUTS = ("snapshot", "members", "exclusions")
SETTINGS: dict[str, Any] = {"threads": 2, "memory_limit": "8GB", "autoinstall_known_extensions": "false"}


def as_parquet(world: Path) -> Path:
    """The inputs of a world as DuckDB writes them, one file each; made once."""
    folder = world / "parquet"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with opened(folder / "spilled") as database:
            for table in INPUTS:
                files = [uri.removeprefix("file://") for uri in DeltaTable(str(world / table)).file_uris()]
                columns = ", ".join(
                    f"timezone('UTC', {c.name}) AS {c.name}" if c.type == "TIMESTAMP" else c.name
                    for c in input_columns(table)
                )
                database.execute(
                    f"COPY (SELECT {columns} FROM read_parquet(?)) TO '{folder / table}.parquet' (FORMAT parquet)",
                    [files],
                )
        (folder / "done").touch()
    return folder


def run(inputs: Path, out: Path, cutoff: datetime, key: bytes, bits: int, *, in_order_of_buckets: bool) -> None:
    """Writes snapshot, members and exclusions as one Parquet file each, in any order or in that of our tables."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    padded = key.ljust(BLOCK, b"\0")
    values = {table: str(inputs / f"{table}.parquet") for table in INPUTS} | {
        "cutoff": cutoff.isoformat(),
        "key_inner": bytes(byte ^ INNER_PAD for byte in padded),
        "key_outer": bytes(byte ^ OUTER_PAD for byte in padded),
        "bits": bits,
        "reasons": [reason.name for reason in in_order()],
    }
    order = {f"order_of_{id_}": f"ORDER BY bucket, {id_}_id" if in_order_of_buckets else "" for id_ in ("doc", "post")}
    with opened(out / "spilled") as database:
        for name, value in values.items():
            database.execute(f"SET VARIABLE {name} = ?", [value])
        database.execute(Template((HERE / "by_hand.sql").read_text(encoding="utf-8")).substitute(out=out, **order))


def opened(spill: Path) -> duckdb.DuckDBPyConnection:
    """An empty database in memory, on two cores."""
    database = duckdb.connect(config=SETTINGS | {"temp_directory": str(spill)})
    database.execute("SET TimeZone = 'UTC'")
    return database
