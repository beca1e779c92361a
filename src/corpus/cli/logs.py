"""Commands about a dataset's log: its versions, a check of all of it, witnesses and time stamps. No JVM."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from corpus.cli.options import HERE, Dataset, Json, Warehouse, app
from corpus.errors import ConfigError

# ruff: noqa: PLC0415 (each command imports what it needs)
# ruff: noqa: PLR0913, PLR0917 (an option is a parameter)

if TYPE_CHECKING:
    from datetime import datetime

    from corpus.evidence.log_check import Checked

WAIT_SECONDS = 60.0
Key = Annotated[
    Path | None,
    typer.Option(metavar="PEM", help="The dataset's public key, kept elsewhere; by default the one beside the log."),
]


class _VersionsByDefault(TyperGroup):
    """`corpus log DATASET` lists the versions: a word that is no command of the group is a dataset."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_command = bool(args) and args[0] in {*self.commands, "-h", "--help"}
        return super().parse_args(ctx, args if is_command else ["versions", *args])


logs = typer.Typer(
    help="The versions of a dataset (corpus log DATASET), and its log checked.\n\nExample: corpus log uk-social",
    cls=_VersionsByDefault,
)
app.add_typer(logs, name="log")


@logs.command()
def versions(dataset: Dataset, warehouse: Warehouse = HERE, json: Json = False) -> None:
    """The versions of a dataset, newest first; `versions` may be left out.

    Example: corpus log uk-social
    """
    from corpus import render
    from corpus.versions import versions as of

    found = of(warehouse, dataset)
    render.as_json([version.summary() for version in found]) if json else render.log(found)


@logs.command()
def verify(
    dataset: Dataset,
    since: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="An older checkpoint, kept elsewhere: it must be extended."),
    ] = None,
    key: Key = None,
    roots: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Root certificates of the authority that gave the time stamps.")
    ] = None,
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Whether all of a dataset's log is what its key signed: every entry, every hash, the chain of records.

    Example: corpus log verify uk-social --since kept.checkpoint
    """
    from corpus import render
    from corpus.evidence.log_check import checked
    from corpus.evidence.timestamps import read_roots, stamps
    from corpus_verify.notes import printable

    folder = _log(warehouse, dataset)
    found = checked(folder, dataset, _public(folder, key), text_of(since) if since else None)
    stamped = stamps(folder, read_roots(roots))
    if json:
        render.as_json(_as_row(found, stamped))
        return
    counts = ", ".join(f"{count} of {kind}s" for kind, count in found.kinds.items())
    print(
        f"The log of {dataset} holds: {found.checkpoint.size} entries ({counts}), root {found.checkpoint.root.hex()}."
    )
    if found.since:
        print(f"It extends the checkpoint of {found.since.size} entries in {since}.")
    else:
        print("Whether others were shown the same, only a checkpoint tells that was kept elsewhere: --since.")
    if not key:
        print("The key is the one beside the log; compare it with one kept elsewhere: --key.")
    for name in found.signers[1:]:
        print(f"Its checkpoint also carries a line of {printable(name)}, not checked.")
    for size, moment in stamped.items():
        print(
            f"Stamped at {size} entries: {moment.isoformat()}" + ("" if roots else " (authority not checked: --roots)")
        )


def _as_row(found: Checked, stamped: dict[int, datetime]) -> dict[str, Any]:
    """A checked log for programs."""
    root, since = found.checkpoint.root.hex(), found.since.size if found.since else None
    stamps = [{"entries": size, "at": moment.isoformat()} for size, moment in stamped.items()]
    held = {"entries": found.checkpoint.size, "kinds": found.kinds, "root": root, "extends": since}
    return held | {"signers": found.signers, "stamps": stamps}


@logs.command()
def prove(
    dataset: Dataset,
    old: Annotated[int, typer.Argument(min=0, help="The smaller size.")],
    new: Annotated[int, typer.Argument(min=0, help="The larger size.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--out", "--output", help="A file; by default it is printed.")
    ] = None,
    warehouse: Warehouse = HERE,
) -> None:
    """What joins two checkpoints of a log, for corpus-verify --consistency: the larger begins with all of the smaller.

    Example: corpus log prove uk-social 12 40 -o consistency.json
    """
    from corpus.evidence.log import consistency
    from corpus.evidence.store import canonical, write_document
    from corpus_verify.records import origin_of

    path = consistency(_log(warehouse, dataset), old, new)
    document = {
        "format": "corpus-consistency/v1",
        "log": origin_of(dataset),
        "old": str(old),
        "new": str(new),
        "path": [one.hex() for one in path],
    }
    write_document(output, document) if output else print(canonical(document).decode())


@app.command()
def witness(
    dataset: Dataset,
    key: Annotated[Path, typer.Option(metavar="PEM", help="The witness's private key (Ed25519).")],
    state: Annotated[
        Path | None, typer.Option(help="Where it keeps what it signed last; by default beside its key.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The witness's name; by default its key file's.")] = None,
    dataset_key: Key = None,
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Cosigns the newest checkpoint, after checking that it extends the last one that this witness signed.

    Example: corpus witness uk-social --key auditor.pem
    """
    from corpus import render
    from corpus.evidence.lease import lease
    from corpus.evidence.witness import Witness, read_witness_key
    from corpus.evidence.witness import witness as sign
    from corpus_verify.notes import verifier_key
    from corpus_verify.records import origin_of

    folder = _log(warehouse, dataset)
    by = Witness(_named(name or key.stem), read_witness_key(key), state or key.with_suffix(f".{dataset}.checkpoint"))
    with lease(folder.parent.parent, "corpus witness", WAIT_SECONDS):
        new, old = sign(folder, origin_of(dataset), _public(folder, dataset_key), by, int(time.time()))
    if json:
        known = {"witness": by.name, "entries": new.size, "root": new.root.hex(), "extends": old.size if old else None}
        render.as_json(known | {"kept": str(by.kept), "key": verifier_key(by.name, by.public, is_witness=True)})
        return
    print(f"{by.name} saw the log of {dataset} at {new.size} entries, root {new.root.hex()}.")
    print(
        f"It extends the {old.size} entries of last time." if old else "It is the first time: nothing to compare with."
    )
    print(f"Kept in {by.kept}; its verifier key: {verifier_key(by.name, by.public, is_witness=True)}")


