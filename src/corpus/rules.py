"""Which rules a policy applies, and what data each needs.

A rule without its data excludes, unless it is switched off.
"""

from __future__ import annotations

from collections.abc import Iterable

from corpus.inputs import Inputs
from corpus.policy import Policy
from corpus.reasons import Group, Reason, in_order, mask_of

NEEDS: dict[Reason, tuple[str, ...]] = {
    Reason.AGE_UNKNOWN: ("profiles.birth_date", "profiles.birth_precision"),
    Reason.MINOR_AT_CUTOFF: ("profiles.birth_date",),
    Reason.MINOR_AT_POST: ("profiles.birth_date",),
    Reason.AGE_CONFLICT: ("profiles.age_estimate",),
    Reason.COUNTRY_UNKNOWN: ("profiles.country",),
    Reason.COUNTRY_OUT_OF_SCOPE: ("profiles.country",),
    Reason.COUNTRY_CHANGED: ("profiles.country_since",),
    Reason.ACCOUNT_NOT_ACTIVE: ("profiles.status", "profiles.status_since"),
    Reason.ACCOUNT_TYPE_UNSUPPORTED: ("profiles.account_type",),
    Reason.ACCOUNT_PRIVATE: ("profiles.visibility", "profiles.visibility_since"),
    Reason.NOTICE_NOT_DELIVERED: ("notices.*",),
    Reason.NOTICE_SUPERSEDED: ("notices.*",),
    Reason.WINDOW_OPEN: ("notices.*",),
    Reason.OBJECTED: ("objections.subject_type", "objections.subject_id"),
    Reason.OBJECTION_PENDING: ("objections.status",),
    Reason.OBJECTION_REJECTED: ("objections.status",),
    Reason.OBJECTED_LINKED: ("links.*",),
    Reason.OBJECTED_SAME_PERSON: ("profiles.person_id",),
    Reason.ERASURE_REQUESTED: ("requests.*",),
    Reason.PLATFORM_OUT_OF_SCOPE: ("posts.platform",),
    Reason.SURFACE_NOT_ALLOWED: ("posts.surface",),
    Reason.NOT_PUBLIC: ("posts.visibility", "posts.container_visibility", "posts.public_since"),
    Reason.COMMENT_AUTHOR_PRIVATE: ("profiles.visibility", "profiles.visibility_since"),
    Reason.DELETED: ("posts.deleted_at",),
    Reason.REMOVED_MODERATION: ("posts.moderated_at",),
    Reason.VISIBILITY_CHANGED: ("posts.public_since",),
    Reason.EDITED_AFTER_CUTOFF: ("posts.edited_at",),
    Reason.TIME_INVALID: ("posts.created_at", "posts.recorded_at"),
    Reason.OUT_OF_WINDOW: ("posts.created_at",),
    Reason.COAUTHOR_INELIGIBLE: ("posts.coauthor_ids",),
    Reason.RESHARE_SOURCE_INELIGIBLE: ("posts.reshared_from",),
    Reason.MENTIONS_OBJECTOR: ("posts.mentions",),
    Reason.TAGS_OBJECTOR: ("posts.tags",),
    Reason.THIRD_PARTY_REQUEST: ("requests.*",),
    Reason.FLAGGED_CONTENT: ("posts.flags",),
    Reason.TEXT_EMPTY: ("posts.text",),
}


def in_force(policy: Policy) -> int:
    """The bitmap of the reasons that this policy lets apply."""
    return mask_of(reason for reason in Reason if not policy.is_off(reason) and not _kept_by_choice(reason, policy))


def without_data(inputs: Inputs, policy: Policy) -> list[Reason]:
    """The rules in force whose table or column the source does not have; each excludes every post."""
    applied = in_force(policy)
    return [reason for reason in in_order() if reason.mask & applied and _lacks_data(reason, inputs)]


def unfed(rules: Iterable[str]) -> list[str]:
    """A sentence for each rule without data."""
    return [f"{rule} has no data in this source and leaves out every post." for rule in rules]


def people_reasons() -> int:
    """The bitmap of all account and post reasons: with one of these a post may not be used, whatever its text."""
    return mask_of(reason for reason in Reason if reason.group is not Group.DATASET)


def _lacks_data(reason: Reason, inputs: Inputs) -> bool:
    return any(inputs.lacks(*need.split(".")) for need in NEEDS.get(reason, ()))


def _kept_by_choice(reason: Reason, policy: Policy) -> bool:
    """Whether a setting of the policy, other than rules_off, keeps what the rule would leave out."""
    third, copies = policy.third_parties, policy.objector_copies
    kept = {
        Reason.MINOR_AT_POST: policy.age_basis == "cutoff",
        Reason.OBJECTED_LINKED: policy.objections.linked == "off",
        Reason.OBJECTED_SAME_PERSON: not policy.objections.same_person,
        Reason.COMMENT_AUTHOR_PRIVATE: third.private_commenters == "keep",
        Reason.EDITED_AFTER_CUTOFF: policy.edited_after_cutoff == "latest",
        Reason.COAUTHOR_INELIGIBLE: third.coauthors == "keep",
        Reason.MENTIONS_OBJECTOR: third.mentions == "keep",
        Reason.TAGS_OBJECTOR: third.tags == "keep",
        Reason.OBJECTOR_TEXT_COPY: not copies.exact and copies.near is False,
        Reason.EXACT_DUPLICATE: not policy.dedup.exact,
        Reason.NEAR_DUPLICATE: policy.dedup.near is False,
    }
    return kept.get(reason, False)
