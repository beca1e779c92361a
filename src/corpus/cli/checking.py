"""Commands that check: the rules against worlds with known outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import SparkConf, app, spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)


@app.command()
def vectors(
    file: Annotated[Path, typer.Argument(help="Small worlds in YAML, as the contract's eligibility vectors.")],
    spark_conf: SparkConf = "local",
) -> None:
    """Judge small worlds and compare with what must come out: a line for each, exit code 1 if one differs.

    Example: corpus vectors tests/vectors/eligibility.yaml
    """
    from corpus import render
    from corpus.vectors import read_worlds, run

    worlds, failed = read_worlds(file), 0
    with spark_session("corpus vectors", spark_conf, is_small=True) as spark:
        for world, wrong in run(spark, worlds):
            failed += bool(wrong)
            render.say(f"{'FAILED' if wrong else 'ok    '}  {world.name}", style="red" if wrong else "")
            for each in wrong:
                render.say(f"        {each}")
    render.say(f"{len(worlds) - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)
