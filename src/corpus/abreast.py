"""Work on several tables side by side: planning a small table takes longer than reading it, and one core waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
Found = TypeVar("Found")
ABREAST = 4


def abreast(work: Callable[[T], Found], tables: Iterable[T]) -> dict[T, Found]:
    """What the work comes to for each table, in their order. Raises what the first of them raises."""
    with ThreadPoolExecutor(ABREAST) as threads:
        begun = {table: threads.submit(copy_context().run, work, table) for table in tables}
        try:
            return {table: done.result() for table, done in begun.items()}
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
