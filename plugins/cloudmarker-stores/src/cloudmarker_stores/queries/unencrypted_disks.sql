-- disks that are not encrypted, or of which that is not known
SELECT cloud_type, coalesce(encryption, 'not known') AS encryption, name, location, reference
FROM disk
WHERE encryption IS NULL OR encryption = 'none'
ORDER BY cloud_type, encryption, reference
