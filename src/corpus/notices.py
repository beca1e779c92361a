"""Whether a person was told, by the right notice, after moving here, and long enough before the cutoff."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.keys import repeated
from corpus.local_time import Local, by_country, local_date, start_of_day
from corpus.policy import Clock, Notice, Policy
from corpus.reasons import Reason


def with_notice(profiles: DataFrame, notices: DataFrame, policy: Policy) -> DataFrame:
    """Adds per account `told` (the earliest notice that counts), `told_before_move`, and `told_by_older`, an older one.

    One row in, one row out: the notices are grouped by account after the join, which costs no exchange of its own.
    """
    after_move = F.coalesce(F.col("delivered_at") >= F.col("country_since"), F.lit(True))
    is_current = F.coalesce(by_country(policy, _is_current), F.lit(False))
    is_older = F.coalesce(by_country(policy, _is_older), F.lit(False))
    notice = F.struct("delivered_at", "notice_id")
    return (
        profiles
        .join(_delivered(notices), on="account_id", how="left")
        .groupBy(*profiles.columns)
        .agg(
            F.min(F.when(is_current & after_move, notice)).alias("told"),
            F.coalesce(F.bool_or(is_current & ~after_move), F.lit(False)).alias("told_before_move"),
            F.min(F.when(is_older, notice)).alias("told_by_older"),
        )
    )


def notice_rules(policy: Policy, clock: Clock) -> dict[Reason, Column]:
    """What `with_notice` found, as conditions."""
    before_move = F.col("told_before_move")
    told, by_older = F.col("told").isNotNull(), F.col("told_by_older").isNotNull()
    window_ends = by_country(policy, lambda local: _window_end(local.notice, local.timezone, clock))
    return {
        Reason.COUNTRY_CHANGED: _moved_after(clock) | (~told & before_move),
        Reason.NOTICE_SUPERSEDED: ~told & ~before_move & by_older,
        Reason.NOTICE_NOT_DELIVERED: ~told & ~before_move & ~by_older,
        Reason.WINDOW_OPEN: told & (F.lit(clock.cutoff) < window_ends),
    }


def _moved_after(clock: Clock) -> Column:
    return F.coalesce(F.col("country_since") > F.lit(clock.cutoff), F.lit(False))


def _delivered(notices: DataFrame) -> DataFrame:
    """The notices that arrived; one whose id is null or not its own proves nothing."""
    return (
        notices
        .where(F.col("delivered_at").isNotNull() & F.col("bounced_at").isNull() & F.col("notice_id").isNotNull())
        .join(F.broadcast(repeated(notices, "notice_id")), on="notice_id", how="left_anti")
        .select("notice_id", "account_id", "campaign", "notice_version", "channel", "delivered_at")
        .where(F.col("account_id").isNotNull())
    )


def _is_current(local: Local) -> Column:
    return _of_campaign(local.notice) & (F.col("notice_version") == local.notice.version)


def _is_older(local: Local) -> Column:
    return _of_campaign(local.notice) & (F.col("notice_version") < local.notice.version)


def _of_campaign(notice: Notice) -> Column:
    return (F.lower("campaign") == notice.campaign) & F.col("channel").isin(*notice.channels)


def _window_end(notice: Notice, timezone: str, clock: Clock) -> Column:
    """The end of the local day that lies `window_days`, and a day for each day of an outage, after the delivery."""
    days = F.lit(notice.window_days + 1) + _outage_days(notice, timezone, clock)
    return start_of_day(F.date_add(local_date(F.col("told.delivered_at"), timezone), days), timezone)


def _outage_days(notice: Notice, timezone: str, clock: Clock) -> Column:
    """How many distinct local dates an outage touches from delivery to cutoff."""
    none = F.array().cast("array<date>")
    days = [none]
    for outage in notice.outages:
        begin = F.greatest(F.col("told.delivered_at"), F.lit(outage.from_))
        end = F.lit(min(outage.to, clock.cutoff) if outage.to else clock.cutoff)
        dates = F.sequence(local_date(begin, timezone), local_date(end, timezone))
        days.append(F.when(begin <= end, dates).otherwise(none))
    return F.size(F.array_distinct(F.concat(*days)))
