"""Rows of the table: Compute Engine."""

from __future__ import annotations

from cloudmarker_gcp import _com_backends as backends
from cloudmarker_gcp import _com_compute as machines
from cloudmarker_gcp import _com_firewall as firewalls
from cloudmarker_gcp import _com_network as networks
from cloudmarker_gcp._apis import COMPUTE
from cloudmarker_gcp._record import Kind, compute
from cloudmarker_gcp._row import Part, Row
from cloudmarker_gcp._rowmakers import compute_row, entries, row

FIREWALLS = (
    compute_row(
        "firewall",
        "firewalls",
        "firewall",
        firewalls.firewall,
        asset="Firewall",
        parts=(Part("firewall_rule", "firewall_rule", firewalls.firewall_entries, firewalls.firewall_rule),),
    ),
    compute_row(
        "network_firewall_policy",
        "networkFirewallPolicies",
        "firewall",
        firewalls.firewall_policy,
        spread=True,
        field="firewallPolicies",
        parts=(
            Part(
                "network_firewall_policy_rule",
                "firewall_rule",
                firewalls.policy_rules,
                firewalls.policy_rule("network_firewall_policy_rule"),
            ),
        ),
    ),
    Row(
        COMPUTE,
        "compute.firewallPolicies.list",
        "compute.firewallPolicies.list",
        Kind("firewall_policy", "firewall", compute, firewalls.firewall_policy),
        levels=("organization", "folder"),
        arguments={"maxResults": "500", "parentId": "{scope}"},
        parts=(
            Part(
                "firewall_policy_rule",
                "firewall_rule",
                firewalls.policy_rules,
                firewalls.policy_rule("firewall_policy_rule"),
            ),
        ),
    ),
)

MACHINES_AND_NETWORKS = (
    row(
        "compute_project",
        COMPUTE,
        "compute.projects.get",
        "compute.projects.get",
        "",
        compute,
        arguments={"project": "{project}"},
        items=None,
        assets="compute.googleapis.com/Project",
    ),
    compute_row("instance", "instances", "compute", machines.instance, zonal=True, asset="Instance"),
    compute_row("disk", "disks", "disk", machines.disk, zonal=True, asset="(Region)?Disk"),
    compute_row("snapshot", "snapshots", "snapshot", machines.snapshot, asset="Snapshot"),
    compute_row("image", "images", "image", machines.image, asset="Image"),
    compute_row("network", "networks", "network", networks.network, asset="Network"),
    compute_row("subnetwork", "subnetworks", "subnet", networks.subnetwork, spread=True, asset="Subnetwork"),
    compute_row("router", "routers", "router", networks.router, spread=True, asset="Router"),
    compute_row("address", "addresses", "public_ip", networks.address, spread=True, asset="(Global)?Address"),
    compute_row(
        "forwarding_rule",
        "forwardingRules",
        "load_balancer",
        networks.forwarding_rule,
        spread=True,
        asset="(Global)?ForwardingRule",
    ),
    compute_row(
        "backend_service",
        "backendServices",
        "backend_service",
        networks.backend_service,
        spread=True,
        asset="(Region)?BackendService",
    ),
    compute_row(
        "instance_group",
        "instanceGroups",
        "backend_pool",
        backends.instance_group,
        zonal=True,
        asset="(Region)?InstanceGroup",
        leads_to=backends.place_of_group,
        children=(
            entries(
                Kind("instance_group_member", "backend", backends.member_basics, backends.member),
                "listInstances",
                "compute.instanceGroups.list",
                "instanceGroups",
                "regionInstanceGroups",
            ),
        ),
    ),
    compute_row(
        "target_instance",
        "targetInstances",
        "backend_pool",
        backends.target_instance,
        zonal=True,
        asset="TargetInstance",
    ),
    compute_row("target_pool", "targetPools", "backend_pool", backends.target_pool, spread=True, asset="TargetPool"),
    compute_row(
        "network_endpoint_group",
        "networkEndpointGroups",
        "backend_pool",
        backends.endpoint_group,
        zonal=True,
        asset="(Global|Region)?NetworkEndpointGroup",
        leads_to=backends.place_of_endpoints,
        children=(
            entries(
                Kind("network_endpoint", "backend", backends.endpoint_basics, backends.endpoint),
                "listNetworkEndpoints",
                "compute.networkEndpointGroups.list",
                "networkEndpointGroups",
                "regionNetworkEndpointGroups",
                "globalNetworkEndpointGroups",
            ),
        ),
    ),
    compute_row(
        "target_http_proxy", "targetHttpProxies", "target_proxy", spread=True, asset="(Region)?TargetHttpProxy"
    ),
    compute_row(
        "target_https_proxy", "targetHttpsProxies", "target_proxy", spread=True, asset="(Region)?TargetHttpsProxy"
    ),
    compute_row("target_grpc_proxy", "targetGrpcProxies", "target_proxy"),
    compute_row("target_ssl_proxy", "targetSslProxies", "target_proxy", asset="TargetSslProxy"),
    compute_row("target_tcp_proxy", "targetTcpProxies", "target_proxy", spread=True, asset="(Region)?TargetTcpProxy"),
    compute_row(
        "ssl_policy", "sslPolicies", "ssl_policy", machines.ssl_policy, spread=True, asset="(Region)?SslPolicy"
    ),
)
