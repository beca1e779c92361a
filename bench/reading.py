"""Times the commands that read, as whole processes, Python's start included: of the demo, or of many posts.

Run `make demo` first; then `python bench/reading.py [demo]`. Or, without it, `python bench/reading.py --posts 3e6`: it
writes two versions of an invented dataset of so many posts to .build/bench-reading, and keeps them for the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake

from corpus.demo import DATASET, who_left
from corpus.evidence.envelope import STATEMENT, sealed
from corpus.evidence.keys import make_signer
from corpus.evidence.store import statement_path, write_document
from corpus.reasons import Reason, mask_of
from corpus.versions import Version, literal, opened, select, versions

ROOT = Path(__file__).parent.parent
RUNS = 5
LIMITS = {"subject": 2.0, "diff": 5.0}
LIMIT_SECONDS = 1.0
FILES = 8
TABLES = ("members", "exclusions", "grounds", "objections")


def main(argv: list[str]) -> int:
    """Prints the median of a few runs of each command, and fails where one takes longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", nargs="?", type=Path, default=Path("demo"))
    parser.add_argument("--posts", type=float, default=0)
    asked = parser.parse_args(argv)
    warehouse = large(int(asked.posts)) if asked.posts else asked.demo / "warehouse"
    print(f"{'command':75} seconds (median of {RUNS}), and of a processor")
    is_slow = False
    for command in commands(warehouse):
        (taken, worked), limit = seconds(warehouse, command), LIMITS.get(command[0], LIMIT_SECONDS)
        is_slow |= taken >= limit
        said = f"corpus {' '.join(command):68} {taken:7.2f} {worked:7.2f}"
        print(said + "  too long" * (taken >= limit), flush=True)
    return int(is_slow)


def commands(warehouse: Path) -> list[list[str]]:
    """What people ask: about versions, about a post that left, about a person who left and one with many posts."""
    builds = [version for version in versions(warehouse, DATASET) if version.kind == "build"]
    before, after = builds[-2:]
    gone = who_left(warehouse, before, after)
    restricted, kept_by = ["--restricted", "--purpose", "bench"], most_posts(warehouse, after)
    return [
        ["--version"],
        ["log", DATASET],
        ["show", after.name],
        ["funnel", after.name],
        ["why", after.name, gone["post_id"], *restricted],
        ["why", DATASET, gone["post_id"], *restricted],
        ["subject", DATASET, gone["account_id"], *restricted],
        ["subject", DATASET, kept_by, *restricted],
        ["diff", f"{DATASET}@{before.number}..{after.number}"],
    ]


def most_posts(warehouse: Path, version: Version) -> str:
    """The account with most documents of a version."""
    sql = f"""SELECT account_id FROM m WHERE build_id = {literal(version.build_id)}
        GROUP BY account_id ORDER BY count(*) DESC, account_id LIMIT 1"""
    return str(select(opened(warehouse / DATASET, m="members"), DATASET, sql)[0]["account_id"])


def seconds(warehouse: Path, command: list[str]) -> tuple[float, float]:
    """How long a command takes from the shell, and how long it keeps a processor: the medians of a few runs."""
    runs = [_once(warehouse, command) for _ in range(RUNS)]
    return median(taken for taken, _ in runs), median(worked for _, worked in runs)


def _once(warehouse: Path, command: list[str]) -> tuple[float, float]:
    place = [] if command == ["--version"] else ["--warehouse", str(warehouse)]
    program = [str(Path(sys.executable).parent / "corpus"), *command, *place]
    started, before = time.perf_counter(), os.times()
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - started, worked


def large(posts: int) -> Path:
    """The warehouse with two versions of this many judged posts, a third of them left out; written once."""
    warehouse = ROOT / f".build/bench-reading/{posts}"
    if statement_path(warehouse / DATASET, 2).exists():
        return warehouse
    folder, random = warehouse / DATASET, np.random.default_rng(1)
    people = max(posts // 40, 1)
    author = (people * random.power(2.0, posts)).astype(np.int64)
    world = {
        "post_id": _names("p", np.arange(posts)),
        "account_id": _names("a", author),
        "doc_id": pa.array(np.frombuffer(random.bytes(16 * posts).hex().encode(), dtype="S32")).cast(pa.string()),
        "bucket": pa.array(author * 2654435761 % 2**32 >> 25, pa.int32()),
        "similarity": pa.nulls(posts, pa.float64()),
    }
    objected = np.zeros(people, dtype=bool)
    for number in (1, 2):
        objected |= random.random(people) < 0.01
        _write_version(folder, number, world, _reasons(objected[author]))
    return warehouse


def _names(letter: str, numbers: Any) -> pa.Array:
    return pc.binary_join_element_wise(letter, pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 10, "0"), "")


def _reasons(objected: Any) -> Any:
    """A bitmap for each post; the same third of them is left out in every version, and whatever people object to."""
    always = np.arange(len(objected)) % 3 == 0
    return np.where(always, mask_of([Reason.NOT_PUBLIC]), 0) | np.where(objected, mask_of([Reason.OBJECTED]), 0)


