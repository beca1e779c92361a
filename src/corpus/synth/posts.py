"""The content plane of an invented world: posts and what is planted in each, every row made from the post's number."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from corpus.inputs import as_contract
from corpus.reasons import Group, Reason
from corpus.synth import phrases, planted
from corpus.synth.people import account_outcome, birth_date, named, objected_at, own_platform, with_role, withdrawn_at
from corpus.synth.phrases import below, choice, entry, share
from corpus.synth.planted import BLOCK, DAY, ELIGIBLE, KIND_AT, World, as_time, id_of, kind_at, micros

ROWS_PER_TASK = 500_000
HEAD = 2
"""How flat the skew is among the busiest accounts: the first of them writes some 1 to 3 % of all posts."""
COPIED = ("source", "objectors_words", "viral_seed")
"""Kinds that others copy: their text is long enough to be recognised after a small edit."""
COPIES = ("exact_copy", "near_copy", "objector_copy", "viral")
TWISTS = {
    "exact_copy": (40, 40, 70, 70),
    "near_copy": (0, 50, 50, 100),
    "objector_copy": (0, 40, 70, 70),
    "viral": (10, 10, 13, 13),
    **dict.fromkeys(COPIED, (0, 0, 0, 0)),
}
"""By kind: below which of 100 a draw adds an emoji, adds a hashtag, shouts, or changes a word."""


def posts(drafts: DataFrame, made: World) -> DataFrame:
    """One row per post, as many as the world has; a pair of twins has one id."""
    number, kind = F.col("number"), F.col("kind")
    thread = below(F.greatest(number, F.lit(1)), made.seed, "reply", number)
    flag = choice("minor_depicted|special_category", made.seed, "flag", number)
    columns = {
        "post_id": _post_id(made),
        "account_id": id_of("a", F.col("account")),
        "platform": _platform(made),
        "surface": F.col("surface"),
        "text": _text(made),
        "lang": F.col("lang"),
        "reply_to": F.when(F.col("surface") == "comment", id_of("p", thread)),
        "reshared_from": F.when(~kind.isin(*COPIES), id_of("p", F.col("source"))),
        "flags": _those(F.when(kind == "flagged", flag)),
    }
    described = columns | _people_named(made) | _visibility(made) | _times(made)
    return as_contract(drafts.select(*named(described)), "posts")


def truth(drafts: DataFrame, made: World) -> DataFrame:
    """One row per post_id: `planted` (a reason that it must have, `eligible`, or null if not certain) and `copy_of`.

    It holds for a build whose cutoff is the instant of the export.
    """
    known = (
        drafts
        .where(~planted.is_second_twin(made, F.col("number")))
        .withColumns({"own": _own_outcome(made), "of_age": _of_age(made), "account_outcome": account_outcome(made)})
        .withColumn("author", _author_outcome(made))
        .withColumn("planted", _planted())
    )
    is_copy = F.col("planted").isin(Reason.EXACT_DUPLICATE.name, Reason.NEAR_DUPLICATE.name)
    return known.select(
        _post_id(made).alias("post_id"), "planted", F.when(is_copy, id_of("p", F.col("source"))).alias("copy_of")
    )


def drafted(spark: SparkSession, made: World) -> DataFrame:
    """One row per post: its number, kind, source, author with role, surface, language, and what a wave does to it."""
    number = F.col("number")
    fate = F.when((F.col("own_kind") == "plain") & (number < made.posts), planted.wave_time(made, 400, "fate", number))
    deleted = fate.isNotNull() & (below(2, made.seed, "deletes", number) == 0)
    tasks = max(2, made.all_posts // ROWS_PER_TASK)
    return (
        spark
        .range(0, made.all_posts, 1, tasks)
        .withColumnRenamed("id", "number")
        .withColumns({"own_kind": kind_at(planted.slot_of(made, number)), "kind_slot": planted.kind_slot(made, number)})
        .withColumn("kind", kind_at(F.col("kind_slot")))
        .withColumns({"source": _source(made), "written": planted.post_time(made, number), "account": _author(made)})
        .transform(with_role, made)
        .withColumns({"surface": _surface(made), "lang": _lang(made), "fate": fate, "is_deleted_late": deleted})
    )


def _source(made: World) -> Column:
    """The number of the post that this one copies or reshares; null for most."""
    number, kind = F.col("number"), F.col("kind")
    source = F.when(kind == "viral", F.lit(planted.viral_seed(made)).cast("bigint"))
    for wanted in sorted(set(planted.SOURCES.values())):
        copying = [name for name, of in planted.SOURCES.items() if of == wanted]
        source = source.when(kind.isin(*copying), planted.earlier_post(made, wanted, number))
    for name, other in (("circle", "circle_back"), ("circle_back", "circle")):
        source = source.when(kind == name, planted.in_slot(made, planted.block_of(number), F.lit(KIND_AT.index(other))))
    return source.when(kind == "chain", number - BLOCK).when(kind == "reshare_of_nothing", 9_000_000_000 + number)


def _author(made: World) -> Column:
    """The account's number: of the role that the kind needs, else any, the lowest numbers by far the most often."""
    number, own_kind = F.col("number"), F.col("own_kind")
    everyone = float(made.accounts + HEAD)
    least = (HEAD / everyone) ** (1 / 6)
    depth = share(made.seed, "author", number) * (1 - least) + least
    cubed = depth * depth * depth
    skewed = F.floor(cubed * cubed * everyone) - HEAD
    return (
        F
        .when(own_kind.isin(*planted.STEADFAST), planted.any_account(made, "steadfast", "author", number))
        .when(own_kind == "objectors_words", planted.any_account(made, "objector", "author", number))
        .otherwise(F.least(F.greatest(skewed, F.lit(0)), F.lit(made.accounts - 1)))
    )


