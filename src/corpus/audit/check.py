"""A version compared with what follows from its inputs: who is in and should not be, who is out, and why."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from corpus.audit.engine import Given, database, judge_all, read_step
from corpus.audit.pinned import Row, Spark, pinned_tables, policy_of
from corpus.errors import AuditFailed, DatasetError
from corpus.progress import step
from corpus.reasons import Group, Reason, mask_of, reasons_in
from corpus.versions import Version, build_at, versions

EXAMPLES = 20
KINDS = {
    "IN_SHOULD_BE_OUT": "in the snapshot, and should be out",
    "OUT_SHOULD_BE_IN": "left out, and should be in",
    "REASONS_DIFFER": "left out for other reasons, or for another kept post",
    "NOT_ACCOUNTED_FOR": "in the inputs, and neither in the snapshot nor in the ledger",
    "NOT_IN_THE_INPUTS": "in the snapshot or the ledger, and not in the inputs",
    "IN_AND_OUT": "both in the snapshot and in the ledger",
    "DOCUMENT_UNRECORDED": "a document without its one author in members/, or the reverse",
}


@dataclass(frozen=True)
class Difference:
    """A post on which the build and the audit differ; what is None one of them does not know."""

    kind: str
    post_id: str | None
    claimed: list[str] | None
    derived: list[str] | None
    claimed_instead: str | None
    derived_instead: str | None


@dataclass(frozen=True)
class Audit:
    """What an audit found: how many posts it judged, how many differ by kind, and examples of each kind."""

    version: str
    posts: int
    kept: int
    differences: dict[str, int]
    examples: list[Difference]

    def require_none(self) -> None:
        """Raises AuditFailed if anything differs."""
        if total := sum(self.differences.values()):
            found = ", ".join(f"{n} {KINDS[kind]}" for kind, n in self.differences.items() if n)
            raise AuditFailed(
                f"{self.version} is not what its inputs and its policy give: {total} differences ({found}). Do not "
                "use this version before somebody has looked at the examples: either path may be wrong."
            )


def audit(warehouse: Path, dataset: str, number: int, open_spark: Spark, memory: str = "4GB") -> Audit:
    """Derives every verdict of a version again, from the inputs that its statement pins. Raises DatasetError."""
    version = build_at(versions(warehouse, dataset), number)
    if version.statement is None:
        raise DatasetError(f"{version.name} has no statement: its build was cut short. Run the build again to seal it.")
    with tempfile.TemporaryDirectory(prefix="corpus-audit-") as folder, database(memory) as opened:
        with step("opening the inputs at their pinned versions"):
            tables = pinned_tables(version.predicate, open_spark, Path(folder))
        _add_claims(opened, warehouse / dataset, version)
        cutoff = datetime.fromisoformat(version.predicate["cutoff"])
        ledger = opened.sql("SELECT post_id, reasons, kept_instead, similarity FROM outside").to_arrow_table()
        with step("judging every post a second time"):
            judge_all(opened, Given(tables, policy_of(version.predicate), cutoff, ledger=ledger))
        with step("comparing"):
            return _compared(opened, version)


def _add_claims(opened: duckdb.DuckDBPyConnection, folder: Path, version: Version) -> None:
    """What the build said, as tables; the rows of other builds are not read."""
    mine = ds.field("build_id") == version.build_id
    for name in ("exclusions", "members"):
        opened.register(f"their_{name}", DeltaTable(folder / name).to_pyarrow_dataset().filter(mine))
    opened.register("document", DeltaTable(folder / "snapshot", version=version.number).to_pyarrow_dataset())
    opened.execute("CREATE TABLE outside AS SELECT post_id, reasons, kept_instead, similarity FROM their_exclusions")
    opened.execute("CREATE TABLE inside AS SELECT doc_id, post_id FROM their_members WHERE role = 'author'")


def _compared(opened: duckdb.DuckDBPyConnection, version: Version) -> Audit:
    people = mask_of(reason for reason in Reason if reason.group is not Group.DATASET)
    opened.register("mask", pa.table({"people_mask": [people]}))
    opened.execute(read_step("compare"))
    counts = dict(opened.sql("SELECT kind, count(*) FROM difference GROUP BY kind").fetchall())
    posts, kept = opened.sql("SELECT count(*), count(*) FILTER (reasons = 0) FROM result").fetchall()[0]
    some = opened.execute(
        "FROM difference QUALIFY row_number() OVER (PARTITION BY kind ORDER BY post_id) <= $n ORDER BY kind, post_id",
        {"n": EXAMPLES},
    ).fetchall()
    found = {kind: counts.get(kind, 0) for kind in KINDS}
    examples = [_difference(*row) for row in some]
    return Audit(version.name, posts, kept, found, examples)


def _difference(kind: str, post_id: str | None, claimed: int | None, derived: int | None, *instead: Any) -> Difference:
    return Difference(kind, post_id, _names(claimed), _names(derived), *instead)


def _names(mask: int | None) -> list[str] | None:
    return None if mask is None else [reason.name for reason in reasons_in(mask)]


def as_row(difference: Difference) -> Row:
    """A difference as a line of a table: what the build said, and what follows from its inputs."""
    sides = {
        "the build": (difference.claimed, difference.claimed_instead),
        "the audit": (difference.derived, difference.derived_instead),
    }
    return {"kind": difference.kind, "post": difference.post_id} | {side: _said(*said) for side, said in sides.items()}


def _said(reasons: list[str] | None, instead: str | None) -> str:
    names = "-" if reasons is None else " ".join(reasons) or "in"
    return f"{names} (kept {instead})" if instead else names
