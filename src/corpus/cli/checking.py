"""Commands that check: the rules against worlds with known outcomes, a version against its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import HERE, Json, LogJson, Metrics, Numbered, SparkConf, Warehouse, app, spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)


@app.command()
def vectors(
    file: Annotated[Path, typer.Argument(help="Small worlds in YAML, as the contract's eligibility vectors.")],
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Judge small worlds and compare with what must come out: a line for each, exit code 1 if one differs.

    Example: corpus vectors tests/vectors/eligibility.yaml
    """
    from corpus import render
    from corpus.vectors import read_worlds, run

    found = []
    with spark_session("corpus vectors", spark_conf, is_small=True) as spark:
        for world, wrong in run(spark, read_worlds(file)):
            found.append({"name": world.name, "differs": wrong})
            if not json:
                render.say(f"{'FAILED' if wrong else 'ok    '}  {world.name}", style="red" if wrong else "")
                for each in wrong:
                    render.say(f"        {each}")
    failed = sum(bool(world["differs"]) for world in found)
    render.as_json(found) if json else render.say(f"{len(found) - failed} passed, {failed} failed")
    if failed:
        raise typer.Exit(1)


@app.command()
def audit(
    version: Numbered,
    warehouse: Warehouse = HERE,
    memory: Annotated[str, typer.Option(help="How much memory to take before writing to a temporary folder.")] = "4GB",
    log_json: LogJson = None,
    metrics: Metrics = None,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Derive every verdict of a version again from its pinned inputs, by other code; exit code 8 if any differs.

    Example: corpus audit uk-social@3
    """
    from corpus import render
    from corpus.audit.check import KINDS, as_row
    from corpus.audit.check import audit as run
    from corpus.operations.watched import Told, watched
    from corpus.progress import shown_on_a_terminal
    from corpus.versions import parse_one

    with watched("audit", parse_one(version)[0], Told(log_json, metrics)):
        with shown_on_a_terminal():
            found = run(warehouse, *parse_one(version), lambda: spark_session("corpus audit", spark_conf), memory)
        if json:
            render.as_json(found)
        else:
            render.say(
                f"{found.version}: {found.posts} posts judged a second time, {found.kept} of them in", style="bold"
            )
            render.tell(("posts", "differ"), [(n, KINDS[kind]) for kind, n in found.differences.items()], ("posts",))
            rows = [tuple(as_row(each).values()) for each in found.examples]
            if rows:
                render.say()
                render.tell(("for example", "post", "the build", "the audit"), rows)
        found.require_none()
