"""What is planted in an invented world: who is what, which post is what, and the reason that follows.

Accounts come in pairs, a Facebook and an Instagram one, and posts one by one; both are dealt out in blocks of 1,000
slots, in each block the same number of slots to a role (or a kind). So everything occurs in any world, and where it
stands can be worked out forwards and backwards by arithmetic, without looking anything up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F

from corpus.synth.phrases import MADE_OF, below, entry, share

BLOCK = 1000
SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
FIRST_POST = datetime(2007, 1, 2, tzinfo=UTC)
STRIDES = (609, 611, 613, 617, 619, 621, 629, 631)
"""Near the golden section of 1,000 and coprime to it: neighbours in number are spread over the slots."""
TWIN_EVERY = 20
"""One pair of equal keys in so many blocks keeps their share at or below one in 10,000, where a build still passes."""

CHAIN = 40
"""A chain of reshares begins anew after so many posts; those beyond 32 hops are too far from its end."""

ELIGIBLE = "eligible"
as_time = F.timestamp_micros

STEADFAST = (
    "source",
    "exact_copy",
    "near_copy",
    "objector_copy",
    "viral_seed",
    "reshare",
    "reshare_of_reshare",
    "chain",
)
"""Kinds whose author must stay eligible in all waves, for what is planted to be certain."""
SOURCES = {
    **dict.fromkeys(("exact_copy", "near_copy", "reshare"), "source"),
    **dict.fromkeys(("objector_copy", "reshare_of_objector"), "objectors_words"),
    "reshare_of_reshare": "reshare",
    "third_reshare": "reshare_of_reshare",
    "reshare_of_deleted": "deleted",
}
"""Kinds that copy or reshare a post of an earlier block, and that post's kind."""


ROLE_AT = [role for role, (slots, *_) in MADE_OF["roles"].items() for _ in range(slots)]
KIND_AT = [kind for kind, (slots, _) in MADE_OF["kinds"].items() for _ in range(slots)]
KIND_OUTCOMES = "|".join(MADE_OF["kinds"][kind][1] for kind in KIND_AT)
ROLE_OUTCOMES = "|".join("|".join(MADE_OF["roles"][role][half] for half in (1, -1)) for role in ROLE_AT)
"""By slot, for the Facebook and then the Instagram account."""


