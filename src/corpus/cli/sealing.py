"""Commands about signing: keys, and versions that a crash left without a statement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import (
    HERE,
    Dataset,
    Json,
    Key,
    LogJson,
    Metrics,
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
    from corpus.evidence.keys import Signer

keys = typer.Typer(
    help="The key that signs a dataset's versions.\n\nExample: corpus keys show uk-social", no_args_is_help=True
)
app.add_typer(keys, name="keys")

Place = Annotated[str, typer.Argument(metavar="DATASET|PATH", help="A dataset, or the file of a key.")]


@keys.command()
def new(place: Place, json: Json = False) -> None:
    """Make a signing key before the first build, which would make it too; one that is there is never replaced.

    Example: corpus keys new uk-social
    """
    from corpus.errors import DatasetError
    from corpus.evidence.keys import make_signer

    path = _path(place)
    try:
        made = make_signer(path)
    except FileExistsError:
        raise DatasetError(
            f"There is a signing key in {path} already, and it is not replaced: what it signed could not be "
            "checked any more. `corpus keys show` shows it; name another path for another key."
        ) from None
    _tell(path, made, json)


@keys.command()
def show(place: Place, json: Json = False) -> None:
    """The id and the public part of a signing key.

    Example: corpus keys show uk-social
    """
    from corpus.evidence.keys import read_signer

    path = _path(place)
    _tell(path, read_signer(path), json)


@app.command()
def seal(
    dataset: Dataset,
    warehouse: Warehouse = HERE,
    key: Key = None,
    signer: SigningKey = None,
    wait: Wait = 600,
    log_json: LogJson = None,
    metrics: Metrics = None,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Give each version that a crash left without one its statement, if it is what its build intended.

    Names every commit that is not, and then ends with exit code 6. Example: corpus seal uk-social
    """
    from dataclasses import asdict

    from corpus import render
    from corpus.evidence.keys import signing_key
    from corpus.operations.watched import Told, watched
    from corpus.progress import shown_on_a_terminal, step
    from corpus.seal import seal as run
    from corpus.versions import dataset_folder

    with watched("seal", dataset, Told(log_json, metrics)):
        folder, place = dataset_folder(warehouse, dataset), signing_key(key or default_key(dataset), signer)
        with shown_on_a_terminal(), step(f"looking at the commits of {dataset}"):
            sealing = run(folder, place, lambda: spark_session(f"corpus seal {dataset}", spark_conf), wait)
        if json:
            render.as_json([asdict(outcome) for outcome in sealing.outcomes])
        else:
            rows = [(f"{dataset}@{one.version}", one.kind, one.said) for one in sealing.outcomes]
            render.tell(("version", "is", "because"), rows)
        sealing.require_none_refused()


def _path(place: str) -> Path:
    """The file of a key: as it is named, or a dataset's."""
    from corpus.evidence.keys import default_place
    from corpus.versions import parse_name

    if "/" in place or place.endswith(".pem"):
        return Path(place)
    return default_place(default_key(parse_name(place)))


def _tell(path: Path, signer: Signer, json: bool) -> None:
    from corpus import render
    from corpus.evidence.keys import public_beside

    public = public_beside(path)
    if json:
        render.as_json({"file": str(path), "public_part": str(public), "id": signer.id})
        return
    render.tell(
        ("signing key", "its owner's alone"),
        [("file", str(path)), ("public part", str(public)), ("id", signer.id)],
    )
    if public.exists():
        render.say()
        render.say(public.read_text(encoding="ascii").strip())
