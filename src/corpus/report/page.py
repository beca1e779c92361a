"""A report as one HTML page: no script, no network, no style but its own, whatever the names in it say."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from corpus.funnel_shown import LEAST
from corpus.query import meaning
from corpus.render import clean
from corpus.report.pictures import funnel_picture, timeline_picture


def as_page(told: dict[str, Any]) -> str:
    """The page of what was gathered."""
    style = files("corpus.report").joinpath("report.css").read_text(encoding="utf-8")
    allowed = base64.b64encode(sha256(style.encode()).digest()).decode()
    pages = Environment(
        loader=PackageLoader("corpus.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_legible,
    )  # fmt: skip
    pages.filters |= {"n": count, "instant": instant, "day": day, "hours": hours}
    notice = [(meaning(name), n) for name, n in told["notice"].items()]
    own = {
        "notice_rows": notice,
        "style": Markup(style),  # noqa: S704 (our file)
        "allowed": allowed,
        "least": LEAST,
        "pictures": _pictures(told),
    }
    return pages.get_template("report.html.j2").render(told | own | {"expires": _expires(told)})


def _legible(value: object) -> object:
    """Text with its control and invisible characters spelt out, so that none can turn the page's words round."""
    return clean(value) if type(value) is str else value


def _pictures(told: dict[str, Any]) -> dict[str, Markup]:
    drawn = {
        "funnel": funnel_picture("funnel", "Of all posts, how many each stage left out", told["funnel"]["bars"]),
        "content": timeline_picture("content", "Posts in this version by when they were written",
                                    [*told["content"]["times"].items()]),
        "objections": timeline_picture("objections", "Objections by when they were received",
                                       [*told["objections"]["months"].items()]),
    }  # fmt: skip
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 (matplotlib's, its words escaped)


def _expires(told: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(told["said"]["released_at"]) + timedelta(days=told["policy"].use.expires_days)


def count(n: int | str | None) -> str:
    """A count as people read it; a hidden one in a word."""
    return "hidden" if n is None else n if isinstance(n, str) else f"{n:,}"


def instant(moment: str | datetime | None) -> str:
    """A moment of the statement, to the minute."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found.day} {found:%b %Y, %H:%M} UTC" if found else "not known"


def day(moment: Any) -> str:
    """A day."""
    return f"{moment.day} {moment:%B %Y}" if moment else "not given"


def hours(number: float) -> str:
    """A time to wait: in hours up to three days, then in days."""
    return f"{number:,.0f} hours" if number <= 72 else f"{number / 24:,.0f} days"
