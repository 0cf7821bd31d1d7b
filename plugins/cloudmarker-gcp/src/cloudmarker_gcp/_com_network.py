"""Common fields of networks, addresses, load balancers and DNS, from the JSON of Compute Engine and Cloud DNS."""

from __future__ import annotations

from typing import Any

from cloudmarker.firewall import normalise_addresses, normalise_ports, normalise_protocol

from cloudmarker_gcp._com_compute import link, links
from cloudmarker_gcp._json import Item, each, is_word, lower, objects, on, text, texts, whole, word
from cloudmarker_gcp._record import Where

_RANGES = ("ipCidrRange", "ipv6CidrRange", "internalIpv6Prefix", "externalIpv6Prefix")

_RECEIVERS = {"targetHttpProxies": "http", "targetHttpsProxies": "https", "targetGrpcProxies": "grpc"}
"""Targets that look at requests, and what they receive."""

_PROXIES = (*_RECEIVERS, "targetSslProxies", "targetTcpProxies")
"""Targets that end connections, and make their own to what stands behind, at ports that the backend services name."""


def network(item: Item, where: Where) -> dict[str, Any]:
    """Return ``network`` fields. Only networks of the legacy kind have a range of their own."""
    peerings = [peering for peering in objects(item, "peerings") if is_word(peering, "active", "state")]
    return {
        "address_ranges": normalise_addresses([text(item, "IPv4Range"), text(item, "internalIpv6Range")]),
        "subnets": links(texts(item, "subnetworks"), where),
        "peers": links(each(peerings, "network"), where),
        "policies_first": is_word(item, "before_classic_firewall", "networkFirewallPolicyEnforcementOrder"),
    }


def subnetwork(item: Item, where: Where) -> dict[str, Any]:
    """Return ``subnet`` fields. Firewalls and routes belong to the network."""
    purpose = lower(item, "purpose")
    return {
        "network": link(item, where, "network"),
        "address_ranges": normalise_addresses(
            [*(text(item, key) for key in _RANGES), *each(objects(item, "secondaryIpRanges"), "ipCidrRange")]
        ),
        "firewalls": [],
        "route_table": None,
        "purpose": None if purpose == "private" else purpose,
        "flow_logs": on(item, "logConfig", "enable") or on(item, "enableFlowLogs"),
        "private_access": on(item, "privateIpGoogleAccess"),
    }


def router(item: Item, where: Where) -> dict[str, Any]:
    """Return the network that a router, or a gateway for address translation on it, is in."""
    return {"networks": links(each([item], "network"), where)}


def address(item: Item, where: Where) -> dict[str, Any]:
    """Return ``public_ip`` fields of a reserved address, or a range of them."""
    value = text(item, "address")
    length = whole(item, "prefixLength")
    version = word(text(item, "ipVersion"), {"ipv4": "ipv4", "ipv6": "ipv6"})
    return {
        "address": f"{value}/{length}" if value and length else value,
        "scheme": "internal" if is_word(item, "internal", "addressType") else "external",
        "ip_version": version or (None if value is None else "ipv6" if ":" in value else "ipv4"),
        "static": True,
        "attached_to": links(texts(item, "users"), where),
        "host": None,
        "closed_by_default": True,
    }


def forwarding_rule(item: Item, where: Where) -> dict[str, Any]:
    """Return ``load_balancer`` fields. TLS and web firewalls are matters of what it forwards to."""
    scheme = _scheme(item)
    target = text(item, "target") or ""
    collection = target.rpartition("/")[0].rpartition("/")[2]
    application = _RECEIVERS.get(collection)
    protocol = text(item, "IPProtocol")
    ports = [*texts(item, "ports"), text(item, "portRange")]
    received = ["*"] if on(item, "allPorts") else normalise_ports(ports)
    addresses = each([item], "IPAddress")
    return {
        "scheme": scheme,
        "layer": "application" if application else "network",
        "private_addresses": addresses if scheme == "internal" else [],
        "public_addresses": addresses if scheme == "external" else [],
        "public_ips": [],
        "networks": links(each([item], "network"), where),
        "subnets": links(each([item], "subnetwork"), where),
        "protocols": [application or normalise_protocol(None if protocol == "L3_DEFAULT" else protocol)],
        "ports": received,
        "backend_ports": [] if collection in _PROXIES else received,  # packets go on as they came
        "backends": links([target] if collection == "targetInstances" else [], where),
        "backend_pools": links(
            [*each([item], "backendService"), *([target] if target and collection != "targetInstances" else [])], where
        ),
        "minimum_tls": None,
        "web_firewall": None,
    }


def _scheme(item: Item) -> str:
    """Return ``external`` for what the Internet can reach. Private Service Connect has no scheme, and is internal."""
    return "external" if (lower(item, "loadBalancingScheme") or "").startswith("external") else "internal"


def backend_service(item: Item, where: Where) -> dict[str, Any]:
    """Return what a backend service has in common with load balancers."""
    protocol = lower(item, "protocol")
    return {
        "scheme": _scheme(item),
        "protocols": [protocol] if protocol else [],
        "networks": links(each([item], "network"), where),
        "backends": links(each(objects(item, "backends"), "group"), where),
        "web_firewall": bool(text(item, "securityPolicy")),
    }


def managed_zone(item: Item, where: Where) -> dict[str, Any]:
    """Return ``dns_zone`` fields: https://cloud.google.com/dns/docs/reference/rest/v1/managedZones."""
    private = is_word(item, "private", "visibility")
    return {
        "domain": (text(item, "dnsName") or "").rstrip(".") or None,
        "scheme": "internal" if private else "external",
        "dnssec": None if private else is_word(item, "on", "dnssecConfig", "state"),
        "networks": links(each(objects(item, "privateVisibilityConfig", "networks"), "networkUrl"), where),
    }


def dns_policy(item: Item, where: Where) -> dict[str, Any]:
    """Return the networks that a policy for DNS holds in."""
    return {"networks": links(each(objects(item, "networks"), "networkUrl"), where)}
