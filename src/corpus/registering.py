"""A build whose dataset then has its names in a catalog."""

from __future__ import annotations

from dataclasses import replace

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from corpus.build import Built, build
from corpus.catalogs import SCHEMA, parts_of, quoted
from corpus.errors import EnvironmentFault
from corpus.mapping import plainly
from corpus.progress import step
from corpus.reader import register, require_own
from corpus.request import BuildRequest


def build_registered(spark: SparkSession, request: BuildRequest) -> Built:
    """`build`, whose dataset is then known under the schema of the request, if it names one.

    Raises, before anything is judged, ConfigError where the schema is another's, and EnvironmentFault where it cannot
    be made; what `build` raises; and EnvironmentFault where the version stands, and could not be registered.
    """
    if request.schema is None:
        return build(spark, request)
    schema = parts_of(request.schema, SCHEMA)
    require_own(spark, schema, request.folder.absolute())
    try:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {quoted(*schema)}")
    except PySparkException as cannot:
        raise EnvironmentFault(f"The schema {request.schema} cannot be made. {plainly(cannot)}") from None
    built = build(spark, request)
    try:
        with step("registering its tables"):
            register(spark, request.warehouse, request.dataset, restricted=True, schema=request.schema)
    except PySparkException as cannot:
        raise EnvironmentFault(
            f"{built.dataset}@{built.version} is built and sealed; its names in {request.schema} could not be made. "
            f"{plainly(cannot)} Run the same build again: it registers what is there."
        ) from None
    return replace(built, warnings=[*built.warnings, *_forgotten(spark, schema)])


def _forgotten(spark: SparkSession, schema: list[str]) -> list[str]:
    """What to know of a catalog that lives in memory."""
    is_session = len(schema) == 1 or schema[0] == "spark_catalog"
    if not is_session or spark.conf.get("spark.sql.catalogImplementation") != "in-memory":
        return []
    return [f"{'.'.join(schema)} is in a catalog that ends with this session; docs/catalogs.md says how one is kept."]
