"""The command line: what people type, and how answers and mistakes come back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus import __version__
from corpus.errors import CorpusError

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from corpus.build import Built

_EXITS = [(kind.exit_code, (kind.__doc__ or "").rstrip(".")) for kind in CorpusError.__subclasses__()]
_EPILOG = "\n".join(f"  {code}  {says}" for code, says in [(0, "Done"), (1, "Something failed"), *_EXITS])

app = typer.Typer(
    help="Builds training datasets from people's posts, and answers what is in them and why.",
    epilog=f"\b\nExit codes:\n{_EPILOG}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Warehouse = Annotated[Path, typer.Option(envvar="CORPUS_WAREHOUSE", help="The folder that holds the datasets.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SparkConf = Annotated[str, typer.Option(help="A spark-submit properties file, or its name in conf/spark.")]
HERE = Path("warehouse")


def main() -> None:
    """Run the command line; a mistake is told in a message without a traceback, and by the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except KeyboardInterrupt:
        print("corpus: stopped", file=sys.stderr)
        sys.exit(130)
    except CorpusError as mistake:
        from corpus.render import clean

        lines = (clean(line) for line in str(mistake).splitlines())
        print("corpus: " + "\n".join(lines), file=sys.stderr)
        sys.exit(mistake.exit_code)


@app.command()
def log(dataset: str, warehouse: Warehouse = HERE, json: Json = False) -> None:
    """The versions of a dataset, newest first.

    Example: corpus log uk-social
    """
    from corpus import render
    from corpus.versions import versions

    found = versions(warehouse, dataset)
    render.as_json([version.summary() for version in found]) if json else render.log(found)


@app.command()
def show(
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")], warehouse: Warehouse = HERE, json: Json = False
) -> None:
    """What a version is: its inputs, policy and clocks, and why posts were left out.

    Example: corpus show uk-social@3
    """
    from corpus import query, render
    from corpus.versions import parse_reference

    found = query.show(warehouse, *parse_reference(version))
    render.as_json(found.statement) if json else render.show(found)


@app.command()
def diff(
    span: Annotated[str, typer.Argument(metavar="DATASET@A..B")],
    warehouse: Warehouse = HERE,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many documents to name for each cause.")] = 3,
    text: Annotated[bool, typer.Option("--text", help="Show the text of these documents too.")] = False,
    json: Json = False,
) -> None:
    """What came and what went between two versions, and why.

    Example: corpus diff uk-social@2..3
    """
    from corpus import query, render
    from corpus.versions import parse_span

    found = query.diff(warehouse, *parse_span(span), samples=samples, with_text=text)
    render.as_json(found) if json else render.diff(found, text)


