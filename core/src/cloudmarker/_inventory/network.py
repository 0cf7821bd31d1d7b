"""Networks, what connects to them, and what guards them."""

from __future__ import annotations

from typing import Annotated, Literal

from cloudmarker._inventory.base import InventoryCom, Tls
from cloudmarker._shapes import Means


class FirewallCom(InventoryCom):
    """A set of firewall rules that is attached to networks or interfaces."""

    rule_count: Annotated[int, Means("firewall_rule records made from it")]
    networks: Annotated[
        list[str],
        Means("references of what it protects: networks, subnets, or scopes whose networks all are protected"),
    ]
    interfaces: Annotated[list[str], Means("references of the network interfaces it is attached to")]


class FirewallRuleCom(InventoryCom):
    """One rule of a firewall: who may, or may not, reach what."""

    firewall: Annotated[str, Means("reference of the firewall that the rule belongs to")]
    network: Annotated[str | None, Means("reference of the network it holds in, where rules belong to a network")]
    entry: Annotated[str | None, Means("which part of the provider's rule, where one rule gives several records")]
    enabled: Annotated[bool, Means("false if the rule is there but has no effect")]
    direction: Annotated[Literal["in", "out"], Means("of the connections it is about")]
    access: Annotated[
        Literal["allow", "deny", "next"], Means("what it does with them; `next` leaves them to the next firewall")
    ]
    priority: Annotated[int, Means("the rule with the lower number wins")]
    protocol: Annotated[
        str, Means("`all`, or lower case: `tcp`, `udp`, `icmp`, `esp`, `ah`, `sctp`, …; the number if it has no name")
    ]
    source_addresses: Annotated[
        list[str], Means("CIDRs in canonical form, and the provider's service tags; anywhere is `0.0.0.0/0` and `::/0`")
    ]
    source_ports: Annotated[list[str], Means('`"22"`, `"8000-8080"`, or `"*"` for all')]
    source_tags: Annotated[list[str], Means("network tags of the machines that connect")]
    source_identities: Annotated[list[str], Means("service accounts of the machines that connect")]
    source_groups: Annotated[list[str], Means("references of the groups of interfaces that connect")]
    destination_addresses: Annotated[list[str], Means("like source_addresses, of the other side")]
    destination_ports: Annotated[list[str], Means("like source_ports, of the other side")]
    destination_groups: Annotated[list[str], Means("like source_groups, of the other side")]
    target_tags: Annotated[list[str], Means("network tags of the machines that the rule is for")]
    target_identities: Annotated[list[str], Means("service accounts of the machines that the rule is for")]
    target_networks: Annotated[
        list[str], Means("references of the networks that the rule is for, if not for all that its firewall protects")
    ]
    target_type: Annotated[
        Literal["machine", "load_balancer"],
        Means("what it guards: machines, or the provider's load balancers with internal addresses"),
    ]


class NetworkRuleCom(InventoryCom):
    """One entry of the network settings of a managed service: an address range or a network that it lets in."""

    target: Annotated[str, Means("reference of the service, such as a database server")]
    source_addresses: Annotated[list[str], Means("like those of firewall_rule")]
    networks: Annotated[list[str], Means("references of the networks or subnets it lets in")]


class NetworkInterfaceCom(InventoryCom):
    """What connects a machine to a network, where it is a thing of its own."""

    attached_to: Annotated[list[str], Means("references of the machine, or other thing, that has it")]
    networks: Annotated[list[str], Means("references of the networks it is in")]
    subnets: Annotated[list[str], Means("references of the subnets it is in")]
    private_addresses: Annotated[list[str], Means("its IP addresses inside its networks")]
    public_addresses: Annotated[
        list[str], Means("IP addresses that the Internet can reach it at, if they are known here")
    ]
    public_ips: Annotated[list[str], Means("references of the public_ip records that have those addresses")]
    firewalls: Annotated[list[str], Means("references of the firewalls on the interface itself")]
    address_groups: Annotated[list[str], Means("references of the groups that firewall rules select it by")]
    backend_pools: Annotated[list[str], Means("references of the pools of load balancers that it belongs to")]
    ip_forwarding: Annotated[bool | None, Means("it may send and receive packets of other addresses than its own")]


class PublicIPCom(InventoryCom):
    """An IP address that is reserved, or given out, as a thing of its own."""

    address: Annotated[str | None, Means("the address, or CIDR of several; null if none is given out yet")]
    scheme: Annotated[Literal["external", "internal"], Means("`internal` is a reserved address inside a network")]
    ip_version: Annotated[Literal["ipv4", "ipv6"] | None, Means("of the address")]
    static: Annotated[bool | None, Means("it stays the same when what has it stops")]
    attached_to: Annotated[list[str], Means("references of the interface, load balancer or gateway that has it")]
    host: Annotated[str | None, Means("name in the DNS that the provider gave it")]
    closed_by_default: Annotated[
        bool | None, Means("where no firewall guards it, it lets nothing in; null if not known")
    ]


