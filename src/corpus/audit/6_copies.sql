-- Copies of objectors: "the same normalised text as an earlier post of an objector, or similarity of at least `near`";
-- also beside other reasons, since "every excluded post is in the ledger with all its reasons".

CREATE TABLE eligible AS FROM post ANTI JOIN verdict USING (n);

CREATE TABLE their_post AS
SELECT p.n, p.post_id, p.created_at, p.fingerprint
FROM post p
WHERE has_words AND 'OBJECTOR_TEXT_COPY' NOT IN (SELECT reason FROM off)
  AND p.n IN (SELECT n FROM verdict WHERE reason IN (FROM objection_reason));

-- "Nor where the objector's exact normalised text stands in otherwise eligible posts of at least min_authors accounts
-- and the earliest post with it is eligible"; at an equal or unknown time the ineligible one is earlier.
CREATE TABLE everyday AS
SELECT fingerprint
FROM (SELECT post.fingerprint, e.n IS NOT NULL AS is_eligible, post.account_id, post.created_at
      FROM post LEFT JOIN eligible e USING (n)
      WHERE post.fingerprint IN (SELECT fingerprint FROM their_post)), policy
GROUP BY fingerprint, min_authors
HAVING count(DISTINCT account_id) FILTER (is_eligible) >= min_authors
   AND NOT bool_or(created_at IS NULL AND NOT is_eligible)
   AND coalesce(min(created_at) FILTER (is_eligible) < min(created_at) FILTER (NOT is_eligible), true);
DELETE FROM their_post WHERE fingerprint IN (FROM everyday);

-- Texts are read again, once, for the few posts whose words are compared.
CREATE TABLE their_words AS
SELECT DISTINCT sha256(normal) AS fingerprint, words
FROM read_post
WHERE fingerprint IN (SELECT fingerprint FROM their_post);

CREATE TABLE copy AS
SELECT DISTINCT p.n
FROM post p JOIN their_post t USING (fingerprint) JOIN their_words w USING (fingerprint), policy
WHERE copies_exact AND p.post_id IS DISTINCT FROM t.post_id
  AND coalesce(t.created_at <= p.created_at, true) AND len(w.words) >= min_tokens;

-- Near copies, by exact search: of two texts that share so much, the rarest words must meet already. Shingles stand as
-- numbers of 64 bits here: that two of a pair of texts share one by chance is beyond what a disk forgets.
CREATE TABLE their_shingles AS
SELECT fingerprint, [hash(s) FOR s IN shingles(words, shingle_words)] AS all_of_them
FROM their_words, policy WHERE copies_near IS NOT NULL;
CREATE TABLE rarity AS
SELECT shingle, count(*) AS texts FROM (SELECT unnest(all_of_them) AS shingle FROM their_shingles) GROUP BY shingle;
CREATE TABLE our_shingles AS
SELECT DISTINCT sha256(normal) AS fingerprint, [hash(s) FOR s IN shingles(words, shingle_words)] AS all_of_them
FROM read_post, policy
WHERE (SELECT count(*) FROM their_shingles) > 0 AND len(words) >= min_tokens
  AND fingerprint IN (SELECT fingerprint FROM post WHERE has_words);

CREATE MACRO first_shingles(tbl) AS TABLE
SELECT fingerprint, size, shingle
FROM (SELECT t.fingerprint, len(t.all_of_them) AS size, s.shingle,
             row_number() OVER (PARTITION BY t.fingerprint ORDER BY coalesce(texts, 0), s.shingle) AS place
      FROM query_table(tbl) t, unnest(t.all_of_them) AS s(shingle) LEFT JOIN rarity USING (shingle)), policy
WHERE place <= size - ceil(copies_near * size - 1e-9) + 1;

-- First pairs of texts, then their words: the same pair meets in many of them.
CREATE TABLE met AS
SELECT DISTINCT ours.fingerprint AS ours, theirs.fingerprint AS theirs
FROM first_shingles('our_shingles') ours JOIN first_shingles('their_shingles') theirs USING (shingle), policy
WHERE least(ours.size, theirs.size) >= copies_near * greatest(ours.size, theirs.size) - 1e-9
  AND ours.fingerprint <> theirs.fingerprint;
CREATE TABLE alike AS
SELECT ours, theirs
FROM (SELECT ours, theirs, len(o.all_of_them) + len(t.all_of_them) AS sizes,
             len(list_intersect(o.all_of_them, t.all_of_them)) AS shared
      FROM met JOIN our_shingles o ON o.fingerprint = ours JOIN their_shingles t ON t.fingerprint = theirs), policy
WHERE shared / (sizes - shared)::DOUBLE >= copies_near
UNION ALL
SELECT fingerprint, fingerprint FROM our_shingles SEMI JOIN their_shingles USING (fingerprint);

INSERT INTO copy
SELECT DISTINCT p.n
FROM post p JOIN alike ON alike.ours = p.fingerprint JOIN their_post t ON t.fingerprint = alike.theirs
WHERE p.post_id IS DISTINCT FROM t.post_id AND coalesce(t.created_at <= p.created_at, true);

INSERT INTO verdict SELECT DISTINCT n, 'OBJECTOR_TEXT_COPY' FROM copy;
DELETE FROM eligible WHERE n IN (SELECT n FROM verdict);
