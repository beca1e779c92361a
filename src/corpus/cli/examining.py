"""The command that looks at this machine before a build does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, SparkConf, Warehouse, app, default_key, spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: only with --spark a JVM starts)

if TYPE_CHECKING:
    from corpus.doctor import Check

STYLES = {"warning": "yellow", "wrong": "bold red"}


@app.command()
def doctor(
    warehouse: Warehouse = HERE,
    keys: Annotated[Path | None, typer.Option(help="The folder of the keys. [default: ~/.config/corpus]")] = None,
    spark: Annotated[bool, typer.Option("--spark", help="Start Spark too, and let it read and write.")] = False,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Check Java, memory, disk, packages, warehouse and keys, and say how to mend each; exit code 3 if one is wrong.

    Example: corpus doctor
    """
    from corpus import render
    from corpus.arguments import conf_file
    from corpus.doctor import examined, require_none_wrong

    checks = examined(warehouse, keys or default_key("any").parent, conf_file("spark", spark_conf))
    checks += [_spark_starts(spark_conf)] if spark else []
    render.as_json(checks) if json else tell(checks)
    require_none_wrong(checks)


def _spark_starts(conf: str) -> Check:
    """Whether Spark starts, and writes and reads a table of Delta."""
    from tempfile import TemporaryDirectory

    from corpus.doctor import Check
    from corpus.errors import CorpusError

    try:
        with TemporaryDirectory() as folder, spark_session("corpus doctor", conf, is_small=True) as session:
            session.range(3).write.format("delta").save(f"{folder}/table")
            rows = session.read.format("delta").load(f"{folder}/table").count()
            return Check("Spark", "ok", f"{session.version} started, and wrote and read {rows} rows of Delta")
    except CorpusError as cannot:
        return Check("Spark", "wrong", str(cannot), "Mend what it says; docs/install.md has more.")


def tell(checks: list[Check]) -> None:
    """A line for each check, and under it what to do unless it is ok."""
    from corpus import render

    width = max(len(check.what) for check in checks)
    for check in checks:
        render.say(f"{check.state:7}  {check.what:{width}}  {check.found}", style=STYLES.get(check.state, ""))
        if check.to_do:
            render.say(f"{'':7}  {'':{width}}  {check.to_do}")
