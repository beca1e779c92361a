"""Exports: the order that a seed gives, shards that are the same each time, and what stops one."""

from __future__ import annotations

import json
import shutil
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from corpus.arguments import size
from corpus.errors import ConfigError, DatasetError, UseRefused
from corpus.export import formats, parts
from corpus.export.formats import WRITERS, Form, Shard
from corpus.export.making import WORK, Exported, Place, export
from corpus.export.manifest import COLUMNS, Wanted, chosen
from corpus.export.order import cuts, in_groups
from corpus.uses import Asked, uses
from corpus.verification.exported import _rows
from tests.whole_dataset import NAME, Whole, whole_dataset

ASKED = Asked("tram-9", "pretraining", "A. Lovelace")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("export"))


def wanted(form: Form = Form.PARQUET, **changes: Any) -> Wanted:
    said: dict[str, Any] = {"columns": tuple(COLUMNS), "seed": 0, "shards": 4, "shard_bytes": 10**6} | changes
    return Wanted(form, **said)


def exported(whole: Whole, folder: Path, how: Wanted, number: int = 3, asked: Asked = ASKED) -> Exported:
    return export(Place(whole.warehouse, whole.signing_key, folder), NAME, number, asked, how)


def released(whole: Whole) -> list[dict[str, Any]]:
    """The rows of version 3, as Delta has them."""
    rows: list[dict[str, Any]] = DeltaTable(whole.folder / "snapshot", version=3).to_pyarrow_table().to_pylist()
    return rows


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*"))}


def in_stated_order(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """As docs/export.md has it."""
    key = str(seed).encode()
    return sorted(
        rows, key=lambda row: (blake2b(row["doc_id"].encode(), digest_size=8, key=key).digest(), row["doc_id"])
    )


def parquet_rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("shard-*.parquet")) for row in pq.read_table(path).to_pylist()]


