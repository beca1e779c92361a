"""Commands for who uses a version: built again, described for others, handed out, called back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, SparkConf, Warehouse, app, spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: only `reproduce` starts a JVM)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.reproduction import Reproduction

Numbered = Annotated[str, typer.Argument(metavar="DATASET@N")]
DatasetKey = Annotated[
    Path | None,
    typer.Option(envvar="CORPUS_KEY", help="The dataset's key file. [default: ~/.config/corpus/DATASET.key]"),
]


@app.command()
def reproduce(
    version: Numbered,
    warehouse: Warehouse = HERE,
    key: DatasetKey = None,
    into: Annotated[
        Path | None, typer.Option(help="Keep the rebuilt posts in this new folder; on a cluster, one that all reach.")
    ] = None,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Build a version again from what its statement pins, and compare; exit code 8 if a row differs.

    Example: corpus reproduce uk-social@3
    """
    from corpus import render
    from corpus.reproduction import reproduce as run
    from corpus.versions import parse_one

    dataset, number = parse_one(version)
    with spark_session("corpus reproduce", spark_conf) as spark:
        found = run(spark, warehouse, dataset, number, key or Path.home() / f".config/corpus/{dataset}.key", into)
    render.as_json(found) if json else tell_reproduced(found)
    found.require_identical()


def tell_reproduced(found: Reproduction) -> None:
    """Whether a version was reproduced, and if not, which documents differ."""
    from corpus import render
    from corpus.reproduction import SIDES

    said = "is reproduced" if found.is_identical else "is NOT reproduced"
    render.say(f"{found.version} {said}: {found.rows:,} documents stated", style="bold")
    digests = (("stated", found.stated), ("built again", found.rebuilt), ("in the table", found.released))
    render.tell(("row digest", ""), digests)
    if not found.same_code:
        render.say(f"It was built by other code ({found.code}).", style="yellow")
    if any(found.differences.values()):
        render.tell(("documents", ""), [(n, SIDES[side]) for side, n in found.differences.items()], ("documents",))
        rows = [(each.side, each.post_id, each.doc_id, " ".join(each.reasons)) for each in found.examples]
        render.tell(("for example", "post", "document", "left out there because"), rows)
