"""Rows of an export for PyTorch: every worker of every rank reads shards of its own, and begins where it stopped.

    documents = Documents("shards", rank=0, ranks=2, batch_size=32)
    loader = DataLoader(documents, batch_size=32, num_workers=2, collate_fn=list)

It reads Parquet (`corpus export … --format parquet`) in the order of the manifest, which a seed shuffled. `begin` is
the number of batches that this rank has had: save it with the model, and give it, with the same workers, to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from torch.utils.data import IterableDataset, get_worker_info


class Documents(IterableDataset):
    """The rows of a rank's shards, as dictionaries."""

    def __init__(self, folder: str, rank: int, ranks: int, batch_size: int, begin: int = 0) -> None:
        self.folder, self.rank, self.ranks = Path(folder), rank, ranks
        self.batch_size, self.begin = batch_size, begin
        self.shards = json.loads((self.folder / "manifest.json").read_bytes())["shards"]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        own, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        number = (own + self.begin) % workers  # batches go round the workers: the first one now is whose turn it was
        if len(self.shards) % (self.ranks * workers):
            raise ValueError(
                f"{len(self.shards)} shards cannot be shared by {self.ranks} ranks of {workers} workers each."
            )
        had = (self.begin + workers - 1 - number) // workers * self.batch_size
        for shard in self.shards[self.rank * workers + number :: self.ranks * workers]:
            if had < shard["rows"]:
                yield from rows(self.folder / shard["name"], had)
            had = max(0, had - shard["rows"])


def rows(shard: Path, begin: int) -> Iterator[dict[str, Any]]:
    """The rows of a shard from this one on; row groups before it are not read."""
    with pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if begin < count:
                yield from file.read_row_group(group).slice(begin).to_pylist()
            begin = max(0, begin - count)
