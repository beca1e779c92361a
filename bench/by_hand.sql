-- What a good user of DuckDB would write by hand instead: the rules of uk-social as it stands in conf/policies, but for
-- likeness (near duplicates, objectors' copies), from Parquet to Parquet. One pass over the posts, masks as integers,
-- hash joins, few temporary tables. Bits are those of corpus.reasons. docs/performance.md says what it leaves out.
-- Variables: cutoff, key_inner and key_outer (the two pads of HMAC-SHA256), bits (how wide a bucket is).

CREATE MACRO trimmed(x) AS trim(x, chr(32) || chr(9) || chr(10) || chr(11) || chr(12) || chr(13));
CREATE MACRO id_of(x) AS CASE
    WHEN lower(trimmed(x)) NOT IN ('', '0', 'null', 'none', 'unknown', 'n/a') THEN trimmed(x) END;
CREATE MACRO word(x) AS nullif(lower(trimmed(x)), '');
CREATE MACRO bit_at(n) AS 1::BIGINT << n;
CREATE MACRO flag(holds, n) AS CASE WHEN coalesce(holds, true) THEN bit_at(n) ELSE 0 END;
CREATE MACRO cutoff() AS getvariable('cutoff')::TIMESTAMPTZ;
CREATE MACRO local_day(instant) AS timezone('Europe/London', instant)::DATE;
CREATE MACRO hours(n) AS to_hours(n);
-- Of OBJECTED, OBJECTED_LINKED and OBJECTED_SAME_PERSON the first that applies.
CREATE MACRO first_objection(mask) AS CASE
    WHEN mask & bit_at(15) <> 0 THEN mask & ~(bit_at(18) | bit_at(19))
    WHEN mask & bit_at(18) <> 0 THEN mask & ~bit_at(19) ELSE mask END;
CREATE MACRO hmac(kind, id) AS
    sha256(getvariable('key_outer') || unhex(sha256(getvariable('key_inner') || encode(kind || chr(0) || id))));
CREATE MACRO doc_id(post) AS left(hmac('post', post), 32);
CREATE MACRO bucket_of(account) AS
    coalesce(('0x' || left(hmac('account', account), 4))::INTEGER >> (16 - getvariable('bits')), 0);
-- DuckDB has NFC and no NFKC: texts that differ in compatibility characters alone stay apart here. The world has none.
CREATE MACRO normal(t) AS trim(regexp_replace(
    lower(CASE WHEN strlen(t) = length(t) THEN t ELSE nfc_normalize(t) END), '[^\p{L}\p{M}\p{Nd}]+', ' ', 'g'));
CREATE MACRO has_words(t) AS regexp_matches(t, '[A-Za-z0-9]') OR regexp_matches(t, '[\p{L}\p{Nd}]');

-- People: profiles and notices.
CREATE TEMP TABLE profile AS
SELECT id_of(account_id) AS account_id, word(platform) AS platform, id_of(person_id) AS person_id,
       word(email_hash) AS email_hash, word(account_type) AS account_type, word(status) AS status, status_since,
       word(visibility) AS visibility, visibility_since, birth_date, word(birth_precision) AS birth_precision,
       age_estimate, upper(id_of(country)) AS country, country_since
FROM read_parquet(getvariable('profiles')) WHERE id_of(account_id) IS NOT NULL;
CREATE TEMP TABLE doubled AS SELECT account_id FROM profile GROUP BY 1 HAVING count(*) > 1;

CREATE TEMP TABLE notice AS
SELECT id_of(notice_id) AS notice_id, id_of(account_id) AS account_id, notice_version, delivered_at,
       word(campaign) = 'uk-2026' AND word(channel) IN ('in_app', 'email') AND delivered_at IS NOT NULL
           AND bounced_at IS NULL AS counts
FROM read_parquet(getvariable('notices')) WHERE id_of(notice_id) IS NOT NULL;
CREATE TEMP TABLE told AS
SELECT n.account_id, min(delivered_at) FILTER (notice_version = 1 AND NOT moved) AS delivered_at,
       bool_or(notice_version = 1 AND moved) AS before_move, bool_or(notice_version < 1) AS by_older
FROM (SELECT n.*, coalesce(n.delivered_at < p.country_since, false) AS moved
      FROM notice n JOIN profile p USING (account_id)
      WHERE counts AND notice_id NOT IN (
          SELECT notice_id FROM notice SEMI JOIN (SELECT hash(notice_id) AS h FROM notice GROUP BY 1 HAVING count(*) > 1) d
              ON d.h = hash(notice.notice_id)
          GROUP BY 1 HAVING count(*) > 1)) n
GROUP BY 1;

-- Objections: which stand, when, and whom they reach.
CREATE TEMP TABLE event AS
SELECT row_number() OVER () AS n, id_of(objection_id) AS objection_id, coalesce(word(kind) = 'withdraw', false) AS withdraws_one,
       id_of(withdraws) AS withdraws, word(subject_type) AS subject_type, id_of(subject_id) AS subject_id,
       word(platform) AS platform, word(purpose) AS purpose, word(status) AS status, verified, effective_at, received_at
FROM read_parquet(getvariable('objections'));
CREATE TEMP TABLE objection AS
SELECT n, subject_type, subject_id, platform, begins, CASE WHEN withdrawn_at > begins THEN withdrawn_at END AS withdrawn_at,
       CASE status WHEN 'upheld' THEN bit_at(15) WHEN 'rejected' THEN bit_at(17) ELSE bit_at(16) END AS mask
FROM (SELECT *, coalesce(least(effective_at, received_at), TIMESTAMPTZ '-infinity') AS begins
      FROM event WHERE NOT withdraws_one)
LEFT JOIN (SELECT withdraws AS objection_id, max(greatest(effective_at, received_at)) AS withdrawn_at
           FROM event WHERE withdraws_one AND verified GROUP BY 1) USING (objection_id)
WHERE coalesce(purpose = 'generative_ai', true);
CREATE TEMP TABLE span AS
SELECT n, mask, TIMESTAMPTZ '-infinity' AS since, TIMESTAMPTZ 'infinity' AS until FROM objection WHERE withdrawn_at IS NULL
UNION ALL
SELECT n, bit_at(20), TIMESTAMPTZ '-infinity', TIMESTAMPTZ 'infinity'
FROM objection WHERE withdrawn_at + hours(24 * 14) >= cutoff()
UNION ALL
SELECT n, bit_at(15), begins, withdrawn_at FROM objection WHERE withdrawn_at IS NOT NULL;
CREATE MACRO may_be(found, kind) AS found IS NULL OR found = kind
    OR found NOT IN ('account', 'person', 'email_hash', 'post');
CREATE TEMP TABLE named AS
SELECT n, subject_id AS account_id FROM objection WHERE subject_id IS NOT NULL AND may_be(subject_type, 'account')
UNION SELECT n, p.account_id FROM objection JOIN profile p ON p.person_id = subject_id
    WHERE may_be(subject_type, 'person')
UNION SELECT n, p.account_id FROM objection JOIN profile p ON p.email_hash = lower(subject_id)
    WHERE may_be(subject_type, 'email_hash');
CREATE TEMP TABLE member AS
SELECT id_of(account_id) AS account_id, id_of(link_group_id) AS link_group_id,
       max(coalesce(unlinked_at, TIMESTAMPTZ 'infinity')) AS lasts_until
FROM read_parquet(getvariable('links')) WHERE id_of(account_id) IS NOT NULL AND id_of(link_group_id) IS NOT NULL
GROUP BY ALL;
CREATE TEMP TABLE reached AS
SELECT n, account_id, NULL::BIGINT AS mask FROM named
UNION ALL
SELECT DISTINCT o.n, theirs.account_id, bit_at(18)
FROM objection o JOIN named USING (n)
JOIN member ours ON ours.account_id = named.account_id AND ours.lasts_until >= o.begins
JOIN member theirs ON theirs.link_group_id = ours.link_group_id AND theirs.lasts_until >= o.begins
UNION ALL
SELECT DISTINCT named.n, theirs.account_id, bit_at(19)
FROM named JOIN profile ours ON ours.account_id = named.account_id
JOIN profile theirs ON theirs.person_id = ours.person_id;
-- Nobody is reached through others by an objection that names them, but in the closed time of a withdrawn one.
CREATE TEMP TABLE cover AS
SELECT account_id, coalesce(r.mask, span.mask) AS mask, since, until,
       CASE WHEN (r.account_id, o.platform) NOT IN (SELECT (account_id, platform) FROM profile SEMI JOIN reached USING (account_id)
                                                    WHERE platform IS NOT NULL) THEN o.platform END AS platform
FROM reached r JOIN span USING (n) JOIN objection o USING (n)
WHERE r.mask IS NULL OR until < TIMESTAMPTZ 'infinity' OR (n, account_id) NOT IN (SELECT (n, account_id) FROM named);
CREATE TEMP TABLE bounded AS
FROM cover WHERE platform IS NOT NULL OR since > TIMESTAMPTZ '-infinity' OR until < TIMESTAMPTZ 'infinity';

CREATE TEMP TABLE request AS
SELECT id_of(post_id) AS post_id, id_of(account_id) AS account_id,
       CASE WHEN word(kind) = 'third_party' THEN bit_at(37) ELSE bit_at(21) END AS mask
FROM read_parquet(getvariable('requests'));
CREATE TEMP TABLE found AS
SELECT account_id, first_objection(bit_or(mask)) AS mask
FROM (SELECT account_id, mask FROM cover
      WHERE platform IS NULL AND since = TIMESTAMPTZ '-infinity' AND until = TIMESTAMPTZ 'infinity'
      UNION ALL SELECT account_id, mask FROM request WHERE account_id IS NOT NULL
      UNION ALL SELECT account_id, 0 FROM bounded)
GROUP BY 1;

-- One row per account: what holds for all its posts.
CREATE TEMP TABLE account AS
SELECT account_id, bucket_of(account_id) AS bucket, is_private,
       CASE WHEN adult_from <= cutoff() THEN adult_from END AS adult_from,
       coalesce(found.mask, 0)
       | flag(adult_from IS NULL, 2)
       | flag(coalesce(adult_from > cutoff(), false), 3)
       | flag(coalesce(adult_from <= cutoff() AND age_estimate < 18, false), 5)
       | flag(country IS NULL, 6)
       | flag(coalesce(country <> 'GB', false), 7)
       | flag(coalesce(country_since > cutoff(), false) OR (told.delivered_at IS NULL AND coalesce(before_move, false)), 8)
       | flag(NOT coalesce(status = 'active', false) OR coalesce(status_since > cutoff(), false), 9)
       | flag(NOT coalesce(account_type = 'person', false), 10)
       | flag(is_private, 11)
       | flag(told.delivered_at IS NULL AND NOT coalesce(before_move, false) AND NOT coalesce(by_older, false), 12)
       | flag(told.delivered_at IS NULL AND NOT coalesce(before_move, false) AND coalesce(by_older, false), 13)
       | flag(coalesce(local_day(cutoff()) <= local_day(told.delivered_at) + 42, false), 14) AS mask
FROM (SELECT *, NOT coalesce(visibility = 'public', false) OR coalesce(visibility_since > cutoff(), false) AS is_private,
             timezone('Europe/London', (CASE
                 WHEN born IS NULL OR birth_date IN (DATE '1900-01-01', DATE '1970-01-01')
                      OR birth_date > local_day(cutoff()) OR birth_date < local_day(cutoff()) - to_years(120) THEN NULL
                 WHEN month(born) = 2 AND day(born) = 29 THEN make_date(year(born) + 18, 3, 1)
                 ELSE born + to_years(18) END)::TIMESTAMP) AS adult_from
      FROM (SELECT *, CASE birth_precision WHEN 'day' THEN birth_date WHEN 'month' THEN last_day(birth_date)
                           WHEN 'year' THEN make_date(year(birth_date), 12, 31) END AS born
            FROM profile ANTI JOIN doubled USING (account_id)))
LEFT JOIN told USING (account_id) LEFT JOIN found USING (account_id)
UNION ALL
SELECT account_id, bucket_of(account_id), false, NULL, bit_at(1) | coalesce(mask, 0) FROM doubled LEFT JOIN found USING (account_id)
UNION ALL
SELECT account_id, bucket_of(account_id), false, NULL, bit_at(0) | mask FROM found ANTI JOIN profile USING (account_id);

-- The one pass over the posts. A text is kept only while its post may still be in.
CREATE TEMP TABLE post AS
SELECT p.* EXCLUDE (own, created_at, text), created_at, own | a_mask AS mask, CASE WHEN own | a_mask = 0 THEN text END AS text
FROM (
    SELECT post_id, p.account_id, a.bucket, coauthor_ids, mentions, tags, reshared_from, p.platform, surface, lang, created_at, text,
           coalesce(a.mask | CASE WHEN created_at < a.adult_from THEN bit_at(4) ELSE 0 END, bit_at(0)) AS a_mask,
           flag(p.platform NOT IN ('facebook', 'instagram'), 22)
           | flag(surface NOT IN ('post', 'comment', 'photo_caption', 'video_caption'), 23)
           | flag(NOT (p.visibility = 'public' AND coalesce(container_visibility = 'public', true)
                       AND coalesce(public_since <= cutoff(), true)), 24)
           | flag(coalesce(surface = 'comment' AND a.is_private, false), 25)
           | flag(deleted_at IS NOT NULL, 26)
           | flag(moderated_at IS NOT NULL, 27)
           | flag(coalesce(public_since > cutoff() - hours(24 * 30) AND created_at < cutoff() - hours(24 * 30), false), 28)
           | flag(coalesce(edited_at >= cutoff(), false), 29)
           | flag(NOT created_at <= recorded_at + INTERVAL 5 MINUTES, 30)
           | flag(NOT (created_at >= TIMESTAMPTZ '2007-01-01 00:00:00+00' AND created_at < cutoff()), 31)
           | flag(len(flags) > 0, 38)
           | flag(NOT has_words(text), 39)
           | flag(post_id IS NULL, 40)
           | flag(coauthor_ids IS NULL, 33) | flag(mentions IS NULL, 35) | flag(tags IS NULL, 36) AS own
    FROM (SELECT id_of(post_id) AS post_id, id_of(account_id) AS account_id, coauthor_ids, mentions, tags, flags,
                 trimmed(reshared_from) AS reshared_from, word(platform) AS platform, word(surface) AS surface, lang, text,
                 word(visibility) AS visibility, lower(trimmed(container_visibility)) AS container_visibility,
                 public_since, created_at, edited_at, deleted_at, moderated_at, recorded_at
          FROM read_parquet(getvariable('posts'))) p
    LEFT JOIN account a USING (account_id)) p;

-- What was said about posts by their id, and what people whom they name bring along: few posts each.
CREATE TEMP TABLE person AS
SELECT post, n, id_of(whom) AS account_id
FROM (SELECT rowid AS post, 33 AS n, unnest(coauthor_ids) AS whom FROM post WHERE len(coauthor_ids) > 0
      UNION ALL SELECT rowid, 35, unnest(mentions) FROM post WHERE len(mentions) > 0
      UNION ALL SELECT rowid, 36, unnest(tags) FROM post WHERE len(tags) > 0);
CREATE TEMP TABLE concerned AS
SELECT person.post, person.n, person.account_id, post.platform, created_at,
       coalesce(a.mask | CASE WHEN created_at < a.adult_from THEN bit_at(4) ELSE 0 END, bit_at(0)) AS mask
FROM person JOIN post ON post.rowid = person.post LEFT JOIN account a ON a.account_id = person.account_id;
CREATE TEMP TABLE more AS
SELECT post, bit_or(mask) AS mask
FROM (
    SELECT p.rowid AS post, b.mask FROM post p JOIN bounded b USING (account_id)
    WHERE coalesce(b.platform = p.platform, true) AND coalesce(created_at BETWEEN since AND until, true)
    UNION ALL
    SELECT p.rowid, bit_at(32)
    FROM (SELECT subject_id AS post_id, platform, since, until FROM objection JOIN span USING (n)
          WHERE subject_id IS NOT NULL AND may_be(subject_type, 'post')) o JOIN post p USING (post_id)
    WHERE coalesce(created_at BETWEEN since AND until, true) AND coalesce(o.platform = p.platform, true)
    UNION ALL
    SELECT p.rowid, bit_at(37) FROM post p SEMI JOIN request USING (post_id)
    UNION ALL
    SELECT p.rowid, bit_at(40)
    FROM post p SEMI JOIN (
        SELECT post_id FROM post SEMI JOIN (SELECT hash(post_id) AS h FROM post GROUP BY 1 HAVING count(*) > 1) d
            ON d.h = hash(post.post_id)
        GROUP BY 1 HAVING count(*) > 1) USING (post_id)
    UNION ALL
    SELECT post, bit_at(n) FROM concerned WHERE account_id IS NULL OR (n = 33 AND mask <> 0) OR mask & 2064408 <> 0
    UNION ALL
    SELECT post, bit_at(n) FROM concerned c JOIN bounded b USING (account_id)
    WHERE coalesce(b.platform = c.platform, true) AND coalesce(created_at BETWEEN since AND until, true))
GROUP BY 1;
UPDATE post SET mask = first_objection(post.mask | more.mask) FROM more WHERE post.rowid = more.post;

-- Reshares: up the chain, at most 32 hops.
CREATE TEMP TABLE reshare AS SELECT rowid AS post, reshared_from AS source FROM post WHERE reshared_from IS NOT NULL;
CREATE TEMP TABLE source AS
SELECT post_id, bool_or(mask <> 0) AS is_out, max(reshared_from) AS goes_on
FROM post SEMI JOIN reshare ON reshare.source = post.post_id GROUP BY 1;
CREATE TEMP TABLE broken AS
WITH RECURSIVE up(post, hop, source) AS (
    SELECT post, 1, source FROM reshare
    UNION ALL
    SELECT up.post, hop + 1, s.goes_on FROM up JOIN source s ON s.post_id = up.source
    WHERE hop <= 32 AND NOT s.is_out AND s.goes_on IS NOT NULL)
SELECT DISTINCT post FROM up LEFT JOIN source s ON s.post_id = up.source WHERE coalesce(s.is_out, true) OR hop > 32;
UPDATE post SET mask = mask | bit_at(34) FROM broken WHERE post.rowid = broken.post;

-- Exact duplicates among what is left: the first by (created_at, post_id) stays.
CREATE TEMP TABLE said AS
SELECT rowid AS post, md5_number(normal(text)) AS fingerprint, created_at, post_id FROM post WHERE mask = 0;
CREATE TEMP TABLE fate AS
WITH many AS (SELECT fingerprint FROM said GROUP BY 1 HAVING count(*) > 1)
SELECT post, post_id AS own, first_value(post_id) OVER same AS first, count(*) OVER same AS copies
FROM said SEMI JOIN many USING (fingerprint)
WINDOW same AS (PARTITION BY fingerprint ORDER BY created_at, post_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);
UPDATE post SET mask = bit_at(42) FROM fate WHERE post.rowid = fate.post AND fate.own <> fate.first;

-- The outputs.
CREATE TEMP TABLE kept AS
SELECT doc_id(post_id) AS doc_id, post_id, account_id, coauthor_ids, text, platform, surface, lang,
       timezone('UTC', created_at)::DATE AS created_on, length(text)::INTEGER AS chars, coalesce(copies, 1) AS copies, bucket
FROM post LEFT JOIN fate ON fate.post = post.rowid WHERE mask = 0;
COPY (SELECT doc_id, text, platform, surface, lang, created_on, chars, copies, bucket FROM kept $order_of_doc)
TO '$out/snapshot.parquet' (FORMAT parquet);
COPY (FROM (SELECT doc_id, post_id, account_id, 'author' AS role, bucket FROM kept
            UNION ALL
            SELECT doc_id, post_id, whom, 'coauthor', coalesce(a.bucket, bucket_of(whom))
            FROM (SELECT DISTINCT doc_id, post_id, unnest([id_of(w) FOR w IN coauthor_ids]) AS whom
                  FROM kept WHERE len(coauthor_ids) > 0) c LEFT JOIN account a ON a.account_id = whom
            WHERE whom IS NOT NULL) $order_of_doc)
TO '$out/members.parquet' (FORMAT parquet);
CREATE MACRO primary_reason(mask) AS getvariable('reasons')[bit_count((mask & -mask) - 1) + 1];
COPY (SELECT post_id, account_id, reasons, primary_reason(reasons) AS primary_reason, kept_instead,
             CASE WHEN kept_instead IS NOT NULL THEN 1.0 END AS similarity, coalesce(bucket, bucket_of(account_id)) AS bucket
      FROM (SELECT post_id, account_id, mask AS reasons, CASE WHEN mask & bit_at(42) <> 0 THEN fate.first END AS kept_instead, bucket
            FROM post LEFT JOIN fate ON fate.post = post.rowid WHERE mask <> 0 AND mask & bit_at(40) = 0
            UNION ALL
            SELECT post_id, min(account_id), bit_or(mask), NULL, arg_min(bucket, account_id)
            FROM post WHERE mask & bit_at(40) <> 0 GROUP BY post_id) $order_of_post)
TO '$out/exclusions.parquet' (FORMAT parquet);
