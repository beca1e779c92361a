"""The catalogue of tampering: what somebody may do to a sealed dataset, and which checks are there to find it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from corpus.evidence import log
from corpus.evidence.buckets import hash_of_bucket
from corpus.evidence.envelope import INTENT, STATEMENT, payload_of, sealed
from corpus.evidence.journal import append
from corpus.evidence.keys import Signer, public_path, read_signer, write_public
from corpus.evidence.proofs import split_leaves
from corpus.evidence.store import canonical, intent_path, read_document, statement_path, write_document
from corpus.reasons import Reason
from corpus.verification.findings import Report
from corpus.verification.whole import verify
from tests.small_dataset import EXCLUSIONS, MEMBERS
from tests.small_trees import LEAVES
from tests.statements import some_signer
from tests.whole_dataset import NAME, Whole, edit_commit

Tamper = Callable[["World"], object]


@dataclass(frozen=True)
class World:
    """A dataset to change, and what was kept elsewhere: its state after version 2, checkpoints, the public key."""

    whole: Whole
    kept: Path

    @property
    def folder(self) -> Path:
        return self.whole.folder

    @property
    def signer(self) -> Signer:
        return read_signer(self.whole.signing_key)

    @property
    def commits(self) -> Path:
        return self.folder / "snapshot/_delta_log"

    def file(self, version: int) -> Path:
        (add,) = [action["add"] for action in self.actions(version) if "add" in action]
        return self.folder / "snapshot" / str(add["path"])

    def actions(self, version: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.commits / f"{version:020d}.json").read_text().splitlines()]

    def verify(self, number: int | None = None, **options: Any) -> Report:
        """With everything that an owner has."""
        known: dict[str, Any] = {"key_file": self.whole.key_file, "public": self.public, "since": self.newest}
        known |= {"now": self.now} | options
        return verify(self.whole.warehouse, NAME, number, **known)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def public(self) -> bytes:
        return read_signer(self.whole.signing_key).public

    @property
    def newest(self) -> str:
        return (self.kept / "checkpoint").read_text()


# What is done to the rows


def forge_value(world: World) -> None:
    content = world.file(2).read_bytes()
    forged = content.replace(b"text 0030", b"text 9930")
    assert (forged != content, len(forged)) == (True, len(content))
    world.file(2).write_bytes(forged)


def rewrite(world: World, version: int, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """A Parquet file written anew with all its own statistics, and Delta's log made to fit."""
    path = world.file(version)
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)

    def fit(action: dict[str, Any]) -> None:
        if "add" in action:
            stats = json.loads(action["add"]["stats"]) | {"numRecords": len(rows)}
            action["add"] |= {"size": path.stat().st_size, "stats": json.dumps(stats)}

    edit_commit(world.folder, version, fit)


def rewrite_value(world: World) -> None:
    rewrite(world, 2, lambda rows: rows[7].update(text="something else"))


def add_row(world: World) -> None:
    rewrite(world, 3, lambda rows: rows.append(rows[0] | {"doc_id": "0" * 32}))


def drop_row(world: World) -> None:
    rewrite(world, 3, lambda rows: rows.pop(20))


def repeat_row(world: World) -> None:
    rewrite(world, 3, lambda rows: rows.append(rows[20]))


def swap_rows(world: World) -> None:
    one, other = (pq.read_table(world.file(version)).to_pylist()[9] for version in (2, 3))
    rewrite(world, 2, lambda rows: rows.__setitem__(9, other))
    rewrite(world, 3, lambda rows: rows.__setitem__(9, one))


