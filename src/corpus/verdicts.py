"""Verdicts as columns: a post's reasons are one BIGINT bitmap, and nothing here drops a row."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from corpus.reasons import OBJECTION_REASONS, Reason, in_order, mask_of

NO_REASON = 0


def bitmap(mask: int) -> Column:
    """A bitmap as a literal."""
    return F.lit(mask).cast("bigint")


def flagged(rules: dict[Reason, Column]) -> Column:
    """The bitmap of the reasons whose condition holds; a condition that is null holds, since null never passes."""
    flags = [F.when(F.coalesce(c, F.lit(True)), bitmap(r.mask)).otherwise(bitmap(0)) for r, c in rules.items()]
    return reduce(Column.bitwiseOR, flags)


def has_any(reasons: Column, mask: int) -> Column:
    """Whether a bitmap holds any of these reasons."""
    return reasons.bitwiseAND(bitmap(mask)) != 0


def without(reasons: Column, mask: int) -> Column:
    """The bitmap less these reasons."""
    return reasons.bitwiseAND(bitmap(~mask))


def or_none(reasons: Column) -> Column:
    """The bitmap, or the empty one where there is none (no match in a left join)."""
    return F.coalesce(reasons, bitmap(0))


def first_objection_only(reasons: Column) -> Column:
    """Of OBJECTED, OBJECTED_LINKED and OBJECTED_SAME_PERSON only the first that applies."""
    linked, same_person = Reason.OBJECTED_LINKED.mask, Reason.OBJECTED_SAME_PERSON.mask
    return (
        F
        .when(has_any(reasons, Reason.OBJECTED.mask), without(reasons, linked | same_person))
        .when(has_any(reasons, linked), without(reasons, same_person))
        .otherwise(reasons)
    )


def is_objector(reasons: Column) -> Column:
    """Whether a bitmap makes its account an objector."""
    return has_any(reasons, mask_of(OBJECTION_REASONS))


def is_known_minor(reasons: Column) -> Column:
    """Whether a bitmap says that the account is known to be under age, at the cutoff or when the post was written."""
    return has_any(reasons, Reason.MINOR_AT_CUTOFF.mask | Reason.MINOR_AT_POST.mask)


def primary_reason(reasons: Column) -> Column:
    """The name of the first reason by precedence; null for a post that is in."""
    names = F.array(*(F.lit(r.name) for r in in_order()))
    firsts = [F.when(has_any(reasons, r.mask), F.element_at(names, at + 1)) for at, r in enumerate(in_order())]
    return F.coalesce(*firsts)
