"""What a long command is doing, drawn on stderr and told to listeners: silent until the command line turns it on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

# ruff: noqa: PLC0415 (rich is loaded only where something is drawn)

_console: ContextVar[Console | None] = ContextVar("progress", default=None)
_depth: ContextVar[int] = ContextVar("depth", default=0)
_LEVELS = 2

Hears = Callable[[dict[str, Any]], None]
_hears: ContextVar[Hears | None] = ContextVar("hears", default=None)
_is_drawn: ContextVar[bool] = ContextVar("drawn", default=True)


@contextmanager
def heard_by(hears: Hears, is_drawn: bool) -> Iterator[None]:
    """Within this, what happens is told to a listener; unless it is drawn too, stderr is the listener's alone."""
    before = _hears.set(hears), _is_drawn.set(is_drawn)
    try:
        yield
    finally:
        _hears.reset(before[0])
        _is_drawn.reset(before[1])


def tell(event: str, **said: Any) -> None:
    """Tells the listener what happened, if there is one; its own failures are not the work's."""
    if hears := _hears.get():
        with suppress(Exception):
            hears({"event": event, **said})


@contextmanager
def shown_progress() -> Iterator[None]:
    """Within this, steps are drawn on stderr."""
    if not _is_drawn.get():
        yield
        return
    from rich.console import Console

    before = _console.set(Console(stderr=True, highlight=False))
    try:
        yield
    finally:
        _console.reset(before)


@contextmanager
def shown_on_a_terminal() -> Iterator[None]:
    """Within this, steps are drawn on stderr if it is a terminal: for commands that are mostly quick."""
    if not sys.stderr.isatty():
        yield
        return
    with shown_progress():
        yield


@contextmanager
def step(title: str) -> Iterator[None]:
    """A part of the work worth naming: on a terminal it moves while it lasts; one line stays when it ends.

    Of steps inside a step inside a step, a line stays only of those that fail.
    """
    with _told(title), _shown(title):
        yield


@contextmanager
def _told(title: str) -> Iterator[None]:
    """A listener hears when the step begins, and how it ended."""
    started, is_done = time.monotonic(), False
    tell("begin", step=title)
    try:
        yield
        is_done = True
    finally:
        tell("step", step=title, seconds=round(time.monotonic() - started, 3), ok=is_done)


@contextmanager
def _shown(title: str) -> Iterator[None]:
    console, depth = _console.get(), _depth.get()
    if console is None:
        yield
        return
    started, mark = time.monotonic(), "✗"
    within, live = _depth.set(depth + 1), _drawn(console, title, started)
    try:
        yield
        mark = "✓"
    finally:
        _depth.reset(within)
        with suppress(Exception):
            if live:
                live.stop()
            if depth < _LEVELS or mark == "✗":
                line = f"{'  ' * depth}{mark} {title}  {time.monotonic() - started:.1f} s"
                console.print(line, markup=False, soft_wrap=True)


@contextmanager
def counted(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A part of the work that says how far it is: give what is yielded how many more are done. A bar on a terminal."""
    console = _console.get()
    if console is None or not console.is_terminal:
        with step(title):
            yield lambda _: None
        return
    from rich.progress import Progress

    started = time.monotonic()
    with Progress(console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as drawn:
        task = drawn.add_task(title.replace("[", r"\["), total=total)
        yield lambda more: drawn.advance(task, more)
    console.print(f"✓ {title}  {time.monotonic() - started:.1f} s", markup=False)


def _drawn(console: Console, title: str, started: float) -> Live | None:
    """The moving line, redrawn by a thread of its own; None where there is no terminal."""
    if not console.is_terminal:
        return None
    from rich.live import Live
    from rich.spinner import Spinner

    spinner = Spinner("dots")

    def line() -> Spinner:
        spinner.update(text=f"{title}  {time.monotonic() - started:.0f} s{_tasks()}".replace("[", r"\["))
        return spinner

    with suppress(Exception):
        live = Live(
            console=console,
            get_renderable=line,
            refresh_per_second=5,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live
    return None


def _tasks() -> str:
    """How many tasks of the running Spark stages are done, or nothing where no Spark runs."""
    with suppress(Exception):
        tracker = sys.modules["pyspark"].SparkContext._active_spark_context.statusTracker()  # noqa: SLF001 (looks without starting one)
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        tasks = [(stage.numCompletedTasks, stage.numTasks) for stage in stages if stage]
        if tasks:
            return f"  {sum(n for n, _ in tasks)}/{sum(n for _, n in tasks)} tasks"
    return ""
