"""Commands for who uses a version: built again, described for others, handed out, called back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import (
    HERE,
    UNSAID,
    ApprovedBy,
    Dataset,
    Json,
    Key,
    Numbered,
    Purpose,
    Restricted,
    Run,
    SigningKey,
    SparkConf,
    UsedFor,
    Wait,
    Warehouse,
    app,
    default_key,
    enter,
    spark_session,
)
from corpus.errors import ConfigError, EnvironmentFault

# ruff: noqa: PLC0415 (each command imports what it needs: only `reproduce` starts a JVM)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from corpus.recalls import Recall
    from corpus.reproduction import Reproduction
    from corpus.uses import Use


@app.command()
def reproduce(
    version: Numbered,
    warehouse: Warehouse = HERE,
    key: Key = None,
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
        found = run(spark, warehouse, dataset, number, key or default_key(dataset), into)
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
    for tree, stated in found.trees_stated.items():
        same = "the same" if found.trees_rebuilt.get(tree) == stated else "ANOTHER"
        render.say(f"The tree of {stated['ids']} {tree} is {same} when it is built again.")
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


@app.command()
def use(
    version: Numbered,
    run: Run,
    purpose: UsedFor,
    approved_by: ApprovedBy,
    warehouse: Warehouse = HERE,
    key: Key = None,
    signer: SigningKey = None,
    wait: Wait = 600,
    json: Json = False,
) -> None:
    """Log that a run uses a version, and print what opens it; exit code 9 if it may not be used.

    Example: corpus use uk-social@3 --run tram-7b --purpose pretraining --approved-by "A. Lovelace"
    """
    from datetime import UTC, datetime

    from corpus import render
    from corpus.evidence.keys import signing_key
    from corpus.uses import Asked, hand_out
    from corpus.versions import parse_one

    dataset, number = parse_one(version)
    asked, place = Asked(run, purpose, approved_by), signing_key(key or default_key(dataset), signer)
    found = hand_out(warehouse, dataset, number, asked, place, datetime.now(UTC), wait)
    if json:
        render.as_json({"version": found.version, "sql": found.sql, "entry": found.entry, "was_there": found.was_there})
        return
    render.say(f"{found.version} is {run}'s to use, {'as logged at' if found.was_there else 'logged at'} "
               f"{found.entry['at']}: for '{purpose}' (its policy: {found.purpose})", style="bold")  # fmt: skip
    render.say(found.sql)


@app.command()
def uses(
    dataset: Dataset,
    version: Annotated[int | None, typer.Option(help="Of this version.")] = None,
    run: Annotated[str | None, typer.Option(help="By this run.")] = None,
    account: Annotated[str | None, typer.Option(help="Of anything of this account; for the privacy team.")] = None,
    warehouse: Warehouse = HERE,
    restricted: Restricted = False,
    purpose: Purpose = UNSAID,
    json: Json = False,
) -> None:
    """Which runs used which versions; with --account, those that held a person's posts, or their words.

    Example: corpus uses uk-social --version 3
    """
    from corpus import render
    from corpus import uses as register
    from corpus.versions import parse_name

    parse_name(dataset)
    if account is None:
        found = register.uses(warehouse, dataset, version, run)
    else:
        enter(warehouse, dataset, (restricted, purpose), "uses --account", ("account", account))
        found = register.uses_of_account(warehouse, dataset, account, version)
        found = [use for use in found if run is None or use.run == run]
    render.as_json(found) if json else tell_uses(found, of_person=account is not None)


def tell_uses(found: list[Use], of_person: bool) -> None:
    """A line for each use."""
    from corpus import render

    if not found:
        render.say("No use is logged.")
        return
    of_whom = ("own documents", "words through others") if of_person else ()
    rows = [
        (use.version, use.run, use.purpose, use.approved_by, use.at, _state(use), use.documents, use.through_others)
        for use in found
    ]
    headers = ("version", "run", "purpose", "approved by", "at", "", *of_whom)
    render.tell(headers, [row[: len(headers)] for row in rows], numbers=of_whom)


def _state(use: Use) -> str:
    return "recalled" if use.is_recalled else ""


@app.command()
def recall(
    dataset: Dataset,
    warehouse: Warehouse = HERE,
    key: Key = None,
    signer: SigningKey = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be recalled.")] = False,
    wait: Wait = 600,
    json: Json = False,
) -> None:
    """Recall the versions that hold what the newest one leaves out for an objection; `use` refuses them from then on.

    Example: corpus recall uk-social
    """
    from datetime import UTC, datetime

    from corpus import recalls, render
    from corpus.evidence.keys import signing_key
    from corpus.progress import shown_on_a_terminal
    from corpus.versions import parse_name

    place = signing_key(key or default_key(parse_name(dataset)), signer)
    with shown_on_a_terminal():
        if dry_run:
            found = recalls.preview(warehouse, dataset)
        else:
            found = recalls.recall(warehouse, dataset, place, datetime.now(UTC), wait)
    render.as_json(found) if json else tell_recall(found, dry_run)


def tell_recall(found: Recall, dry_run: bool) -> None:
    """Which versions are recalled, and which runs used them."""
    from corpus import render

    news = "would be recalled" if dry_run else "recalled now"
    rows = [
        (
            each.version,
            news if each.is_new else "recalled before",
            each.objections,
            each.documents,
            ", ".join(each.runs),
        )
        for each in found.recalled
    ]
    if rows:
        headers = ("version", "", "objections", "documents", "used by")
        render.tell(headers, rows, numbers=("objections", "documents"))
    else:
        render.say(f"No earlier version holds what {found.known_by} leaves out for an objection.")
    render.say(f"By the objections that {found.known_by} knew at {found.as_of}; those that came later are found once a "
               "version is built that knows them.")  # fmt: skip
