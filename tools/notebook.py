"""Runs a notebook from its first cell to its last, and writes it with what its cells printed and drew.

Ends with 1, and the cell's own error, if a cell fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config


def main(notebook: str, out: str) -> int:
    """Runs it in the folder that this program runs in."""
    found = nbformat.read(notebook, as_version=4)
    private = Config({"KernelManager": {"transport": "ipc"}})  # no port of this machine, and no warning of one
    try:
        NotebookClient(found, timeout=300, kernel_name="python3", config=private).execute(cwd=".")
    except CellExecutionError as failed:
        print(failed, file=sys.stderr)
        return 1
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(found, out)
    cells = sum(cell.cell_type == "code" for cell in found.cells)
    print(f"{cells} cells of {notebook} ran; with their answers it is {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
