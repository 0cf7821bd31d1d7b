-- what is new, gone or different since the complete audit before, or that of --set since=YYYYMMDD
WITH audits AS (
    SELECT audit_key, max(audit_version) FILTER (WHERE latest) AS new_version,
        max(audit_version) FILTER (
            WHERE NOT latest AND (getvariable('since') IS NULL OR left(audit_version, 8) <= getvariable('since'))
        ) AS old_version
    FROM history.runs
    WHERE audit_complete
    GROUP BY audit_key
),
found AS (
    SELECT audit_key, audit_version = new_version AS is_new, cloud_type, record_type, reference,
        -- what the history of a finding adds to it is no change of it
        json_merge_patch(com, CASE WHEN (com->>'fingerprint') IS NULL THEN '{"audit_version": null, "record_id": null}'
            ELSE '{"audit_version": null, "record_id": null, "status": null, "first_seen": null, "last_seen": null}'
            END)::VARCHAR AS com
    FROM history.records JOIN audits USING (audit_key)
    WHERE audit_version IN (old_version, new_version) AND old_version IS NOT NULL
        AND record_type NOT IN ('audit', 'coverage')
        AND ((com->>'fingerprint') IS NULL OR (com->>'status') IS DISTINCT FROM 'fixed')
),
sides AS (
    SELECT audit_key, cloud_type, record_type, reference,
        list(com ORDER BY com) FILTER (WHERE is_new) AS after,
        list(com ORDER BY com) FILTER (WHERE NOT is_new) AS before
    FROM found
    GROUP BY audit_key, cloud_type, record_type, reference
)
SELECT CASE WHEN before IS NULL THEN 'new' WHEN after IS NULL THEN 'gone' ELSE 'different' END AS change,
    audit_key, cloud_type, record_type, reference
FROM sides
WHERE before IS DISTINCT FROM after
ORDER BY ALL
