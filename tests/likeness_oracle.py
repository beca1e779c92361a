"""The contract's words on duplicates and copies of objectors in plain Python, one post after the other."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")


@dataclass(frozen=True)
class Post:
    post_id: str
    account_id: str
    text: str
    created_at: datetime | None
    is_eligible: bool = True
    is_objectors: bool = False


@dataclass(frozen=True)
class Fate:
    reason: str = ""
    kept_instead: str | None = None
    similarity: float | None = None
    copies: int | None = None


Resembles = Callable[[str, str], float]


def normal(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).lower()
    kept = (c if unicodedata.category(c)[0] in "LM" or unicodedata.category(c) == "Nd" else " " for c in folded)
    return " ".join("".join(kept).split())


def words(text: str) -> list[str]:
    spread = (f" {c} " if unicodedata.name(c, "").startswith(UNSPACED) else c for c in normal(text))
    return "".join(spread).split()


def shingles(text: str, size: int) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[at : at + size]) for at in range(max(len(said) - size + 1, 1))}


def jaccard(size: int) -> Resembles:
    def similarity(one: str, other: str) -> float:
        first, second = shingles(one, size), shingles(other, size)
        return len(first & second) / len(first | second)

    return similarity


def duplicates(posts: list[Post], near: float, resembles: Resembles) -> dict[str, Fate]:
    """What becomes of the eligible posts, in order of (created_at, post_id)."""
    kept: list[Post] = []
    stands_for: dict[str, int] = {}
    fates: dict[str, Fate] = {}
    for post in sorted((p for p in posts if p.is_eligible), key=lambda p: (str(p.created_at), p.post_id)):
        same = next((k for k in kept if normal(k.text) == normal(post.text)), None)
        alike = next((k for k in kept if resembles(k.text, post.text) >= near), None)
        if same:
            fates[post.post_id] = Fate("EXACT_DUPLICATE", same.post_id, 1.0)
        elif alike:
            fates[post.post_id] = Fate("NEAR_DUPLICATE", alike.post_id, resembles(alike.text, post.text))
        else:
            kept.append(post)
        if instead := same or alike:
            stands_for[instead.post_id] = stands_for.get(instead.post_id, 1) + 1
    return fates | {k.post_id: Fate(copies=stands_for.get(k.post_id, 1)) for k in kept}


def copies(posts: list[Post], near: float, min_tokens: int, min_authors: int, resembles: Resembles) -> set[str]:
    """The post_ids that repeat an earlier post of an objector."""

    def is_everybodys(text: str) -> bool:
        with_it = [p for p in posts if normal(p.text) == normal(text)]
        eligible = [p for p in with_it if p.is_eligible]
        times = [p.created_at for p in eligible if p.created_at]
        first = all(p.created_at and times and p.created_at > min(times) for p in with_it if not p.is_eligible)
        return first and len({p.account_id for p in eligible}) >= min_authors

    said = [p for p in posts if p.is_objectors and len(words(p.text)) >= min_tokens and not is_everybodys(p.text)]

    def copied(post: Post, theirs: Post) -> bool:
        is_later = not (post.created_at and theirs.created_at) or theirs.created_at <= post.created_at
        is_same = normal(post.text) == normal(theirs.text)
        is_close = min(len(words(post.text)), len(words(theirs.text))) >= min_tokens
        return is_later and (is_same or (is_close and resembles(post.text, theirs.text) >= near))

    return {p.post_id for p in posts for o in said if p.post_id != o.post_id and copied(p, o)}
