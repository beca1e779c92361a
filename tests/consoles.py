"""A console over a dataset of tests, asked without a network or a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from starlette.testclient import TestClient

from corpus.console import asking, pages
from corpus.console.door import Door, new_token
from corpus.console.guards import guarded, own_hosts
from corpus.console.site import Console, site

PORT = 8077
OWN = {"sec-fetch-site": "same-origin"}
"""What browsers say of a form that a page of the same origin sent."""


@dataclass(frozen=True)
class Asked:
    """A client of a console, the tokens that it announced, its clock and its log."""

    client: TestClient
    tokens: list[str]
    now: list[float]
    log: list[str]


def console_over(warehouse: Path, key: Path = Path("/nowhere"), is_restricted: bool = False) -> Asked:
    tokens: list[str] = []
    now, log = [1000.0], list[str]()
    console = Console(warehouse, lambda _: key, is_restricted, Door(tokens.append, lambda: now[0]))
    if is_restricted:
        new_token(console.door)
    app = guarded(site(console, asking.router, pages.router), own_hosts(PORT), log.append)
    client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)
    return Asked(client, tokens, now, log)


def signed_in(asked: Asked, dataset: str = "uk-social") -> str:
    """Signs in with the newest token; what forms of the session must carry."""
    form = {"name": "Ann Officer", "token": asked.tokens[-1], "to": dataset}
    done = asked.client.post("/-/sign-in", data=form, headers=OWN)
    assert done.status_code == 303, done.text
    page = asked.client.get(done.headers["location"]).text
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found
    return found[1]
