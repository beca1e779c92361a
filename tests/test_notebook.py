"""The notebook stands in the repository as it was written; `make notebook` runs it, and CI with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pages import ROOT

NOTEBOOKS = sorted(ROOT.glob("examples/*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_holds_no_answers_of_the_machine_that_ran_it(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)
    assert {cell["execution_count"] for cell in cells} == {None}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_ci_runs_it(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"tools/notebook.py examples/{path.name} " in makefile
    assert "notebook" in (ROOT / ".ci/run").read_text(encoding="utf-8")
