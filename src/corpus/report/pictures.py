"""Counts as pictures: SVG that stands in a page as it is, says in words what it shows, and needs no script or style.

A count that is None is hidden: it has a mark of its own, and no length that could be measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET

from corpus.render import clean

# ruff: noqa: PLC0415 (matplotlib is loaded only by who draws)

Counted = Sequence[tuple[str, int | None]]
"""Labels with their counts; None is a count that is hidden."""

BLUE, ORANGE, PALE, GREY, INK = "#1f5fa8", "#b85c00", "#dbe5f0", "#5b6470", "#1c2430"
SVG = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
HIDDEN = "hidden"
FEWEST_BARS = 8
"""Room for so many stands in a picture of times, so that one bar is no wall."""
LETTERS = 76
"""So many stand side by side under a picture of times."""
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "corpus", "font.family": ["DejaVu Sans"], "font.size": 11.0,
    "text.color": INK, "axes.edgecolor": GREY, "xtick.color": INK, "ytick.color": INK, "axes.unicode_minus": False,
    "text.parse_math": False,
}  # fmt: skip
"""The font is the one that matplotlib brings: the same file on every machine."""


def funnel_picture(name: str, title: str, counted: Counted) -> str:
    """From the first count to the last, a line for each count that is taken away in between.

    The dark part of a line is what it takes away, the pale part what is left. `name` is the picture's own on its page.
    """
    counted = _legible(counted)
    with _styled() as figure:
        figure.set_size_inches(8, 0.5 + 0.36 * len(counted))
        axes = figure.subplots()
        widths, ends = [count or 0 for _, count in counted], [*_ends(counted)]
        lefts = [end - width for end, width in zip(ends, widths, strict=True)]
        middle = range(1, len(counted) - 1)
        axes.barh(middle, lefts[1:-1], height=0.7, color=PALE)
        axes.barh(middle, widths[1:-1], left=lefts[1:-1], height=0.7, color=ORANGE)
        axes.barh([0, len(counted) - 1], [widths[0], widths[-1]], height=0.7, color=BLUE)
        for row, (_, count) in enumerate(counted):
            text, color = (HIDDEN, GREY) if count is None else (f"{count:,}", INK)
            axes.annotate(text, (ends[row], row), (6, 0), textcoords="offset points", va="center", color=color)
        axes.set_yticks(range(len(counted)), [label for label, _ in counted])
        room = max(len(f"{end:,}") for end in ends) * 0.035  # for the number behind the longest bar
        axes.set_xlim(0, max([*ends, 1]) * (1 + room))
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.margins(y=0.02)
        axes.invert_yaxis()
        return _as_svg(figure, axes, name, title, counted)


def _ends(counted: Counted) -> Iterator[int]:
    """Where each line ends: at what the lines before it have left. A hidden count takes nothing away."""
    left = counted[0][1] or sum(count or 0 for _, count in counted)
    yield left
    for _, count in counted[1:-1]:
        yield left
        left -= count or 0
    yield counted[-1][1] or 0


def timeline_picture(name: str, title: str, counted: Counted) -> str:
    """Bars side by side, one for each time; a dot on the ground where a count is hidden."""
    counted = _legible(counted)
    with _styled() as figure:
        figure.set_size_inches(8, 2.7)
        axes = figure.subplots()
        axes.bar(range(len(counted)), [count or 0 for _, count in counted], width=0.8, color=BLUE)
        lost = [at for at, (_, count) in enumerate(counted) if count is None]
        axes.plot(lost, [0] * len(lost), linestyle="", marker="o", markersize=5, color=GREY, clip_on=False)
        longest = max((len(label) for label, _ in counted), default=0) + 2
        slots = max(len(counted), min(FEWEST_BARS, LETTERS // longest))
        step = -(-slots * longest // LETTERS)  # as many labels as do not run into each other
        axes.set_xticks(range(0, len(counted), step), [label for label, _ in counted[::step]])
        axes.set_xlim(-0.6, slots - 0.4)
        axes.set_ylim(0, 1.05 * max([count or 0 for _, count in counted], default=0) or 1)
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(visible=True, axis="y", color="#d8dde3", linewidth=0.8)
        axes.set_axisbelow(True)
        return _as_svg(figure, axes, name, title, counted)


def _legible(counted: Counted) -> Counted:
    """The same with control characters spelt out, which no SVG may hold."""
    return [(clean(label), count) for label, count in counted]


def _styled() -> Any:
    """A figure in our style, whatever the machine's matplotlib is set to; it lives as long as the style."""
    import logging
    import warnings
    from contextlib import contextmanager

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # the first run looks for fonts, and says so
    from matplotlib import style
    from matplotlib.figure import Figure

    @contextmanager
    def styled() -> Iterator[Figure]:
        with style.context(["default", STYLE]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a letter that its font lacks: the page's font has it
            yield Figure(layout="tight")

    return styled()


def _whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, integer=True)


def _as_svg(figure: Any, axes: Any, name: str, title: str, counted: Counted) -> str:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0, pad=6)
    written = StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    said = "; ".join(f"{label}: {HIDDEN if count is None else f'{count:,}'}" for label, count in counted)
    return in_page(written.getvalue(), name, title, f"{said}.")


def in_page(svg: str, name: str, title: str, description: str) -> str:
    """An SVG file as a part of a page: ids its own, styles as attributes (a strict page allows no other), and words."""
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", svg))  # noqa: S314 (our own)
    for parent in [*root.iter()]:
        for child in [*parent]:
            if child.tag in {f"{{{SVG}}}style", f"{{{SVG}}}metadata"}:
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        _plain(element, name)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-labelledby": f"{name}-title {name}-desc", "font-family": "sans-serif"}
    for at, (tag, words) in enumerate((("title", title), ("desc", description))):
        said = ET.Element(tag, id=f"{name}-{tag}")
        said.text = words
        root.insert(at, said)
    return ET.tostring(root, encoding="unicode")


def _plain(element: ET.Element, name: str) -> None:
    """Turns an element's style into attributes and its ids into the picture's own, in place; the font is the page's."""
    for rule in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in rule.partition(":"))
        if key == "font":
            element.set("font-size", value.split()[0])
        elif key and key != "font-family":
            element.set(key, value)
    if target := element.attrib.pop(LINK, None):
        element.set("href", target)
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif "#" in value and (key == "href" or "url(" in value):
            element.set(key, re.sub(r"#(?=[A-Za-z_])", f"#{name}-", value))