def _lang(made: World) -> Column:
    """Mostly English; unknown for a few, and another language for ordinary posts only."""
    draw = below(200, made.seed, "language", F.col("number"))
    other = F.when((F.col("kind") == "plain") & (draw < 6), entry("cy|cy|gd|pl|pl|pa", draw))
    return F.coalesce(other, F.when(draw < 197, F.lit("en")))


def _post_id(made: World) -> Column:
    number = F.col("number")
    first = planted.in_slot(made, planted.block_of(number), F.lit(KIND_AT.index("twin")))
    return id_of("p", F.when(planted.is_second_twin(made, number), first).otherwise(number))


def _platform(made: World) -> Column:
    other = choice("threads|whatsapp|messenger|", made.seed, "platform", F.col("number"))
    return F.when(F.col("kind") == "other_platform", other).otherwise(own_platform())


def _surface(made: World) -> Column:
    number, is_other = F.col("number"), F.col("kind") == "other_surface"
    usual = "|".join(["post"] * 9 + ["comment"] * 5 + ["photo_caption"] * 4 + ["video_caption"] * 2)
    other = choice("story|message|ai_chat|reel|", made.seed, "surface", number)
    return _first(F.when(is_other, other), F.when(~is_other, choice(usual, made.seed, "surface", number)))


def _text(made: World) -> Column:
    seed, number, kind, lang = made.seed, F.col("number"), F.col("kind"), F.col("lang")
    is_copy = kind.isin(*COPIES)
    text_number = F.when(is_copy, F.col("source")).otherwise(number)
    english = phrases.text_of(seed, text_number, is_copy | kind.isin(*COPIED), _twist(made), number)
    edited = F.when(F.col("fate").isNotNull() & ~F.col("is_deleted_late"), " Edit: spelling.").otherwise("")
    text = F.when(kind == "wordless", choice(phrases.WORDS["wordless"], seed, "wordless", number))
    for other in phrases.ABROAD:
        text = text.when(lang == other, phrases.text_in(seed, other, number))
    return text.otherwise(F.concat(english, edited))


def _twist(made: World) -> Column:
    """How the text departs from its source's, or an ordinary one from plain words."""
    draw = below(100, made.seed, "twist", F.col("number"))
    twist = _drawn(draw, 6, 10, 11, 11)
    for kind, limits in TWISTS.items():
        twist = F.when(F.col("kind") == kind, _drawn(draw, *limits)).otherwise(twist)
    return twist


def _drawn(draw: Column, emoji: int, hashtag: int, shout: int, word: int) -> Column:
    marked = F.when(draw < emoji, phrases.EMOJI).when(draw < hashtag, phrases.HASHTAG)
    return marked.when(draw < shout, phrases.SHOUT).when(draw < word, phrases.WORD).otherwise(phrases.SAME)


def _people_named(made: World) -> dict[str, Column]:
    """Co-authors, mentions and tags: empty, or one or two accounts of a known role."""
    number, kind = F.col("number"), F.col("kind")

    def some(role: str) -> Column:
        return id_of("a", planted.any_account(made, role, f"named {role}", number))

    unknown, friend, objector = F.array(F.lit(None).cast("string")), some("steadfast"), some("objector")
    other_author = F.when(number % 3 == 0, objector).otherwise(some("private"))
    by_friend, with_friend = kind.startswith("coauthored"), kind.isin("mentioning", "mentioning_objector")
    coauthors = _those(F.when(by_friend, friend), F.when(kind == "coauthored_badly", other_author))
    mentioned = _those(F.when(with_friend, friend), F.when(kind == "mentioning_objector", objector))
    return {
        "coauthor_ids": F.when((kind == "coauthored_badly") & (number % 3 == 2), unknown).otherwise(coauthors),
        "mentions": F.when(kind == "mentioning_unknown", unknown).otherwise(mentioned),
        "tags": _those(F.when(kind == "tagging", friend).when(kind == "tagging_minor", some("minor"))),
    }


