"""The main job on one screen: from pinned inputs to a verdict on every post. Read this first."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from corpus.accounts import People, judged_people
from corpus.alike import likeness_of
from corpus.copies import with_objector_copies
from corpus.duplicates import with_duplicates
from corpus.inputs import Inputs
from corpus.policy import Clock, Policy
from corpus.posts import with_author, with_fingerprint, with_post_reasons
from corpus.reasons import Reason
from corpus.references import with_people_reasons, with_reshare_reasons
from corpus.staging import settled
from corpus.verdicts import has_any


def judge(inputs: Inputs, policy: Policy, clock: Clock, people: People | None = None) -> DataFrame:
    """One row per post_id with its verdict: `reasons` is 0 for a post that is in, and names every reason otherwise.

    Columns: post_id, account_id, coauthor_ids, platform, surface, text, lang, created_at, reasons, kept_instead,
    similarity, copies, is_capped. What later steps read more than once is settled on the way: the people, then the
    posts before rules look at other posts.
    """
    people = people or judged_people(inputs, policy, clock)
    posts = (
        inputs.posts
        .transform(with_fingerprint)
        .transform(with_author, people.accounts)
        .transform(with_post_reasons, inputs, people.standing, policy, clock)
        .transform(with_people_reasons, people.accounts, policy)
        .transform(settled)
        .transform(with_reshare_reasons, policy)
    )
    likeness = likeness_of(posts, policy)
    return (
        posts
        .transform(with_objector_copies, likeness, policy)
        .transform(as_one_row_per_post)
        .transform(with_duplicates, likeness, policy)
        .select(*VERDICT)
    )


def as_one_row_per_post(posts: DataFrame) -> DataFrame:
    """A repeated post_id becomes one row with the reasons of all its rows.

    Its other columns are those of no one of them.
    """
    is_repeated = has_any(F.col("reasons"), Reason.POST_CONFLICT.mask)
    one = (
        posts
        .where(is_repeated)
        .groupBy("post_id")
        .agg(F.bit_or("reasons").alias("reasons"), F.min("account_id").alias("account_id"))
    )
    return posts.where(~is_repeated).unionByName(one, allowMissingColumns=True)


VERDICT = (
    "post_id", "account_id", "coauthor_ids", "platform", "surface", "text", "lang", "created_at", "reasons",
    "kept_instead", "similarity", "copies", "is_capped",
)  # fmt: skip
