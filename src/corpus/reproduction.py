"""A version built again from what its statement pins, in a scratch place, and compared with what was released."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus import snapshot, tables
from corpus.audit.pinned import policy_of
from corpus.cluster import require_shared
from corpus.config import validated
from corpus.dataset_key import read_own_key, snapshot_key
from corpus.errors import AuditFailed, ConfigError, DatasetError, SourceError
from corpus.evidence.statement import code_identity
from corpus.evidence.trees import leaves_of, trees_of
from corpus.mapping import reading
from corpus.pipeline import judge
from corpus.policy import Clock
from corpus.progress import step
from corpus.reasons import reasons_in
from corpus.rereading import inputs_of_version, pin_of
from corpus.schemas import SNAPSHOT, columns
from corpus.sources import Source, read_table
from corpus.versions import Version, build_at, versions

EXAMPLES = 20
Trees = dict[str, dict[str, str]]
SIDES = {
    "ONLY_RELEASED": "in the version, and not when it is built again",
    "ONLY_REBUILT": "in when it is built again, and not in the version",
    "CHANGED": "in both, with other values",
}


@dataclass(frozen=True)
class Difference:
    """A document that only one of the two has, or that has other values; the reasons that keep it out of the other."""

    side: str
    doc_id: str
    post_id: str | None
    reasons: list[str]


@dataclass(frozen=True)
class Reproduction:
    """What a version states, what building it again gives, and what its table holds: three digests of its rows.

    `trees_stated` and `trees_rebuilt` say the trees of its posts and persons, as the statement does. `same_code` says
    whether the code that built it is the one that built it again. `differences` counts documents by side, and
    `examples` names the first of each.
    """

    version: str
    rows: int
    stated: str
    rebuilt: str
    released: str
    same_code: bool
    code: str
    differences: dict[str, int]
    examples: list[Difference]
    trees_stated: Trees
    trees_rebuilt: Trees

    @property
    def is_identical(self) -> bool:
        """Whether rows and trees built again are those that were stated, and the rows those that were released."""
        return self.stated == self.rebuilt == self.released and self.trees_stated == self.trees_rebuilt

    def require_identical(self) -> None:
        """Raises AuditFailed if the version is not what building it again gives."""
        if self.is_identical:
            return
        found = ", ".join(f"{n:,} {SIDES[side]}" for side, n in self.differences.items() if n)
        raise AuditFailed(f"{self.version} was not reproduced: {found or self._digests()}. {self._because()}")

    def _digests(self) -> str:
        what = "another" if self.stated != self.rebuilt or self.stated != self.released else "the same"
        return f"its statement gives the row digest {self.stated[:12]}…, its table and the rebuilt rows {what}"

    def _because(self) -> str:
        if self.stated == self.rebuilt == self.released:
            differ = [tree for tree in self.trees_stated if self.trees_stated[tree] != self.trees_rebuilt.get(tree)]
            named = " and ".join(differ)
            return f"Its rows are the same, but the tree of its {named} is another: proofs are about other ids."
        if self.rebuilt == self.stated:
            return "The rebuilt rows are those that its statement gives: the table was changed after its release."
        if self.same_code:
            return "The code is the one that built it: its inputs, its table or its statement were changed."
        return f"It was built by other code ({self.code}): run this again with that version of the program first."


def reproduce(  # noqa: PLR0913, PLR0917 (which version, by which key, and where)
    spark: SparkSession, warehouse: Path, dataset: str, number: int, key_file: Path, scratch: Path | None = None
) -> Reproduction:
    """Builds a version again from its pins, cutoff, now, policy and source, and compares; the dataset is only read.

    No gate is asked: they judged the release. The rebuilt posts stand in `scratch`, or in a folder that is deleted.
    Raises DatasetError (no statement, another key) and SourceError (an input that no longer opens).
    """
    version = build_at(versions(warehouse, dataset), number)
    if version.statement is None:
        raise DatasetError(f"{version.name} has no statement: its build was cut short. Run `corpus seal {dataset}`.")
    folder = (warehouse / dataset).absolute()
    key = read_own_key(key_file, dataset, tables.property_of(spark, folder, "corpus.keyId"))
    try:
        with _scratch(scratch, folder) as place:
            require_shared(spark, place)
            _judge_again(spark, version.statement, place)
            return _compared(spark, version, folder, key, place)
    finally:
        spark.catalog.clearCache()


@contextmanager
def _scratch(chosen: Path | None, folder: Path) -> Iterator[Path]:
    """A place for the rebuilt posts: a temporary folder that only its owner reads, or a chosen one that is kept."""
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="corpus-reproduce-") as made:
            yield Path(made)
        return
    place = chosen.absolute()
    if place == folder or folder in place.parents or place in folder.parents:
        raise ConfigError(f"--into {chosen} lies in or around the dataset; name a folder elsewhere, that may be new.")
    if place.is_dir() and any(place.iterdir()):
        raise ConfigError(f"--into {chosen} is not empty; name a new folder.")
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield place


def _judge_again(spark: SparkSession, statement: dict[str, Any], place: Path) -> None:
    """Writes the verdict on every post, with the values of those that are in."""
    said = statement["predicate"]
    name = f"{said['dataset']}@{said['version']}"
    policy, clock = policy_of(said), Clock.model_validate({"cutoff": said["cutoff"], "now": said["now"]})
    with step("reading the version's inputs again"):
        try:
            inputs = inputs_of_version(spark, statement)
        except SourceError as gone:
            raise SourceError(f"{name} cannot be built again. {_gone(spark, said) or gone}") from None
    with step("judging every post again"), reading(f"An input of {name}"):
        is_in = F.col("reasons") == 0
        verdicts = judge(inputs, policy, clock)
        _slim(verdicts, is_in).write.parquet(str(place / "verdicts"))


def _slim(verdicts: DataFrame, is_in: Column) -> DataFrame:
    """The verdicts without the values of posts that are out: their texts are nobody's business here."""
    always = ("post_id", "reasons", "account_id")
    others = [name for name in verdicts.columns if name not in always]
    return verdicts.select(*always, *(F.when(is_in, F.col(name)).alias(name) for name in others))


