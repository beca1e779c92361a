"""A policy is complete and exact: it refuses what it does not know; files that mean the same have one digest."""

from __future__ import annotations

import re
import zoneinfo
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from corpus.config import read_toml
from corpus.errors import ConfigError
from corpus.policy import Policy, as_policy, read_policy
from corpus.reasons import Reason, mask_of
from corpus.rules import in_force

PACKS = sorted((Path(__file__).parent.parent / "conf/policies").glob("*.toml"))
UK_SOCIAL = next(pack for pack in PACKS if pack.stem == "uk-social")


def changed(path: str, value: object) -> dict[str, Any]:
    """The uk-social pack with one key set."""
    tables = deepcopy(read_toml(UK_SOCIAL, "policy"))
    *outer, key = path.split(".")
    table = tables
    for name in outer:
        table = table[name]
    table[key] = value
    return tables


MISTAKES: dict[str, tuple[str, object, str]] = {
    "an unknown key": ("adult_agee", 18, r"'adult_agee' is not a known key \(did you mean 'adult_age'\?\)"),
    "an unknown key inside": ("objections.linkd", "off", r"'objections.linkd' is not a known key .*'linked'"),
    "an unknown key in a list": ("notice.outages", [{"form": 1}], r"'notice.outages.0.form' is not .*'from'"),
    "a time without zone": ("window_start", "2007-01-01T00:00:00", "'window_start' is a time without a zone"),
    "an unknown value": ("age_basis", "birthday", "'age_basis': found 'birthday'"),
    "a time zone nobody knows": ("timezone", "Europe/Leeds", "'Europe/Leeds' is not a time zone"),
    "a similarity beyond 1": ("dedup.near", 1.5, "'dedup.near"),
    "a similarity of 0": ("dedup.near", 0, "'dedup.near"),
    "a similarity of 1": ("dedup.near", 1, "equal texts are the matter of 'exact'"),
    "a similarity below 0": ("objector_copies.near", -0.5, "'objector_copies.near"),
    "a negative window": ("notice.window_days", -1, "'notice.window_days': found -1"),
    "a rule nobody knows": ("rules_off", [{"rule": "ACOUNT_PRIVATE", "because": "test"}], "mean 'ACCOUNT_PRIVATE'"),
    "a rule off without reason": ("rules_off", [{"rule": "ACCOUNT_PRIVATE"}], "'rules_off.0.because' is missing"),
    "a gate nobody knows": ("gates_off", [{"gate": "FEED_STAIL", "because": "test"}], "did you mean 'FEED_STALE'"),
    "a rule that must stay": ("rules_off", [{"rule": "POST_CONFLICT", "because": "test"}], "no verdict is one"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_policy_is_named(mistake: str) -> None:
    path, value, message = MISTAKES[mistake]
    with pytest.raises(ConfigError, match=message):
        as_policy(changed(path, value), "my.toml")


def test_a_policy_that_is_not_there_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no policy file .*uk-socal.toml \(did you mean 'uk-social.toml'"):
        read_policy(UK_SOCIAL.with_name("uk-socal.toml"))
    (tmp_path / "p.toml").write_text("name = ")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_policy(tmp_path / "p.toml")


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)
def test_each_pack_is_complete(pack: Path) -> None:
    assert read_policy(pack).name == pack.stem
    written = set(read_toml(pack, "policy"))
    assert {field for field in Policy.model_fields if field not in written} <= {"governance", "per_country"}


def test_the_digest_is_of_what_the_policy_means() -> None:
    policy = as_policy(changed("name", "uk-social"), "a")
    reordered = dict(reversed(list(changed("name", " UK-Social ").items())))
    without_a_default = changed("adult_age", 18)
    del without_a_default["adult_age"]
    assert {as_policy(tables, "b").digest for tables in (reordered, without_a_default)} == {policy.digest}
    assert as_policy(changed("adult_age", 21), "c").digest != policy.digest
    assert as_policy(changed("governance.dpia.expires", date(2027, 6, 30)), "d").digest != policy.digest


def test_settings_that_keep_take_their_rules_out_of_force() -> None:
    all_of_them = mask_of(Reason)
    assert in_force(read_policy(UK_SOCIAL)) == all_of_them
    kept = as_policy(changed("third_parties.mentions", "keep"), "a")
    assert in_force(kept) == all_of_them & ~Reason.MENTIONS_OBJECTOR.mask
    off = as_policy(changed("rules_off", [{"rule": "AGE_CONFLICT", "because": "no estimates"}]), "b")
    assert in_force(off) == all_of_them & ~Reason.AGE_CONFLICT.mask


CAPITALS = """
    AT Europe/Vienna  BE Europe/Brussels  BG Europe/Sofia  CY Asia/Nicosia  CZ Europe/Prague  DE Europe/Berlin
    DK Europe/Copenhagen  EE Europe/Tallinn  ES Europe/Madrid  FI Europe/Helsinki  FR Europe/Paris  GR Europe/Athens
    HR Europe/Zagreb  HU Europe/Budapest  IE Europe/Dublin  IS Atlantic/Reykjavik  IT Europe/Rome  LI Europe/Vaduz
    LT Europe/Vilnius  LU Europe/Luxembourg  LV Europe/Riga  MT Europe/Malta  NL Europe/Amsterdam  NO Europe/Oslo
    PL Europe/Warsaw  PT Europe/Lisbon  RO Europe/Bucharest  SE Europe/Stockholm  SI Europe/Ljubljana
    SK Europe/Bratislava
"""
ZONES = dict(re.findall(r"([A-Z]{2}) (\S+)", CAPITALS))
"""The time zone of each EEA country's capital."""


def test_eu_social_has_each_country_of_the_eea_with_its_zone_and_campaign() -> None:
    policy = read_policy(UK_SOCIAL.with_name("eu-social.toml"))
    assert sorted(policy.countries) == sorted(policy.per_country) == sorted(ZONES)
    assert len(policy.countries) == 30
    assert {country: own.timezone for country, own in policy.per_country.items()} == ZONES
    for country, own in policy.per_country.items():
        assert own.adult_age == 18
        assert own.notice == policy.notice.model_copy(update={"campaign": f"eu-2026-{country.lower()}"})


def test_the_zones_are_those_that_the_time_zone_database_gives_each_country() -> None:
    tables = [Path(folder) / "zone.tab" for folder in zoneinfo.TZPATH]
    table = next((path for path in tables if path.exists()), None)
    if table is None:
        pytest.skip("this machine's time zone database has no zone.tab")
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert set(ZONES.items()) <= {(line[0], line[2].strip()) for line in lines}


def test_eu_social_differs_from_uk_social_only_in_where_and_how_people_are_told() -> None:
    eu, uk = (read_policy(UK_SOCIAL.with_name(f"{name}-social.toml")).as_json() for name in ("eu", "uk"))
    assert {key for key in uk if eu[key] != uk[key]} == {"name", "countries", "timezone", "notice", "per_country"}
    assert not any(eu["governance"][key] for key in ("approved_by", "approved_on"))
