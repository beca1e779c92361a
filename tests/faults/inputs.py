"""Input tables that are written, vacuumed or damaged between the pin and the commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from corpus.request import BuildRequest
from tests.faults.scene import Scene, Tried, completes, session, stops, when
from tests.faults.world import WORLD, as_arrow

WRITES: dict[str, Callable[[Path], object]] = {
    "appended to": lambda inputs: write_deltalake(inputs / "posts", later_posts(), mode="append"),
    "overwritten": lambda inputs: write_deltalake(inputs / "posts", later_posts(), mode="overwrite"),
    "deleted from": lambda inputs: DeltaTable(inputs / "profiles").delete("account_id <> 'a0'"),
}


def written(scene: Scene) -> Iterator[Tried]:
    """The pin holds, whoever writes and whenever: before the first row is read, and before the commit."""
    with session() as spark:
        for what, write in WRITES.items():
            request, inputs = harmed(scene, what)
            with when("pin", partial(write, inputs)):
                yield completes(scene, spark, request, f"an input {what} between pin and read")
        request, inputs = harmed(scene, "all")
        with when("commit_version", lambda: [write(inputs) for write in WRITES.values()]):
            yield completes(scene, spark, request, "all inputs written between judging and commit")


def vacuumed(scene: Scene) -> Iterator[Tried]:
    """A pinned version whose files are gone is named; with the same rows in a newer one the next build completes."""
    with session() as spark:
        request, inputs = harmed(scene, "vacuumed")
        with when("pin", partial(vacuum, inputs / "posts")):
            what = "an input vacuumed between pin and read"
            yield stops(scene, spark, request, what, "[posts]", "version 0", mend=lambda: None)


def vacuum(table: Path) -> None:
    """Writes the same rows again, and deletes the files of every version but this."""
    write_deltalake(table, DeltaTable(table).to_pyarrow_table(), mode="overwrite")
    DeltaTable(table).vacuum(0, dry_run=False, enforce_retention_duration=False)


def damaged(scene: Scene) -> Iterator[Tried]:
    """A file that is not what it was is refused by name; with the right one again the build completes."""
    with session() as spark:
        for what, damage in DAMAGES.items():
            request, inputs = harmed(scene, what)
            as_spark_writes(spark, inputs / "posts")
            kept = shutil.copytree(inputs / "posts", inputs / "kept")
            with when("pin", partial(damage, the_file(inputs / "posts"))):
                yield stops(
                    scene, spark, request, f"a file of the posts {what}", "posts", mend=partial(put_back, kept, inputs)
                )


def as_spark_writes(spark: SparkSession, table: Path) -> None:
    """The table as Spark writes it to an object store: with checksums in its pages, and none beside its files."""
    rows = spark.createDataFrame(DeltaTable(table).to_pyarrow_table())
    shutil.rmtree(table)
    rows.coalesce(1).write.format("delta").option("compression", "none").save(str(table))
    for beside in table.rglob(".*.crc"):
        beside.unlink()


def the_file(table: Path) -> Path:
    (file,) = table.glob("*.parquet")
    return file


def flip_text(file: Path) -> None:
    """One letter of one post's text is another."""
    content = file.read_bytes()
    assert content.count(b"tram number 7") == 1
    file.write_bytes(content.replace(b"tram number 7", b"trem number 7"))


def flip_footer(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for at in range(len(content) - 60, len(content) - 20):
        content[at] ^= 0xFF
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "with one letter changed": flip_text,
    "with a changed footer": flip_footer,
    "cut in half": truncate,
    "removed": Path.unlink,
}


def put_back(kept: Path, inputs: Path) -> None:
    shutil.rmtree(inputs / "posts")
    kept.rename(inputs / "posts")


def harmed(scene: Scene, what: str) -> tuple[BuildRequest, Path]:
    """A build with inputs of its own, and these."""
    return scene.request(what, with_inputs=True), scene.folder / f"{what} inputs"


def later_posts() -> Any:
    return as_arrow("posts", [WORLD["posts"][0] | {"post_id": "later", "text": "a tram that nobody has seen yet"}])
