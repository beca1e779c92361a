"""What eu-social makes of people in its countries: each is told by the own campaign, and has the own country's days."""

from __future__ import annotations

import yaml
from pyspark.sql import SparkSession

from corpus.pipeline import judge
from corpus.policy import Clock, read_policy
from corpus.reasons import reasons_in
from corpus.vectors import as_world, inputs_of
from tests.test_policy import UK_SOCIAL
from tests.vectors import VECTORS

CASES = yaml.safe_load("""
- name: Germany
  profiles: [{account_id: a1, country: DE}]
  notices: [{notice_id: n1, account_id: a1, campaign: eu-2026-de}]
  is: []
- name: France, told in German
  profiles: [{account_id: a1, country: FR}]
  notices: [{notice_id: n1, account_id: a1, campaign: eu-2026-de}]
  is: [NOTICE_NOT_DELIVERED]
- name: the United Kingdom
  profiles: [{account_id: a1, country: GB}]
  notices: [{notice_id: n1, account_id: a1, campaign: eu-2026}]
  is: [COUNTRY_OUT_OF_SCOPE]
- name: Portugal, whose last day ends with the cutoff
  profiles: [{account_id: a1, country: PT}]
  notices: [{notice_id: n1, account_id: a1, campaign: eu-2026-pt, delivered_at: 2026-10-08T22:30:00Z}]
  is: []
- name: Finland, where that was a day later already
  profiles: [{account_id: a1, country: FI}]
  notices: [{notice_id: n1, account_id: a1, campaign: eu-2026-fi, delivered_at: 2026-10-08T22:30:00Z}]
  is: [WINDOW_OPEN]
""")


def test_people_are_told_by_their_own_country_and_have_its_days_to_object(spark: SparkSession) -> None:
    book = yaml.safe_load(VECTORS.read_text(encoding="utf-8"))
    worlds = [as_world(book, {"posts": [{"post_id": "p1"}]} | case, f"w{at}-") for at, case in enumerate(CASES)]
    policy = read_policy(UK_SOCIAL.with_name("eu-social.toml"))
    rows = judge(inputs_of(spark, worlds), policy, Clock.model_validate(book["clock"])).collect()
    found = {row["post_id"]: [reason.name for reason in reasons_in(row["reasons"])] for row in rows}
    assert found == {f"w{at}-p1": case["is"] for at, case in enumerate(CASES)}
