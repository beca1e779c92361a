"""Commands about one person, and about who looked: no JVM, and each look-up is registered before it is answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import HERE, UNSAID, Dataset, Json, Purpose, Restricted, Warehouse, app, enter
from corpus.errors import ConfigError

# ruff: noqa: PLC0415 (each command imports what it needs: reading starts no JVM and loads no pyspark)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from pathlib import Path

    from corpus.lookups import Kind, Register
    from corpus.subject import Post, Subject


@app.command()
def lookups(
    dataset: Dataset,
    post: Annotated[str | None, typer.Option(metavar="ID", help="About this post.")] = None,
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="About this account, a post or an objection of it."),
    ] = None,
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
    folder = dataset_folder(warehouse, dataset)
    found = registers.lookups(folder, *named, *(_everything_of(warehouse, dataset, account) if account else ()))
    render.as_json(found) if json else tell_lookups(found)


def _everything_of(warehouse: Path, dataset: str, account: str) -> set[tuple[Kind, str]]:
    """The ids by which somebody may have looked at this account without naming it."""
    from corpus.errors import DatasetError
    from corpus.subject import subject as of

    try:
        found = of(warehouse, dataset, account)
    except DatasetError:  # nobody knows it, and yet somebody may have asked for it
        return set()
    posts = {name for post in found.posts for name in (post.post_id, *(held.doc_id for held in post.history)) if name}
    return {*(("post", name) for name in posts), *(("objection", one["objection_id"]) for one in found.objections)}


def tell_lookups(found: Register) -> None:
    """A line for each look-up, oldest first."""
    from corpus import render

    rows = [(one["at"], one["who"], one["verb"], one["kind"], one["purpose"]) for one in found.lookups]
    render.tell(("at", "who", "by", "about one", "for"), rows) if rows else render.say("No look-up is registered.")
    if found.unreadable:
        render.say(f"! {found.unreadable} line(s) of the register cannot be read: a power cut, or a change by hand.")


@app.command()
def subject(
    dataset: Dataset,
    account: Annotated[str, typer.Argument(help="The account, by its id in the inputs.")],
    warehouse: Warehouse = HERE,
    restricted: Restricted = False,
    purpose: Purpose = UNSAID,
    most: Annotated[int, typer.Option(min=1, help="How many posts to list.")] = 50,
    json: Json = False,
) -> None:
    """One person in all versions: what of them is in or out, since when and why, and which runs used it.

    Example: corpus subject uk-social a-1234 --restricted --purpose "access request 7"
    """
    from corpus import render
    from corpus.progress import shown_on_a_terminal, step
    from corpus.subject import subject as of

    enter(warehouse, dataset, (restricted, purpose), "subject", ("account", account))
    with shown_on_a_terminal(), step("looking through all versions"):
        found = of(warehouse, dataset, account)
    render.as_json(found) if json else tell_subject(found, dataset, most)


def tell_subject(found: Subject, dataset: str, most: int) -> None:
    """Where the account stands, version by version and post by post, and what gave its posts their reasons."""
    from corpus import render

    newest, said = found.standings[0], {"in": "is in", "out": "has nothing in"}[found.place]
    render.say(f"Account {found.account} {said} {newest.version}, and so it has been since {found.since}", style="bold")
    counts = ("documents", "as co-author", "left out", "words through others")
    rows = [
        (s.version, s.released_at[:16].replace("T", " "), s.documents, s.as_coauthor, s.left_out, s.through_others,
         ", ".join(s.used_by)) for s in found.standings
    ]  # fmt: skip
    render.say()
    render.tell(("version", "released, UTC", *counts, "used by"), rows, numbers=counts)
    _tell_reasons(found)
    _tell_grounds(found, dataset)
    _tell_posts(found.posts, most)
    render.say()
    render.say(
        "Of posts left out only the author is kept: of which it would have been a co-author, nobody knows. What was "
        "erased from the versions, and what they never saw, are not here."
    )


def _tell_reasons(found: Subject) -> None:
    from corpus import render
    from corpus.query import meaning

    now = [post.history[0] for post in found.posts if post.place == "out"]
    counted = Counter(reason for held in now for reason in held.reasons)
    if counted:
        render.say()
        rows = [(name, n, meaning(name)) for name, n in counted.most_common()]
        render.tell((f"left out of {found.standings[0].version} because", "posts", ""), rows, numbers=("posts",))


def _tell_grounds(found: Subject, dataset: str) -> None:
    from corpus import render

    rows = [
        (g["reason"], f"{g['ground']} {g['ground_id']}", render.about(g), g["subject_id"] if g["subject_kind"] == "post"
         else "", f"{dataset}@{g['known_since']}") for g in found.grounds
    ]  # fmt: skip
    if rows:
        render.say()
        render.tell(("by", "", "", "of post", "known since"), rows)
    if found.objections:
        render.say()
        names = [(o["objection_id"], o["kind"], o["status"], str(o["received_at"] or "not known")[:16],
                  f"{dataset}@{o['known_since']}") for o in found.objections]  # fmt: skip
        render.tell(("objection", "", "status", "received, UTC", "known since"), names)


def _tell_posts(posts: list[Post], most: int) -> None:
    from corpus import render

    if posts:
        render.say()
        rows = [(p.post_id, p.role, p.place, p.since, p.history[0].primary_reason, _document(p)) for p in posts[:most]]
        render.tell(("post", "as", "is", "since", "left out for", "document"), rows)
    if len(posts) > most:
        render.say(f"and {len(posts) - most:,} more; --most {len(posts)} lists all.")


def _document(post: Post) -> str:
    """The post's document; of a post that is not in, the one that holds its words."""
    held = post.history[0]
    if post.place != "out" or not held.kept_document:
        return (held.doc_id or "") if post.place == "in" else ""
    whose = "another's post" if held.kept_by_another else "their own post"
    return f"its words are in {held.kept_document}, {whose} {held.kept_instead}"
