"""Which objection, notice or request gave a reason: one by its id, chosen by a total order, and no other."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession

from corpus.accounts import judged_people
from corpus.grounds import as_grounds
from tests.small_inputs import inputs_with
from tests.test_objections import CLOCK, UK, day, objecting


def test_each_reason_has_its_ground(spark: SparkSession) -> None:
    notice: dict[str, Any] = {"campaign": UK.notice.campaign, "channel": "email"}
    now, before = UK.notice.version, UK.notice.version - 1
    inputs = inputs_with(
        spark,
        profiles=[{"account_id": a, "country": "GB"} for a in ("lately", "older", "linked", "both", "two")],
        notices=[
            {"notice_id": "n2", "account_id": "lately", "notice_version": now, "delivered_at": day(40)} | notice,
            {"notice_id": "n1", "account_id": "lately", "notice_version": now, "delivered_at": day(40)} | notice,
            {"notice_id": "n0", "account_id": "lately", "notice_version": before, "delivered_at": day(1)} | notice,
            {"notice_id": "n3", "account_id": "older", "notice_version": before, "delivered_at": day(1)} | notice,
            {"notice_id": "n4", "account_id": "older", "notice_version": before, "delivered_at": day(2)} | notice,
        ],
        objections=[
            objecting(objection_id="o2", subject_id="both", received_at=day(2)),
            objecting(objection_id="o1", subject_id="both", received_at=day(2)),
            objecting(objection_id="o3", subject_id="both", received_at=day(1), purpose="advertising"),
            objecting(objection_id="o4", subject_id="two", platform="instagram"),
            objecting(objection_id="o5", subject_id="p1", subject_type="post"),
        ],
        links=[{"account_id": a, "link_group_id": "g"} for a in ("linked", "both")],
        requests=[
            {"request_id": "r2", "kind": "erasure", "account_id": "two", "received_at": day(3)},
            {"request_id": "r1", "kind": "restriction", "account_id": "two", "received_at": day(4)},
            {"request_id": "r3", "kind": "third_party", "account_id": "two"},
            {"request_id": "r4", "kind": "erasure", "post_id": "p1"},
        ],
    )
    rows = as_grounds(inputs, judged_people(inputs, UK, CLOCK), UK).collect()
    assert sorted((r["subject_id"], r["reason"], r["ground"], r["ground_id"], r["platform"]) for r in rows) == [
        ("both", "OBJECTED", "objection", "o1", None),
        ("lately", "WINDOW_OPEN", "notice", "n1", None),
        ("linked", "OBJECTED_LINKED", "objection", "o1", None),
        ("older", "NOTICE_SUPERSEDED", "notice", "n3", None),
        ("p1", "POST_OBJECTED", "objection", "o5", None),
        ("p1", "THIRD_PARTY_REQUEST", "request", "r4", None),
        ("two", "ERASURE_REQUESTED", "request", "r2", None),
        ("two", "OBJECTED", "objection", "o4", "instagram"),
        ("two", "THIRD_PARTY_REQUEST", "request", "r3", None),
    ]