@app.command()
def why(
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")],
    post_id: Annotated[str, typer.Argument(help="The post, by its post_id or its doc_id.")],
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Whether a post is in a version, and every reason if it is not; without @N, in all versions.

    Example: corpus why uk-social@3 p-1234
    """
    from corpus import query, render
    from corpus.versions import parse_reference

    found = query.why(warehouse, *parse_reference(version), post_id)
    render.as_json(found) if json else render.why(found)


@app.command()
def synth(
    out: Path,
    posts: Annotated[float, typer.Option(help="About how many posts.", min=1)] = 20_000,
    seed: int = 1,
    as_of: Annotated[str, typer.Option(help="The world's present, with a zone.")] = "2026-11-20T00:00:00Z",
    wave: Annotated[int, typer.Option(help="How many waves of objections have come in.", min=0)] = 0,
    file_format: Annotated[str, typer.Option("--format", help="parquet, json or delta.")] = "parquet",
    spark_conf: SparkConf = "local",
) -> None:
    """Make an invented UK world of people, posts and objections, the same for the same arguments.

    Example: corpus synth exports --posts 20000
    """
    from corpus import render
    from corpus import synth as worlds
    from corpus.arguments import instant

    with _spark("corpus synth", spark_conf) as spark:
        world = worlds.world(spark, posts=int(posts), seed=seed, as_of=instant(as_of, "--as-of"), wave=wave)
        written = worlds.write_world(world, out, format=file_format)
    render.tell(("table", "rows"), list(written.items()), numbers=("rows",))


@app.command()
def ingest(source: str, spark_conf: SparkConf = "local") -> None:
    """Store a source's files as Delta tables; the same file twice changes nothing.

    Example: corpus ingest uk-social-files
    """
    from dataclasses import astuple

    from corpus import ingest as ingesting
    from corpus import render
    from corpus.arguments import conf_file
    from corpus.sources import read_source

    described = read_source(conf_file("sources", source))
    with _spark("corpus ingest", spark_conf) as spark:
        counted = ingesting.ingest(spark, described)
    headers = ("table", "rows in", "stored", "replaced", "quarantined", "already there", "version")
    render.tell(headers, [astuple(table) for table in counted], numbers=headers[1:])
    for warning in ingesting.quarantine_warnings(described, counted):
        render.say(f"! {warning}", style="yellow")


@app.command()
def build(
    dataset: str,
    source: Annotated[str, typer.Option(help="A source file, or its name in conf/sources.")],
    policy: Annotated[str, typer.Option(help="A policy file, or its name in conf/policies.")],
    cutoff: Annotated[str, typer.Option(help="Posts made before this instant; with a zone, as 2026-11-20T00:00:00Z.")],
    warehouse: Warehouse = HERE,
    key: Annotated[
        Path | None,
        typer.Option(envvar="CORPUS_KEY", help="The dataset's key file. [default: ~/.config/corpus/DATASET.key]"),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(metavar="GATE=REASON", help="Go on though this gate refuses; stands in the statement."),
    ] = None,
    build_id: Annotated[str | None, typer.Option(help="Name the build: the same id again builds nothing new.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another builder.", min=0)] = 600,
    spark_conf: SparkConf = "local",
) -> None:
    """Judge every post and commit one version of a dataset.

    Example: corpus build uk-social --source uk-social --policy uk-social --cutoff 2026-11-20T00:00:00Z
    """
    from corpus.arguments import conf_file, gate_off, instant
    from corpus.build import BuildRequest, check_request
    from corpus.build import build as run
    from corpus.policy import read_policy
    from corpus.sources import read_source

    request = BuildRequest(
        dataset=dataset,
        warehouse=warehouse,
        source=read_source(conf_file("sources", source)),
        policy=read_policy(conf_file("policies", policy)),
        cutoff=instant(cutoff, "--cutoff"),
        now=datetime.now(UTC),
        key_file=key or Path.home() / f".config/corpus/{dataset}.key",
        build_id=build_id,
        wait_seconds=wait,
        gates_off=tuple(gate_off(each) for each in override or ()),
    )
    check_request(request)
    with _spark(f"corpus build {dataset}", spark_conf) as spark:
        _tell_built(run(spark, request), warehouse)


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

    run(folder, posts, fresh, lambda: _spark("corpus demo", spark_conf, is_small=True))


@app.command()
def version() -> None:
    """The version of this program.

    Example: corpus version
    """
    print(__version__)


@contextmanager
def _spark(name: str, conf: str, is_small: bool = False) -> Iterator[SparkSession]:
    """A session for one command, with its progress drawn; stopped at the end."""
    from corpus.arguments import conf_file
    from corpus.progress import shown_progress, step
    from corpus.session import open_session

    settings = conf_file("spark", conf)
    _silence_pyspark()
    with shown_progress():
        with step("starting Spark"):
            session = open_session(name, settings, _for_small_data(settings) if is_small else None)
        try:
            yield session
        finally:
            session.stop()


def _for_small_data(settings: Path) -> dict[str, str]:
    """What spares a few thousand rows the compiling that only many rows repay."""
    from corpus.session import read_conf

    options = "spark.driver.extraJavaOptions"
    quick_java = f"{read_conf(settings).get(options, '')} -XX:TieredStopAtLevel=1".strip()
    return {options: quick_java, "spark.sql.codegen.wholeStage": "false", "spark.sql.shuffle.partitions": "2"}


def _silence_pyspark() -> None:
    """Keeps pyspark from printing warnings, and errors with their Java trace that are answered in a sentence."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pyspark\.")
