"""What the shell offers for a dataset or a version when somebody presses the tab key: names of folders and files."""

from __future__ import annotations

from pathlib import Path

import typer

# ruff: noqa: PLC0415 (whoever presses no tab key loads nothing for it)


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The datasets of the warehouse that begin with what was typed."""
    return [name for name in _known(_warehouse(ctx)) if name.startswith(incomplete)]


def versions(ctx: typer.Context, incomplete: str) -> list[str]:
    """The datasets that begin with what was typed; after `@` the dataset's versions that have a statement."""
    name, at, number = incomplete.partition("@")
    if not at:
        return datasets(ctx, incomplete)
    return [f"{name}@{each}" for each in _numbers(_warehouse(ctx), name) if str(each).startswith(number)]


def spans(ctx: typer.Context, incomplete: str) -> list[str]:
    """As `versions`; after the first number and two dots, each later version."""
    first, dots, last = incomplete.partition("..")
    if not dots:
        return versions(ctx, incomplete)
    later = versions(ctx, f"{first.partition('@')[0]}@{last}")
    return [f"{first}..{each.partition('@')[2]}" for each in later]


def _warehouse(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("warehouse") or "warehouse")


def _known(warehouse: Path) -> list[str]:
    from corpus.evidence.store import dataset_names

    return dataset_names(warehouse)


def _numbers(warehouse: Path, name: str) -> list[int]:
    """The sealed versions of a dataset that is there, the newest first: by the names of files alone."""
    if name not in _known(warehouse):
        return []
    statements = (warehouse / name / "evidence/statements").glob("*.json")
    return sorted((int(path.stem) for path in statements if path.stem.isdecimal()), reverse=True)
