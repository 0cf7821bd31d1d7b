-- TCP and UDP ports that enabled firewall rules open to the whole Internet, by cloud
SELECT cloud_type, protocol, port, count(*) AS rules, count(DISTINCT firewall) AS firewalls
FROM (
    SELECT cloud_type, protocol, firewall, unnest(destination_ports) AS port
    FROM firewall_rule
    WHERE enabled AND direction = 'in' AND access = 'allow'
        AND list_has_any(source_addresses, ['0.0.0.0/0', '::/0', 'Internet'])
)
GROUP BY ALL
ORDER BY cloud_type, rules DESC, protocol, port
