"""The console, served to this machine alone."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from corpus.console import asking, pages
from corpus.console.door import new_token
from corpus.console.guards import guarded, own_hosts
from corpus.console.site import Console, site
from corpus.errors import ConfigError, EnvironmentFault
from corpus.versions import require_warehouse

HERE = ("127.0.0.1", "localhost")


def serve(console: Console, host: str, port: int, say: Callable[[str], None]) -> None:
    """Answers until it is stopped.

    Raises ConfigError for an address that others could reach, DatasetError where there is no warehouse.
    """
    if host not in HERE:
        raise ConfigError(
            f"--host: found '{host}'; the console answers to this machine alone (127.0.0.1), since few may see "
            f"what it shows. From elsewhere, use a tunnel: ssh -L {port}:127.0.0.1:{port} MACHINE."
        )
    require_warehouse(console.warehouse)
    with _listening(port) as listening:
        port = listening.getsockname()[1]
        app = guarded(site(console, asking.router, pages.router), own_hosts(port))
        say(f"The datasets of {console.warehouse} are at http://127.0.0.1:{port}/ (Ctrl-C ends it).")
        if console.is_restricted:
            say(f"Look-ups are on: sign in at http://127.0.0.1:{port}/-/sign-in by this token, which works once:")
            new_token(console.door)
        _run(app, listening)


def _listening(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HERE[0], port))
        made.listen()  # whoever reads the address may open it at once
    except OSError as taken:
        made.close()
        raise EnvironmentFault(
            f"Nothing can answer at 127.0.0.1:{port}: {taken.strerror}. Choose another with --port."
        ) from None
    return made


def _run(app: object, listening: socket.socket) -> None:
    """One process, no log but ours, and an end within a second."""
    settings = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="critical", access_log=False, lifespan="off", server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listening])
