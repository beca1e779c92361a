-- The people plane: what each account carries, whatever the post.

CREATE TABLE profile AS
SELECT id_of(account_id) AS account_id, word(platform) AS platform, id_of(person_id) AS person_id,
       nullif(word(email_hash), '') AS email_hash,
       word(account_type) AS account_type, word(status) AS status, status_since,
       word(visibility) AS visibility, visibility_since, birth_date, word(birth_precision) AS birth_precision,
       age_estimate, upper(id_of(country)) AS country, country_since
FROM in_profiles WHERE id_of(account_id) IS NOT NULL;

-- "PROFILE_CONFLICT (several rows)": of such an account nothing from AGE_UNKNOWN to WINDOW_OPEN is judged.
CREATE TABLE known AS SELECT account_id, count(*) AS profiles FROM profile GROUP BY account_id;

-- "Year precision counts as 31 December, month precision as the month's last day."
CREATE TABLE sole AS
SELECT p.*, place.place_id, place.zone, place.adult_age, day_in(place.zone, policy.cutoff) AS cutoff_day,
       CASE birth_precision
           WHEN 'day' THEN birth_date
           WHEN 'month' THEN last_day(birth_date)
           WHEN 'year' THEN make_date(year(birth_date), 12, 31) END AS born
FROM profile p JOIN known USING (account_id)
JOIN place ON place.country IS NOT DISTINCT FROM
    CASE WHEN p.country IN (SELECT country FROM place WHERE country IS NOT NULL) THEN p.country END, policy
WHERE known.profiles = 1;

-- "AGE_UNKNOWN: null, a sentinel, in the future, over 120 years ago, or a null or unknown birth_precision."
-- "29 February comes of age on 1 March."
CREATE TABLE aged AS
SELECT account_id, zone, cutoff_day, holds(age_estimate < adult_age) AS is_estimated_minor,
       CASE WHEN born IS NULL OR birth_date IN (DATE '1900-01-01', DATE '1970-01-01')
                 OR birth_date > cutoff_day OR birth_date < cutoff_day - to_years(120) THEN NULL
            WHEN month(born) = 2 AND day(born) = 29 THEN make_date(year(born) + adult_age, 3, 1)
            ELSE CAST(born + to_years(adult_age) AS DATE) END AS adult_from
FROM sole;

CREATE TABLE notice AS
SELECT id_of(account_id) AS account_id, word(campaign) AS campaign, notice_version, word(channel) AS channel,
       delivered_at, bounced_at,
       id_of(notice_id) IS NOT NULL AND count(*) OVER (PARTITION BY id_of(notice_id)) = 1 AS is_unique
FROM in_notices;

-- "A notice counts if it is of the policy's campaign and exact version, on an accepted channel, with delivered_at,
-- without bounced_at, with a unique id, and delivered at or after country_since. The earliest that counts starts the
-- window." An older version is one that would count but for its version, whenever it came.
CREATE TABLE told AS
SELECT account_id, any_value(zone) AS zone, any_value(cutoff_day) AS cutoff_day, any_value(place_id) AS place_id,
       min(delivered_at) FILTER (counts AND NOT moved) AS delivered_at,
       bool_or(counts AND moved) AS is_spoiled_by_move, bool_or(is_older) AS is_superseded
FROM (
    SELECT s.account_id, s.zone, s.cutoff_day, s.place_id, n.delivered_at,
           holds(n.notice_version = place.version) AS counts, holds(n.delivered_at < s.country_since) AS moved,
           holds(n.notice_version < place.version) AS is_older
    FROM sole s JOIN place USING (place_id)
    LEFT JOIN notice n ON n.account_id = s.account_id AND n.campaign = place.campaign AND n.is_unique
        AND list_contains(place.channels, n.channel) AND n.delivered_at IS NOT NULL AND n.bounced_at IS NULL)
GROUP BY account_id;