def swap_files(world: World) -> None:
    one, other = world.file(1), world.file(2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def swap_texts_of_rows(world: World) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        rows[3]["text"], rows[4]["text"] = rows[4]["text"], rows[3]["text"]

    rewrite(world, 3, swap)


def delete_file(world: World) -> None:
    world.file(2).unlink()


def cut_file(world: World) -> None:
    world.file(2).write_bytes(world.file(2).read_bytes()[:-1])


def narrow_statistics(world: World) -> None:
    edit_stats(world, lambda stats: stats["maxValues"].update(bucket=0))


def edit_stats(world: World, change: Callable[[dict[str, Any]], object]) -> None:
    def edit(action: dict[str, Any]) -> None:
        if "add" in action:
            stats = json.loads(action["add"]["stats"])
            change(stats)
            action["add"]["stats"] = json.dumps(stats)

    edit_commit(world.folder, 3, edit)


def forge_footer(world: World) -> None:
    """A file's own statistics of dates, narrowed: readers that filter by date skip its rows."""
    content = world.file(3).read_bytes()
    latest = max(pq.read_table(world.file(3))["created_on"].to_pylist())
    days = (latest - datetime(1970, 1, 1).date()).days
    footer = content.rindex(b"doc_id")
    changed = content[:footer] + content[footer:].replace(days.to_bytes(4, "little"), (days - 9).to_bytes(4, "little"))
    assert changed != content
    world.file(3).write_bytes(changed)


def hide_rows(world: World) -> None:
    vector = {"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1}
    edit_add(world, deletionVector=vector)


def edit_add(world: World, **changed: Any) -> None:
    edit_commit(world.folder, 3, lambda action: action["add"].update(changed) if "add" in action else None)


def point_outside(world: World) -> None:
    shutil.copy(world.file(3), world.whole.warehouse / "elsewhere.parquet")
    edit_commit(
        world.folder,
        3,
        lambda action: action["add"].update(path="../../elsewhere.parquet") if "add" in action else None,
    )


# What is done to the commits


def edit_info(world: World, version: int, change: Callable[[dict[str, Any]], object]) -> None:
    edit_commit(world.folder, version, lambda a: change(a["commitInfo"]) and None if "commitInfo" in a else None)


def forge_metadata(world: World) -> None:
    said = json.dumps({"build_id": "build-2", "intent": "0" * 64})
    edit_info(world, 2, lambda info: info.update(userMetadata=said))


def borrow_metadata(world: World) -> None:
    (said,) = [a["commitInfo"]["userMetadata"] for a in world.actions(1) if "commitInfo" in a]
    edit_info(world, 2, lambda info: info.update(userMetadata=said))


def drop_metadata(world: World) -> None:
    edit_info(world, 3, lambda info: info.pop("userMetadata"))


def escape_by_build_id(world: World) -> None:
    said = json.dumps({"build_id": "../../../kept/build-2", "intent": "0" * 64})
    edit_info(world, 2, lambda info: info.update(userMetadata=said))


def remove_add(world: World) -> None:
    edit_commit(world.folder, 2, lambda action: "add" not in action)


def replace_last_commit(world: World) -> None:
    shutil.copy(world.commits / f"{2:020d}.json", world.commits / f"{3:020d}.json")


def delete_middle_commit(world: World) -> None:
    (world.commits / f"{2:020d}.json").unlink()


def delete_last_commit(world: World) -> None:
    (world.commits / f"{3:020d}.json").unlink()


def break_commit(world: World) -> None:
    (world.commits / f"{3:020d}.json").write_text("{")


def age_commit(world: World) -> None:
    edit_info(world, 3, lambda info: info.update(inCommitTimestamp=1))


def commit_by_others(world: World) -> None:
    actions = [action for action in world.actions(3) if "remove" not in action]
    shutil.copy(world.file(3), world.folder / "snapshot/more.parquet")
    for action in actions:
        action.get("commitInfo", {}).pop("userMetadata", None)
        action.get("commitInfo", {}).update(operation="OPTIMIZE")
        action.get("add", {}).update(path="more.parquet")
    text = "".join(json.dumps(action) + "\n" for action in actions if "txn" not in action)
    (world.commits / f"{4:020d}.json").write_text(text)


def rewrite_in_vain(world: World) -> None:
    """An OPTIMIZE: the rows of version 3 in another file."""
    optimize(world, lambda path: shutil.copy(path, path.with_name("more.parquet")))


def rewrite_fewer(world: World) -> None:
    """An OPTIMIZE, by its words: the rows of version 3 in another file, but for one."""
    optimize(world, lambda path: pq.write_table(pq.read_table(path).slice(1), path.with_name("more.parquet")))


def optimize(world: World, write: Callable[[Path], object]) -> None:
    """A commit that replaces the file of version 3 by what is written beside it, and says that no row changed."""
    write(world.file(3))
    (info,) = [action for action in world.actions(3) if "commitInfo" in action]
    (add,) = [action["add"] for action in world.actions(3) if "add" in action]
    info["commitInfo"].update(operation="OPTIMIZE", userMetadata=None)
    more = world.folder / "snapshot/more.parquet"
    rewritten = add | {"path": more.name, "size": more.stat().st_size, "dataChange": False}
    removed = {"path": add["path"], "dataChange": False, "deletionTimestamp": 0}
    actions = [info, {"remove": removed}, {"add": rewritten}]
    (world.commits / f"{4:020d}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))


def let_log_expire(world: World) -> None:
    set_property(world, "delta.enableExpiredLogCleanup", "true")


def shorten_retention(world: World) -> None:
    set_property(world, "delta.deletedFileRetentionDuration", "interval 7 days")


def set_property(world: World, name: str, value: str) -> None:
    edit_commit(
        world.folder, 0, lambda a: a["metaData"]["configuration"].update({name: value}) if "metaData" in a else None
    )


def forge_delta_checkpoint(world: World) -> None:
    """Delta's own checkpoint is written of a table that was changed for the moment."""
    original = (world.commits / f"{3:020d}.json").read_text()
    shutil.copy(world.file(3), world.folder / "snapshot/forged.parquet")
    edit_add(world, path="forged.parquet")
    DeltaTable(world.folder / "snapshot").create_checkpoint()
    (world.commits / f"{3:020d}.json").write_text(original)


def narrow_delta_checkpoint(world: World) -> None:
    original = (world.commits / f"{3:020d}.json").read_text()
    narrow_statistics(world)
    DeltaTable(world.folder / "snapshot").create_checkpoint()
    (world.commits / f"{3:020d}.json").write_text(original)


def checksum(**changed: Any) -> Tamper:
    """The file in which Spark keeps what it found a version to be, and from which it reads it again."""

    def tamper(world: World) -> None:
        (add,) = [action["add"] for action in world.actions(3) if "add" in action]
        (said,) = [action["metaData"] for action in world.actions(0) if "metaData" in action]
        written = {"numFiles": 1, "metadata": said, "protocol": {"minReaderVersion": 1}, "allFiles": [add]} | changed
        (world.commits / f"{3:020d}.crc").write_text(json.dumps(written))

    return tamper


def compact(world: World) -> None:
    shutil.copy(world.commits / f"{1:020d}.json", world.commits / f"{1:020d}.{3:020d}.compacted.json")


def map_columns_for_a_while(world: World) -> None:
    (said,) = [action["metaData"] for action in world.actions(0) if "metaData" in action]
    mapped = said | {"configuration": said["configuration"] | {"delta.columnMapping.mode": "name"}}
    for version, metadata in ((2, mapped), (3, said)):
        with (world.commits / f"{version:020d}.json").open("a") as file:
            file.write(json.dumps({"metaData": metadata}) + "\n")


# What is done to what is signed


def edit_envelope(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The payload changed and written again; the signature is left as it is."""
    envelope = read_document(path)
    assert envelope is not None
    payload = payload_of(envelope)
    change(payload)
    write_document(path, envelope | {"payload": base64.b64encode(canonical(payload)).decode()})


def sign_anew(path: Path, payload_type: str, signer: Signer, change: Callable[[dict[str, Any]], object]) -> None:
    envelope = read_document(path)
    assert envelope is not None
    payload = payload_of(envelope)
    change(payload)
    write_document(path, sealed(payload, payload_type, signer))


def loosen(predicate: dict[str, Any]) -> None:
    predicate["policy"]["values"]["adult_age"] = "13"


def sign_statement_by_another(world: World) -> None:
    sign_anew(statement_path(world.folder, 2), STATEMENT, some_signer(), lambda _: None)


def sign_intent_by_another(world: World) -> None:
    sign_anew(intent_path(world.folder, "build-2"), INTENT, some_signer(), lambda _: None)


def copy_statement(world: World) -> None:
    shutil.copy(statement_path(world.folder, 2), statement_path(world.folder, 3))


def state_another_dataset(world: World) -> None:
    def change(payload: dict[str, Any]) -> None:
        payload["subject"][0]["name"] = "eu-social@2"
        payload["predicate"]["dataset"] = "eu-social"

    sign_anew(statement_path(world.folder, 2), STATEMENT, world.signer, change)


def state_other_rows(world: World) -> None:
    sign_anew(
        statement_path(world.folder, 2),
        STATEMENT,
        world.signer,
        lambda p: p["predicate"].update(cutoff="2020-01-01T00:00:00Z"),
    )


def delete_statement(world: World) -> None:
    statement_path(world.folder, 2).unlink()


def add_statement(world: World) -> None:
    shutil.copy(statement_path(world.folder, 2), statement_path(world.folder, 7))


def swap_policy_in_statement(world: World) -> None:
    edit_envelope(statement_path(world.folder, 2), lambda payload: loosen(payload["predicate"]))


def swap_policy_in_intent(world: World) -> None:
    edit_envelope(intent_path(world.folder, "build-2"), loosen)


def swap_policy_with_the_key(world: World) -> None:
    sign_anew(statement_path(world.folder, 2), STATEMENT, world.signer, lambda payload: loosen(payload["predicate"]))


def delete_intent(world: World) -> None:
    intent_path(world.folder, "build-2").unlink()


def exchange_keys(world: World) -> None:
    write_public(public_path(world.folder), some_signer().public)


def exchange_keys_and_property(world: World) -> None:
    other = some_signer()
    write_public(public_path(world.folder), other.public)
    set_property(world, "corpus.signerId", other.id)


# What is done to the log


def log_of(world: World) -> Path:
    return world.folder / "evidence/log"


def put_back_log(world: World) -> None:
    shutil.rmtree(log_of(world))
    shutil.copytree(world.kept / f"warehouse/{NAME}/evidence/log", log_of(world))


def put_back_checkpoint(world: World) -> None:
    shutil.copy(world.kept / f"warehouse/{NAME}/evidence/log/checkpoint", log_of(world) / "checkpoint")


def cut_entries(world: World) -> None:
    (bundle,) = (log_of(world) / "tile/entries/000.p").iterdir()
    bundle.write_bytes(bundle.read_bytes()[:-300])


def change_entry(world: World) -> None:
    (bundle,) = (log_of(world) / "tile/entries/000.p").iterdir()
    bundle.write_bytes(bundle.read_bytes().replace(b"A. Lovelace", b"A. Lovelaze"))


def change_tile(world: World) -> None:
    (tile,) = (log_of(world) / "tile/0/000.p").iterdir()
    content = bytearray(tile.read_bytes())
    content[40] ^= 1
    tile.write_bytes(bytes(content))


def delete_log(world: World) -> None:
    shutil.rmtree(log_of(world))


def rewrite_history(world: World) -> None:
    """By somebody who has the signing key: the same entries without the use of version 1."""
    leaves = [entry for entry in log.entries(log_of(world)) if b"tram-1b" not in entry]
    shutil.rmtree(log_of(world))
    for leaf in leaves:
        log.append(log_of(world), f"corpus/{NAME}", leaf, world.signer.sign, world.signer.public)


def use_after_recall(world: World) -> None:
    entry = {"kind": "use", "format": "corpus-use/v1", "dataset": NAME, "version": "1", "run": "late", "purpose": "x",
             "approved_by": "y", "at": "2026-11-30T00:00:00Z"}  # fmt: skip
    append(world.folder, entry, world.signer)


def use_before_release(world: World) -> None:
    entry = {"kind": "use", "format": "corpus-use/v1", "dataset": NAME, "version": "3", "run": "early", "purpose": "x",
             "approved_by": "y", "at": "2020-11-30T00:00:00Z"}  # fmt: skip
    append(world.folder, entry, world.signer)


def shorten_recall(world: World) -> None:
    DeltaTable(world.folder / "recalls").delete("held <> ''")


# What is done to trees and side tables


def edit_rows(world: World, table: str, schema: pa.Schema, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the rows of build 2 in a side table."""
    place, own = world.folder / table, "build_id = 'build-2'"
    rows = [row for row in DeltaTable(place).to_pyarrow_table().to_pylist() if row["build_id"] == "build-2"]
    for row in rows:
        change(row)
    write_deltalake(place, pa.Table.from_pylist(rows, schema), mode="overwrite", predicate=own)


def of_post(post: str, **changed: Any) -> Callable[[dict[str, Any]], object]:
    return lambda row: row.update(changed) if row["post_id"] == post else None


def leaf_of(index: int, change: Callable[[dict[str, Any]], object]) -> Tamper:
    def at(row: dict[str, Any]) -> None:
        if (row["tree"], row["index"]) == ("documents", index):
            change(row)

    return lambda world: edit_rows(world, "leaves", LEAVES, at)


def other_bucket_key(row: dict[str, Any]) -> None:
    row["leaf"] = hash_of_bucket(sha256(b"another key").digest(), split_leaves("post", row["tokens"]))


def swap_tokens(row: dict[str, Any]) -> None:
    leaves = split_leaves("post", row["tokens"])
    row["tokens"] = b"".join([leaves[1], leaves[0], *leaves[2:]])


def other_commitment(row: dict[str, Any]) -> None:
    row["tokens"] = row["tokens"][:40] + bytes([row["tokens"][40] ^ 1]) + row["tokens"][41:]


def forge_tree_file(world: World) -> None:
    path = world.folder / "evidence/trees/build-2.json"
    kept = read_document(path)
    assert kept is not None
    kept["documents"]["chunks"] = ["0" * 64]
    write_document(path, kept)


def exchange_author(world: World) -> None:
    """The number of persons stays: only the trees tell."""
    edit_rows(world, "members", MEMBERS, of_post("p5", account_id="a stranger"))


def rename_post(world: World) -> None:
    edit_rows(world, "members", MEMBERS, of_post("p5", post_id="p5000"))


def drop_member(world: World) -> None:
    DeltaTable(world.folder / "members").delete("build_id = 'build-2' AND post_id = 'p5'")


def drop_exclusion(world: World) -> None:
    DeltaTable(world.folder / "exclusions").delete("build_id = 'build-2' AND post_id = 'p1'")


def other_reason(world: World) -> None:
    edit_rows(world, "exclusions", EXCLUSIONS, of_post("p1", reasons=Reason.DELETED.mask, primary_reason="DELETED"))


CATALOGUE: dict[str, tuple[Tamper, set[str]]] = {
    "a value in a file forged, its size kept": (forge_value, {"rows of uk-social@2"}),
    "a file rewritten with its statistics": (rewrite_value, {"rows of uk-social@2"}),
    "userMetadata forged": (forge_metadata, {"commit of uk-social@2"}),
    "userMetadata of another commit": (borrow_metadata, {"commit of uk-social@2", "history of uk-social"}),
    "userMetadata taken away": (drop_metadata, {"commit of uk-social@3", "history of uk-social"}),
    "userMetadata that leads out of the folder": (escape_by_build_id, {"commit of uk-social@2"}),
    "an add line removed": (remove_add, {"rows of uk-social@2"}),
    "the last commit replaced": (
        replace_last_commit,
        {"intent of uk-social@3", "history of uk-social", "rows of uk-social@3"},
    ),
    "a middle commit deleted": (delete_middle_commit, {"commits of uk-social", "history of uk-social"}),
    "the last commit deleted": (delete_last_commit, {"history of uk-social", "commit of uk-social@3"}),
    "a commit made unreadable": (break_commit, {"commits of uk-social"}),
    "a commit made older": (age_commit, {"commits of uk-social", "statement of uk-social@3"}),
    "a commit by another program": (commit_by_others, {"history of uk-social"}),
    "a row dropped in the name of OPTIMIZE": (rewrite_fewer, {"history of uk-social"}),
    "a row added": (add_row, {"rows of uk-social@3"}),
    "a row dropped": (drop_row, {"rows of uk-social@3"}),
    "a row repeated": (repeat_row, {"rows of uk-social@3"}),
    "two rows swapped between versions": (swap_rows, {"rows of uk-social@2", "rows of uk-social@3"}),
    "the files of two versions swapped": (swap_files, {"rows of uk-social@1", "rows of uk-social@2"}),
    "the texts of two rows swapped": (swap_texts_of_rows, {"rows of uk-social@3"}),
    "a file deleted": (delete_file, {"files of uk-social@2", "opens of uk-social@2"}),
    "a file cut": (cut_file, {"files of uk-social@2"}),
    "statistics in Delta's log narrowed": (narrow_statistics, {"statistics of uk-social@3"}),
    "statistics in a file narrowed": (forge_footer, {"statistics of uk-social@3"}),
    "rows hidden by a deletion vector": (hide_rows, {"files of uk-social@3"}),
    "a file outside of the table": (point_outside, {"files of uk-social@3"}),
    "Delta's checkpoint forged": (forge_delta_checkpoint, {"reader of uk-social@3"}),
    "Delta's checkpoint with narrower statistics": (narrow_delta_checkpoint, {"reader of uk-social@3"}),
    "Delta's checksum with another file": (checksum(allFiles=[]), {"reader of uk-social@3"}),
    "Delta's checksum with other columns": (checksum(metadata={"schemaString": "{}"}), {"reader of uk-social@3"}),
    "a compaction of commits slipped in": (compact, {"reader of uk-social@1", "reader of uk-social@3"}),
    "columns mapped for one version": (map_columns_for_a_while, {"table of uk-social"}),
    "the clean-up of the log switched on": (let_log_expire, {"table of uk-social"}),
    "the retention shortened": (shorten_retention, {"opens of uk-social@3"}),
    "a statement signed by another key": (sign_statement_by_another, {"statement of uk-social@2"}),
    "an intent signed by another key": (sign_intent_by_another, {"intent of uk-social@2"}),
    "a statement of another version": (copy_statement, {"statement of uk-social@3"}),
    "a statement of another dataset": (state_another_dataset, {"statement of uk-social@2"}),
    "a statement changed by who has the key": (state_other_rows, {"statement of uk-social@2"}),
    "a statement deleted": (delete_statement, {"statement of uk-social@2", "history of uk-social"}),
    "a statement without a version": (add_statement, {"history of uk-social"}),
    "the policy swapped in a statement": (
        swap_policy_in_statement,
        {"policy of uk-social@2", "statement of uk-social@2"},
    ),
    "the policy swapped in an intent": (
        swap_policy_in_intent,
        {"policy of uk-social@2", "intent of uk-social@2", "commit of uk-social@2"},
    ),
    "the policy swapped by who has the key": (
        swap_policy_with_the_key,
        {"policy of uk-social@2", "statement of uk-social@2"},
    ),
    "an intent deleted": (delete_intent, {"commit of uk-social@2", "intent of uk-social@2"}),
    "the public key exchanged": (exchange_keys, {"public key of uk-social"}),
    "the public key and its property exchanged": (exchange_keys_and_property, {"public key of uk-social"}),
    "the log put back": (
        put_back_log,
        {"record of uk-social@3", "history of uk-social", "kept checkpoint of uk-social"},
    ),
    "the log's checkpoint put back": (put_back_checkpoint, {"log of uk-social", "kept checkpoint of uk-social"}),
    "the log's last entry cut": (cut_entries, {"log of uk-social"}),
    "an entry of the log changed": (change_entry, {"log of uk-social"}),
    "a tile of the log changed": (change_tile, {"log of uk-social"}),
    "the log deleted": (delete_log, {"log of uk-social"}),
    "the log rewritten by who has the key": (rewrite_history, {"kept checkpoint of uk-social"}),
    "a use after a recall": (use_after_recall, {"uses of uk-social"}),
    "a use before the release": (use_before_release, {"uses of uk-social"}),
    "the list of a recall emptied": (shorten_recall, {"recalls of uk-social"}),
    "a leaf changed": (leaf_of(1, lambda row: row.update(leaf=bytes(32))), {"leaves of uk-social@2"}),
    "a bucket key that is not the committed one": (
        leaf_of(1, other_bucket_key),
        {"leaves of uk-social@2", "tokens of uk-social@2"},
    ),
    "tokens out of order": (leaf_of(1, swap_tokens), {"leaves of uk-social@2", "tokens of uk-social@2"}),
    "a commitment to a row changed": (leaf_of(1, other_commitment), {"tokens of uk-social@2"}),
    "a count changed": (leaf_of(1, lambda row: row.update(count=row["count"] - 1)), {"leaves of uk-social@2"}),
    "a bucket taken away": (leaf_of(1, lambda row: row.update(tree="other")), {"leaves of uk-social@2"}),
    "the roots of runs changed": (forge_tree_file, {"leaves of uk-social@2"}),
    "an author exchanged": (exchange_author, {"tokens of uk-social@2"}),
    "a post renamed in members": (rename_post, {"tokens of uk-social@2", "document ids of uk-social@2"}),
    "an author's row dropped": (drop_member, {"members of uk-social@2", "tokens of uk-social@2"}),
    "an exclusion dropped": (drop_exclusion, {"funnel of uk-social@2"}),
    "a reason changed": (other_reason, {"funnel of uk-social@2"}),
}  # fmt: skip
