-- Which rules apply: all but those that the policy switches off by name, or by a setting of its own.
CREATE TABLE off AS
SELECT rule AS reason FROM rules_off
UNION SELECT 'MINOR_AT_POST' FROM policy WHERE age_basis = 'cutoff'
UNION SELECT 'OBJECTED_LINKED' FROM policy WHERE linked = 'off'
UNION SELECT 'OBJECTED_SAME_PERSON' FROM policy WHERE NOT same_person
UNION SELECT 'OBJECTION_REJECTED' FROM policy WHERE NOT rejected_counts
UNION SELECT 'COMMENT_AUTHOR_PRIVATE' FROM policy WHERE private_commenters = 'keep'
UNION SELECT 'EDITED_AFTER_CUTOFF' FROM policy WHERE edited_after_cutoff = 'latest'
UNION SELECT 'COAUTHOR_INELIGIBLE' FROM policy WHERE coauthors = 'keep'
UNION SELECT 'MENTIONS_OBJECTOR' FROM policy WHERE mentions = 'keep'
UNION SELECT 'TAGS_OBJECTOR' FROM policy WHERE tags = 'keep'
UNION SELECT 'OBJECTOR_TEXT_COPY' FROM policy WHERE NOT copies_exact AND copies_near IS NULL
UNION SELECT 'EXACT_DUPLICATE' FROM policy WHERE NOT dedup_exact
UNION SELECT 'NEAR_DUPLICATE' FROM policy WHERE dedup_near IS NULL;

-- "A rule whose table or column is absent excludes, unless the policy switches that rule off."
-- `*` stands for the whole table; the columns are those that the rule's own words name.
CREATE TABLE needed(reason VARCHAR, tbl VARCHAR, col VARCHAR);
INSERT INTO needed VALUES
    ('AGE_UNKNOWN', 'profiles', 'birth_date'), ('AGE_UNKNOWN', 'profiles', 'birth_precision'),
    ('MINOR_AT_CUTOFF', 'profiles', 'birth_date'), ('MINOR_AT_POST', 'profiles', 'birth_date'),
    ('AGE_CONFLICT', 'profiles', 'age_estimate'),
    ('COUNTRY_UNKNOWN', 'profiles', 'country'), ('COUNTRY_OUT_OF_SCOPE', 'profiles', 'country'),
    ('COUNTRY_CHANGED', 'profiles', 'country_since'),
    ('ACCOUNT_NOT_ACTIVE', 'profiles', 'status'), ('ACCOUNT_NOT_ACTIVE', 'profiles', 'status_since'),
    ('ACCOUNT_TYPE_UNSUPPORTED', 'profiles', 'account_type'),
    ('ACCOUNT_PRIVATE', 'profiles', 'visibility'), ('ACCOUNT_PRIVATE', 'profiles', 'visibility_since'),
    ('COMMENT_AUTHOR_PRIVATE', 'profiles', 'visibility'), ('COMMENT_AUTHOR_PRIVATE', 'profiles', 'visibility_since'),
    ('NOTICE_NOT_DELIVERED', 'notices', '*'), ('NOTICE_SUPERSEDED', 'notices', '*'), ('WINDOW_OPEN', 'notices', '*'),
    ('OBJECTED', 'objections', 'subject_type'), ('OBJECTED', 'objections', 'subject_id'),
    ('OBJECTION_PENDING', 'objections', 'status'), ('OBJECTION_REJECTED', 'objections', 'status'),
    ('OBJECTED_LINKED', 'links', '*'), ('OBJECTED_SAME_PERSON', 'profiles', 'person_id'),
    ('ERASURE_REQUESTED', 'requests', '*'), ('THIRD_PARTY_REQUEST', 'requests', '*'),
    ('PLATFORM_OUT_OF_SCOPE', 'posts', 'platform'), ('SURFACE_NOT_ALLOWED', 'posts', 'surface'),
    ('NOT_PUBLIC', 'posts', 'visibility'), ('NOT_PUBLIC', 'posts', 'container_visibility'),
    ('NOT_PUBLIC', 'posts', 'public_since'), ('VISIBILITY_CHANGED', 'posts', 'public_since'),
    ('DELETED', 'posts', 'deleted_at'), ('REMOVED_MODERATION', 'posts', 'moderated_at'),
    ('EDITED_AFTER_CUTOFF', 'posts', 'edited_at'),
    ('TIME_INVALID', 'posts', 'created_at'), ('TIME_INVALID', 'posts', 'recorded_at'),
    ('OUT_OF_WINDOW', 'posts', 'created_at'),
    ('COAUTHOR_INELIGIBLE', 'posts', 'coauthor_ids'), ('RESHARE_SOURCE_INELIGIBLE', 'posts', 'reshared_from'),
    ('MENTIONS_OBJECTOR', 'posts', 'mentions'), ('TAGS_OBJECTOR', 'posts', 'tags'),
    ('FLAGGED_CONTENT', 'posts', 'flags'), ('TEXT_EMPTY', 'posts', 'text');

CREATE TABLE without_data AS
SELECT DISTINCT needed.reason
FROM needed JOIN absent ON absent.tbl = needed.tbl AND (absent.col IN (needed.col, '*'))
WHERE needed.reason NOT IN (SELECT reason FROM off);