def jsonl_rows(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for path in sorted(folder.glob("shard-*.jsonl.zst")):
        with pa.input_stream(str(path), compression="zstd") as stream:
            rows += [json.loads(line) for line in stream.read().decode().splitlines()]
    return rows


def test_rows_leave_in_the_order_of_the_seed_and_all_of_them(whole: Whole, tmp_path: Path) -> None:
    found = exported(whole, tmp_path / "seven", wanted(seed=7))
    assert parquet_rows(tmp_path / "seven") == in_stated_order(released(whole), 7)
    assert [shard["rows"] for shard in found.manifest["shards"]] == [15, 15, 15, 15]
    assert parquet_rows(tmp_path / "seven") != in_stated_order(released(whole), 8)


def test_jsonl_says_the_same(whole: Whole, tmp_path: Path) -> None:
    exported(whole, tmp_path / "lines", wanted(Form.JSONL))
    as_text = [row | {"created_on": str(row["created_on"])} for row in released(whole)]
    assert jsonl_rows(tmp_path / "lines") == in_stated_order(as_text, 0)


@pytest.mark.parametrize("form", Form)
def test_shards_do_not_tell_how_the_rows_were_put_in_order(
    whole: Whole, tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(whole, tmp_path / "one", wanted(form))
    monkeypatch.setattr(parts, "PART_BYTES", 2000)  # many parts, filled in many steps
    exported(whole, tmp_path / "other", wanted(form))
    assert shards(tmp_path / "one") == shards(tmp_path / "other")
    assert len(shards(tmp_path / "one")) == 4


def test_folders_may_be_called_anything_that_delta_reads(whole: Whole, tmp_path: Path) -> None:
    odd = Path(shutil.copytree(whole.warehouse, tmp_path / "a ć+[x" / "warehouse"))
    export(Place(odd, whole.signing_key, tmp_path / "a ć+[x" / "to"), NAME, 3, ASKED, wanted())
    assert len(parquet_rows(tmp_path / "a ć+[x" / "to")) == 60


def test_a_run_that_exports_is_in_the_log_and_in_the_manifest(whole: Whole, tmp_path: Path) -> None:
    found = exported(whole, tmp_path / "x", wanted(), asked=Asked("tram-10", "evaluation", "G. Hopper"))
    (use,) = uses(whole.warehouse, NAME, 3, "tram-10")
    said = found.manifest["use"]
    assert (said["run"], said["purpose"], said["approved_by"], said["at"]) == (
        use.run,
        use.purpose,
        use.approved_by,
        use.at,
    )
    assert not (tmp_path / "x" / WORK).exists()
    assert (tmp_path / "x").stat().st_mode & 0o077 == 0


def test_a_recalled_version_is_not_exported(whole: Whole, tmp_path: Path) -> None:
    with pytest.raises(UseRefused, match="recalled"):
        exported(whole, tmp_path / "x", wanted(), number=1)
    assert not (tmp_path / "x").exists()


def test_what_is_missing_is_made_again_and_the_rest_kept(whole: Whole, tmp_path: Path) -> None:
    folder = tmp_path / "x"
    exported(whole, folder, wanted())
    before = shards(folder)
    (folder / "shard-00001.parquet").unlink()
    (folder / "shard-00002.parquet").write_bytes(b"half of it")
    assert exported(whole, folder, wanted()).kept == 2
    assert shards(folder) == before
    assert exported(whole, folder, wanted()).kept == 4


@pytest.mark.parametrize(
    ("there", "message"),
    [("notes.txt", "is not empty \\(notes.txt\\)"), ("shard-00009.parquet", "is not empty \\(no plan\\)")],
)
def test_a_folder_with_something_else_is_refused(whole: Whole, tmp_path: Path, there: str, message: str) -> None:
    (tmp_path / there).touch()
    with pytest.raises(ConfigError, match=message):
        exported(whole, tmp_path, wanted(), asked=Asked("tram-12", "evaluation", "G. Hopper"))
    with pytest.raises(ConfigError, match="is no folder that you may write to"):
        exported(whole, tmp_path / there / "x", wanted(), asked=Asked("tram-12", "evaluation", "G. Hopper"))
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert not uses(whole.warehouse, NAME, 3, "tram-12")


def test_more_shards_than_documents_are_refused_before_anything_is_logged(whole: Whole, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 60 documents, too few"):
        exported(whole, tmp_path, wanted(shards=61), asked=Asked("tram-11", "evaluation", "G. Hopper"))
    assert not uses(whole.warehouse, NAME, 3, "tram-11")


def test_another_export_does_not_go_into_the_same_folder(whole: Whole, tmp_path: Path) -> None:
    exported(whole, tmp_path, wanted())
    with pytest.raises(ConfigError, match="another export: not the same as, seed"):
        exported(whole, tmp_path, wanted(Form.JSONL, seed=1))
    with pytest.raises(ConfigError, match="in or around the dataset"):
        exported(whole, whole.folder / "snapshot", wanted())


def test_a_shard_size_says_how_many(whole: Whole, tmp_path: Path) -> None:
    exported(whole, tmp_path, wanted(shards=None, shard_bytes=500, columns=("text",)))
    size_of_all = sum(len(row["text"].encode()) for row in released(whole))
    assert len(shards(tmp_path)) == -(-size_of_all // 500)
    assert pq.read_schema(tmp_path / "shard-00000.parquet").names == ["text"]


ODD = [
    "",
    "a\0b",
    '"\\\\"',
    "line\r\nline\x85\u2028\u2029\x1c",
    "😀 żółć \U0010ffff",
    "\ufeff%s %(x)s {}",
    "12:x",
    " ' \t",
]


def odd_rows() -> list[dict[str, Any]]:
    common = {"platform": None, "surface": "post", "created_on": date(2026, 5, 1), "copies": 2**62, "bucket": 0}
    return [
        common | {"doc_id": f"{n:032x}", "text": text, "lang": text, "chars": len(text)} for n, text in enumerate(ODD)
    ]


def written(folder: Path, form: Form, rows: list[dict[str, Any]]) -> Path:
    path, schema = folder / f"shard-00000.{form}", wanted().schema
    WRITERS[form](Shard(path, [pa.Table.from_pylist(rows, schema)], len(rows), schema))
    return path


@pytest.mark.parametrize("form", Form)
def test_whatever_texts_hold_comes_out_as_it_was(tmp_path: Path, form: Form) -> None:
    rows, said = odd_rows(), {"as": str(form), "shards": [{"name": written(tmp_path, form, odd_rows()).name}]}
    found = [row for batch in _rows(tmp_path, said, wanted().schema, []) for row in batch.to_pylist()]
    assert found == [{name: row[name] for name in COLUMNS} for row in rows]


def test_a_row_is_a_line_to_every_reader_of_lines(tmp_path: Path) -> None:
    with pa.input_stream(str(written(tmp_path, Form.JSONL, odd_rows())), compression="zstd") as stream:
        text = stream.read().decode()
    assert [json.loads(line)["text"] for line in text.splitlines()] == ODD
    assert "żółć" in text


def test_mds_says_what_it_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatasetError, match="A document has no text"):
        written(tmp_path, Form.MDS, [row | {"text": None} for row in odd_rows()])
    monkeypatch.setattr(formats, "MOST_BYTES_MDS", 999)
    with pytest.raises(ConfigError, match="A shard of mds holds 4 GiB"):
        written(tmp_path, Form.MDS, odd_rows())


@pytest.mark.parametrize(("text", "bytes_"), [("256MB", 256_000_000), ("1B", 1), ("2kB", 2000), ("1TB", 10**12)])
def test_sizes(text: str, bytes_: int) -> None:
    assert size(text, "--shard-size") == bytes_


@pytest.mark.parametrize("text", ["", "256", "0MB", "-1MB", "1.5GB", "256 MB", "9MiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match="--shard-size is no size"):
        size(text, "--shard-size")


def test_columns_are_those_of_the_table_in_its_order() -> None:
    assert chosen("text, doc_id") == ("doc_id", "text")
    with pytest.raises(ConfigError, match="there is no 'txt' \\(did you mean 'text'"):
        chosen("txt")


@pytest.mark.parametrize(("rows", "into"), [(10, 3), (9, 3), (3, 3), (1, 1), (10**9 + 1, 4096)])
def test_shards_differ_by_one_row_at_most(rows: int, into: int) -> None:
    sizes = [end - first for first, end in cuts(rows, into)]
    assert sum(sizes) == rows
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("pieces", [[], [0], [1, 0, 5], [4, 4], [9], [3, 3, 3, 3]])
def test_groups_hold_the_same_rows(pieces: list[int]) -> None:
    table = pa.table({"n": range(sum(pieces))})
    starts = np.cumsum([0, *pieces])
    groups = [*in_groups((table.slice(at, n) for at, n in zip(starts, pieces, strict=False)), 4)]
    assert [n for group in groups for n in group["n"].to_pylist()] == [*range(sum(pieces))]
    assert all(group.num_rows == 4 for group in groups[:-1])
