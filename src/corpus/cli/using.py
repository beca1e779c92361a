"""Commands for who uses a version: built again, described for others, handed out, called back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, SparkConf, Warehouse, app, spark_session
from corpus.errors import ConfigError, EnvironmentFault

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


def write_text(path: Path, text: str) -> None:
    """Writes a text to a file. Raises EnvironmentFault."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as cannot:
        raise EnvironmentFault(f"The file {path} cannot be written: {cannot.strerror}.") from None


@app.command()
def describe(
    version: Numbered,
    form: Annotated[str, typer.Option("--as", help="openlineage, croissant, ai-act or processing.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write to this file instead of stdout.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Send OpenLineage events there: https://…, or file:///… to add.")
    ] = None,
    fill: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TEXT", help="Fill in a blank; docs/exports.md lists them.")
    ] = None,
    warehouse: Warehouse = HERE,
) -> None:
    """Describe a version for others: as lineage, for a catalogue, or as a draft for the public or for a register.

    Example: corpus describe uk-social@3 --as ai-act -o summary.md
    """
    from corpus import render
    from corpus.arguments import filled, one_of
    from corpus.exports.forms import Form, described, sent
    from corpus.exports.subject import subject
    from corpus.versions import parse_one

    chosen = one_of(Form, form, "--as")
    found = subject(warehouse, *parse_one(version), chosen, filled(fill or ()))
    if to and chosen is not Form.OPENLINEAGE:
        raise ConfigError(f"--to sends OpenLineage events; {chosen} is a text. Write it to a file with -o.")
    if to:
        render.say(f"{sent(found, to)} events of {found.version.name} sent to {to}")
    elif out:
        write_text(out, described(found, chosen) + "\n")
        render.say(f"{found.version.name} described in {out}")
    else:
        print(described(found, chosen))
