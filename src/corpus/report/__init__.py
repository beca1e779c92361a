"""The report of a version for a privacy officer: one HTML file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

from corpus.errors import EnvironmentFault

# ruff: noqa: PLC0415 (what draws and what renders is loaded by who reports)


def write_report(warehouse: Path, dataset: str, number: int | None, path: Path) -> str:
    """Writes the report of a version, the newest without a number; its name. The same dataset gives the same file.

    Raises DatasetError for a version that is not sealed or was changed, EnvironmentFault where the file cannot be.
    """
    from corpus.report.gathered import gathered
    from corpus.report.page import as_page

    told = gathered(warehouse, dataset, number)
    text = as_page(told)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as cannot:
        raise EnvironmentFault(f"The file {path} cannot be written: {cannot.strerror}.") from None
    return str(told["version"].name)
