"""Exports as the libraries of others read them: Hugging Face datasets, MosaicML streaming, PyTorch's loader.

They have an environment of their own, which `make readers` makes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from corpus.export.formats import Form
from tests.test_export import exported, in_stated_order, released, wanted
from tests.whole_dataset import Whole, whole_dataset

ROOT = Path(__file__).parent.parent
READERS = ROOT / ".venv-readers/bin/python"
pytestmark = pytest.mark.skipif(not READERS.exists(), reason="make readers makes the environment that this needs")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return whole_dataset(tmp_path_factory.mktemp("readers"))


@pytest.fixture(scope="module")
def folder(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an export of each format: shards, lines, mds."""
    made = tmp_path_factory.mktemp("exports")
    for name, form in {"shards": Form.PARQUET, "lines": Form.JSONL, "mds": Form.MDS}.items():
        exported(whole, made / name, wanted(form))
    return made


def said(folder: Path, script: str) -> Any:
    """What the script prints, run in that folder by the readers' Python."""
    environment = os.environ | {"HF_HOME": str(folder / ".hf"), "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONPATH": str(ROOT / "examples"), "TOKENIZERS_PARALLELISM": "false"}
    script = f"import json\n{script}\nprint('\\n' + json.dumps(found, default=str))"
    done = subprocess.run(
        [READERS, "-c", script], capture_output=True, text=True, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def as_json(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(json.dumps(rows, default=str))
    return read


@pytest.mark.parametrize(
    "how",
    ['"parquet", data_files="shards/*.parquet"', '"json", data_files="lines/*.jsonl.zst"'],
    ids=["parquet", "jsonl.zst"],
)
def test_datasets_reads_every_row_in_order(whole: Whole, folder: Path, how: str) -> None:
    found = said(folder, f"from datasets import load_dataset\nfound = load_dataset({how}, split='train').to_list()")
    days = [row | {"created_on": str(row["created_on"])[:10]} for row in found]
    assert days == as_json(in_stated_order(released(whole), 0))


def test_streaming_reads_every_row_in_order_and_checks_the_digests(whole: Whole, folder: Path) -> None:
    how = "local='mds', shuffle=False, batch_size=1, validate_hash='sha256'"
    found = said(folder, f"from streaming import StreamingDataset\nfound = list(StreamingDataset({how}))")
    assert found == as_json(in_stated_order(released(whole), 0))


LOADED = """
from loader import Documents
from torch.utils.data import DataLoader
def texts(rank, begin=0):
    loader = DataLoader(Documents("shards", rank, 2, 4, begin), batch_size=4, num_workers=2, collate_fn=list)
    return [[document["text"] for document in batch] for batch in loader]
found = {"ranks": [texts(0), texts(1)], "later": [texts(0, begin) for begin in range(9)]}
"""


def test_the_loader_of_the_examples_shares_all_rows_and_goes_on_where_it_stopped(whole: Whole, folder: Path) -> None:
    found = said(folder, LOADED)
    had = [text for rank in found["ranks"] for batch in rank for text in batch]
    assert sorted(had) == sorted(row["text"] for row in released(whole))
    assert found["later"] == [found["ranks"][0][begin:] for begin in range(9)]


def test_the_page_shows_code_that_runs(folder: Path) -> None:
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```py\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    counts = [said(folder, f"{block}\nfound = sum(1 for _ in documents)") for block in blocks]
    assert counts == [30, 60, 60]