@app.command()
def timestamp(
    dataset: Dataset,
    authority: Annotated[
        str | None, typer.Option(metavar="URL", help="A time stamp authority, asked over HTTP.")
    ] = None,
    request_only: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the request, to be sent by hand.")
    ] = None,
    response: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep an answer that was fetched by hand.")
    ] = None,
    roots: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The authority's root certificates, to check the answer by.")
    ] = None,
    warehouse: Warehouse = HERE,
    json: Json = False,
) -> None:
    """Has the newest checkpoint stamped by an authority (RFC 3161): proof of the time from outside.

    Example: corpus timestamp uk-social --authority https://tsa.example.org
    """
    from corpus import render
    from corpus.evidence.store import write_whole
    from corpus.evidence.timestamps import ask, keep, read_roots, request

    if sum(option is not None for option in (authority, request_only, response)) != 1:
        raise ConfigError("Say one of --authority URL, --request-only FILE, --response FILE.")
    folder, trusted = _log(warehouse, dataset), read_roots(roots)
    if request_only:
        write_whole(request_only, request(folder).as_bytes())
        said = f"Send {request_only} as application/timestamp-query; then give the answer by --response."
        render.as_json({"request": str(request_only)}) if json else print(said)
        return
    asked = request(folder) if authority else None
    answer = ask(authority, asked) if authority and asked else _bytes(response or Path())
    size, moment = keep(folder, answer, trusted, asked.nonce if asked else None)
    if json:
        render.as_json({"entries": size, "at": moment.isoformat(), "authority_checked": bool(roots)})
        return
    print(f"Stamped: the log of {dataset} at {size} entries, {moment.isoformat()}.")
    if not roots:
        print("The authority's signature was not checked: name its root certificates by --roots.")


def _log(warehouse: Path, dataset: str) -> Path:
    from corpus.evidence.store import log_folder
    from corpus.versions import parse_name

    return log_folder(warehouse / parse_name(dataset))


def _public(folder: Path, key: Path | None) -> bytes:
    from corpus.errors import DatasetError
    from corpus_verify.errors import Refused
    from corpus_verify.keys import read_public

    try:
        return read_public(key or folder.parent / "public.pem")
    except Refused as refused:
        raise DatasetError(f"The log cannot be checked: {refused}.") from None


def _named(name: str) -> str:
    if name and not any(c.isspace() or c == "+" or not c.isprintable() for c in name):
        return name
    raise ConfigError(f"A witness's name has no spaces and no '+'; found {name!r}. Give one by --name.")


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1 << 20)
    except OSError as cannot:
        raise ConfigError(f"The file {path} cannot be read: {cannot.strerror}.") from None


def text_of(path: Path) -> str:
    """The text of a small file. Raises ConfigError."""
    return _bytes(path).decode(errors="replace")
