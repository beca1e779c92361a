"""What a version did for people: the chapters of its policy in plain English that speak of posts and people."""

from __future__ import annotations

from corpus.policy import Policy
from corpus.policy_explained import Said, explained

MEASURES = (
    "Whose posts may be in",
    "How people were told, and how long they had to object",
    "How far an objection reaches",
    "Posts that touch other people",
    "Which posts",
    "Copies and duplicates",
)
"""Chapters of an explained policy."""


def checked(policy: Policy) -> dict[str, list[Said]]:
    """What the policy checks, by chapter; what it switches off is left out."""
    chapters = explained(policy).chapters
    return {title: [said for said in chapters.get(title, []) if said.is_checked] for title in MEASURES}


def as_markdown(policy: Policy) -> str:
    """The measures as lists under their chapters, each departure from the strict default beneath its sentence."""
    parts = [f"**{title}**\n\n" + "\n".join(map(_line, some)) for title, some in checked(policy).items() if some]
    return "\n\n".join(parts)


def _line(said: Said) -> str:
    marks = [f"  - *{mark.says}* {mark.because or ''}".rstrip() for mark in said.marks]
    return "\n".join([f"- {said.says}", *marks])
