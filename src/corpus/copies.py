"""Who repeats an objector's words: found from the few texts of objectors, exactly or by likeness."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from corpus.alike import Likeness
from corpus.policy import ObjectorCopies, Policy
from corpus.reasons import Reason
from corpus.rules import in_force
from corpus.staging import sent_where_few
from corpus.text import word_count
from corpus.verdicts import bitmap, is_objector


def with_objector_copies(posts: DataFrame, likeness: Likeness, policy: Policy) -> DataFrame:
    """Adds OBJECTOR_TEXT_COPY to what repeats an earlier post of an objector. One row in, one row out.

    At an equal or unknown time the objector is earlier. Costs one semi-join of the posts with the objectors' texts, and
    one join with the texts found: both few.
    """
    if not in_force(policy) & Reason.OBJECTOR_TEXT_COPY.mask:
        return posts
    rule = policy.objector_copies
    said = posts.transform(objectors_texts, rule)
    repeated = said.unionByName(said.transform(_texts_near, likeness, rule)) if rule.near else said
    posts_said = F.array_sort(F.flatten(F.collect_list("said")))
    earliest = repeated.groupBy("fingerprint").agg(posts_said.alias("said")).transform(sent_where_few)
    copy = bitmap(Reason.OBJECTOR_TEXT_COPY.mask)
    reasons = F.col("reasons")
    return (
        posts
        .join(earliest, on="fingerprint", how="left")
        .withColumn("reasons", F.when(_is_after_any("said"), reasons.bitwiseOR(copy)).otherwise(reasons))
        .select(*posts.columns)
    )


def objectors_texts(posts: DataFrame, rule: ObjectorCopies) -> DataFrame:
    """One row per text that counts as an objector's own words: fingerprint, and `said`, the two earliest such posts.

    Not what is too short, nor what many others say and somebody eligible said first.
    """
    objects, is_in = is_objector(F.col("reasons")), F.col("reasons") == 0
    texts = (
        posts
        .where(objects & F.col("fingerprint").isNotNull())
        .where(word_count(F.col("text")) >= rule.min_tokens)
        .select("fingerprint")
        .distinct()
        .transform(sent_where_few)
    )
    post = F.struct("created_at", "post_id")
    authors = F.count_distinct(F.when(is_in, F.col("account_id")))
    everybodys = (authors >= rule.min_authors) & F.min(F.struct("created_at", is_in.alias("is_in")))["is_in"]
    return (
        posts
        # many rows in, few out
        .join(texts, on="fingerprint", how="left_semi")
        .groupBy("fingerprint")
        .agg(F.min_by(post, F.when(objects, post), 2).alias("said"), everybodys.alias("is_everybodys"))
        .where(~F.col("is_everybodys"))
        .select("fingerprint", "said")
    )


def _texts_near(said: DataFrame, likeness: Likeness, rule: ObjectorCopies) -> DataFrame:
    """The texts that resemble an objector's, with the posts in which it was said."""
    close = likeness.alike.where((F.col("similarity") >= rule.near) & (F.col("words") >= rule.min_tokens))
    early, late = F.col("early.fingerprint"), F.col("late.fingerprint")
    both_ways = F.inline(
        F.array(*(F.struct(a.alias("fingerprint"), b.alias("other")) for a, b in ((early, late), (late, early))))
    )
    theirs = said.select(F.col("fingerprint").alias("other"), "said")
    # one row in, at most one out: an objector's text has one row
    return close.select(both_ways).join(theirs, on="other", how="inner").select("fingerprint", "said")


def _is_after_any(said: str) -> Column:
    """Whether another post of these is not known to be later than this one."""

    def is_earlier(post: Column) -> Column:
        is_other = ~post["post_id"].eqNullSafe(F.col("post_id"))
        return is_other & F.coalesce(post["created_at"] <= F.col("created_at"), F.lit(True))

    return F.coalesce(F.exists(said, is_earlier), F.lit(False))
