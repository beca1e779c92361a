"""The two trees of a version, checked against their leaves as they lie on disk: no key and no Spark is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, QueryBuilder

from corpus.errors import DatasetError
from corpus_verify.ids import LEAF_BYTES, TREES
from corpus_verify.merkle import root_of

SIZES = {TREES[kind]: size for kind, size in LEAF_BYTES.items()}


def require_trees(dataset: Path, build_id: str, trees: dict[str, Any]) -> None:
    """Raises DatasetError unless the leaves of a build give the roots and the counts that its intent names."""
    for tree, said in trees.items():
        counted = [0]
        root = root_of(_hashes(dataset, build_id, tree, counted))
        found = {"root": root.hex(), "ids": str(sum(counted)), "buckets": str(len(counted) - 1)}
        if found != said:
            raise DatasetError(f"its {tree} tree is {found} by leaves/; its intent says {said}: somebody changed it.")


def _hashes(dataset: Path, build_id: str, tree: str, counted: list[int]) -> Iterator[bytes]:
    """The leaf hashes of a tree in order; adds each bucket's count to `counted`."""
    for row in _rows(dataset, build_id, tree):
        index, count, size, leaf = (row[name] for name in ("index", "count", "size", "leaf"))
        if index != len(counted) - 1 or size != count * SIZES[tree]:
            raise DatasetError(f"its {tree} tree has no whole bucket {len(counted) - 1}: somebody changed leaves/.")
        counted.append(count)
        yield leaf


def _rows(dataset: Path, build_id: str, tree: str) -> Iterator[dict[str, Any]]:
    """A build's rows of one tree in order, in batches; none where there is no such table. Raises DatasetError."""
    table, names = dataset / "leaves", ("index", "count", "size", "leaf")
    if not (table / "_delta_log").is_dir():
        return
    size = "octet_length(encode(tokens, 'hex')) / 2"  # there is none of a binary
    of_tree = f"build_id = '{build_id}' AND tree = '{tree}'"
    sql = f'SELECT "index", "count", {size} AS size, leaf FROM l WHERE {of_tree} ORDER BY "index"'  # noqa: S608 (ids of our own)
    try:
        for batch in QueryBuilder().register("l", DeltaTable(table)).execute(sql):
            columns = [batch[name].to_pylist() for name in names]
            yield from (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    except Exception as broken:  # deltalake raises bare Exception for a missing or broken file
        raise DatasetError(f"its leaves/ cannot be read: {broken}") from None
