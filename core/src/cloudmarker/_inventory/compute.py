"""Machines, their disks and images, clusters, and web applications."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from cloudmarker._inventory.base import Encrypted, InventoryCom, NetworkAccess, Reachable, RunState, Tls
from cloudmarker._shapes import Means


class DiskEncryption(TypedDict):
    """One entry of the `disk_encryption` of a machine."""

    name: Annotated[str | None, Means("name of the disk")]
    reference: Annotated[str | None, Means("the disk; the URL of one that is not managed")]
    kind: Annotated[Literal["os", "data"], Means("what is on it: the operating system, or not")]
    encrypted: Annotated[
        bool | None,
        Means("besides at rest where it is stored: by guest or host, or bound to the machine; null if not known"),
    ]
    how: Annotated[
        list[str],
        Means(
            "all that apply: a value of `encryption`, `guest_encryption`, `host_encryption`, `confidential_encryption`"
        ),
    ]


class ComputeCom(InventoryCom):
    """A virtual machine.

    Where network interfaces have records of their own, networks, subnets and addresses are there, and empty here.
    """

    state: Annotated[str | None, Means("`running`, `stopped`, `suspended` or `other`; null if not known")]
    size: Annotated[str | None, Means("the provider's machine size or type")]
    os: Annotated[Literal["linux", "windows"] | None, Means("the operating system; null if not known")]
    image: Annotated[str | None, Means("what it was made from: reference, or `publisher:offer:sku:version`")]
    compute_group: Annotated[str | None, Means("reference of the group of machines that made it")]
    interfaces: Annotated[list[str], Means("references of its network interfaces, where they are things of their own")]
    networks: Annotated[list[str], Means("references of the networks it has an interface in")]
    subnets: Annotated[list[str], Means("references of the subnets it has an interface in")]
    private_addresses: Annotated[list[str], Means("IP addresses inside its networks")]
    public_addresses: Annotated[list[str], Means("IP addresses that the Internet can reach it at")]
    network_tags: Annotated[list[str], Means("tags that firewall rules select it by")]
    identities: Annotated[
        list[str], Means("what it runs as: service accounts, references of managed identities, ids of principals")
    ]
    disks: Annotated[
        list[str], Means("references of its disks, that of the operating system first; URLs of unmanaged ones")
    ]
    disk_encryption: Annotated[
        list[DiskEncryption], Means("one entry per disk, see below; empty where disks have records of their own only")
    ]
    host_encryption: Annotated[bool | None, Means("temporary disks and caches are encrypted on the host as well")]
    secure_boot: Annotated[bool | None, Means("it starts only software that is signed")]
    vtpm: Annotated[bool | None, Means("it has a virtual Trusted Platform Module")]
    confidential: Annotated[bool | None, Means("its memory is encrypted against the host")]
    password_login: Annotated[
        bool | None, Means("its operating system was set up to let in by password over the network")
    ]
    ip_forwarding: Annotated[bool | None, Means("it may send and receive packets of other addresses than its own")]


class ComputeGroupCom(InventoryCom):
    """A group of like virtual machines that the provider makes and removes."""

    size: Annotated[str | None, Means("the provider's machine size or type")]
    os: Annotated[Literal["linux", "windows"] | None, Means("the operating system; null if not known")]
    image: Annotated[str | None, Means("like that of compute")]
    instance_count: Annotated[int | None, Means("machines it shall have")]
    subnets: Annotated[list[str], Means("references of the subnets that its machines have interfaces in")]
    firewalls: Annotated[list[str], Means("references of the firewalls on its machines' interfaces")]
    identities: Annotated[list[str], Means("like those of compute")]
    host_encryption: Annotated[bool | None, Means("like that of compute")]
    secure_boot: Annotated[bool | None, Means("like that of compute")]
    vtpm: Annotated[bool | None, Means("like that of compute")]
    confidential: Annotated[bool | None, Means("like that of compute")]
    password_login: Annotated[bool | None, Means("like that of compute")]


class DiskCom(InventoryCom, Encrypted):
    """A disk that machines can use."""

    state: Annotated[Literal["attached", "unattached", "other"] | None, Means("whether a machine has it")]
    attached_to: Annotated[list[str], Means("references of the machines that have it")]
    size_gib: Annotated[int | None, Means("its size", unit="GiB")]
    os: Annotated[Literal["linux", "windows"] | None, Means("the operating system on it; null if none, or not known")]
    source: Annotated[str | None, Means("reference of the image, snapshot or disk that it was made from")]
    guest_encryption: Annotated[bool | None, Means("the operating system on it encrypts it as well")]
    network_access: Annotated[
        NetworkAccess | None,
        Means(
            "whence its content can be fetched with a link made for that: anywhere, by private endpoint, or not at all"
        ),
    ]


class SnapshotCom(InventoryCom, Encrypted):
    """What was on a disk at a moment."""

    size_gib: Annotated[int | None, Means("size of the disk", unit="GiB")]
    os: Annotated[Literal["linux", "windows"] | None, Means("like that of disk")]
    source: Annotated[str | None, Means("reference of the disk")]
    guest_encryption: Annotated[bool | None, Means("like that of disk")]
    network_access: Annotated[NetworkAccess | None, Means("like that of disk")]


class ImageCom(InventoryCom, Encrypted):
    """What machines can be made from."""

    size_gib: Annotated[int | None, Means("size of its disk, without data disks", unit="GiB")]
    os: Annotated[Literal["linux", "windows"] | None, Means("the operating system")]
    source: Annotated[str | None, Means("reference of the machine, disk or snapshot that it was made from")]


class KubernetesClusterCom(InventoryCom, Encrypted, Reachable):
    """A managed Kubernetes cluster. Encryption is that of its secrets; network access is to its API."""

    state: Annotated[RunState | None, Means("whether it runs")]
    version: Annotated[str | None, Means("of Kubernetes in the control plane")]
    host: Annotated[str | None, Means("name or address of its API")]
    networks: Annotated[list[str], Means("references of the networks its nodes are in")]
    subnets: Annotated[list[str], Means("references of the subnets its nodes are in")]
    node_count: Annotated[int | None, Means("nodes of all pools")]
    private_nodes: Annotated[bool | None, Means("its nodes have no public addresses")]
    role_based: Annotated[bool | None, Means("Kubernetes decides by roles what a user may do, and by nothing older")]
    local_auth: Annotated[
        bool | None, Means("users can log in with credentials of the cluster, besides identities of the cloud")
    ]
    network_policy: Annotated[bool | None, Means("rules between pods are enforced")]
    workload_identity: Annotated[bool | None, Means("pods can have identities of the cloud of their own")]
    auto_upgrade: Annotated[bool | None, Means("new versions are installed without being asked for")]
    identities: Annotated[list[str], Means("like those of compute")]


class NodePoolCom(InventoryCom):
    """Like nodes of a Kubernetes cluster."""

    cluster: Annotated[str, Means("reference of the cluster")]
    version: Annotated[str | None, Means("of Kubernetes on the nodes")]
    size: Annotated[str | None, Means("the provider's machine size or type")]
    os: Annotated[Literal["linux", "windows"] | None, Means("the operating system")]
    node_count: Annotated[int | None, Means("nodes it has, or shall have")]
    subnets: Annotated[list[str], Means("references of the subnets its nodes are in, if it says so itself")]
    private_nodes: Annotated[bool | None, Means("its nodes have no public addresses")]
    auto_upgrade: Annotated[bool | None, Means("new versions are installed without being asked for")]
    secure_boot: Annotated[bool | None, Means("like that of compute")]
    host_encryption: Annotated[bool | None, Means("like that of compute")]
    identities: Annotated[list[str], Means("like those of compute")]


class WebAppCom(InventoryCom, Reachable):
    """A web application or function that the provider runs."""

    app_type: Annotated[Literal["web_app", "function", "workflow", "container"], Means("what runs there")]
    state: Annotated[RunState | None, Means("whether it runs")]
    runtime: Annotated[str | None, Means("language and version, or container image, in the provider's words")]
    hosts: Annotated[list[str], Means("names it answers to")]
    https_only: Annotated[bool | None, Means("requests without TLS are refused or sent on to https")]
    minimum_tls: Annotated[Tls | None, Means("the oldest version of TLS it accepts; null if not known")]
    client_certificates: Annotated[bool | None, Means("callers must show a certificate")]
    subnets: Annotated[list[str], Means("references of the subnets it reaches other things from")]
    identities: Annotated[list[str], Means("like those of compute")]


class ContainerRegistryCom(InventoryCom, Encrypted, Reachable):
    """A place for container images and other packages."""

    host: Annotated[str | None, Means("name it answers to")]
    anonymous_access_allowed: Annotated[bool | None, Means("anyone may fetch from it without a login")]
    local_auth: Annotated[bool | None, Means("it lets in with a user name and password of its own")]
