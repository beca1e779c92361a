"""Local days: calendar rules use the policy's time zone, or the one it gives a country, never 24 hours of UTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from corpus.policy import Notice, Policy


@dataclass(frozen=True)
class Local:
    """What holds in one country: its own settings, or else the policy's."""

    timezone: str
    adult_age: int
    notice: Notice


def local_date(instant: Column, timezone: str) -> Column:
    """The date of an instant in a time zone."""
    return F.to_date(F.from_utc_timestamp(instant, timezone))


def start_of_day(day: Column, timezone: str) -> Column:
    """The instant at which a local day begins."""
    return F.to_utc_timestamp(day.cast("timestamp"), timezone)


def by_country(policy: Policy, value: Callable[[Local], Column]) -> Column:
    """A value that depends on what holds in the account's `country`."""
    chosen = F.when(F.lit(False), value(_local(policy)))
    for country in policy.per_country:
        chosen = chosen.when(F.col("country") == country, value(_local(policy.in_country(country))))
    return chosen.otherwise(value(_local(policy))) if policy.per_country else value(_local(policy))


def _local(policy: Policy) -> Local:
    return Local(policy.timezone, policy.adult_age, policy.notice)
