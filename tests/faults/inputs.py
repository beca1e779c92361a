"""Input tables that are written, vacuumed or damaged between the pin and the commit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from corpus.request import BuildRequest
from tests.faults.scene import Scene, Strike, Tried, completes, session, stops, when
from tests.faults.world import WORLD
from tests.small_inputs import as_arrow


def written(scene: Scene) -> Iterator[Tried]:
    """The pin holds, whoever writes and whenever: before the first row is read, and before the commit."""
    with session() as spark:
        for moment, what in (("pin", "between pin and read"), ("commit_version", "between judging and commit")):
            request, inputs = harmed(scene, what)
            with when(moment, partial(write, inputs)):
                yield completes(scene, spark, request, f"inputs appended to, deleted from and overwritten {what}")


def write(inputs: Path) -> None:
    """Three versions more of the posts, two of the profiles and the objections."""
    later = WORLD["posts"][0] | {"post_id": "later", "text": "a tram that nobody has seen yet"}
    write_deltalake(inputs / "posts", as_arrow("posts", [later]), mode="append")
    write_deltalake(inputs / "objections", as_arrow("objections", WORLD["objections"]), mode="append")
    DeltaTable(inputs / "posts").delete("account_id = 'a2'")
    DeltaTable(inputs / "profiles").delete("account_id <> 'a0'")
    write_deltalake(inputs / "posts", as_arrow("posts", [later]), mode="overwrite")


def vacuumed(scene: Scene) -> Iterator[Tried]:
    """A pinned version whose files are gone is named; with the same rows in a newer one the next build completes."""
    with session() as spark:
        request, inputs = harmed(scene, "vacuumed")
        what = "an input vacuumed between pin and read"
        yield from stops(scene, spark, request, Strike(what, "pin", partial(vacuum, inputs / "posts"), "is gone"))


def vacuum(table: Path) -> None:
    """Writes the same rows again, and deletes the files of every version but this."""
    write_deltalake(table, DeltaTable(table).to_pyarrow_table(), mode="overwrite")
    DeltaTable(table).vacuum(0, dry_run=False, enforce_retention_duration=False)


def damaged(scene: Scene) -> Iterator[Tried]:
    """A file that is not what it was is refused by name; with the right one again the build completes."""
    with session() as spark:
        request, inputs = harmed(scene, "damaged")
        as_spark_writes(spark, inputs / "posts")
        file = the_file(inputs / "posts")
        kept = file.read_bytes()
        strikes = [
            Strike(f"a file of the posts {what}", "pin", partial(damage, file), says, partial(file.write_bytes, kept))
            for what, (damage, says) in DAMAGES.items()
        ]
        yield from stops(scene, spark, request, *strikes)


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


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "with one letter changed": (flip_text, "is damaged"),
    "with a changed footer": (flip_footer, "is damaged"),
    "cut in half": (truncate, "is damaged"),
    "removed": (Path.unlink, "is gone"),
}


def harmed(scene: Scene, what: str) -> tuple[BuildRequest, Path]:
    """A build with inputs of its own, and these."""
    return scene.request(what, with_inputs=True), scene.folder / f"{what} inputs"
