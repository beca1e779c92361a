-- How values are compared. "All strings are compared after trimming; enum values after lower-casing."
-- "Placeholder ids (empty, 0, null, none, unknown, n/a) count as null."

CREATE MACRO trimmed(x) AS trim(x, chr(32) || chr(9) || chr(10) || chr(11) || chr(12) || chr(13));
CREATE MACRO is_placeholder(x) AS lower(trimmed(x)) IN ('', '0', 'null', 'none', 'unknown', 'n/a');
CREATE MACRO id_of(x) AS CASE WHEN NOT is_placeholder(x) THEN trimmed(x) END;
CREATE MACRO word(x) AS lower(trimmed(x));

-- An objection's platform or purpose that says nothing covers all of them.
CREATE MACRO word_or_all(x) AS nullif(word(x), '');

-- "Calendar rules use the policy's time zone, not 24-hour blocks of UTC."
CREATE MACRO day_in(zone, instant) AS CAST(timezone(zone, instant) AS DATE);

-- Null never passes.
CREATE MACRO holds(x) AS coalesce(x, false);

CREATE MACRO days(n) AS to_hours(24 * CAST(n AS BIGINT));

-- "Normalised: Unicode NFKC, lower case, every run of characters other than letters, combining marks and digits one
-- space, trimmed." "Words are split at spaces; in scripts written without spaces each character counts as a word."
-- Most text is ASCII and needs nothing but SQL; what the rest becomes stands in not_ascii, which texts.py fills.
CREATE MACRO is_ascii(x) AS strlen(x) = length(x);
CREATE MACRO ascii_words(x) AS trim(regexp_replace(lower(x), '[^a-z0-9]+', ' ', 'g'));
CREATE TABLE not_ascii(text_digest VARCHAR, normal VARCHAR, spaced VARCHAR, has_words BOOLEAN);
CREATE TABLE unread AS SELECT DISTINCT text FROM in_posts WHERE NOT is_ascii(text);
CREATE VIEW read_post AS
SELECT p.*, coalesce(f.normal, ascii_words(text)) AS normal,
       string_split(coalesce(f.spaced, ascii_words(text)), ' ') AS words,
       holds(coalesce(f.has_words, regexp_matches(text, '[A-Za-z0-9]'))) AS has_words
FROM in_posts p
LEFT JOIN not_ascii f ON f.text_digest = CASE WHEN NOT is_ascii(text) THEN sha256(text) END;

-- "Sets of shingle_words-word shingles; a shorter text is one shingle."
CREATE MACRO shingles(all_words, k) AS CASE
    WHEN len(all_words) < k THEN [array_to_string(all_words, ' ')]
    ELSE list_distinct([array_to_string(all_words[i : i + k - 1], ' ') FOR i IN range(1, len(all_words) - k + 2)]) END;
CREATE MACRO jaccard(a, b) AS
    len(list_intersect(a, b)) / (len(a) + len(b) - len(list_intersect(a, b)))::DOUBLE;
