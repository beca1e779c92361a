"""How pages say things: numbers, days and shares as people read them, and everything from outside made inert."""

from __future__ import annotations

from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from corpus import __version__
from corpus.query import meaning
from corpus.render import clean, differences


def environment() -> Environment:
    """The templates: whatever they show is escaped, and its control characters are spelt out."""
    made = Environment(
        loader=PackageLoader("corpus.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(value),
    )
    made.globals["program"] = __version__
    made.filters |= {"moment": moment, "day": day, "share": share, "signed": signed, "digits": str, "count": int}
    made.filters |= {"meaning": meaning, "posts": posts, "differences": lambda texts: differences(*texts)}
    made.filters |= {"or_hidden": lambda count: "hidden" if count is None else count, "two": "{:.2f}".format}
    return made


def moment(instant: object) -> str:
    """An instant to the minute.

    >>> moment("2026-11-04T00:00:00Z")
    '4 Nov 2026, 00:00 UTC'
    """
    at = _read(instant)
    return f"{at.day} {at:%b %Y, %H:%M} UTC" if at else str(instant)


def day(instant: object) -> str:
    """The day of an instant.

    >>> day("2026-11-04T23:59:00Z")
    '4 Nov 2026'
    """
    at = _read(instant)
    return f"{at.day} {at:%b %Y}" if at else str(instant)


def _read(instant: object) -> datetime | None:
    try:
        at = instant if isinstance(instant, datetime) else datetime.fromisoformat(str(instant))
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)


def share(part: int, whole: int) -> str:
    """A part of a whole in percent, for the length of a bar.

    >>> share(1, 3)
    '33.3'
    """
    return f"{100 * part / whole:.1f}" if whole else "0"


def signed(change: int) -> str:
    """A change as people say it.

    >>> signed(-251), signed(0)
    ('251 fewer than', 'as many as')
    """
    return f"{abs(change):,} {'more' if change > 0 else 'fewer'} than" if change else "as many as"


def posts(count: int) -> str:
    """So many posts.

    >>> posts(1), posts(12000)
    ('1 post', '12,000 posts')
    """
    return f"{count:,} {'post' if count == 1 else 'posts'}"
