"""The formats in which a version can be described."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from corpus.exports.croissant import as_croissant
from corpus.exports.pages import as_ai_act, as_processing
from corpus.exports.subject import Subject

# ruff: noqa: PLC0415 (OpenLineage's library is loaded only for its events)


class Form(StrEnum):
    """A format, by the name that `corpus describe --as` gives it."""

    OPENLINEAGE = "openlineage"
    CROISSANT = "croissant"
    AI_ACT = "ai-act"
    PROCESSING = "processing"


def described(subject: Subject, form: Form) -> str:
    """The version in this format, as text."""
    writers: dict[Form, Callable[[Subject], str]] = {
        Form.OPENLINEAGE: _as_events,
        Form.CROISSANT: as_croissant,
        Form.AI_ACT: as_ai_act,
        Form.PROCESSING: as_processing,
    }
    return writers[form](subject)


def _as_events(subject: Subject) -> str:
    from corpus.exports.lineage import as_lines, events

    return as_lines(events(subject))


def sent(subject: Subject, to: str) -> int:
    """Sends the version's OpenLineage events to an address; how many. Raises ConfigError, EnvironmentFault."""
    from corpus.exports.emission import emit
    from corpus.exports.lineage import events

    found = events(subject)
    emit(found, to)
    return len(found)
