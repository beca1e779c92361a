"""Commands about one person, and about who looked: no JVM, and each look-up is registered before it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, Warehouse, app
from corpus.errors import ConfigError

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.lookups import Kind, Register


@app.command()
def lookups(
    dataset: str,
    post: Annotated[str | None, typer.Option(metavar="ID", help="About this post.")] = None,
    account: Annotated[str | None, typer.Option(metavar="ID", help="About this account.")] = None,
    objection: Annotated[str | None, typer.Option(metavar="ID", help="About this objection.")] = None,
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Who looked at what names people, when and what for; with an id, who looked at this one.

    Example: corpus lookups uk-social --account a-1234
    """
    from corpus import lookups as registers
    from corpus import render
    from corpus.versions import dataset_folder

    kinds: dict[Kind, str | None] = {"post": post, "account": account, "objection": objection}
    named = [(kind, name) for kind, name in kinds.items() if name is not None]
    if len(named) > 1:
        raise ConfigError("Name one id: by --post, by --account or by --objection.")
    found = registers.lookups(dataset_folder(warehouse, dataset), *named)
    render.as_json(found) if json else tell_lookups(found)


def tell_lookups(found: Register) -> None:
    """A line for each look-up, oldest first."""
    from corpus import render

    rows = [(one["at"], one["who"], one["verb"], one["kind"], one["purpose"]) for one in found.lookups]
    render.tell(("at", "who", "by", "about one", "for"), rows) if rows else render.say("No look-up is registered.")
    if found.unreadable:
        render.say(f"! {found.unreadable} line(s) of the register cannot be read: a power cut, or a change by hand.")