def _gone(spark: SparkSession, said: dict[str, Any]) -> str:
    """Every input that does not open any more, and until when that was sure."""
    source = validated(Source, said["source"], "The source in the statement")
    lines = [line for stated in said["inputs"] if (line := _gone_input(spark, source, stated))]
    hint = "Restore them from a backup to the same place, or reproduce a newer version." if lines else ""
    return "\n".join([f"{len(lines)} of its inputs do not open any more:", *lines, hint]) if lines else ""


def _gone_input(spark: SparkSession, source: Source, stated: dict[str, Any]) -> str | None:
    try:
        read_table(spark, source, pin_of(stated))
    except SourceError as why:
        until = f"was sure to open until {stated['opens_until'] or 'an unknown day'}"
        first = str(why).splitlines()[0]
        return f"  {stated['table']}: version {stated['version']} of {stated['location']} {until}. {first}"
    return None


def _compared(spark: SparkSession, version: Version, folder: Path, key: bytes, place: Path) -> Reproduction:
    said = version.predicate
    bits, code = int(said["snapshot"]["bucket_bits"]), code_identity()
    verdicts = spark.read.parquet(str(place / "verdicts")).transform(snapshot.with_ids, key, bits, spark)
    rebuilt, own = snapshot.as_documents(verdicts), snapshot_key(key, folder.name, said["build_id"])
    released = spark.read.format("delta").option("versionAsOf", version.number).load(str(folder / "snapshot"))
    with step("comparing"):
        found = Reproduction(
            version.name,
            rows=int(said["snapshot"]["rows"]),
            stated=said["snapshot"]["digest"],
            rebuilt=snapshot.row_digest(rebuilt),
            released=snapshot.row_digest(released),
            same_code=said["code"]["digest"] == code["digest"],
            code=f"version {said['code']['version']}, digest {said['code']['digest'][:12]}…",
            differences=dict.fromkeys(SIDES, 0),
            examples=[],
            trees_stated=said["trees"],
            trees_rebuilt=_trees_of(verdicts, (key, bits, spark), own),
        )
        if found.rebuilt == found.released:
            return found
        named = snapshot.as_members(verdicts, key, bits, spark)
        return _with_differences(found, _differing(rebuilt, released), named, verdicts, folder, version)


