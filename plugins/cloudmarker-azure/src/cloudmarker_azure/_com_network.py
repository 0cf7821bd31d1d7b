"""Common fields of networks and of what connects to them, from the JSON of Microsoft.Network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudmarker.firewall import normalise_addresses, normalise_ports, normalise_protocol

from cloudmarker_azure._com_shared import frontends, networks_of
from cloudmarker_azure._json import (
    Item,
    at,
    flag,
    id_of,
    ids,
    is_word,
    items,
    objects,
    parent_of,
    text,
    texts,
    tls,
    unique,
    whole,
    word,
)

_EVERYTHING = ("0.0.0.0/0", "::/0", "internet")

_GATEWAY_POLICIES = {
    "appgwsslpolicy20150501": "1.0",
    "appgwsslpolicy20170401": "1.1",
    "appgwsslpolicy20170401s": "1.2",
    "appgwsslpolicy20220101": "1.2",
    "appgwsslpolicy20220101s": "1.2",
}
"""The predefined TLS policies of application gateways: the oldest version that each accepts."""


def nic(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``network_interface`` fields."""
    properties = at(item, "properties")
    parts = [at(configuration, "properties") for configuration in objects(properties, "ipConfigurations")]
    subnets = unique(found for part in parts for found in id_of(part, "subnet"))
    pools = ("loadBalancerBackendAddressPools", "applicationGatewayBackendAddressPools")
    return {
        "attached_to": unique([*id_of(properties, "virtualMachine"), *id_of(properties, "privateEndpoint")]),
        "networks": networks_of(subnets),
        "subnets": subnets,
        "private_addresses": unique(text(part, "privateIPAddress") for part in parts),
        "public_addresses": unique(text(part, "publicIPAddress", "properties", "ipAddress") for part in parts),
        "public_ips": unique(found for part in parts for found in id_of(part, "publicIPAddress")),
        "firewalls": id_of(properties, "networkSecurityGroup"),
        "address_groups": unique(found for part in parts for found in ids(part, "applicationSecurityGroups")),
        "backend_pools": unique(found for part in parts for key in pools for found in ids(part, key)),
        "ip_forwarding": flag(properties, "enableIPForwarding"),
    }


