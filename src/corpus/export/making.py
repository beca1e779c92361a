"""An export from beginning to end: handed out, put in order, written by shards, signed; begun again, it goes on."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from corpus.durable import settle
from corpus.errors import ConfigError, Conflict, DatasetError, EnvironmentFault
from corpus.evidence.envelope import EXPORT, sealed
from corpus.evidence.journal import Entry, entries, of_kind
from corpus.evidence.keys import Signer, signer_of
from corpus.evidence.record import digest_of_record
from corpus.evidence.store import canonical, read_document, write_document
from corpus.export.formats import ROWS_IN_GROUP, WRITERS, Form, Shard, as_written, mds_index
from corpus.export.manifest import MANIFEST, SIGNED, Document, Wanted, as_text, described, plan_of
from corpus.export.order import cuts, in_groups
from corpus.export.parts import Parts, scattered
from corpus.progress import counted
from corpus.uses import Asked, hand_out
from corpus.versions import Version, build_at, versions

WORK = ".unfinished"
"""The folder in the target for what is not ready; gone when all is."""

PLAN, INDEX = "plan.json", "index.json"
OURS = re.compile(rf"shard-\d{{5,}}\.({'|'.join(map(re.escape, Form))})|{re.escape(WORK)}|{MANIFEST}|{SIGNED}|{INDEX}")


@dataclass(frozen=True)
class Place:
    """From where to where, and who signs."""

    warehouse: Path
    signing_key: Path | str
    folder: Path
    wait: float = 600


@dataclass(frozen=True)
class Exported:
    """A finished export; `kept` of its shards were there already."""

    version: str
    folder: Path
    manifest: Document
    kept: int


def export(place: Place, dataset: str, number: int, asked: Asked, wanted: Wanted) -> Exported:
    """Writes a version's shards into a folder, or what is missing of them, and signs what they are.

    The use is logged before a row is read. Raises UseRefused, ConfigError (the folder holds something else), Conflict
    (somebody else is at it), EnvironmentFault (it cannot be written).
    """
    source = (place.warehouse / dataset).absolute()
    _require_free(place.folder.absolute(), source)
    _require_rows(build_at(versions(place.warehouse, dataset), number), wanted)
    version, use = _handed(place, dataset, number, asked)
    plan = plan_of(version, digest_of_record(of_kind(entries(source), "version", number)[-1]), use, wanted)
    with _writable(place.folder), _begun(place.folder, plan) as work:
        kept = _kept(place.folder, work)
        manifest = read_document(place.folder / MANIFEST)
        if manifest is None or any(shard["name"] not in kept for shard in manifest["shards"]):
            parts = _in_parts(source, version, work, wanted)
            shards = [*_shards(place.folder, work, parts, wanted, kept)]
            _handed(place, dataset, number, asked)  # refuses what was recalled meanwhile
            manifest = _finished(place.folder, work, plan, shards, wanted, signer_of(source, place.signing_key))
        shutil.rmtree(work)
    return Exported(version.name, place.folder, manifest, len(kept))


def _handed(place: Place, dataset: str, number: int, asked: Asked) -> tuple[Version, Entry]:
    now = datetime.now(UTC)
    handed = hand_out(place.warehouse, dataset, number, asked, place.signing_key, now, place.wait)
    return build_at(versions(place.warehouse, dataset), number), handed.entry


def _require_free(folder: Path, dataset: Path) -> None:
    """Raises ConfigError if the target cannot be one: it lies in the dataset, is a file, or holds what is not ours."""
    if folder == dataset or dataset in folder.parents or folder in dataset.parents:
        raise ConfigError(f"--to {folder} lies in or around the dataset; name a folder elsewhere, that may be new.")
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"--to {folder}: {there} is no folder that you may write to; name another place.")
    names = {path.name for path in folder.iterdir()} if there == folder else set()
    odd = sorted(name for name in names if not OURS.fullmatch(name))
    if odd or (names - {WORK} and _plan_in(folder) is None):
        raise ConfigError(f"--to {folder} is not empty ({', '.join(odd[:3]) or 'no plan'}); name a new folder.")


def _require_rows(version: Version, wanted: Wanted) -> None:
    if version.rows is not None and version.rows < (wanted.shards or 1):
        raise ConfigError(
            f"{version.name} has {version.rows:,} documents, too few for that many shards; ask for fewer."
        )


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cannot:
        raise EnvironmentFault(
            f"{folder} cannot be written: {cannot.strerror or cannot}. What is finished stays there; when there is "
            "room, the same command goes on."
        ) from None


@contextmanager
def _begun(folder: Path, plan: Document) -> Iterator[Path]:
    """The folder for what is not ready, held by us alone. Raises ConfigError if the target holds something else."""
    work = folder / WORK
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    _require_same(folder, plan)
    work.mkdir(mode=0o700, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"Another export writes to {folder}; run this again when it has ended.") from None
        write_document(work / PLAN, plan)
        yield work


def _plan_in(folder: Path) -> Document | None:
    """What was planned for a folder, whether it is finished or not."""
    return read_document(folder / WORK / PLAN) or read_document(folder / MANIFEST)


def _require_same(folder: Path, plan: Document) -> None:
    """Raises ConfigError if the folder has another export."""
    there = _plan_in(folder)
    differ = [name for name in plan if there and there.get(name) != plan[name]]
    if differ:
        raise ConfigError(
            f"{folder} holds another export: not the same {', '.join(differ)}. The same command as before goes on "
            "with it; another one needs a new folder."
        )


def _kept(folder: Path, work: Path) -> dict[str, Document]:
    """The shards that are there as they were recorded, by name."""
    recorded = [document for path in work.glob("shard-*.json") if (document := read_document(path))]
    recorded += (read_document(folder / MANIFEST) or {"shards": []})["shards"]
    there = ((folder / shard["name"], shard) for shard in recorded if (folder / shard["name"]).exists())
    return {path.name: found for path, shard in there if (found := described(path, shard["rows"])) == shard}


def _in_parts(source: Path, version: Version, work: Path, wanted: Wanted) -> Parts:
    with counted(f"putting {version.name} in order", version.rows or 0) as tell:
        parts = scattered(source, version.number, list(wanted.columns), wanted.seed, work / "parts", tell)
    if parts.rows == version.rows:
        return parts
    raise DatasetError(
        f"{version.name} has {parts.rows:,} rows, where its statement says {version.rows:,}: it was changed. "
        f"`corpus verify {version.name}` says more."
    )


def _shards(folder: Path, work: Path, parts: Parts, wanted: Wanted, kept: dict[str, Document]) -> Iterator[Document]:
    """What each shard is, in order; those that are not kept are written."""
    shards = wanted.shards or min(-(-parts.bytes // wanted.shard_bytes), parts.rows)
    with counted(f"writing {shards:,} shards", parts.rows) as tell:
        for index, (first, end) in enumerate(cuts(parts.rows, shards)):
            name = f"shard-{index:05d}.{wanted.form}"
            if name not in kept:
                rows = in_groups(parts.between(first, end), ROWS_IN_GROUP)
                shard = Shard(
                    work / name, (as_written(each, wanted.schema) for each in rows), end - first, wanted.schema
                )
                kept_or_made = _made(shard, wanted.form, folder)
            yield kept.get(name) or kept_or_made
            tell(end - first)


def _made(shard: Shard, form: Form, folder: Path) -> Document:
    """A shard written: recorded first, so that it is never under its name without its digest being known."""
    WRITERS[form](shard)
    document = described(shard.path, shard.count)
    write_document(shard.path.with_name(f"{shard.path.name}.json"), document)
    settle(shard.path, folder / shard.path.name)
    return document


def _finished(  # noqa: PLR0913, PLR0917 (where, what, and who signs)
    folder: Path, work: Path, plan: Document, shards: list[Document], wanted: Wanted, signer: Signer
) -> Document:
    """The manifest; by it an export is whole."""
    manifest = plan | {"shards": shards, "others": []}
    if wanted.form is Form.MDS:
        (work / INDEX).write_bytes(canonical(mds_index(wanted.schema, shards)))
        manifest["others"] = [described(work / INDEX)]
        settle(work / INDEX, folder / INDEX)
    for name, content in ((SIGNED, canonical(sealed(manifest, EXPORT, signer))), (MANIFEST, as_text(manifest))):
        (work / name).write_bytes(content)
        settle(work / name, folder / name)
    return manifest
