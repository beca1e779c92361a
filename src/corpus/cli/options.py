"""What the commands share: the application, its options, and a Spark session for those that need one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from corpus.cli import completing
from corpus.errors import ConfigError, CorpusError
from corpus.operations.watched import OPTIONS

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from corpus.lookups import Kind

_EXITS = [(kind.exit_code, (kind.__doc__ or "").rstrip(".")) for kind in CorpusError.__subclasses__()]
_EPILOG = "\n".join(f"  {code}  {says}" for code, says in [(0, "Done"), (1, "Something failed"), *_EXITS])

FIRST = [
    "demo", "doctor", "ingest", "build", "log", "show", "funnel", "diff", "report", "sql", "serve", "export", "why",
    "subject", "objections", "receipt", "lookups", "uses", "use", "recall",
]  # fmt: skip


class _FirstThingsFirst(TyperGroup):
    """Lists the commands in the order in which people come to need them; the others follow by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        known = sorted(super().list_commands(ctx))
        return [name for name in FIRST if name in known] + [name for name in known if name not in FIRST]


app = typer.Typer(
    cls=_FirstThingsFirst,
    help="Builds training datasets from people's posts, and answers what is in them and why.",
    epilog=f"\b\nExit codes:\n{_EPILOG}",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def told(name: str, metavar: str) -> Any:
    """The option for one of those who may be told what happens while a command runs."""
    variable, says = OPTIONS[name]
    return typer.Option(f"--{name.replace('_', '-')}", envvar=variable, metavar=metavar, help=says)


Dataset = Annotated[str, typer.Argument(metavar="DATASET", autocompletion=completing.datasets)]
Numbered = Annotated[str, typer.Argument(metavar="DATASET@N", autocompletion=completing.versions)]
OrNewest = Annotated[str, typer.Argument(metavar="DATASET[@N]", autocompletion=completing.versions)]
"""A version; without @N the newest, or all, as the command says."""

Warehouse = Annotated[Path, typer.Option(envvar="CORPUS_WAREHOUSE", help="The folder that holds the datasets.")]
Key = Annotated[
    Path | None,
    typer.Option(envvar="CORPUS_KEY", help="The dataset's key file. [default: ~/.config/corpus/DATASET.key]"),
]
SigningKey = Annotated[
    str | None,
    typer.Option(
        "--signer",
        envvar="CORPUS_SIGNER",
        help="The signing key: a file, or the URI of one in a key service. [default: beside the key, .ed25519.pem]",
    ),
]
Schema = Annotated[
    str | None,
    typer.Option(
        metavar="[CATALOG.]SCHEMA", help="Where the dataset's tables get their names, as spark_catalog.uk_social."
    ),
]
Override = Annotated[
    list[str] | None,
    typer.Option(metavar="GATE=REASON", help="Go on though this gate refuses; stands in the statement."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
SparkConf = Annotated[str, typer.Option(help="A spark-submit properties file, or its name in conf/spark.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for another builder.", min=0)]
Restricted = Annotated[
    bool, typer.Option("--restricted", help="See what names people; who looks, and what for, is registered.")
]
Purpose = Annotated[str, typer.Option(help="What the look-up is for, as the register will say.")]
Plan = Annotated[
    bool,
    typer.Option("--plan", help="Say what it would do, what it would cost, and what would refuse it; write nothing."),
]
LogJson = Annotated[str | None, told("log_json", "FILE")]
Metrics = Annotated[Path | None, told("metrics", "FILE")]
OpenLineage = Annotated[str | None, told("openlineage", "URL")]
Run = Annotated[str, typer.Option(help="The training run, by a name of its own.")]
UsedFor = Annotated[str, typer.Option("--purpose", help="What it is for.")]
ApprovedBy = Annotated[str, typer.Option(help="Who allowed it.")]
HERE = Path("warehouse")
UNSAID = "not said"


def default_key(dataset: str) -> Path:
    """Where a dataset's key stands unless another place is named."""
    return Path.home() / f".config/corpus/{dataset}.key"


def enter(warehouse: Path, dataset: str, may: tuple[bool, str], verb: str, about: tuple[Kind, str]) -> None:
    """Registers a look-up of what names people before it is answered; `may` is --restricted and --purpose.

    Raises ConfigError where it is not asked for as one.
    """
    from corpus.lookups import LookUp, register, user
    from corpus.versions import dataset_folder, parse_name

    is_restricted, purpose = may
    if not is_restricted:
        raise ConfigError(
            f"`corpus {verb}` answers from what names people. If that is your task, add --restricted, and say what "
            'for by --purpose "…": the register of the dataset keeps who looked, when and what for.'
        )
    lookup = LookUp(user(), purpose, verb, *about)
    register(dataset_folder(warehouse, parse_name(dataset)), lookup)


@contextmanager
def spark_session(name: str, conf: str, is_small: bool = False) -> Iterator[SparkSession]:
    """A session for one command, with its progress drawn; stopped at the end."""
    from corpus.arguments import conf_file
    from corpus.progress import shown_progress, step
    from corpus.session import java_ended, open_session

    settings = conf_file("spark", conf)
    _silence_pyspark()
    with shown_progress():
        with step("starting Spark"):
            session = open_session(name, settings, _for_small_data(settings) if is_small else None)
        try:
            yield session
        except KeyboardInterrupt:  # typer would end without a word
            print("corpus: stopped", file=sys.stderr)
            raise
        except Exception as failed:
            if ended := java_ended(patience=0.5):  # its connections end a moment before it does
                raise ended from failed
            raise
        finally:
            if not java_ended():
                session.stop()


def _for_small_data(settings: Path) -> dict[str, str]:
    """What spares a few thousand rows the compiling, and the planning anew, that only many rows repay."""
    from corpus.session import read_conf

    options = "spark.driver.extraJavaOptions"
    # The quickest compiler alone has 48 MB for its code by default: full after some seconds, and Java may die of it.
    quick_java = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=400m"
    never = ("spark.sql.codegen.wholeStage", "spark.sql.adaptive.enabled")
    return {
        options: f"{read_conf(settings).get(options, '')} {quick_java}",
        "spark.sql.shuffle.partitions": "2",
    } | dict.fromkeys(never, "false")


def _silence_pyspark() -> None:
    """Keeps pyspark from printing warnings, and errors with their Java trace that are answered in a sentence."""
    import logging
    import warnings

    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pyspark\.")
