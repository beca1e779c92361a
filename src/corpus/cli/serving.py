"""The command that shows datasets in a browser of this machine: no JVM, and read-only but for who looked."""

from __future__ import annotations

from typing import Annotated

import typer

from corpus.cli.options import HERE, Key, Warehouse, app, default_key

# ruff: noqa: PLC0415 (each command imports what it needs)


@app.command()
def serve(
    warehouse: Warehouse = HERE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")] = 8077,
    host: Annotated[str, typer.Option(help="This machine alone: another address is refused.")] = "127.0.0.1",
    restricted: Annotated[
        bool, typer.Option("--restricted", help="Look people up as well, after signing in; each look-up is registered.")
    ] = False,
    key: Key = None,
) -> None:
    """Show the datasets on pages of http://127.0.0.1:8077: versions, changes, uses, recalls; read-only.

    Example: corpus serve --warehouse demo/warehouse
    """
    from corpus import render
    from corpus.console.door import Door
    from corpus.console.serving import serve as run
    from corpus.console.site import Console

    door = Door(announce=lambda token: _say(f"  {token}"))
    console = Console(warehouse, lambda dataset: key or default_key(dataset), restricted, door)
    run(console, host, port, lambda line: _say(render.clean(line)))


def _say(line: str) -> None:
    print(line, flush=True)