def public_ip(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``public_ip`` fields. What has it is found from the id of the configuration it belongs to."""
    properties = at(item, "properties")
    configurations = id_of(properties, "ipConfiguration")
    return {
        "address": text(properties, "ipAddress"),
        "scheme": "external",
        "ip_version": word(text(properties, "publicIPAddressVersion"), {"ipv4": "ipv4", "ipv6": "ipv6"}),
        "static": word(text(properties, "publicIPAllocationMethod"), {"static": True, "dynamic": False}),
        "attached_to": unique([*map(parent_of, configurations), *id_of(properties, "natGateway")]),
        "host": text(properties, "dnsSettings", "fqdn"),
        "closed_by_default": word(text(item, "sku", "name"), {"standard": True, "standardv2": True, "basic": False}),
    }


def lb(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``load_balancer`` fields, the inbound NAT rules among them."""
    properties = at(item, "properties")
    pools = objects(properties, "backendAddressPools")
    nat = [at(rule, "properties") for rule in objects(properties, "inboundNatRules")]
    ranges = [at(pool, "properties") for pool in objects(properties, "inboundNatPools")]
    rules = [at(rule, "properties") for rule in objects(properties, "loadBalancingRules")] + nat
    members = [
        *(found for pool in pools for found in ids(pool, "properties", "backendIPConfigurations")),
        *(found for rule in nat for found in id_of(rule, "backendIPConfiguration")),
    ]
    addresses = [
        text(address, "properties", "ipAddress")
        for pool in pools
        for address in objects(pool, "properties", "loadBalancerBackendAddresses")
    ]
    return {
        **frontends(objects(properties, "frontendIPConfigurations")),
        "layer": "network",
        "protocols": unique(normalise_protocol(text(rule, "protocol") or "all") for rule in [*rules, *ranges]),
        "ports": _ports([*rules, *ranges]),
        "backend_ports": _ports([*rules, *ranges], "backend"),
        "backends": unique([*map(parent_of, members), *([] if members else addresses)]),
        "backend_pools": unique(text(pool, "id") for pool in pools),
        "minimum_tls": None,
        "web_firewall": False,
    }


def _ports(rules: Iterable[Any], side: str = "frontend") -> list[str]:
    """Return the ports that rules receive at, or with the side ``backend`` pass on to; port 0 stands for all."""
    ports: list[str | int | None] = []
    for rule in rules:
        port, first, last = (whole(rule, f"{side}{key}") for key in ("Port", "PortRangeStart", "PortRangeEnd"))
        if first and last:
            ports.append(f"{first}-{last}")
        elif port is not None:
            ports.append(port or "*")
    return normalise_ports(ports) if ports else []  # to that function, none given would mean all


def app_gateway(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``load_balancer`` fields. Only ports that a listener uses count."""
    properties = at(item, "properties")
    listeners = [at(listener, "properties") for listener in objects(properties, "httpListeners")]
    ports = {
        (text(port, "id") or "").lower(): whole(port, "properties", "port")
        for port in objects(properties, "frontendPorts")
    }
    pools = objects(properties, "backendAddressPools")
    members = [found for pool in pools for found in ids(pool, "properties", "backendIPConfigurations")]
    addresses = [
        text(address, "fqdn") or text(address, "ipAddress")
        for pool in pools
        for address in objects(pool, "properties", "backendAddresses")
    ]
    used = [port for each in listeners if (port := ports.get((text(each, "frontendPort", "id") or "").lower()))]
    onwards = [
        whole(settings, "properties", "port")
        for key in ("backendHttpSettingsCollection", "backendSettingsCollection")
        for settings in objects(properties, key)
    ]
    policy = at(properties, "sslPolicy")
    return {
        **frontends(objects(properties, "frontendIPConfigurations")),
        "layer": "application",
        "protocols": unique((text(listener, "protocol") or "").lower() for listener in listeners),
        "ports": normalise_ports(used) if used else [],
        "backend_ports": normalise_ports(onwards) if onwards else [],
        "backends": unique([*map(parent_of, members), *addresses]),
        "backend_pools": unique(text(pool, "id") for pool in pools),
        "minimum_tls": tls(text(policy, "minProtocolVersion")) or word(text(policy, "policyName"), _GATEWAY_POLICIES),
        "web_firewall": bool(
            flag(properties, "webApplicationFirewallConfiguration", "enabled") or id_of(properties, "firewallPolicy")
        ),
    }


def virtual_network(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``network`` fields. Peerings that are not connected do not count."""
    properties = at(item, "properties")
    return {
        "address_ranges": normalise_addresses(texts(properties, "addressSpace", "addressPrefixes")),
        "subnets": ids(properties, "subnets"),
        "peers": unique(
            found
            for peering in objects(properties, "virtualNetworkPeerings")
            if is_word(peering, "connected", "properties", "peeringState")
            for found in id_of(peering, "properties", "remoteVirtualNetwork")
        ),
        "policies_first": None,
    }


def subnet(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``subnet`` fields. Azure's own gateways and firewalls want subnets of certain names."""
    properties = at(item, "properties")
    name = (text(item, "name") or "").lower()
    reserved = name if name.endswith("subnet") and name in _RESERVED_SUBNETS else None
    delegations = [text(entry, "properties", "serviceName") for entry in objects(properties, "delegations")]
    delegated = next((service.lower() for service in delegations if service), None)
    prefixes = [text(properties, "addressPrefix"), *texts(properties, "addressPrefixes")]
    return {
        "network": parent,
        "address_ranges": normalise_addresses(prefixes),
        "firewalls": id_of(properties, "networkSecurityGroup"),
        "route_table": text(properties, "routeTable", "id"),
        "purpose": reserved or delegated,
        "flow_logs": None,
        "private_access": bool(items(properties, "serviceEndpoints")),
    }


_RESERVED_SUBNETS = frozenset(
    {
        "gatewaysubnet",
        "azurefirewallsubnet",
        "azurefirewallmanagementsubnet",
        "azurebastionsubnet",
        "routeserversubnet",
    }
)


def route_table(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``route_table`` fields."""
    properties = at(item, "properties")
    subnets = ids(properties, "subnets")
    routes = [at(route, "properties") for route in objects(properties, "routes")]
    return {
        "route_count": len(routes),
        "networks": networks_of(subnets),
        "subnets": subnets,
        "internet_route": any(
            (text(route, "addressPrefix") or "").lower() in _EVERYTHING and is_word(route, "internet", "nextHopType")
            for route in routes
        ),
    }


def dns_zone(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``dns_zone`` fields, of a public zone or of a private one of the older kind."""
    properties = at(item, "properties")
    return {
        "domain": text(item, "name"),
        "scheme": "internal" if is_word(properties, "private", "zoneType") else "external",
        "dnssec": None,
        "networks": ids(properties, "resolutionVirtualNetworks"),
    }


def private_dns_zone(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``dns_zone`` fields. The networks of a private zone are in resources of their own."""
    return {"domain": text(item, "name"), "scheme": "internal", "dnssec": None, "networks": []}


def network_rule(item: Item, parent: str | None) -> dict[str, Any]:
    """Return ``network_rule`` fields of a range of addresses, or a subnet, that a database server lets in.

    From 0.0.0.0 to 0.0.0.0 is not that address: it is all of Azure, other customers included.
    """
    properties = at(item, "properties")
    first = text(properties, "startIpAddress") or text(properties, "startIP")
    last = text(properties, "endIpAddress") or text(properties, "endIP")
    if first == last == "0.0.0.0":  # noqa: S104  # an address to compare with
        addresses = ["AzureCloud"]
    else:
        addresses = normalise_addresses([f"{first}-{last}"]) if first and last else []
    subnet_id = text(properties, "virtualNetworkSubnetId")
    return {"target": parent or "", "source_addresses": addresses, "networks": [subnet_id] if subnet_id else []}