def _write_version(folder: Path, number: int, world: dict[str, Any], reasons: Any) -> None:
    build_id, is_in = f"build-{number}", reasons == 0
    table = pa.table(world).append_column("build_id", pa.array([build_id] * len(reasons)))
    first = np.where(reasons & mask_of([Reason.OBJECTED]), "OBJECTED", "NOT_PUBLIC")
    kept = table.filter(pa.array(is_in)).append_column("role", pa.array(["author"] * int(is_in.sum())))
    out = table.append_column("reasons", pa.array(reasons)).append_column("primary_reason", pa.array(first))
    out = out.append_column("kept_instead", pa.nulls(len(out), pa.string())).filter(pa.array(~is_in))
    _append(folder / "members", kept.select(["doc_id", "post_id", "account_id", "role", "bucket", "build_id"]))
    own = ["post_id", "account_id", "reasons", "primary_reason", "kept_instead", "similarity", "bucket", "build_id"]
    _append(folder / "exclusions", out.select(own))
    _append_registers(folder, out.filter(pc.equal(out["primary_reason"], "OBJECTED")), build_id)
    _append_documents(folder / "snapshot", kept, build_id)
    _state(folder, number, build_id, len(kept), len(out))


def _append(path: Path, rows: pa.Table) -> None:
    """Rows as builds lay them down: in order of bucket over a few files, and of an id inside."""
    rows = rows.sort_by([("bucket", "ascending"), (rows.column_names[0], "ascending")])
    for part in _parts(rows):
        write_deltalake(str(path), part, mode="append", partition_by=["build_id"])


def _parts(rows: pa.Table) -> Iterator[pa.Table]:
    size = len(rows) // FILES + 1
    yield from (rows.slice(at, size) for at in range(0, len(rows), size))


def _append_registers(folder: Path, objected: pa.Table, build_id: str) -> None:
    """An objection for each account that objected, and its ground."""
    who = pc.unique(objected["account_id"].combine_chunks())
    n, same = len(who), {"bucket": pa.array([0] * len(who), pa.int32()), "build_id": pa.array([build_id] * len(who))}
    when, ids = pa.nulls(n, pa.timestamp("us", "UTC")), pc.binary_join_element_wise("o-", who, "")
    said: dict[str, Any] = {"subject_kind": ["account"] * n, "subject_id": who, "reason": ["OBJECTED"] * n}
    said |= {"ground": ["objection"] * n, "ground_id": ids, "platform": pa.nulls(n, pa.string()), "since": when}
    _append(folder / "grounds", pa.table(said | {"until": when} | same))
    row: dict[str, Any] = {"objection_id": ids, "kind": ["object"] * n, "status": ["upheld"] * n}
    row |= {"subject_type": ["account"] * n, "received_at": when, "begin": when, "resolved_as": ["account"] * n}
    lists = pa.ListArray.from_arrays(pa.array(range(n + 1), pa.int32()), who)
    row |= {"tried": pa.array([["account"]] * n), "accounts": [1] * n, "account_ids": lists}
    _append(folder / "objections", pa.table(row | {"post_id": pa.nulls(n, pa.string())} | same))


def _append_documents(path: Path, kept: pa.Table, build_id: str) -> None:
    """The version itself, in one commit that names its build."""
    n, text = len(kept), pc.binary_join_element_wise("a post about rain, tea and trams, number ", kept["post_id"], "")
    said: dict[str, Any] = {
        "doc_id": kept["doc_id"],
        "text": text,
        "platform": ["facebook"] * n,
        "surface": ["post"] * n,
    }
    said |= {
        "lang": ["en-GB"] * n,
        "chars": pa.array([50] * n, pa.int32()),
        "copies": [1] * n,
        "bucket": kept["bucket"],
    }
    documents = pa.table(said | {"created_on": pa.array([20000] * n, pa.int32()).cast(pa.date32())})
    rows = documents.sort_by([("bucket", "ascending"), ("doc_id", "ascending")])
    if not path.exists():
        DeltaTable.create(str(path), rows.schema)
    commit = CommitProperties(custom_metadata={"userMetadata": json.dumps({"build_id": build_id, "intent": "0" * 64})})
    batches = pa.RecordBatchReader.from_batches(rows.schema, (b for part in _parts(rows) for b in part.to_batches()))
    write_deltalake(str(path), batches, mode="overwrite", commit_properties=commit, target_file_size=64 << 20)


def _state(folder: Path, number: int, build_id: str, kept: int, out: int) -> None:
    """A statement that says no more than reading needs, signed by a key that nobody keeps."""
    day, counts = f"2026-11-{number:02d}T00:00:00Z", {"OBJECTED": str(out // 30), "NOT_PUBLIC": str(out - out // 30)}
    funnel = {"posts": str(kept + out), "kept": str(kept), "excluded": str(out), "primary": counts, "any": counts}
    said = {"dataset": DATASET, "version": str(number), "build_id": build_id, "base_version": str(number - 1)}
    said |= {"cutoff": day, "now": day, "released_at": day, "inputs": [], "gates": [], "without_data": []}
    said |= {
        "policy": {"name": "bench", "digest": "a" * 64, "values": {}},
        "code": {"version": "0", "digest": "c" * 64},
    }
    said |= {"snapshot": {"rows": str(kept), "digest": "d" * 64}, "funnel": funnel}
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "urn:corpus:training-snapshot:v1"}
    key = folder.parent / f"{number}.ed25519.pem"
    signed = sealed(statement | {"subject": [], "predicate": said}, STATEMENT, make_signer(key))
    write_document(statement_path(folder, number), signed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
