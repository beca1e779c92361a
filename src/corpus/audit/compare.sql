-- What the build said, beside what follows from its inputs. `outside` is its ledger, `inside` its members' authors,
-- `document` the snapshot itself; `result` is the second path's.

-- A post without an id is one row, of which only that it is out is agreed: nothing else finds its way to it.
CREATE TABLE agreed AS
SELECT post_id, reasons, kept_instead,
       CASE WHEN post_id IS NULL THEN 0
            WHEN reasons & people_mask <> 0 THEN reasons & people_mask ELSE reasons END AS compared
FROM result, mask;
CREATE TABLE claimed AS
SELECT post_id, reasons, kept_instead,
       CASE WHEN post_id IS NULL THEN 0
            WHEN reasons & people_mask <> 0 THEN reasons & people_mask ELSE reasons END AS compared
FROM outside, mask;

CREATE TABLE difference AS
SELECT 'IN_SHOULD_BE_OUT' AS kind, a.post_id, 0 AS claimed, a.reasons AS derived,
       NULL AS claimed_instead, a.kept_instead AS derived_instead
FROM agreed a SEMI JOIN inside i ON i.post_id IS NOT DISTINCT FROM a.post_id WHERE a.reasons <> 0
UNION ALL
SELECT 'OUT_SHOULD_BE_IN', c.post_id, c.reasons, 0, c.kept_instead, NULL
FROM claimed c JOIN agreed a ON a.post_id IS NOT DISTINCT FROM c.post_id WHERE a.reasons = 0
UNION ALL
SELECT 'REASONS_DIFFER', c.post_id, c.reasons, a.reasons, c.kept_instead, a.kept_instead
FROM claimed c JOIN agreed a ON a.post_id IS NOT DISTINCT FROM c.post_id
WHERE a.reasons <> 0 AND (a.compared <> c.compared OR a.kept_instead IS DISTINCT FROM c.kept_instead)
UNION ALL
SELECT 'NOT_ACCOUNTED_FOR', post_id, NULL, reasons, NULL, kept_instead
FROM agreed a WHERE NOT EXISTS (FROM claimed c WHERE c.post_id IS NOT DISTINCT FROM a.post_id)
    AND NOT EXISTS (FROM inside i WHERE i.post_id IS NOT DISTINCT FROM a.post_id)
UNION ALL
SELECT 'NOT_IN_THE_INPUTS', post_id, reasons, NULL, kept_instead, NULL
FROM (SELECT post_id, reasons, kept_instead FROM claimed UNION ALL SELECT post_id, 0, NULL FROM inside) x
WHERE NOT EXISTS (FROM agreed a WHERE a.post_id IS NOT DISTINCT FROM x.post_id)
UNION ALL
SELECT 'IN_AND_OUT', c.post_id, c.reasons, 0, c.kept_instead, NULL FROM claimed c SEMI JOIN inside USING (post_id)
UNION ALL
SELECT 'DOCUMENT_UNRECORDED', coalesce(i.post_id, d.doc_id), 0, NULL, NULL, NULL
FROM (SELECT doc_id, count(*) AS n FROM document GROUP BY 1) d
FULL JOIN (SELECT doc_id, any_value(post_id) AS post_id, count(*) AS n FROM inside GROUP BY 1) i USING (doc_id)
WHERE d.n IS DISTINCT FROM 1 OR i.n IS DISTINCT FROM 1;