def _trees_of(verdicts: DataFrame, keyed: tuple[bytes, int, SparkSession], key: bytes) -> Trees:
    """The trees of posts and persons that a build of these verdicts grows under this snapshot key, unwritten."""
    hashed = snapshot.as_row_hashes(verdicts)
    accounts = snapshot.as_members(verdicts, *keyed).select("account_id")
    with leaves_of(hashed, accounts, key) as (leaves, sizes):
        return {name: tree.summary() for name, tree in trees_of(leaves, sizes).items()}


def _differing(rebuilt: DataFrame, released: DataFrame) -> DataFrame:
    """One row per document that differs: doc_id and `side`."""
    names = [column.name for column in columns(SNAPSHOT)]
    row = F.struct(*names)
    ours, theirs = rebuilt.select("doc_id", row.alias("ours")), released.select("doc_id", row.alias("theirs"))
    side = (
        F
        .when(F.col("ours").isNull(), "ONLY_RELEASED")
        .when(F.col("theirs").isNull(), "ONLY_REBUILT")
        .when(~F.col("ours").eqNullSafe(F.col("theirs")), "CHANGED")
    )
    # a row per document of either side; a doc_id has one row in each
    both = ours.join(theirs, on="doc_id", how="full")
    return both.select("doc_id", side.alias("side")).where("side IS NOT NULL")


def _with_differences(  # noqa: PLR0913, PLR0917 (both sides, and what names their posts)
    found: Reproduction, differing: DataFrame, named: DataFrame, verdicts: DataFrame, folder: Path, version: Version
) -> Reproduction:
    """The result with the number of documents that differ by side, and the posts of the first of each."""
    spark = differing.sparkSession
    differing = differing.persist()
    counts = {row["side"]: row["count"] for row in differing.groupBy("side").count().collect()}
    some = [row for side in SIDES for row in differing.where(F.col("side") == side).orderBy("doc_id").take(EXAMPLES)]
    ids = [row["doc_id"] for row in some]
    posts = {**_posts_of(named, ids), **_posts_of(_side_table(spark, folder, "members", version), ids)}
    ledger = _side_table(spark, folder, "exclusions", version)
    out = {
        "ONLY_RELEASED": _reasons_of(verdicts, list(posts.values())),
        "ONLY_REBUILT": _reasons_of(ledger, list(posts.values())),
    }
    examples = []
    for row in some:
        post = posts.get(row["doc_id"])
        examples.append(Difference(row["side"], row["doc_id"], post, out.get(row["side"], {}).get(post, [])))
    return replace(found, differences={side: counts.get(side, 0) for side in SIDES}, examples=examples)


def _side_table(spark: SparkSession, folder: Path, name: str, version: Version) -> DataFrame:
    return spark.read.format("delta").load(str(folder / name)).where(F.col("build_id") == F.lit(version.build_id))


def _posts_of(members: DataFrame, doc_ids: list[str]) -> dict[str, str]:
    authors = members.where((F.col("role") == "author") & F.col("doc_id").isin(*doc_ids))
    return {row["doc_id"]: row["post_id"] for row in authors.select("doc_id", "post_id").collect()}


def _reasons_of(judged: DataFrame, post_ids: list[str]) -> dict[str | None, list[str]]:
    rows = judged.where((F.col("reasons") != 0) & F.col("post_id").isin(*post_ids)).select("post_id", "reasons")
    return {row["post_id"]: [reason.name for reason in reasons_in(row["reasons"])] for row in rows.collect()}
