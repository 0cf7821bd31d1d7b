"""What all records have, what all records of things in a cloud have, and the groups of fields that many types share."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from cloudmarker._shapes import Means

Encryption = Literal["none", "provider_key", "customer_key", "provider_and_customer_key", "supplied_key"]
NetworkAccess = Literal["public", "selected", "private"]
RunState = Literal["running", "stopped", "suspended", "other"]
Tls = Literal["none", "1.0", "1.1", "1.2", "1.3"]


class Stamps(TypedDict, total=False):
    """What the framework adds to every record."""

    audit_key: Annotated[str, Means("key of the audit in the configuration")]
    audit_version: Annotated[str, Means("start of the audit, UTC, `%Y%m%d_%H%M%S`: the same in all records of one run")]
    origin_key: Annotated[str, Means("key, in the configuration, of the plugin that made the record")]
    origin_class: Annotated[str, Means("name of that plugin's class")]
    origin_worker: Annotated[str, Means("`<audit key>_<plugin key>`; `<audit key>_audit` if the framework made it")]
    origin_type: Annotated[Literal["cloud", "event", "audit"], Means("what made the record")]
    record_id: Annotated[str, Means("unique in the run; every store uses it as the id of the document")]


class EventStamps(TypedDict, total=False):
    """What the framework adds to the findings that have a fingerprint, see [findings](findings.md)."""

    status: Annotated[
        Literal["new", "open", "reopened", "fixed"],
        Means(
            "`new`: this run is the first to see it; `open`: an earlier one saw it too; `reopened`: it had been fixed;"
            " `fixed`: it was open, and is there no more"
        ),
    ]
    first_seen: Annotated[str, Means("start of the first run that saw it", format="timestamp")]
    last_seen: Annotated[str, Means("start of the latest run that saw it", format="timestamp")]


class Com(Stamps):
    """Every record."""

    cloud_type: Annotated[str, Means("the cloud that the record is about, lower case; empty if it is about none")]
    record_type: Annotated[str, Means("the type of the record, `lower_case`: one of those below, or a plugin's own")]
    reference: Annotated[str, Means("the provider's own full id of the thing, exactly as the provider spells it")]


class InAccount(TypedDict):
    """What is in an account, or may be."""

    account: Annotated[
        str | None,
        Means("id of the account it is in: Azure's subscription, lower case, Google's project; null if it is in none"),
    ]


class InventoryCom(Com, InAccount):
    """What all records of things in a cloud have."""

    name: Annotated[str | None, Means("its own name, the last part of the reference as a rule")]
    location: Annotated[str | None, Means("region or zone in the provider's words; null if global or not known")]
    tags: Annotated[dict[str, str], Means("tags or labels that the owner has put on it")]
    parent: Annotated[str | None, Means("reference of the scope that contains it; null at the top")]
    created: Annotated[str | None, Means("when it was created", format="timestamp")]


class Encrypted(TypedDict):
    """How what it holds is encrypted where it is stored."""

    encryption: Annotated[
        Encryption | None,
        Means(
            "at rest, and with whose key: `provider_key`, which the provider makes and keeps; `customer_key`, which the"
            " customer manages in a key service; `provider_and_customer_key`, once with each; `supplied_key`, which"
            " comes with every request and is not kept; `none`, not at all. Null if not known"
        ),
    ]
    encryption_key: Annotated[
        str | None, Means("the customer's key, or what names it to the service (a disk encryption set, a key's URI)")
    ]


class Reachable(TypedDict):
    """Who can reach it over the network, before any login."""

    network_access: Annotated[
        NetworkAccess | None,
        Means(
            "`public`: the whole Internet; `selected`: only the addresses and networks it lets in; `private`: only its"
            " own network or private endpoints. Null if not known"
        ),
    ]
    allowed_addresses: Annotated[
        list[str],
        Means(
            "what its own settings let in, in the form of source_addresses; whether network_access asks for it or not"
        ),
    ]
    allowed_networks: Annotated[list[str], Means("references of the networks or subnets that its own settings let in")]
    private_endpoints: Annotated[list[str], Means("references of the private endpoints that lead to it")]
