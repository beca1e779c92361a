"""Commands that only read: no JVM, an answer in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, UNSAID, Json, Purpose, Restricted, Warehouse, app, enter

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.funnel_shown import Shown


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
    restricted: Restricted = False,
    purpose: Purpose = UNSAID,
    json: Json = False,
) -> None:
    """Whether a post is in a version, and every reason if it is not; without @N, in all versions.

    Example: corpus why uk-social@3 p-1234 --restricted --purpose "complaint 12"
    """
    from corpus import query, render
    from corpus.versions import parse_reference

    dataset, number = parse_reference(version)
    enter(warehouse, dataset, (restricted, purpose), "why", ("post", post_id))
    found = query.why(warehouse, dataset, number, post_id)
    render.as_json(found) if json else render.why(found)


@app.command()
def objections(
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")],
    warehouse: Warehouse = HERE,
    most: Annotated[int, typer.Option(min=1, help="How many late or unresolved ones to name.")] = 20,
    json: Json = False,
) -> None:
    """How soon objections were honoured, which were late, and which found nobody.

    Example: corpus objections uk-social
    """
    from corpus import receipts, render
    from corpus.versions import parse_reference

    found = receipts.objections(warehouse, *parse_reference(version), most=most)
    render.as_json(found) if json else receipts.tell_objections(found)


@app.command()
def receipt(
    dataset: str,
    objection_id: str,
    warehouse: Warehouse = HERE,
    restricted: Restricted = False,
    purpose: Purpose = UNSAID,
    json: Json = False,
) -> None:
    """What a person gets who objected: whom it reached, since when it is honoured, which versions held their posts.

    Example: corpus receipt uk-social o-1234 --restricted --purpose "answer to the person"
    """
    from corpus import receipts, render

    enter(warehouse, dataset, (restricted, purpose), "receipt", ("objection", objection_id))
    found = receipts.receipt(warehouse, dataset, objection_id)
    render.as_json(found) if json else receipts.tell_receipt(found)


@app.command()
def funnel(
    version: Annotated[str, typer.Argument(metavar="DATASET[@N]")],
    warehouse: Warehouse = HERE,
    restricted: Annotated[bool, typer.Option("--restricted", help="Show every number, small ones too.")] = False,
    json: Json = False,
) -> None:
    """Why posts were left out, as it may be passed on: numbers under 10 are hidden, so that none can be worked out.

    Example: corpus funnel uk-social@3
    """
    from corpus import query, render
    from corpus.funnel_shown import shown_funnel
    from corpus.versions import parse_reference

    found = query.show(warehouse, *parse_reference(version))
    lines = shown_funnel(found.predicate, exact=restricted)
    render.as_json({"version": found.name, "exact": restricted, "lines": lines}) if json else tell_funnel(lines)


def tell_funnel(lines: list[Shown]) -> None:
    """The totals, and a line for each reason in plain words; what is hidden is said to be."""
    from corpus import render
    from corpus.funnel_shown import HIDDEN, LEAST

    render.tell(("", "posts"), [(line.meaning, line.first_shown) for line in lines if line.kind == "total"], ("posts",))
    render.say()
    rows = [(line.meaning, line.first_shown, line.in_all_shown, line.name) for line in lines if line.kind == "reason"]
    render.tell(("left out because", "first", "in all", ""), rows, numbers=("first", "in all"))
    if any(line.first is None for line in lines):
        render.say()
        render.say(f"Numbers under {LEAST} are not shown, and those that are '{HIDDEN}' would give them away.")
