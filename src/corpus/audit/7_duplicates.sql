-- "Duplicates are sought among posts without any other reason, in order of (created_at, post_id): a post is dropped if
-- its text equals that of a kept earlier post (EXACT_DUPLICATE), or else resembles one at or above dedup.near
-- (NEAR_DUPLICATE; also for an exact copy of a post so dropped); it names the earliest such kept post."

-- Near-duplicates are not searched for: every pair that the ledger names is compared again, word by word.
CREATE TABLE named_pair AS
SELECT p.n, k.n AS kept, k.post_id AS kept_instead, l.similarity,
       p.fingerprint, k.fingerprint AS kept_fingerprint
FROM ledger l JOIN eligible p ON p.post_id = l.post_id JOIN eligible k ON k.post_id = l.kept_instead
WHERE l.is_near AND (k.created_at, k.post_id) < (p.created_at, p.post_id)
  AND 'NEAR_DUPLICATE' NOT IN (SELECT reason FROM off);
CREATE TABLE pair_text AS
SELECT DISTINCT sha256(normal) AS fingerprint, shingles(words, shingle_words) AS all_of_them
FROM read_post, policy
WHERE fingerprint IN (SELECT fingerprint FROM named_pair UNION SELECT kept_fingerprint FROM named_pair);
CREATE TABLE near AS
SELECT np.n, np.kept, np.kept_instead
FROM named_pair np JOIN pair_text a ON a.fingerprint = np.fingerprint
JOIN pair_text b ON b.fingerprint = np.kept_fingerprint, policy,
LATERAL (SELECT jaccard(a.all_of_them, b.all_of_them) AS alike)
WHERE alike >= dedup_near AND abs(np.similarity - alike) < 1e-6;

-- A text that an earlier post has, too, is an exact duplicate, unless that post is such a near one itself.
DELETE FROM near USING eligible e, eligible s, policy
WHERE e.n = near.n AND s.fingerprint = e.fingerprint AND s.n NOT IN (SELECT n FROM near)
  AND (s.created_at, s.post_id) < (e.created_at, e.post_id) AND dedup_exact;

CREATE TABLE standing AS
SELECT n, post_id, fingerprint, created_at,
       first_value(post_id) OVER same AS first_post, row_number() OVER same AS place
FROM eligible ANTI JOIN near USING (n)
WINDOW same AS (PARTITION BY fingerprint ORDER BY created_at, post_id);
CREATE TABLE dropped AS
SELECT n, 'EXACT_DUPLICATE' AS reason, first_post AS kept_instead
FROM standing, policy WHERE place > 1 AND dedup_exact AND 'EXACT_DUPLICATE' NOT IN (SELECT reason FROM off);

-- The kept post must be kept.
INSERT INTO dropped
SELECT near.n, 'NEAR_DUPLICATE', kept_instead
FROM near
WHERE kept IN (SELECT n FROM standing) AND kept NOT IN (SELECT n FROM dropped);
INSERT INTO verdict SELECT n, reason FROM dropped;

-- "A repeated post_id has one row in the ledger with the reasons of all its rows."
CREATE TABLE result AS
SELECT post_id, CAST(coalesce(bit_or(CAST(1 AS BIGINT) << reason.bit), 0) AS BIGINT) AS reasons,
       any_value(dropped.kept_instead) AS kept_instead
FROM post LEFT JOIN verdict USING (n) LEFT JOIN reason ON reason.name = verdict.reason LEFT JOIN dropped USING (n)
GROUP BY post_id;