class LoadBalancerCom(InventoryCom):
    """What receives connections and passes them on: a load balancer, or a forwarding rule of one."""

    scheme: Annotated[
        Literal["external", "internal"], Means("`external` if the Internet can reach it at one address at least")
    ]
    layer: Annotated[Literal["network", "application"] | None, Means("whether it passes on packets or HTTP requests")]
    private_addresses: Annotated[list[str], Means("IP addresses inside networks that it receives at")]
    public_addresses: Annotated[
        list[str], Means("IP addresses that the Internet can reach it at, if they are known here")
    ]
    public_ips: Annotated[list[str], Means("references of the public_ip records that have those addresses")]
    networks: Annotated[list[str], Means("references of the networks it receives in")]
    subnets: Annotated[list[str], Means("references of the subnets it receives in")]
    protocols: Annotated[list[str], Means("that it receives: `tcp`, `udp`, `http`, `https`, …, or `all`")]
    ports: Annotated[list[str], Means("that it receives at, in the form of source_ports")]
    backend_ports: Annotated[list[str], Means("that it passes connections on to, likewise")]
    backends: Annotated[
        list[str],
        Means("references of what it passes on to, as far as they are known here; addresses, where those are given"),
    ]
    backend_pools: Annotated[list[str], Means("references of the pools or services that hold what it passes on to")]
    minimum_tls: Annotated[
        Tls | None, Means("the oldest version of TLS it accepts; null if not known, or if it ends none")
    ]
    web_firewall: Annotated[bool | None, Means("a web application firewall looks at the requests")]


class BackendPoolCom(InventoryCom):
    """What stands behind load balancers as one: a group of machines, or of other endpoints."""

    networks: Annotated[list[str], Means("references of the networks it is in, if it says so itself")]
    backends: Annotated[
        list[str], Means("references of the machines in it, if it says so itself; otherwise it has backend records")
    ]
    backend_pools: Annotated[list[str], Means("references of the pools that stand in for it when it fails")]
    backend_count: Annotated[int | None, Means("machines or endpoints in it; null if not known")]


class BackendCom(InventoryCom):
    """One entry of a backend pool that does not list its entries itself. Its reference is that of the pool."""

    backend_pool: Annotated[str, Means("reference of the pool")]
    machine: Annotated[str | None, Means("reference of the machine that it is; null if it is something else")]
    address: Annotated[str | None, Means("the IP address that it is reached at, if it says so itself")]
    host: Annotated[str | None, Means("name in the DNS that it is reached at, if it has no address")]
    ports: Annotated[list[str], Means("that it is reached at, in the form of source_ports; empty if the pool says it")]


class NetworkCom(InventoryCom):
    """A private network."""

    address_ranges: Annotated[list[str], Means("CIDRs, where the network has such, and not only its subnets")]
    subnets: Annotated[list[str], Means("references of its subnets")]
    peers: Annotated[list[str], Means("references of the networks that it exchanges routes with")]
    policies_first: Annotated[
        bool | None,
        Means("firewalls that are attached to it count before its own rules; null where it has no rules of its own"),
    ]


class SubnetCom(InventoryCom):
    """A part of a private network."""

    network: Annotated[str | None, Means("reference of the network")]
    address_ranges: Annotated[list[str], Means("its CIDRs")]
    firewalls: Annotated[list[str], Means("references of the firewalls that are attached to it")]
    route_table: Annotated[str | None, Means("reference of the routes that hold in it, if it has its own")]
    purpose: Annotated[
        str | None,
        Means("what of the provider's own it is reserved for, in the provider's word, lower case; null if for nothing"),
    ]
    flow_logs: Annotated[bool | None, Means("connections are logged; null where logs are things of their own")]
    private_access: Annotated[
        bool | None, Means("machines without a public address reach the provider's services from it")
    ]


class RouteTableCom(InventoryCom):
    """A set of routes."""

    route_count: Annotated[int, Means("routes in it")]
    networks: Annotated[list[str], Means("references of the networks it holds in")]
    subnets: Annotated[list[str], Means("references of the subnets it holds in")]
    internet_route: Annotated[bool | None, Means("it sends `0.0.0.0/0` or `::/0` straight to the Internet")]


class DNSZoneCom(InventoryCom):
    """A zone of the domain name system."""

    domain: Annotated[str | None, Means("the domain, without a dot at the end")]
    scheme: Annotated[Literal["external", "internal"], Means("`internal` answers in private networks only")]
    dnssec: Annotated[bool | None, Means("answers are signed; null if not known, and for internal zones")]
    networks: Annotated[list[str], Means("references of the networks it answers in, if it says so itself")]
