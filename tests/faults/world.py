"""A tiny world of the contract's three tables, and the policy under which its posts are judged."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import write_deltalake

from corpus.policy import Policy, read_policy
from tests.conftest import ROOT
from tests.small_inputs import as_arrow

NOW, OLD = datetime(2026, 11, 20, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
PERSON = {"platform": "stackexchange", "account_type": "person", "status": "active", "country": "GB"}
POST = {"platform": "stackexchange", "surface": "post", "coauthor_ids": [], "mentions": [], "tags": [], "flags": []}
SEEN = {"visibility": "public", "created_at": OLD, "recorded_at": OLD}
OBJECTION = {"kind": "object", "subject_type": "account", "status": "upheld", "channel": "form"}
WORLD: dict[str, list[dict[str, Any]]] = {
    "posts": [
        POST | SEEN | {"post_id": f"p{n}", "account_id": f"a{n % 6}", "text": f"tram number {n}", "public_since": OLD}
        for n in range(24)
    ],
    "profiles": [
        PERSON | SEEN | {"account_id": f"a{n}", "person_id": f"h{n}", "visibility_since": OLD, "country_since": OLD}
        for n in range(6)
    ],
    "objections": [
        OBJECTION
        | {"objection_id": "o1", "subject_id": "a1"}
        | dict.fromkeys(("effective_at", "received_at", "recorded_at"), OLD)
    ],
}
COPY = WORLD["posts"][4] | {"post_id": "copy", "account_id": "a5"}


def policy(searches: bool) -> Policy:
    """That of forums, which needs three tables; with or without the search for duplicates."""
    whole = read_policy(ROOT / "conf/policies/forum.toml")
    if searches:
        return whole
    no_search = {"exact": False, "near": False}
    parts = {name: getattr(whole, name).model_copy(update=no_search) for name in ("dedup", "objector_copies")}
    return whole.model_copy(update=parts)


def write_world(inputs: Path) -> None:
    """The world's tables, with one post twice under two ids."""
    for table, rows in WORLD.items():
        write_deltalake(inputs / table, as_arrow(table, [*rows, *([COPY] if table == "posts" else [])]))