@dataclass(frozen=True)
class World:
    """What decides a world: its size, its seed, the instant at which it was exported, and the hours since."""

    posts: int
    seed: int
    as_of: datetime
    wave: int

    @property
    def accounts(self) -> int:
        """At least one block of pairs."""
        return max(2 * BLOCK, self.posts // 20 * 2)

    @property
    def new_posts(self) -> int:
        """How many posts each wave adds."""
        return max(1, self.posts // 100)

    @property
    def all_posts(self) -> int:
        """How many rows the table of posts has."""
        return self.posts + self.wave * self.new_posts

    @property
    def ends_at(self) -> datetime:
        """The instant of this export."""
        return self.as_of + timedelta(hours=self.wave)

    @property
    def stride(self) -> int:
        """By how many slots the next number is away."""
        return STRIDES[self.seed % len(STRIDES)]


def micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def role_at(slot: Column) -> Column:
    """The role that a slot stands for."""
    return entry("|".join(ROLE_AT), slot)


def kind_at(slot: Column) -> Column:
    """The kind that a slot stands for."""
    return entry("|".join(KIND_AT), slot)


def block_of(number: Column) -> Column:
    """The block of a pair of accounts or of a post."""
    return F.floor(number / F.lit(BLOCK))


def slot_of(world: World, number: Column) -> Column:
    """The slot, 0 to 999, of a pair of accounts or of a post."""
    return F.pmod(number * F.lit(world.stride), F.lit(BLOCK))


def in_slot(world: World, block: Column, slot: Column) -> Column:
    """The number that has this slot in this block."""
    return block * F.lit(BLOCK) + F.pmod(slot * F.lit(pow(world.stride, -1, BLOCK)), F.lit(BLOCK))


def any_slot(dealt: list[str], name: str, world: World, label: str, number: Column) -> Column:
    """One of the slots of a role (in ROLE_AT) or of a kind (in KIND_AT)."""
    return below(dealt.count(name), world.seed, label, number) + F.lit(dealt.index(name))


def any_account(world: World, role: str, label: str, number: Column) -> Column:
    """The number of an account of this role."""
    block = below(world.accounts // (2 * BLOCK), world.seed, f"{label} block", number)
    pair = in_slot(world, block, any_slot(ROLE_AT, role, world, f"{label} slot", number))
    return pair * 2 + below(2, world.seed, f"{label} half", number)


def earlier_post(world: World, kind: str, number: Column) -> Column:
    """The number of a post of this kind in an earlier block than post `number`, which must not be in the first."""
    block = below(F.greatest(block_of(number), F.lit(1)), world.seed, "earlier block", number)
    return in_slot(world, block, any_slot(KIND_AT, kind, world, f"earlier {kind}", number))


def has_twins(block: Column, complete_blocks: int) -> Column:
    """Whether this block holds a repeated key."""
    return (F.pmod(block, F.lit(TWIN_EVERY)) == TWIN_EVERY - 1) & (block < complete_blocks)


def is_second_twin(world: World, number: Column) -> Column:
    """Whether this post comes under the id of another."""
    second = slot_of(world, number) == KIND_AT.index("twin_of_twin")
    return second & has_twins(block_of(number), world.posts // BLOCK)


def role_slot(world: World, account: Column) -> Column:
    """The slot that says what an account is; where no twins may stand, they are plain."""
    pair = F.shiftright(account, 1)
    slot = slot_of(world, pair)
    lone = (slot == ROLE_AT.index("twins")) & ~has_twins(block_of(pair), world.accounts // (2 * BLOCK))
    return F.when(lone, F.lit(ROLE_AT.index("plain"))).otherwise(slot)


def viral_seed(world: World) -> int:
    """The number of the post that goes viral: three fifths down the row."""
    block = world.posts * 3 // 5 // BLOCK
    return block * BLOCK + KIND_AT.index("viral_seed") * pow(world.stride, -1, BLOCK) % BLOCK


def kind_slot(world: World, number: Column) -> Column:
    """The slot that says what a post is; where its kind has nothing to refer to, it is plain."""
    slot, block, first = slot_of(world, number), block_of(number), F.lit(viral_seed(world))
    kind = kind_at(slot)
    unfit = (
        (kind.isin(*SOURCES) & (block == 0))
        | ((kind == "viral") & (number < first))
        | ((kind == "viral_seed") & (number != first))
        | (kind.startswith("twin") & ~has_twins(block, world.posts // BLOCK))
        | ((kind == "chain") & (F.pmod(block, F.lit(CHAIN)) == 0))
        | ((kind == "republished") & (post_time(world, number) > micros(world.as_of) - 40 * DAY))
    )
    return F.when(unfit, F.lit(KIND_AT.index("plain"))).otherwise(slot)


def id_of(prefix: str, number: Column) -> Column:
    """What a number is called: a letter and ten digits; null for none."""
    return F.concat(F.lit(prefix), F.lpad(number.cast("string"), 10, "0"))


def days_ago(world: World, most: float, least: float, label: str, number: Column) -> Column:
    """An instant between `most` and `least` days before the first export, in microseconds."""
    days = F.lit(float(most)) - share(world.seed, label, number) * float(most - least)
    return F.lit(micros(world.as_of)) - (days * DAY).cast("bigint")


def wave_time(world: World, waves: int, label: str, number: Column) -> Column:
    """When something happens to this number, in one of so many waves, in microseconds; null if it is yet to come."""
    if not world.wave:
        return F.lit(None).cast("bigint")
    wave = below(waves, world.seed, label, number)
    within = share(world.seed, f"{label} within", number) * 0.9
    happens = F.lit(micros(world.as_of)) + ((wave + within) * HOUR).cast("bigint")
    return F.when(wave < world.wave, happens)


def post_time(world: World, number: Column) -> Column:
    """When a post is written, in microseconds: the later the higher its number, and most of them of late."""
    early = share(world.seed, "moment", number) * 0.9
    end, before = micros(world.as_of), micros(world.as_of) - micros(FIRST_POST)
    age = F.lit(1.0) - (number + early) / float(world.posts)
    old = F.lit(end) - (age * (age * age * age * 0.95 + 0.05) * float(before)).cast("bigint")
    new = F.lit(end) + ((number - world.posts + early) / float(world.new_posts) * HOUR).cast("bigint")
    return F.when(number < world.posts, old).otherwise(new)


def post_end(world: World, number: Column) -> Column:
    """The end of the wave that brought a post, in microseconds: what else is planted about it happens before."""
    wave = F.greatest(F.floor((number - world.posts) / float(world.new_posts)) + 1, F.lit(0))
    return F.lit(micros(world.as_of)) + wave * HOUR


def time_after(world: World, label: str, number: Column) -> Column:
    """An instant between a post and the end of its wave, in microseconds."""
    written = post_time(world, number)
    return written + (share(world.seed, label, number) * (post_end(world, number) - written)).cast("bigint")
