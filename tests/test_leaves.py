"""The roots that an intent names are those of the leaves on disk, whatever files these lie in."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from corpus.errors import DatasetError
from corpus.evidence.leaves import require_trees

LEAVES = pa.schema([
    ("tree", pa.string()), ("index", pa.int64()), ("count", pa.int32()), ("tokens", pa.binary()),
    ("leaf", pa.binary()), ("build_id", pa.string()),
])  # fmt: skip


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there; over leaves that are hashed already."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256().digest()
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\1" + naive_root(hashes[:half]) + naive_root(hashes[half:])).digest()


def bucket(tree: str, index: int, build_id: str = "b1") -> dict[str, Any]:
    size = 64 if tree == "documents" else 32
    leaf = sha256(f"{tree} {index} {build_id}".encode()).digest()
    count = index % 3
    return {
        "tree": tree,
        "index": index,
        "count": count,
        "tokens": bytes(size * count),
        "leaf": leaf,
        "build_id": build_id,
    }


def said(rows: list[dict[str, Any]]) -> dict[str, str]:
    root = naive_root([row["leaf"] for row in rows])
    return {"root": root.hex(), "ids": str(sum(row["count"] for row in rows)), "buckets": str(len(rows))}


DOCUMENTS, PERSONS = ([bucket(tree, index) for index in range(n)] for tree, n in (("documents", 64), ("persons", 5)))
TREES = {"documents": said(DOCUMENTS), "persons": said(PERSONS)}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Leaves of two builds in two files each, backwards."""
    other = [bucket("documents", index, "b2") for index in range(8)]
    for rows in (DOCUMENTS[40:] + PERSONS, DOCUMENTS[:40], other):
        table = pa.Table.from_pylist(rows[::-1], LEAVES)
        write_deltalake(str(tmp_path / "leaves"), table, mode="append", partition_by=["build_id"])
    return tmp_path


def test_leaves_in_any_files_give_their_trees(dataset: Path) -> None:
    require_trees(dataset, "b1", TREES)


@pytest.mark.parametrize(
    "change",
    [
        {"leaf": sha256(b"another").digest()},
        {"count": 2},
        {"tokens": bytes(32)},
        {"index": 64},
        {"build_id": "b2"},
        {"tree": "persons"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_leaf_that_somebody_changed_is_noticed(dataset: Path, change: dict[str, Any]) -> None:
    table = DeltaTable(dataset / "leaves")
    table.delete("build_id = 'b1' AND tree = 'documents' AND \"index\" = 7")
    write_deltalake(str(dataset / "leaves"), pa.Table.from_pylist([DOCUMENTS[7] | change], LEAVES), mode="append")
    with pytest.raises(DatasetError, match="its documents tree"):
        require_trees(dataset, "b1", TREES)


def test_a_bucket_twice_is_noticed(dataset: Path) -> None:
    write_deltalake(str(dataset / "leaves"), pa.Table.from_pylist([DOCUMENTS[7]], LEAVES), mode="append")
    with pytest.raises(DatasetError, match="has no whole bucket 8"):
        require_trees(dataset, "b1", TREES)


def test_leaves_that_are_not_there_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="its documents tree is"):
        require_trees(tmp_path, "b1", TREES)
    require_trees(tmp_path, "b1", {"documents": said([]), "persons": said([])})