-- "Outage days are the distinct local dates that an outage touches from delivery to cutoff (no `to` = still out)."
CREATE TABLE lost AS
SELECT account_id, count(DISTINCT touched) AS outage_days
FROM (
    SELECT account_id, unnest(generate_series(day_in(zone, greatest(o.began, delivered_at)),
                                              day_in(zone, least(coalesce(o.ended, cutoff), cutoff)),
                                              INTERVAL 1 DAY)) AS touched
    FROM told JOIN outage o USING (place_id), policy
    WHERE greatest(o.began, delivered_at) <= least(coalesce(o.ended, cutoff), cutoff))
GROUP BY account_id;

-- "WINDOW_OPEN: the cutoff is before the end of local day date(delivered_at) + window_days + outage days."
CREATE TABLE window_open AS
SELECT account_id
FROM told JOIN place USING (place_id) LEFT JOIN lost USING (account_id)
WHERE delivered_at IS NOT NULL
  AND cutoff_day <= day_in(told.zone, delivered_at) + CAST(window_days + coalesce(outage_days, 0) AS INTEGER);

CREATE TABLE request AS
SELECT id_of(post_id) AS post_id, id_of(account_id) AS account_id, holds(word(kind) = 'third_party') AS is_third_party
FROM in_requests;

-- "State facts later than the cutoff did not hold at it. A null …_since = always."
CREATE MACRO later(since, cutoff) AS holds(since > cutoff);

CREATE TABLE account_reason AS
SELECT account_id, 'PROFILE_CONFLICT' AS reason FROM known WHERE profiles > 1
UNION ALL SELECT account_id, 'AGE_UNKNOWN' FROM aged WHERE adult_from IS NULL
UNION ALL SELECT account_id, 'MINOR_AT_CUTOFF' FROM aged WHERE adult_from > cutoff_day
-- "An age_estimate under the adult age beside an adult birth date."
UNION ALL SELECT account_id, 'AGE_CONFLICT' FROM aged WHERE adult_from <= cutoff_day AND is_estimated_minor
UNION ALL SELECT account_id, 'COUNTRY_UNKNOWN' FROM sole WHERE country IS NULL
UNION ALL SELECT account_id, 'COUNTRY_OUT_OF_SCOPE' FROM sole, policy
    WHERE country IS NOT NULL AND NOT list_contains(countries, country)
UNION ALL SELECT account_id, 'COUNTRY_CHANGED' FROM sole, policy WHERE later(country_since, cutoff)
UNION ALL SELECT account_id, 'ACCOUNT_NOT_ACTIVE' FROM sole, policy
    WHERE NOT holds(status = 'active') OR later(status_since, cutoff)
UNION ALL SELECT account_id, 'ACCOUNT_TYPE_UNSUPPORTED' FROM sole, policy
    WHERE NOT holds(list_contains(account_types, account_type))
UNION ALL SELECT account_id, 'ACCOUNT_PRIVATE' FROM sole, policy
    WHERE NOT holds(visibility = 'public') OR later(visibility_since, cutoff)
-- "None: COUNTRY_CHANGED where only the move spoils it, else NOTICE_SUPERSEDED where an older version was delivered,
-- else NOTICE_NOT_DELIVERED."
UNION ALL SELECT account_id, CASE WHEN is_spoiled_by_move THEN 'COUNTRY_CHANGED'
                                  WHEN is_superseded THEN 'NOTICE_SUPERSEDED' ELSE 'NOTICE_NOT_DELIVERED' END
    FROM told WHERE delivered_at IS NULL
UNION ALL SELECT account_id, 'WINDOW_OPEN' FROM window_open
-- "Any request counts, whatever its status: … of kind third_party on an account, gives THIRD_PARTY_REQUEST; any other
-- kind on an account, ERASURE_REQUESTED." The account carries either, so that posts which it co-authored go out, too.
UNION ALL SELECT account_id, CASE WHEN is_third_party THEN 'THIRD_PARTY_REQUEST' ELSE 'ERASURE_REQUESTED' END
    FROM request WHERE account_id IS NOT NULL;
