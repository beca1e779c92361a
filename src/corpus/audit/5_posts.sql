-- The content plane: what each post carries.

CREATE TABLE post AS
SELECT row_number() OVER () AS n, id_of(post_id) AS post_id, id_of(account_id) AS account_id, coauthor_ids,
       word(platform) AS platform, word(surface) AS surface, word(visibility) AS visibility,
       word(container_visibility) AS container_visibility, public_since, created_at, edited_at, deleted_at,
       moderated_at, trimmed(reshared_from) AS reshared_from, mentions, tags, flags, recorded_at,
       has_words, sha256(normal) AS fingerprint
FROM read_post;

-- The people whom a post concerns, each in a role.
CREATE TABLE party AS
SELECT n, 'author' AS role, account_id FROM post
UNION SELECT n, 'coauthor', id_of(whom) FROM (SELECT n, unnest(coauthor_ids) AS whom FROM post)
UNION SELECT n, 'mention', id_of(whom) FROM (SELECT n, unnest(mentions) AS whom FROM post)
UNION SELECT n, 'tag', id_of(whom) FROM (SELECT n, unnest(tags) AS whom FROM post);

-- What such an account carries for this post. "MINOR_AT_POST: under age when the post was created, though of age at
-- the cutoff." "With temporal_scope: after only posts created at or after its beginning are covered." A post of unknown
-- platform or time is covered: null never lets it in.
CREATE TABLE carried AS
SELECT n, role, account_id, reason
FROM party JOIN account_reason USING (account_id)
UNION SELECT n, role, account_id, 'PROFILE_MISSING'
FROM party ANTI JOIN known USING (account_id)
UNION SELECT n, role, account_id, 'MINOR_AT_POST'
FROM party JOIN aged USING (account_id) JOIN post USING (n)
WHERE adult_from <= cutoff_day AND day_in(zone, created_at) < adult_from
UNION SELECT n, role, party.account_id, reason
FROM party JOIN cover USING (account_id) JOIN post USING (n)
WHERE (is_everywhere OR coalesce(cover.platform = post.platform, true))
  AND coalesce(created_at BETWEEN since AND until, true);

DELETE FROM carried WHERE reason IN (SELECT reason FROM off);

-- "Of OBJECTED, OBJECTED_LINKED and OBJECTED_SAME_PERSON an account carries the first that applies."
CREATE TABLE objected AS
SELECT n, role, account_id, min(reason) AS first
FROM carried WHERE reason IN ('OBJECTED', 'OBJECTED_LINKED', 'OBJECTED_SAME_PERSON') GROUP BY ALL;
DELETE FROM carried USING objected o
WHERE carried.n = o.n AND carried.role = o.role AND carried.account_id IS NOT DISTINCT FROM o.account_id
  AND reason IN ('OBJECTED', 'OBJECTED_LINKED', 'OBJECTED_SAME_PERSON') AND reason <> o.first;

-- "An objector, for a given post, is an account that carries any reason from OBJECTED to OBJECTION_WITHDRAWN_COOLING
-- for it."
CREATE TABLE objection_reason(reason VARCHAR);
INSERT INTO objection_reason VALUES ('OBJECTED'), ('OBJECTION_PENDING'), ('OBJECTION_REJECTED'), ('OBJECTED_LINKED'),
    ('OBJECTED_SAME_PERSON'), ('OBJECTION_WITHDRAWN_COOLING');

-- "A mentioned or tagged account is an objector or known to be a minor (one without a profile is neither)": lacking a
-- profile makes nobody an objector, and nobody's objection void. "A null array, or a null element in one, excludes."
CREATE TABLE concerning AS
SELECT DISTINCT c.n, c.role
FROM carried c
WHERE reason IN (FROM objection_reason) OR reason IN ('MINOR_AT_CUTOFF', 'MINOR_AT_POST')
UNION SELECT n, role FROM party WHERE account_id IS NULL;

CREATE TABLE verdict AS
SELECT n, reason FROM carried WHERE role = 'author'
UNION SELECT n, 'PLATFORM_OUT_OF_SCOPE' FROM post, policy WHERE NOT holds(list_contains(platforms, platform))
UNION SELECT n, 'SURFACE_NOT_ALLOWED' FROM post, policy WHERE NOT holds(list_contains(surfaces, surface))
-- "container_visibility (group or page; null = not in a container)"; a null public_since = always.
UNION SELECT n, 'NOT_PUBLIC' FROM post, policy
    WHERE NOT holds(visibility = 'public') OR container_visibility <> 'public' OR later(public_since, cutoff)
