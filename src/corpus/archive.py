"""The archive of the people plane: the rows that decided a build, kept because their source forgets old versions."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.inputs import Inputs
from corpus.policy import Policy
from corpus.schemas import PEOPLE_PLANE
from corpus.tables import properties


def write_archive(inputs: Inputs, dataset: Path, build_id: str, policy: Policy) -> None:
    """Writes to `archive/<table>` what of the people plane decided this build, in place of an earlier try's rows."""
    for table, rows in decisive_rows(inputs).items():
        (
            rows
            .withColumn("build_id", F.lit(build_id))
            .write.format("delta")
            .mode("overwrite")
            .option("replaceWhere", f"build_id = '{build_id}'")
            .options(**properties("recorded_at", policy))
            .partitionBy("build_id")
            .save(str(dataset / "archive" / table))
        )


def decisive_rows(inputs: Inputs) -> dict[str, DataFrame]:
    """Objections, links and requests whole; profiles and notices of the accounts that posts or objections name."""
    named = accounts_named(inputs.posts)
    subjects = inputs.objections.select("subject_id").distinct()
    rows = {table: getattr(inputs, table) for table in PEOPLE_PLANE}
    by_any = inputs.profiles.transform(_marked, named, "account_id", "is_named")
    for key in ("account_id", "person_id", "email_hash"):
        by_any = by_any.transform(_marked, subjects.select(F.col("subject_id").alias(key)), key, f"is_subject_by_{key}")
    marks = [c for c in by_any.columns if c.startswith("is_")]
    return rows | {
        "profiles": by_any.where(F.coalesce(*marks)).drop(*marks),
        "notices": inputs.notices.join(named, on="account_id", how="left_semi"),
    }


def accounts_named(posts: DataFrame) -> DataFrame:
    """Every account that a post names, as author, co-author, or by a mention or tag; one row each."""
    none = F.array().cast("array<string>")
    others = (F.coalesce(column, none) for column in ("coauthor_ids", "mentions", "tags"))
    return posts.select(F.explode(F.concat(F.array("account_id"), *others)).alias("account_id")).distinct()


def _marked(rows: DataFrame, keys: DataFrame, key: str, mark: str) -> DataFrame:
    """Adds whether a row's key is among these. One row in, one row out: keys are distinct."""
    return rows.join(keys.withColumn(mark, F.lit(True)), on=key, how="left")
