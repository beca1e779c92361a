"""Who repeats an objector's words: found from the few texts of objectors, exactly or by likeness."""

from __future__ import annotations

import secrets

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.alike import Likeness
from corpus.dataset_key import KEY_BYTES
from corpus.keyed import keyed, with_key, without_key
from corpus.policy import ObjectorCopies, Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.staging import sent_where_few
from corpus.text import word_count
from corpus.verdicts import bitmap, is_objector


def with_objector_copies(posts: DataFrame, likeness: Likeness, policy: Policy) -> DataFrame:
    """Adds OBJECTOR_TEXT_COPY to what repeats an earlier post of an objector. One row in, one row out.

    At an equal or unknown time the objector is earlier. What stands in scratch space of an objector's text is its
    `mark`: a keyed fingerprint, whose key is drawn here and ends with the build. Costs one semi-join of the posts with
    the objectors' marks, and one join with the marks found: both few.
    """
    if not in_force(policy) & Reason.OBJECTOR_TEXT_COPY.mask:
        return posts
    rule = policy.objector_copies
    key = secrets.token_bytes(KEY_BYTES)  # decides nothing: equal texts are equal under any key
    marked = posts.transform(with_marks, key, mark="fingerprint")
    said = marked.transform(objectors_texts, rule)
    repeated = said.unionByName(said.transform(_texts_near, likeness, rule, key)) if rule.near else said
    posts_said = F.array_sort(F.flatten(F.collect_list("said")))
    earliest = repeated.groupBy("mark").agg(posts_said.alias("said")).transform(sent_where_few)
    copy = bitmap(Reason.OBJECTOR_TEXT_COPY.mask)
    reasons = F.col("reasons")
    return (
        marked
        # one row in, one row out
        .join(earliest, on="mark", how="left")
        .withColumn("reasons", F.when(_is_after_any("said"), reasons.bitwiseOR(copy)).otherwise(reasons))
        .select(*posts.columns)
    )


def objectors_texts(posts: DataFrame, rule: ObjectorCopies) -> DataFrame:
    """One row per text that counts as an objector's own words: mark, and `said`, the two earliest such posts.

    Not what is too short, nor what many others say and somebody eligible said first.
    """
    objects, is_in = is_objector(F.col("reasons")), F.col("reasons") == 0
    texts = (
        posts
        .where(objects & F.col("fingerprint").isNotNull())
        .where(word_count(F.col("text")) >= rule.min_tokens)
        .select("mark")
        .distinct()
        .transform(sent_where_few)
    )
    post = F.struct("created_at", "post_id")
    authors = F.count_distinct(F.when(is_in, F.col("account_id")))
    everybodys = (authors >= rule.min_authors) & F.min(F.struct("created_at", is_in.alias("is_in")))["is_in"]
    return (
        posts
        # many rows in, few out
        .join(texts, on="mark", how="left_semi")
        .groupBy("mark")
        .agg(F.min_by(post, F.when(objects, post), 2).alias("said"), everybodys.alias("is_everybodys"))
        .where(~F.col("is_everybodys"))
        .select("mark", "said")
    )


def with_marks(rows: DataFrame, key: bytes, **marks: str) -> DataFrame:
    """Adds the keyed fingerprint of each of these columns under its name. One row in, one row out."""
    named = {mark: keyed("text", F.col(fingerprint)) for mark, fingerprint in marks.items()}
    return rows.transform(with_key, key, rows.sparkSession).withColumns(named).transform(without_key)


def _texts_near(said: DataFrame, likeness: Likeness, rule: ObjectorCopies, key: bytes) -> DataFrame:
    """The texts that resemble an objector's, with the posts in which it was said."""
    close = likeness.alike.where((F.col("similarity") >= rule.near) & (F.col("words") >= rule.min_tokens))
    marked = close.transform(with_marks, key, early_mark="early.fingerprint", late_mark="late.fingerprint")
    ways = (("early_mark", "late_mark"), ("late_mark", "early_mark"))
    both_ways = F.inline(F.array(*(F.struct(F.col(a).alias("mark"), F.col(b).alias("other")) for a, b in ways)))
    theirs = said.select(F.col("mark").alias("other"), "said")
    # one row in, at most one out: an objector's text has one row
    return marked.select(both_ways).join(theirs, on="other", how="inner").select("mark", "said")


def _is_after_any(said: str) -> Column:
    """Whether another post of these is not known to be later than this one."""

    def is_earlier(post: Column) -> Column:
        is_other = ~post["post_id"].eqNullSafe(F.col("post_id"))
        return is_other & F.coalesce(post["created_at"] <= F.col("created_at"), F.lit(True))

    return F.coalesce(F.exists(said, is_earlier), F.lit(False))