-- "A comment by a private account (it also carries ACCOUNT_PRIVATE)": what the account is, whether or not that rule is on.
UNION SELECT n, 'COMMENT_AUTHOR_PRIVATE' FROM post JOIN account_reason USING (account_id)
    WHERE surface = 'comment' AND reason = 'ACCOUNT_PRIVATE'
UNION SELECT n, 'DELETED' FROM post WHERE deleted_at IS NOT NULL
UNION SELECT n, 'REMOVED_MODERATION' FROM post WHERE moderated_at IS NOT NULL
-- "public_since later than cutoff minus republished_days, for a post created before that."
UNION SELECT n, 'VISIBILITY_CHANGED' FROM post, policy
    WHERE public_since > cutoff - days(republished_days) AND created_at < cutoff - days(republished_days)
UNION SELECT n, 'EDITED_AFTER_CUTOFF' FROM post, policy WHERE edited_at >= cutoff
-- "created_at or recorded_at null, or created later than recorded plus the skew."
UNION SELECT n, 'TIME_INVALID' FROM post, policy WHERE NOT holds(created_at <= recorded_at + clock_skew)
UNION SELECT n, 'OUT_OF_WINDOW' FROM post, policy WHERE NOT holds(created_at >= window_start AND created_at < cutoff)
UNION SELECT post.n, 'POST_OBJECTED'
    FROM post JOIN named_post USING (post_id) JOIN objection o ON o.n = named_post.n JOIN span ON span.n = o.n
    WHERE coalesce(created_at BETWEEN since AND until, true)
      AND (o.platform IS NULL OR coalesce(o.platform = post.platform, true)
           OR EXISTS (FROM profile p WHERE p.account_id = post.account_id AND p.platform = o.platform))
UNION SELECT n, 'COAUTHOR_INELIGIBLE' FROM post WHERE coauthor_ids IS NULL
UNION SELECT n, 'COAUTHOR_INELIGIBLE' FROM carried WHERE role = 'coauthor'
UNION SELECT n, 'MENTIONS_OBJECTOR' FROM post WHERE mentions IS NULL
UNION SELECT n, 'TAGS_OBJECTOR' FROM post WHERE tags IS NULL
UNION SELECT n, CASE role WHEN 'coauthor' THEN 'COAUTHOR_INELIGIBLE' WHEN 'mention' THEN 'MENTIONS_OBJECTOR'
                          ELSE 'TAGS_OBJECTOR' END
    FROM concerning WHERE role <> 'author'
-- "One that names a post … gives THIRD_PARTY_REQUEST."
UNION SELECT n, 'THIRD_PARTY_REQUEST' FROM post SEMI JOIN request USING (post_id)
UNION SELECT n, 'FLAGGED_CONTENT' FROM post WHERE flags IS NULL OR len(flags) > 0
UNION SELECT n, 'TEXT_EMPTY' FROM post WHERE NOT has_words
UNION SELECT n, 'POST_CONFLICT' FROM post WHERE post_id IS NULL
UNION SELECT n, 'POST_CONFLICT' FROM post SEMI JOIN (SELECT post_id FROM post GROUP BY 1 HAVING count(*) > 1)
    USING (post_id)
UNION SELECT n, reason FROM post, without_data;

DELETE FROM verdict WHERE reason IN (SELECT reason FROM off);

-- "RESHARE_SOURCE_INELIGIBLE: some post up the chain is missing or has an account or post reason, or the chain does
-- not end within 32 hops (that bounds cycles too)."
CREATE TABLE reshare_chain AS
WITH RECURSIVE up(n, hop, source) AS (
    SELECT n, 1, reshared_from FROM post WHERE reshared_from IS NOT NULL
    UNION
    SELECT up.n, hop + 1, post.reshared_from
    FROM up JOIN post ON post.post_id = up.source
    WHERE hop <= 32 AND post.reshared_from IS NOT NULL)
FROM up;
INSERT INTO verdict
SELECT DISTINCT r.n, 'RESHARE_SOURCE_INELIGIBLE'
FROM reshare_chain r LEFT JOIN post s ON s.post_id = r.source
WHERE (s.n IS NULL OR r.hop > 32 OR s.n IN (SELECT n FROM verdict))
  AND 'RESHARE_SOURCE_INELIGIBLE' NOT IN (SELECT reason FROM off);