def _those(*values: Column) -> Column:
    """What of these is not null, as an array."""
    # its lambda also keeps Spark from making one method of all columns, too long for Java to compile
    return F.array_compact(F.array(*values))


def _first(*values: Column) -> Column:
    """The first of these that is not null; unlike by coalesce, columns beside it are compiled one by one."""
    return F.get(_those(*values), F.lit(0))


def _visibility(made: World) -> dict[str, Column]:
    number, kind, seed = F.col("number"), F.col("kind"), made.seed
    hidden = choice("friends|friends|friends|private|only_me|", seed, "hidden", number)
    shown = choice("public|" * 30 + "Public| public", seed, "shown", number)
    closed = choice("private|closed", seed, "closed", number)
    lately = planted.days_ago(made, 25, 1, "republished", number)
    since = F.when(kind == "republished", lately).otherwise(F.col("written"))
    return {
        "visibility": F.when(kind == "not_public", hidden).otherwise(shown),
        "container_visibility": F.when(kind == "in_private_group", closed).when(number % 10 == 3, "public"),
        "public_since": as_time(F.when((kind == "republished") | (share(seed, "dated", number) < 0.8), since)),
    }


def _times(made: World) -> dict[str, Column]:
    number, kind, written, fate = (F.col(name) for name in ("number", "kind", "written", "fate"))
    end, is_late = planted.post_end(made, number), F.col("is_deleted_late")
    age = share(made.seed, "too old", number) * 300 + 2
    long_ago = F.lit(micros(planted.FIRST_POST)) - (age * DAY).cast("bigint")
    no_time = (kind == "mistimed") & (number % 2 == 0)
    created = F.when(kind == "too_old", long_ago).when(~no_time, written)
    deleted = F.when(kind == "deleted", planted.time_after(made, "deleted", number)).when(is_late, fate)
    moderated = F.when(kind == "moderated", planted.time_after(made, "moderated", number))
    may_edit = kind.isin("plain", "mentioning", "tagging") & (share(made.seed, "edits", number) < 0.05)
    touched = F.when(kind == "edited_last", end).when(~is_late & fate.isNotNull(), fate)
    edited = touched.when(may_edit, planted.time_after(made, "edited", number))
    recorded = F.greatest(F.least(written + 5 * planted.SECOND, end), deleted, moderated, edited)
    early = (kind == "mistimed") & (number % 2 == 1)
    return {
        "created_at": as_time(created),
        "edited_at": as_time(edited),
        "deleted_at": as_time(deleted),
        "moderated_at": as_time(moderated),
        "recorded_at": as_time(F.when(early, written - 2 * planted.HOUR).otherwise(recorded)),
    }


def _planted() -> Column:
    """The planted reason: the post's own, else its author's, else that it copies something; or `eligible`."""
    own, author = F.col("own"), F.col("author")
    about_posts = [reason.name for reason in Reason if reason.group is Group.POST]
    private_comment = (F.col("surface") == "comment") & (author == Reason.ACCOUNT_PRIVATE.name)
    either = F.when(author != ELIGIBLE, author).when(author == ELIGIBLE, own)
    return _first(
        F.when(F.col("is_deleted_late"), Reason.DELETED.name),
        F.when(own.isin(*about_posts), own),
        F.when(private_comment, Reason.COMMENT_AUTHOR_PRIVATE.name),
        F.when(own.isNotNull(), either),
    )


def _own_outcome(made: World) -> Column:
    """What becomes of a post of this kind if its author is eligible; null where it is not certain."""
    number, kind = F.col("number"), F.col("kind")
    hops = planted.block_of(number) % planted.CHAIN
    too_far = F.when(hops > 33, Reason.RESHARE_SOURCE_INELIGIBLE.name)
    over = (kind == "edited_last") & (planted.post_end(made, number) < micros(made.ends_at))
    chained = F.when(kind == "chain", F.when(hops < 32, ELIGIBLE).otherwise(too_far))
    return _first(chained, F.when(over, ELIGIBLE), entry(planted.KIND_OUTCOMES, F.col("kind_slot")))


def _of_age(made: World) -> Column:
    """The author's eighteenth birthday, in microseconds."""
    return F.unix_date(F.add_months(birth_date(made), 12 * 18)).cast("bigint") * DAY


def _author_outcome(made: World) -> Column:
    """What the author's account carries for this very post, or `eligible`; null within two days of coming of age."""
    role, written, of_age = F.col("role"), F.col("written"), F.col("of_age")
    young = F.when(written < of_age - 2 * DAY, Reason.MINOR_AT_POST.name).when(written > of_age + 2 * DAY, ELIGIBLE)
    in_between = written.between(objected_at(made), withdrawn_at(made))
    cooled = F.when(in_between, Reason.OBJECTED.name).otherwise(ELIGIBLE)
    usual = F.when(~role.isin("young", "cooled"), F.col("account_outcome"))
    return _first(F.when(role == "young", young), F.when(role == "cooled", cooled), usual)
