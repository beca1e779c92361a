"""The command that writes a version as shards for training, without a JVM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import (
    HERE,
    ApprovedBy,
    Json,
    Key,
    Numbered,
    Run,
    SigningKey,
    UsedFor,
    Wait,
    Warehouse,
    app,
    default_key,
)

# ruff: noqa: PLC0415 (each command imports what it needs)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.export.making import Exported


@app.command()
def export(
    version: Numbered,
    to: Annotated[Path, typer.Option(help="The folder for the shards; made for you alone if it is not there.")],
    run: Run,
    purpose: UsedFor,
    approved_by: ApprovedBy,
    form: Annotated[str, typer.Option("--format", help="parquet, jsonl.zst or mds.")] = "parquet",
    shards: Annotated[int | None, typer.Option(help="How many shards.", min=1, max=99_999)] = None,
    shard_size: Annotated[str, typer.Option(help="Else: how much text and numbers in each, unpacked.")] = "256MB",
    seed: Annotated[int, typer.Option(help="Another seed, another order.", min=0, max=2**53 - 1)] = 0,
    columns: Annotated[str | None, typer.Option(help="Only these, as doc_id,text; verify wants all.")] = None,
    warehouse: Warehouse = HERE,
    key: Key = None,
    signer: SigningKey = None,
    wait: Wait = 600,
    json: Json = False,
) -> None:
    """Write a version as shuffled shards under a signed manifest, and log the use; run again, it goes on.

    Example: corpus export uk-social@3 --to shards --run tram-7b --purpose pretraining --approved-by "A. Lovelace"
    """
    from corpus import render
    from corpus.arguments import one_of, size
    from corpus.evidence.keys import signing_key
    from corpus.export.formats import Form
    from corpus.export.making import Place
    from corpus.export.making import export as run_export
    from corpus.export.manifest import Wanted, chosen
    from corpus.progress import shown_progress
    from corpus.uses import Asked
    from corpus.versions import parse_one

    dataset, number = parse_one(version)
    wanted = Wanted(one_of(Form, form, "--format"), chosen(columns), seed, shards, size(shard_size, "--shard-size"))
    place = Place(warehouse, signing_key(key or default_key(dataset), signer), to, wait)
    with shown_progress():
        found = run_export(place, dataset, number, Asked(run, purpose, approved_by), wanted)
    render.as_json(found.manifest) if json else tell(found)


def tell(found: Exported) -> None:
    """How much is where, and what checks it."""
    from corpus import render

    manifest = found.manifest
    shards, size = manifest["shards"], sum(shard["bytes"] for shard in manifest["shards"])
    kept = f", {found.kept:,} of them kept from before" if found.kept else ""
    render.say(f"{found.version} is in {found.folder}: {manifest['rows']:,} documents in {len(shards):,} shards{kept}; "
               f"{size / 1e6:,.1f} MB as {manifest['as']}", style="bold")  # fmt: skip
    render.say(f"Check it where it lies with: corpus verify {found.version} --export {found.folder}")
