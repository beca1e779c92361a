"""A version as two drafts for people: the AI Act's public summary, and the GDPR's record of processing."""

from __future__ import annotations

from corpus.exports.figures import Figures, at_least, figures, suppressed
from corpus.exports.measures import as_markdown
from corpus.exports.subject import Subject, page, table
from corpus.policy import Policy
from corpus.query import meaning
from corpus.reasons import Reason

SIZES = ((10**9, "less than 1 billion tokens"), (10**13, "1 billion to 10 trillion tokens"))
"""The template's ranges for text, each by its upper end."""
LARGEST = "more than 10 trillion tokens"


def as_ai_act(subject: Subject) -> str:
    """Sections 1.3, 2.4 and 3.2 of the public summary of training content, drafted; small numbers are told together."""
    said, counts = subject.said, figures(subject)
    blanks = subject.blanks({
        "provider": "name and contact details of the provider",
        "representative": "authorised representative in the Union, or none",
        "model": "versioned names of the models, what they depend on, and when they were placed on the market",
        "demographics": "other characteristics of the data, such as regions and groups of people",
        "interactions": "whether people's interactions with the model itself were used for training: yes or no",
        "services": "the services that the posts come from, as the public knows them",
        "illegal_content": "measures against illegal content that were taken before or after this dataset was built",
    })
    return page("ai_act.md", blanks | _common(subject) | {
        "size": _size(counts.tokens),
        "documents": at_least(counts.documents),
        "surfaces": ", ".join(suppressed(counts.surfaces)) or "none",
        "platforms": ", ".join(suppressed(counts.platforms)) or "none",
        "last": f"{counts.last:%m/%Y}" if counts.last else "no post",
        "first": f"{counts.first:%m/%Y}" if counts.first else "no post",
        "languages": _languages(counts),
        "reasons": _public_reasons(subject),
        "removed": _removed(subject.policy),
        "measures": as_markdown(subject.policy),
        "name": said["dataset"],
    })  # fmt: skip


def as_processing(subject: Subject) -> str:
    """The entry of a record of processing activities (GDPR Art. 30(1)) for this dataset, drafted; it is not public."""
    said, policy = subject.said, subject.policy
    counts, governance = figures(subject), policy.governance
    blanks = subject.blanks({
        "controller": "name and contact details of the controller, and of joint controllers",
        "representative": "representative of the controller, where there is one",
        "dpo": "contact details of the data protection officer",
        "balancing": "a reference to the legal basis and, for legitimate interests, to the balancing test",
        "recipients": "categories of recipients, also processors, beside the runs that `corpus uses` lists",
        "transfers": "transfers to third countries, and the safeguards for them; or none",
        "security": "technical and organisational measures of the platform that stores the tables",
        "deletion": "time limits for erasing side tables, archives and backups",
    })
    rows = [(pin["table"], pin["location"], pin["version"], f"{int(pin['rows']):,}") for pin in said["inputs"]]
    return page("processing.md", blanks | _common(subject) | {
        "name": said["dataset"],
        "inputs": table(("table", "where", "version", "rows"), rows),
        "dpia": governance.dpia.id or "none is named",
        "dpia_expires": governance.dpia.expires or "no date",
        "lia": governance.lia.id or "none is named",
        "approved": f"{governance.approved_by or 'nobody'} on {governance.approved_on or 'no date'}",
        "documents": f"{counts.documents:,}",
        "judged": f"{int(said['funnel']['posts']):,}",
        "accounts": ", ".join(policy.account_types),
        "retention": policy.retention_days,
        "expires": policy.use.expires_days,
        "reasons": table(("left out because", "posts"), _reasons(subject)),
        "measures": as_markdown(subject.policy),
        "departures": _departures(subject),
    })  # fmt: skip


def _common(subject: Subject) -> dict[str, object]:
    said, policy = subject.said, subject.policy
    return {
        "version": said["version"],
        "cutoff": said["cutoff"],
        "released": said["released_at"],
        "policy": policy.name,
        "purpose": policy.purpose,
        "countries": ", ".join(policy.countries),
        "whose": _whose(policy),
        "honour": f"{policy.honour_within_hours:g}",
    }


def _whose(policy: Policy) -> str:
    """Whose posts, as far as rules hold that look at it."""
    said = [
        ((Reason.COUNTRY_OUT_OF_SCOPE, Reason.COUNTRY_UNKNOWN), f"people in {', '.join(policy.countries)}"),
        ((Reason.MINOR_AT_CUTOFF, Reason.AGE_UNKNOWN), f"of {policy.adult_age} years or more"),
        ((Reason.NOT_PUBLIC, Reason.ACCOUNT_PRIVATE), "public posts of public accounts only"),
    ]
    return (
        ", ".join(words for rules, words in said if _all_hold(policy, *rules))
        or "no rule looks at whose posts they are"
    )


def _removed(policy: Policy) -> str:
    """What the build left out that might be illegal, as far as its rules hold."""
    said = [
        (Reason.REMOVED_MODERATION, "Posts that moderators removed are not in the dataset."),
        (Reason.FLAGGED_CONTENT, "Posts flagged as depicting a minor or as special categories of data are not in it."),
    ]
    return " ".join(words for rule, words in said if _all_hold(policy, rule))


def _all_hold(policy: Policy, *rules: Reason) -> bool:
    return not any(policy.is_off(rule) for rule in rules)


def _size(tokens: int) -> str:
    return next((name for limit, name in SIZES if tokens < limit), LARGEST)


def _languages(counts: Figures) -> str:
    return table(("language", "posts"), list(suppressed(counts.languages).items()))


def _public_reasons(subject: Subject) -> str:
    """Why posts were left out, for the public; nothing where a small total would follow from the others."""
    funnel = subject.said["funnel"]
    shown = suppressed({name: int(n) for name, n in funnel["primary"].items()})
    rows = [(meaning(name) if name in Reason.__members__ else name, n) for name, n in shown.items()]
    return table(("left out because", "posts"), [*rows, ("in all", at_least(int(funnel["excluded"])))])


def _reasons(subject: Subject) -> list[tuple[object, ...]]:
    primary = subject.said["funnel"]["primary"]
    return [(f"{meaning(name)} ({name})", f"{int(n):,}") for name, n in primary.items()]


def _departures(subject: Subject) -> str:
    lines = [f"- {name} is off: {because}" for name, because in subject.policy.switched_off.items()]
    lines += [
        f"- the gate {gate['gate']} was overridden: {gate['because']}"
        for gate in subject.said["gates"]
        if gate["outcome"] == "overridden"
    ]
    return "\n".join(lines) or "- none"
