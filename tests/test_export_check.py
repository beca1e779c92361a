"""What becomes of exports: killed and begun again, on a full disk, tampered with and checked."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpus.errors import Conflict, EnvironmentFault, UseRefused
from corpus.evidence.envelope import EXPORT, payload_of, sealed
from corpus.evidence.journal import RECALL_FORMAT, append
from corpus.evidence.keys import read_signer
from corpus.evidence.store import write_document
from corpus.export import making, parts
from corpus.export.formats import Form
from corpus.export.making import WORK, Exported
from corpus.export.manifest import SIGNED, described
from corpus.verification.findings import Report
from corpus.verification.whole import OF_EXPORT, verify
from tests.statements import some_signer
from tests.test_export import exported, shards, wanted
from tests.whole_dataset import NAME, Whole, whole_dataset

ROOT = Path(__file__).parent.parent
KILLS = 5
COMMAND = [sys.executable, "-c", "from corpus.cli import main; main()", "export", f"{NAME}@3"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("export"))


def begun(whole: Whole, folder: Path, *options: str) -> subprocess.Popen[str]:
    asked = ["--run", "tram-9", "--purpose", "pretraining", "--approved-by", "A. Lovelace", "--format", "jsonl.zst"]
    places = ["--to", str(folder), "--warehouse", str(whole.warehouse), "--signer", str(whole.signing_key)]
    return subprocess.Popen(
        [*COMMAND, *asked, *places, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def files_in(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def test_an_export_killed_again_and_again_ends_as_one_that_was_not(whole: Whole, tmp_path: Path) -> None:
    """Killed when so many files are there, from the first to the last, chosen anew each time the tests run."""
    exported(whole, tmp_path / "whole", wanted(Form.JSONL, shards=60))
    undisturbed, folder, killed = shards(tmp_path / "whole"), tmp_path / "killed", 0
    for _ in range(KILLS):
        there = files_in(folder)
        running, moment = begun(whole, folder, "--shards", "60"), random.randint(there + 1, max(there + 1, 120))
        while running.poll() is None and files_in(folder) < moment:
            time.sleep(0.0005)
        running.kill()
        killed += running.wait() == -9
        found = shards(folder)
        assert found.items() <= undisturbed.items()
    last = begun(whole, folder, "--shards", "60")
    assert last.wait() == 0, last.communicate()
    assert killed >= 1
    assert shards(folder) == undisturbed
    assert {path.name for path in folder.iterdir()} - set(undisturbed) == {"manifest.json", SIGNED}


@pytest.mark.parametrize("part_bytes", [2**25, 2000], ids=["while it is put in order", "while a shard is written"])
def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    whole: Whole, tmp_path: Path, part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file may be larger than 4,000 bytes: the one part of all rows is; small parts are not, but the shard is."""
    monkeypatch.setattr(parts, "PART_BYTES", part_bytes)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(EnvironmentFault, match=r"cannot be written: .* the same command goes on"):
            exported(whole, tmp_path, wanted(Form.MDS, shards=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [WORK]
    assert (tmp_path / WORK / "parts/parts.json").exists() == (part_bytes == 2000)
    assert exported(whole, tmp_path, wanted(Form.MDS, shards=1)).kept == 0
    assert not failed(checked(whole, tmp_path))


def test_a_version_that_is_recalled_meanwhile_is_not_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = whole_dataset(tmp_path)

    def recalled_meanwhile(*arguments: Any) -> parts.Parts:
        said = {"dataset": NAME, "version": "3", "at": "2026-11-24T00:00:00Z", "objections": "1", "digest": "00"}
        append(own.folder, {"kind": "recall", "format": RECALL_FORMAT} | said, read_signer(own.signing_key))
        return parts.scattered(*arguments)

    monkeypatch.setattr(making, "scattered", recalled_meanwhile)
    with pytest.raises(UseRefused, match="recalled"):
        exported(own, tmp_path / "x", wanted())
    assert not (tmp_path / "x/manifest.json").exists()
    assert failed(checked(own, tmp_path / "x")) >= {"export"}


def test_two_do_not_write_to_one_folder(whole: Whole, tmp_path: Path) -> None:
    (tmp_path / WORK).mkdir()
    with (tmp_path / WORK / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="Another export writes to"):
            exported(whole, tmp_path, wanted())
    assert exported(whole, tmp_path, wanted()).kept == 0


def checked(whole: Whole, folder: Path, number: int = 3) -> Report:
    return verify(whole.warehouse, NAME, number, datetime.now(UTC), export=folder)


def failed(report: Report) -> set[str]:
    return {finding.check for finding in report.of("FAILED")}


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("columns", [None, ("text", "lang", "copies")])
def test_an_export_is_checked_in_each_format(
    whole: Whole, tmp_path: Path, form: Form, columns: tuple[str, ...] | None
) -> None:
    exported(whole, tmp_path, wanted(form, **({"columns": columns} if columns else {})))
    report = checked(whole, tmp_path)
    assert not failed(report)
    assert {finding.check for finding in report.of("passed")} >= set(OF_EXPORT)


def sign_anew(whole: Whole, folder: Path, by_whom: str, **changes: object) -> None:
    manifest = payload_of(json.loads((folder / SIGNED).read_bytes())) | changes
    signer = read_signer(whole.signing_key) if by_whom == "owner" else some_signer()
    write_document(folder / SIGNED, sealed(manifest, EXPORT, signer))
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_text(whole: Whole, folder: Path) -> None:
    """By who has the key: the manifest fits the shard."""
    path = folder / "shard-00001.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[3]["text"] = rows[3]["text"].upper()
    pq.write_table(pq.read_table(path).from_pylist(rows, pq.read_schema(path)), path)
    named = [described(each, 15) for each in sorted(folder.glob("shard-*"))]
    sign_anew(whole, folder, "owner", shards=named)


def swap(_: Whole, folder: Path) -> None:
    (folder / "shard-00000.parquet").rename(folder / "x")
    (folder / "shard-00001.parquet").rename(folder / "shard-00000.parquet")
    (folder / "x").rename(folder / "shard-00001.parquet")


def flip(_: Whole, folder: Path) -> None:
    content = bytearray((folder / "shard-00002.parquet").read_bytes())
    content[len(content) // 3] ^= 1
    (folder / "shard-00002.parquet").write_bytes(content)


TAMPERED: dict[str, tuple[Callable[[Whole, Path], object], set[str]]] = {
    "a shard lost": (lambda _, folder: (folder / "shard-00003.parquet").unlink(), {"export files", "export rows"}),
    "a shard too many": (lambda _, folder: shutil.copy(folder / "shard-00003.parquet", folder / "y"), {"export files"}),
    "shards swapped": (swap, {"export files"}),
    "a shard repeated": (
        lambda _, folder: shutil.copy(folder / "shard-00003.parquet", folder / "shard-00002.parquet"),
        {"export files", "export rows"},
    ),
    "the manifest changed": (lambda _, folder: (folder / "manifest.json").write_text('{"rows": 3}'), {"export"}),
    "the manifest signed by another": (lambda whole, folder: sign_anew(whole, folder, "another"), {"export"}),
    "a use that was not logged": (
        lambda whole, folder: sign_anew(whole, folder, "owner", use={"run": "r", "at": "now", "entry": "00"}),
        {"export"},
    ),
    "another version said": (lambda whole, folder: sign_anew(whole, folder, "owner", version=2), {"export"}),
    "a text changed by who has the key": (change_text, {"export rows"}),
    "not finished": (lambda _, folder: (folder / SIGNED).unlink(), {"export"}),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found_by_the_check_that_is_for_it(whole: Whole, tmp_path: Path, name: str) -> None:
    exported(whole, tmp_path, wanted())
    tamper, expected = TAMPERED[name]
    tamper(whole, tmp_path)
    assert failed(checked(whole, tmp_path)) == expected


def test_a_bit_is_not_overlooked(whole: Whole, tmp_path: Path) -> None:
    exported(whole, tmp_path, wanted())
    flip(whole, tmp_path)
    assert "export files" in failed(checked(whole, tmp_path))


def test_an_export_is_of_the_version_that_is_named(whole: Whole, tmp_path: Path) -> None:
    exported(whole, tmp_path, wanted())
    assert failed(checked(whole, tmp_path, 2)) == {"export", "export rows"}


def test_what_an_export_says_is_what_it_returns(whole: Whole, tmp_path: Path) -> None:
    found: Exported = exported(whole, tmp_path, wanted())
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == found.manifest


def test_the_page_holds_commands_that_work(whole: Whole, tmp_path: Path) -> None:
    """In order, as they stand there, by somebody whose key is in its usual place."""
    keys = tmp_path / ".config/corpus"
    shutil.copytree(whole.keys, keys)
    environment = os.environ | {"HOME": str(tmp_path), "CORPUS_WAREHOUSE": str(whole.warehouse)}
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    commands = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    for command in commands:
        python = [*COMMAND[:3], *shlex.split(command)[1:]]
        done = subprocess.run(python, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stderr
    assert len(commands) == 3
    assert len(shards(tmp_path / "shards")) == len(shards(tmp_path / "mds")) == 4
