"""The peer of bench/duplicates.py, in an environment of its own: datatrove's MinHash (14 x 8, 5-grams), four stages.

`python bench/datatrove_minhash.py PARQUET_FOLDER WORK_FOLDER TASKS` leaves the ids that it keeps in kept.txt there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers.jsonl import JsonlWriter


def main(posts: str, work: str, tasks: int) -> None:
    """Signatures, buckets, clusters, filter; then the ids of what is left."""
    config = MinhashConfig()

    def run(steps: list[object], tasks: int, name: str) -> None:
        LocalPipelineExecutor(steps, tasks=tasks, workers=min(2, tasks), logging_dir=f"{work}/logs/{name}").run()

    reader = ParquetReader(posts, text_key="text", id_key="post_id")
    run([reader, MinhashDedupSignature(f"{work}/signatures", config=config, language="eng")], tasks, "signatures")
    buckets = MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)
    run([buckets], config.num_buckets, "buckets")
    run([MinhashDedupCluster(f"{work}/buckets", f"{work}/removed", config=config)], 1, "clusters")
    run([reader, MinhashDedupFilter(f"{work}/removed"), JsonlWriter(f"{work}/kept", compression=None)], tasks, "filter")
    lines = (line for path in Path(work, "kept").glob("*") for line in path.open(encoding="utf-8"))
    Path(work, "kept.txt").write_text("\n".join(json.loads(line)["id"] for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
