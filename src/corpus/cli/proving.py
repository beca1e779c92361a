"""The command that makes proofs: no JVM, and the dataset key read, since each proof opens one bucket."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import HERE, Json, Key, Numbered, Warehouse, app, default_key

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)


@app.command()
def prove(
    version: Numbered,
    post: Annotated[str | None, typer.Option(metavar="ID", help="Prove it of this post.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="Prove it of this author or co-author.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file to write. [default: named here]")] = None,
    warehouse: Warehouse = HERE,
    key: Key = None,
    json: Json = False,
) -> None:
    """Prove that a post or a person is in a version, or is not: one small file that anybody can check.

    Example: corpus prove uk-social@3 --post p-1234
    """
    from corpus import proving, render
    from corpus.errors import ConfigError
    from corpus.progress import shown_on_a_terminal, step
    from corpus.versions import parse_one

    asked = parse_one(version)
    named = {kind: name for kind, name in (("post", post), ("account", account)) if name is not None}
    if len(named) != 1:
        raise ConfigError("Name one post by --post ID, or one account by --account ID; a proof is about one.")
    (about,) = named.items()
    with shown_on_a_terminal(), step("opening the bucket, and checking the proof"):
        made = proving.prove(warehouse, asked, about, key or default_key(asked[0]))
    place = proving.write_proof(made, out)
    render.as_json(proving.summary(made, place)) if json else proving.tell(made, place, warehouse)
