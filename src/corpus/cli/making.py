"""Commands that make something: worlds, stored inputs, versions, the demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.options import (
    HERE,
    Dataset,
    Json,
    Key,
    LogJson,
    Metrics,
    OpenLineage,
    Override,
    Plan,
    Schema,
    SigningKey,
    SparkConf,
    Wait,
    Warehouse,
    app,
    default_key,
    spark_session,
)

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.build import Built
    from corpus.request import BuildRequest


@app.command()
def synth(
    out: Path,
    posts: Annotated[float, typer.Option(help="About how many posts.", min=1)] = 20_000,
    seed: int = 1,
    as_of: Annotated[str, typer.Option(help="The world's present, with a zone.")] = "2026-11-20T00:00:00Z",
    wave: Annotated[int, typer.Option(help="How many waves of objections have come in.", min=0)] = 0,
    file_format: Annotated[str, typer.Option("--format", help="parquet, json or delta.")] = "parquet",
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Make an invented UK world of people, posts and objections, the same for the same arguments.

    Example: corpus synth exports --posts 20000
    """
    from corpus import render
    from corpus import synth as worlds
    from corpus.arguments import instant

    with spark_session("corpus synth", spark_conf) as spark:
        size, at, in_place = int(posts), instant(as_of, "--as-of"), file_format == "delta"
        world = worlds.world(spark, posts=size, seed=seed, as_of=at, wave=wave, in_place=in_place)
        written = worlds.write_world(world, out, format=file_format)
    render.as_json(written) if json else render.tell(("table", "rows"), list(written.items()), numbers=("rows",))


@app.command()
def ingest(
    source: str,
    plan: Plan = False,
    log_json: LogJson = None,
    metrics: Metrics = None,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Store a source's files as Delta tables; the same file twice changes nothing.

    Example: corpus ingest uk-social-files
    """
    from dataclasses import astuple

    from corpus import ingest as ingesting
    from corpus import render
    from corpus.arguments import conf_file
    from corpus.operations.watched import Told, watched
    from corpus.sources import read_source

    run = ingesting.foreseen if plan else ingesting.ingest
    with watched("plan" if plan else "ingest", Path(source).stem, Told(log_json, metrics)):
        described = read_source(conf_file("sources", source))
        with spark_session("corpus ingest", spark_conf) as spark:
            counted = run(spark, described)
    warnings = [] if plan else ingesting.quarantine_warnings(described, counted)
    if json:
        render.as_json({"tables": counted, "warnings": warnings})
        return
    headers = ("table", "rows in", "stored", "replaced", "quarantined", "already there", "version")
    render.tell(headers, [astuple(table) for table in counted], numbers=headers[1:])
    for warning in warnings:
        render.say(f"! {warning}", style="yellow")


@app.command()
def build(
    dataset: Dataset,
    source: Annotated[str, typer.Option(help="A source file, or its name in conf/sources.")],
    policy: Annotated[str, typer.Option(help="A policy file, or its name in conf/policies.")],
    cutoff: Annotated[str, typer.Option(help="Posts made before this instant; with a zone, as 2026-11-20T00:00:00Z.")],
    warehouse: Warehouse = HERE,
    key: Key = None,
    signer: SigningKey = None,
    schema: Schema = None,
    override: Override = None,
    accept_anomaly: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE=REASON", help="A reason's share of the posts may have jumped."),
    ] = None,
    accept_objection: Annotated[
        list[str] | None, typer.Option(metavar="ID=REASON", help="This objection may name nobody that is known.")
    ] = None,
    build_id: Annotated[str | None, typer.Option(help="Name the build: the same id again builds nothing new.")] = None,
    wait: Wait = 600,
    plan: Plan = False,
    log_json: LogJson = None,
    metrics: Metrics = None,
    openlineage: OpenLineage = None,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Judge every post and commit one version of a dataset.

    Example: corpus build uk-social --source uk-social --policy uk-social --cutoff 2026-11-20T00:00:00Z
    """
    from corpus import render
    from corpus.cli.planning import planned
    from corpus.operations.watched import Told, watched
    from corpus.registering import build_registered
    from corpus.request import check_request

    accepted = {"accept_anomaly": accept_anomaly or (), "accept_objection": accept_objection or ()}
    places = {"warehouse": warehouse, "key": key or default_key(dataset), "signer": signer, "schema": schema}
    said = {"cutoff": cutoff, "build_id": build_id, "wait": wait, "override": override or (), **accepted, **places}
    with watched("plan" if plan else "build", dataset, Told(log_json, metrics, openlineage)):
        request = _request(dataset, source, policy, **said)
        if plan:
            planned(request, spark_conf, json)
            return
        check_request(request)
        with spark_session(f"corpus build {dataset}", spark_conf) as spark:
            built = build_registered(spark, request)
    render.as_json(built.answer()) if json else _tell_built(built, warehouse)


def _request(dataset: str, source: str, policy: str, **said: Any) -> BuildRequest:
    from corpus.arguments import conf_file
    from corpus.request import request_from

    return request_from(dataset, source=conf_file("sources", source), policy=conf_file("policies", policy), **said)


def _tell_built(built: Built, warehouse: Path) -> None:
    from corpus import render

    said, name = built.statement["predicate"], f"{built.dataset}@{built.version}"
    render.say(f"{name} {'was there already' if built.was_there else 'is built'}: {render.kept(said)}", style="bold")
    render.say()
    render.funnel(said, most=8)
    for warning in built.warnings:
        render.say(f"! {warning}", style="yellow")
    render.say()
    tries = [f"show {name}", f"log {built.dataset}"]
    tries += [f"diff {built.dataset}@{built.version - 1}..{built.version}"] if built.version > 1 else []
    render.tell(("try next",), [(f"corpus {what} --warehouse {warehouse}",) for what in tries])


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo lives.")] = Path("demo"),
    posts: Annotated[int, typer.Option(help="About how many posts.", min=1000)] = 20_000,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete an earlier demo in this folder and start again.")
    ] = False,
    spark_conf: SparkConf = "local",
) -> None:
    """A small UK world, three versions of a dataset, and a tour of them.

    Example: corpus demo
    """
    from corpus.demo import demo as run

    run(folder, posts, fresh, lambda: spark_session("corpus demo", spark_conf, is_small=True))
