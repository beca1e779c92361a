"""Why a post is left out: every reason of the contract, its bit, its group, and what it says to a person."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import reduce


class Group(Enum):
    """Whose fault it is; groups rank in this order."""

    ACCOUNT = "account"
    POST = "post"
    DATASET = "dataset"


class Reason(Enum):
    """A reason: its bit (fixed for ever), its group, and its meaning in plain words.

    Members stand in order of precedence.
    """

    def __init__(self, bit: int, group: Group, meaning: str) -> None:
        self.bit = bit
        self.group = group
        self.meaning = meaning

    @property
    def mask(self) -> int:
        """The reason as a bitmap of one."""
        return 1 << self.bit

    PROFILE_MISSING = 0, Group.ACCOUNT, "the author's account has no profile"
    PROFILE_CONFLICT = 1, Group.ACCOUNT, "the author's account has several profiles that cannot all be true"
    AGE_UNKNOWN = 2, Group.ACCOUNT, "the author's date of birth is unknown or not believable"
    MINOR_AT_CUTOFF = 3, Group.ACCOUNT, "the author was under age at the cutoff"
    MINOR_AT_POST = 4, Group.ACCOUNT, "the author was under age when the post was written"
    AGE_CONFLICT = 5, Group.ACCOUNT, "another source estimates the author to be under age"
    COUNTRY_UNKNOWN = 6, Group.ACCOUNT, "the author's country is unknown"
    COUNTRY_OUT_OF_SCOPE = 7, Group.ACCOUNT, "the author's country is not one this dataset is made for"
    COUNTRY_CHANGED = 8, Group.ACCOUNT, "the author moved here after the cutoff, or after the notice was sent"
    ACCOUNT_NOT_ACTIVE = 9, Group.ACCOUNT, "the account was not active at the cutoff"
    ACCOUNT_TYPE_UNSUPPORTED = 10, Group.ACCOUNT, "the account is not a person's"
    ACCOUNT_PRIVATE = 11, Group.ACCOUNT, "the account was not public at the cutoff"
    NOTICE_NOT_DELIVERED = 12, Group.ACCOUNT, "the author was never told: no notice was delivered"
    NOTICE_SUPERSEDED = 13, Group.ACCOUNT, "the author was told by an older version of the notice only"
    WINDOW_OPEN = 14, Group.ACCOUNT, "the time to object after the notice had not ended at the cutoff"
    OBJECTED = 15, Group.ACCOUNT, "the author objected"
    OBJECTION_PENDING = 16, Group.ACCOUNT, "the author objected; the objection is still being looked at"
    OBJECTION_REJECTED = (
        17,
        Group.ACCOUNT,
        "the author objected; it was rejected without a ruling that the policy lists",
    )
    OBJECTED_LINKED = 18, Group.ACCOUNT, "somebody objected from an account linked with the author's"
    OBJECTED_SAME_PERSON = 19, Group.ACCOUNT, "the author objected from another account of theirs"
    OBJECTION_WITHDRAWN_COOLING = 20, Group.ACCOUNT, "the author withdrew an objection, too recently"
    ERASURE_REQUESTED = 21, Group.ACCOUNT, "the author asked for erasure or restriction"

    PLATFORM_OUT_OF_SCOPE = 22, Group.POST, "the post stands on a platform that is not in scope"
    SURFACE_NOT_ALLOWED = 23, Group.POST, "this kind of post is not in scope"
    NOT_PUBLIC = 24, Group.POST, "the post, or the group it stands in, was not public at the cutoff"
    COMMENT_AUTHOR_PRIVATE = 25, Group.POST, "a comment by a private account"
    DELETED = 26, Group.POST, "the post was deleted"
    REMOVED_MODERATION = 27, Group.POST, "the post was taken down by moderators"
    VISIBILITY_CHANGED = 28, Group.POST, "an old post that was made public only lately"
    EDITED_AFTER_CUTOFF = 29, Group.POST, "the post was edited at or after the cutoff"
    TIME_INVALID = 30, Group.POST, "the post's times are missing or contradict each other"
    OUT_OF_WINDOW = 31, Group.POST, "the post was not written in the dataset's window of time"
    POST_OBJECTED = 32, Group.POST, "somebody objected to this very post"
    COAUTHOR_INELIGIBLE = 33, Group.POST, "a co-author's account is not eligible, or not known"
    RESHARE_SOURCE_INELIGIBLE = 34, Group.POST, "it reshares a post that is not eligible, or not there"
    MENTIONS_OBJECTOR = (
        35,
        Group.POST,
        "it mentions somebody who objected or is under age, or who is mentioned is unknown",
    )
    TAGS_OBJECTOR = 36, Group.POST, "it tags somebody who objected or is under age, or who is tagged is unknown"
    THIRD_PARTY_REQUEST = 37, Group.POST, "somebody asked for this content to be removed"
    FLAGGED_CONTENT = 38, Group.POST, "the post is flagged (a child is depicted, special-category data, or unknown)"
    TEXT_EMPTY = 39, Group.POST, "the text has no letter or digit"
    POST_CONFLICT = 40, Group.POST, "several posts came under the same post_id"

    OBJECTOR_TEXT_COPY = 41, Group.DATASET, "it repeats the words of somebody who objected"
    EXACT_DUPLICATE = 42, Group.DATASET, "its text equals that of an earlier post that was kept"
    NEAR_DUPLICATE = 43, Group.DATASET, "its text resembles an earlier post that was kept"


OBJECTION_REASONS = (
    Reason.OBJECTED,
    Reason.OBJECTION_PENDING,
    Reason.OBJECTION_REJECTED,
    Reason.OBJECTED_LINKED,
    Reason.OBJECTED_SAME_PERSON,
    Reason.OBJECTION_WITHDRAWN_COOLING,
)
"""Whoever carries one of these for a post is an objector for it."""


def in_order() -> list[Reason]:
    """All reasons by precedence: by group, and inside a group as declared."""
    groups = list(Group)
    return sorted(Reason, key=lambda reason: groups.index(reason.group))


def mask_of(reasons: Iterable[Reason]) -> int:
    """The bitmap that holds these reasons.

    >>> mask_of([Reason.PROFILE_MISSING, Reason.AGE_UNKNOWN])
    5
    """
    return reduce(lambda mask, reason: mask | reason.mask, reasons, 0)


def reasons_in(mask: int) -> list[Reason]:
    """The reasons that a bitmap holds, by precedence.

    >>> [reason.name for reason in reasons_in(5)]
    ['PROFILE_MISSING', 'AGE_UNKNOWN']
    """
    return [reason for reason in in_order() if mask & reason.mask]
