"""HTML to the text that a person reads, as a function that the expressions of a source may call."""

from __future__ import annotations

from collections.abc import Iterator

import html_text
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def register_html_to_text(spark: SparkSession) -> None:
    """Lets every SQL expression of this session say `html_to_text(column)`; null stays null."""
    spark.udf.register("html_to_text", F.arrow_udf(_as_texts, "string"))  # type: ignore[attr-defined]


def _as_texts(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    for pages in batches:
        yield pa.array((page and html_text.extract_text(page) for page in pages.to_pylist()), pa.string())
