"""The tables of the contract: their columns, keys, and how their strings are compared.

A fact about a column stands here once.
"""

from __future__ import annotations

from dataclasses import dataclass

INPUTS: dict[str, str] = {
    "posts": """post_id STRING, account_id STRING, coauthor_ids ARRAY<STRING>, platform STRING, surface STRING,
        text STRING, lang STRING,
        visibility STRING, container_visibility STRING, public_since TIMESTAMP,
        created_at TIMESTAMP, edited_at TIMESTAMP,
        deleted_at TIMESTAMP, moderated_at TIMESTAMP, reshared_from STRING, reply_to STRING,
        mentions ARRAY<STRING>, tags ARRAY<STRING>,
        flags ARRAY<STRING>, recorded_at TIMESTAMP""",
    "profiles": """account_id STRING, platform STRING, person_id STRING, account_type STRING,
        status STRING, status_since TIMESTAMP,
        visibility STRING, visibility_since TIMESTAMP, birth_date DATE, birth_precision STRING,
        age_estimate DOUBLE, country STRING,
        country_since TIMESTAMP, created_at TIMESTAMP, recorded_at TIMESTAMP, email_hash STRING""",
    "objections": """objection_id STRING, kind STRING, withdraws STRING, subject_type STRING,
        subject_id STRING, platform STRING,
        purpose STRING, status STRING, ruling_id STRING, verified BOOLEAN, channel STRING,
        campaign STRING, effective_at TIMESTAMP,
        received_at TIMESTAMP, recorded_at TIMESTAMP""",
    "links": """account_id STRING, link_group_id STRING, linked_at TIMESTAMP, unlinked_at TIMESTAMP,
        recorded_at TIMESTAMP""",
    "notices": """notice_id STRING, account_id STRING, campaign STRING, notice_version INT,
        channel STRING, sent_at TIMESTAMP,
        delivered_at TIMESTAMP, bounced_at TIMESTAMP, seen_at TIMESTAMP, recorded_at TIMESTAMP""",
    "requests": """request_id STRING, kind STRING, post_id STRING, account_id STRING,
        status STRING, received_at TIMESTAMP,
        recorded_at TIMESTAMP""",
    "feeds": """feed STRING, channel STRING, watermark TIMESTAMP, first_seq BIGINT, last_seq BIGINT, row_count BIGINT,
        recorded_at TIMESTAMP, table_version BIGINT""",
}
REQUIRED_INPUTS = ("posts", "profiles", "objections")
KEYS: dict[str, tuple[str, ...]] = {
    "posts": ("post_id",),
    "profiles": ("account_id",),
    "objections": ("objection_id",),
    "links": ("account_id", "link_group_id", "linked_at"),
    "notices": ("notice_id",),
    "requests": ("request_id",),
    "feeds": ("feed", "channel", "recorded_at"),
}
PEOPLE_PLANE = ("profiles", "objections", "links", "notices", "requests")
"""The tables that decide about accounts; pinned after posts, objections and requests last of all."""

OPTIONAL_COLUMNS = {("profiles", "email_hash"), ("feeds", "table_version")}
"""Columns whose absence the contract allows without a rule that excludes."""

IDS = {
    "post_id",
    "account_id",
    "person_id",
    "objection_id",
    "withdraws",
    "subject_id",
    "link_group_id",
    "notice_id",
    "request_id",
}
"""Trimmed; a placeholder counts as null."""
PLACEHOLDER_IDS = ("", "0", "null", "none", "unknown", "n/a")
ENUMS = {
    "platform", "surface", "visibility", "container_visibility", "account_type", "status", "birth_precision", "kind",
    "subject_type", "purpose", "channel", "feed", "email_hash",
}  # fmt: skip
"""Trimmed and lower-cased; an empty one counts as null."""

SNAPSHOT = """doc_id STRING, text STRING, platform STRING, surface STRING, lang STRING, created_on DATE,
        chars INT, copies BIGINT,
    bucket INT"""
EXCLUSIONS = """post_id STRING, account_id STRING, reasons BIGINT, primary_reason STRING,
        kept_instead STRING, similarity DOUBLE,
    bucket INT, build_id STRING"""
GROUNDS = """subject_kind STRING, subject_id STRING, reason STRING, ground STRING, ground_id STRING, platform STRING,
    since TIMESTAMP, until TIMESTAMP, bucket INT, build_id STRING"""
REGISTER = """objection_id STRING, kind STRING, status STRING, subject_type STRING, received_at TIMESTAMP,
    begin TIMESTAMP, resolved_as STRING, tried ARRAY<STRING>, accounts BIGINT, account_ids ARRAY<STRING>,
    post_id STRING, bucket INT, build_id STRING"""
LEAVES = "tree STRING, index BIGINT, count INT, tokens BINARY, leaf BINARY, build_id STRING"
MEMBERS = "doc_id STRING, post_id STRING, account_id STRING, role STRING, bucket INT, build_id STRING"


@dataclass(frozen=True)
class Column:
    """One column of a table: its name and its Spark SQL type."""

    name: str
    type: str


def columns(ddl: str) -> list[Column]:
    """The columns of a DDL string, in order.

    >>> columns("a STRING, b ARRAY<STRING>")
    [Column(name='a', type='STRING'), Column(name='b', type='ARRAY<STRING>')]
    """
    pairs = (part.split(maxsplit=1) for part in ddl.split(","))
    return [Column(name, kind.strip()) for name, kind in pairs]


def input_columns(table: str) -> list[Column]:
    """The columns that the contract gives an input table."""
    return columns(INPUTS[table])
