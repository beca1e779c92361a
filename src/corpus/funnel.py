"""How many posts each reason left out: one aggregate over the verdicts."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.reasons import in_order
from corpus.verdicts import has_any, primary_reason


def funnel_of(verdicts: DataFrame) -> dict[str, Any]:
    """Counts of posts, kept and excluded; `primary` by first reason, which sums to excluded; `any` by each reason.

    `capped` counts those that share so much with so many others that they were compared with a few of them only.
    """
    each = [F.count_if(has_any(F.col("reasons"), reason.mask)).alias(reason.name) for reason in in_order()]
    rows = (
        verdicts
        .groupBy(primary_reason(F.col("reasons")).alias("primary"))
        .agg(F.count("*").alias("posts"), F.count_if("is_capped").alias("capped"), *each)
        .collect()  # a row for each primary reason
    )
    primary = {row["primary"]: row["posts"] for row in rows if row["primary"] is not None}
    counts = {reason.name: sum(row[reason.name] for row in rows) for reason in in_order()}
    kept = sum(row["posts"] for row in rows if row["primary"] is None)
    return {
        "posts": kept + sum(primary.values()),
        "kept": kept,
        "excluded": sum(primary.values()),
        "primary": primary,
        "any": {name: count for name, count in counts.items() if count},
        "capped": sum(row["capped"] for row in rows),
    }
