-- Objections: which there are, whom they name, and whom they reach.

CREATE TABLE event AS
SELECT row_number() OVER () AS n, id_of(objection_id) AS objection_id, holds(word(kind) = 'withdraw') AS is_withdrawal,
       id_of(withdraws) AS withdraws, word(subject_type) AS subject_type, id_of(subject_id) AS subject_id,
       word_or_all(platform) AS platform, word_or_all(purpose) AS purpose, word(status) AS status,
       trimmed(ruling_id) AS ruling_id, verified, effective_at, received_at
FROM in_objections;

-- "A withdrawal counts only if verified, naming the objection, and later than its beginning (at the same instant the
-- objection wins)"; it "takes effect at the later of its own [times] (both null = never)". Of several the latest.
CREATE TABLE withdrawal AS
SELECT withdraws AS objection_id, max(greatest(effective_at, received_at)) AS withdrawn_at
FROM event WHERE is_withdrawal AND holds(verified) AND withdraws IS NOT NULL
GROUP BY withdraws;

-- "An objection begins at the earlier of effective_at and received_at (both null = always)." "An unknown kind is an
-- objection." "One covers a post if its purpose is null or the policy's." "OBJECTED for upheld, OBJECTION_PENDING for
-- received, identity_check, under_review, null or unknown status, OBJECTION_REJECTED for rejected unless its ruling is
-- listed (then it lets the account in)."
CREATE TABLE objection AS
SELECT n, subject_type, subject_id, platform, begins,
       CASE WHEN withdrawn_at > begins THEN withdrawn_at END AS withdrawn_at,
       CASE status WHEN 'upheld' THEN 'OBJECTED' WHEN 'rejected' THEN 'OBJECTION_REJECTED'
                   ELSE 'OBJECTION_PENDING' END AS reason
FROM (SELECT *, coalesce(least(effective_at, received_at), TIMESTAMPTZ '-infinity') AS begins
      FROM event WHERE NOT is_withdrawal) e
LEFT JOIN withdrawal USING (objection_id), policy
WHERE coalesce(e.purpose = policy.purpose, true)
  AND NOT holds(status = 'rejected' AND (NOT rejected_counts OR list_contains(rulings, ruling_id)));

-- When it covers posts, by the instant of their making: with `temporal_scope: after` only from its beginning.
-- "Until withdrawal_cooling_days (of 24 hours; exactly so many is still cooling) have passed at the cutoff:
-- OBJECTION_WITHDRAWN_COOLING. Where objected_period: exclude, posts created between beginning and withdrawal stay out
-- (OBJECTED) for good." Ties go to exclusion: both ends belong to the period.
CREATE TABLE span AS
SELECT n, reason, CASE temporal_scope WHEN 'after' THEN begins ELSE TIMESTAMPTZ '-infinity' END AS since,
       TIMESTAMPTZ 'infinity' AS until
FROM objection, policy WHERE withdrawn_at IS NULL
UNION ALL
SELECT n, 'OBJECTION_WITHDRAWN_COOLING', CASE temporal_scope WHEN 'after' THEN begins ELSE TIMESTAMPTZ '-infinity' END,
       TIMESTAMPTZ 'infinity'
FROM objection, policy WHERE withdrawn_at + days(cooling_days) >= cutoff
UNION ALL
SELECT n, 'OBJECTED', begins, withdrawn_at
FROM objection, policy WHERE withdrawn_at IS NOT NULL AND objected_period = 'exclude';

-- Whom an objection names; one with an unknown subject type is tried as each.
CREATE MACRO may_be(found, kind) AS found IS NULL OR found = kind
    OR found NOT IN ('account', 'person', 'email_hash', 'post');
CREATE TABLE named AS
SELECT n, subject_id AS account_id FROM objection WHERE subject_id IS NOT NULL AND may_be(subject_type, 'account')
UNION SELECT n, p.account_id FROM objection JOIN profile p ON p.person_id = subject_id
    WHERE may_be(subject_type, 'person')
UNION SELECT n, p.account_id FROM objection JOIN profile p ON p.email_hash = lower(subject_id)
    WHERE may_be(subject_type, 'email_hash');
CREATE TABLE named_post AS
SELECT n, subject_id AS post_id FROM objection WHERE subject_id IS NOT NULL AND may_be(subject_type, 'post');

-- "OBJECTED_LINKED: in a link group with the objecting account, both memberships lasting to or past the objection's
-- beginning (they need not overlap), unlinked since or not." "OBJECTED_SAME_PERSON: same person_id" ("a null person_id
-- matches nobody"). Nobody is reached by an objection that names them, but in the closed
-- period of a withdrawn one: that shows only where the policy switches OBJECTED off, and then keeps them out.
CREATE TABLE member AS
SELECT id_of(account_id) AS account_id, id_of(link_group_id) AS link_group_id,
       max(coalesce(unlinked_at, TIMESTAMPTZ 'infinity')) AS lasts_until
FROM in_links WHERE id_of(account_id) IS NOT NULL AND id_of(link_group_id) IS NOT NULL
GROUP BY ALL;
CREATE TABLE linked AS
SELECT DISTINCT o.n, theirs.account_id
FROM objection o JOIN named USING (n)
JOIN member ours ON ours.account_id = named.account_id AND ours.lasts_until >= o.begins
JOIN member theirs ON theirs.link_group_id = ours.link_group_id AND theirs.lasts_until >= o.begins;
CREATE TABLE same_person AS
SELECT DISTINCT named.n, theirs.account_id
FROM named JOIN profile ours ON ours.account_id = named.account_id
JOIN profile theirs ON theirs.person_id = ours.person_id;

-- "Pending, received and unlisted rejected objections reach linked and same-person accounts too, until withdrawn and
-- cooled off." "Its platform is null or equals the post's or the profile's."
CREATE TABLE cover AS
SELECT account_id, coalesce(r.reach, span.reason) AS reason, since, until, o.platform,
       o.platform IS NULL OR EXISTS (FROM profile p WHERE p.account_id = r.account_id AND p.platform = o.platform)
           AS is_everywhere
FROM (SELECT n, account_id, NULL AS reach, false AS is_own FROM named
      UNION ALL SELECT n, account_id, 'OBJECTED_LINKED', (n, account_id) IN (FROM named) FROM linked
      UNION ALL SELECT n, account_id, 'OBJECTED_SAME_PERSON', (n, account_id) IN (FROM named) FROM same_person) r
JOIN span USING (n) JOIN objection o USING (n)
WHERE NOT is_own OR until < TIMESTAMPTZ 'infinity';
