"""Commands about policies: in plain English, and compared."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, Json, SparkConf, Warehouse, app, spark_session

# ruff: noqa: PLC0415 (each command imports what it needs: without --dataset no JVM starts)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.policy_changes import Change
    from corpus.policy_explained import Explanation
    from corpus.policy_impact import Impact

policies = typer.Typer(
    help="Policies in plain English, and compared.\n\nExample: corpus policy explain uk-social", no_args_is_help=True
)
app.add_typer(policies, name="policy")

File = Annotated[str, typer.Argument(help="A policy file, or its name in conf/policies.")]
WIDTH = 110


@policies.command()
def explain(policy: File, json: Json = False) -> None:
    """What a policy allows, in plain English; each departure from the strict default is marked, with its reason.

    Example: corpus policy explain uk-social
    """
    from corpus import render
    from corpus.arguments import conf_file
    from corpus.policy import read_policy
    from corpus.policy_explained import explained

    found = explained(read_policy(conf_file("policies", policy)))
    render.as_json(found) if json else tell_explained(found)


@policies.command()
def diff(
    before: File,
    after: File,
    dataset: Annotated[
        str | None, typer.Option(metavar="DATASET[@N]", help="Count how many posts of this version would move.")
    ] = None,
    warehouse: Warehouse = HERE,
    json: Json = False,
    spark_conf: SparkConf = "local",
) -> None:
    """Every change from one policy to another, and which way it leans; with --dataset, how many posts it would move.

    Example: corpus policy diff uk-social eu-social
    """
    from corpus import query, render
    from corpus.arguments import conf_file
    from corpus.policy import read_policy
    from corpus.policy_changes import changes
    from corpus.versions import parse_reference

    a, b = (read_policy(conf_file("policies", name)) for name in (before, after))
    version = query.show(warehouse, *parse_reference(dataset)) if dataset else None
    found, moves = changes(a, b), None
    if version and version.statement and any(change.moves for change in found):
        from corpus.policy_impact import impact

        with spark_session("corpus policy diff", spark_conf) as spark:
            moves = impact(spark, version.statement, a, b, found)
    if json:
        render.as_json({"changes": found, "posts": moves})
        return
    tell_changes((before, after), found)
    if moves and version:
        tell_moves(version.name, before, found, moves)
    elif version:
        render.say(f"No post of {version.name} would move: nothing that differs decides about one.")


def tell_explained(found: Explanation) -> None:
    """A policy in chapters, its marks under the sentences that they concern."""
    from corpus import render

    render.say(f"The policy {found.name}", style="bold")
    for line in found.summary:
        _say("", line)
    for title, chapter in found.chapters.items():
        render.say()
        render.say(title, style="bold")
        for said in chapter:
            _say("- ", said.says if said.is_checked else f"NOT CHECKED: {said.says}")
            for mark in said.marks:
                because = f"Its reason: {mark.because.rstrip('.')}." if mark.because else "No reason is given."
                _say("  ! " if mark.is_laxer else "  ~ ", f"{mark.says} {because}", style="yellow")
    if found.by_country:
        headers = list(found.by_country[0])
        render.tell(headers, [list(row.values()) for row in found.by_country])


def _say(lead: str, text: str, style: str = "") -> None:
    """A text in lines that a person can read, the later ones set in."""
    from corpus import render

    hanging = " " * len(lead)
    for line in wrap(render.clean(text), WIDTH, initial_indent=lead, subsequent_indent=hanging, break_on_hyphens=False):
        render.say(line, style=style)


def tell_changes(names: tuple[str, str], found: list[Change]) -> None:
    """Each change with what held before and what holds now."""
    from corpus import render

    if not found:
        render.say(f"{names[0]} and {names[1]} say the same.")
        return
    ways = ", ".join(f"{n} {way}" for way, n in Counter(sorted(change.way for change in found)).items())
    render.say(f"From {names[0]} to {names[1]}: {ways}", style="bold")
    for change in found:
        render.say()
        render.say(f"{change.key}: {change.way}")
        _say("  was  ", change.was)
        _say("  now  ", change.becomes)


def tell_moves(version: str, before: str, found: list[Change], moves: Impact) -> None:
    """How many posts of a version each change would move."""
    from corpus import render

    render.say()
    render.say(f"Of the posts of {version}, {moves.kept:,} are in under {before}. There would", style="bold")
    rows = [(key, moved.comes_in, moved.goes_out) for key, moved in moves.alone.items()]
    rows += [("all changes together", moves.together.comes_in, moves.together.goes_out)]
    render.tell(("by this change alone", "come in", "go out"), rows, numbers=("come in", "go out"))
    others = sum(not change.moves for change in found)
    if others:
        render.say(f"The other changes ({others}) decide about no post.")
