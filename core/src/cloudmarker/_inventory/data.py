"""What data is kept in, and the keys and secrets that guard it."""

from __future__ import annotations

from typing import Annotated, Literal

from cloudmarker._inventory.base import Encrypted, InventoryCom, Reachable, RunState, Tls
from cloudmarker._shapes import Means


class StorageCom(InventoryCom, Encrypted, Reachable):
    """A store of objects or files: a storage account, a bucket."""

    storage_class: Annotated[str | None, Means("default class or tier of objects, in the provider's word, lower case")]
    hosts: Annotated[list[str], Means("names that are its own and answer with its content")]
    https_only: Annotated[bool | None, Means("requests without TLS are refused; null if the provider leaves no choice")]
    minimum_tls: Annotated[Tls | None, Means("the oldest version of TLS it accepts; null if not known")]
    anonymous_access_allowed: Annotated[
        bool | None, Means("its content may be opened to anyone without a login; false if a setting rules that out")
    ]
    uniform_access: Annotated[
        bool | None, Means("roles alone decide who gets in, and no access list of a single object")
    ]
    local_auth: Annotated[bool | None, Means("it lets in with keys of its own, besides identities of the cloud")]
    trusted_services: Annotated[bool | None, Means("the provider's own services pass its network settings")]
    versioning: Annotated[bool | None, Means("what is overwritten is kept; null if a storage_service record says it")]
    soft_delete_days: Annotated[
        int | None,
        Means(
            "for which deleted objects can be restored; 0 if not at all; null if a storage_service says it", unit="days"
        ),
    ]
    retention_days: Annotated[
        int | None, Means("for which objects can be neither deleted nor changed; null if they can be", unit="days")
    ]
    retention_locked: Annotated[bool | None, Means("nobody can shorten that; null without retention")]


class StorageServiceCom(InventoryCom):
    """The settings of one service of a storage account, such as that of blobs."""

    storage: Annotated[str, Means("reference of the storage")]
    versioning: Annotated[bool | None, Means("what is overwritten is kept")]
    soft_delete_days: Annotated[
        int | None, Means("for which deleted objects can be restored; 0 if not at all", unit="days")
    ]
    container_soft_delete_days: Annotated[
        int | None, Means("for which deleted containers can be restored; 0 if not at all", unit="days")
    ]


class StorageContainerCom(InventoryCom):
    """A part of a storage that has its own access settings: a blob container."""

    storage: Annotated[str, Means("reference of the storage")]
    anonymous_access: Annotated[
        Literal["none", "read", "list_and_read"] | None, Means("what anyone may do without a login")
    ]
    retention_days: Annotated[int | None, Means("like that of storage", unit="days")]
    retention_locked: Annotated[bool | None, Means("like that of storage")]


class KeyVaultCom(InventoryCom, Reachable):
    """A place for keys, secrets and certificates: a key vault, a key ring."""

    hosts: Annotated[list[str], Means("names that are its own and answer with its content")]
    hsm: Annotated[bool | None, Means("keys can be kept in a hardware security module")]
    role_based: Annotated[bool | None, Means("the cloud's roles decide who gets in, and no list of its own")]
    trusted_services: Annotated[bool | None, Means("the provider's own services pass its network settings")]
    soft_delete_days: Annotated[
        int | None, Means("for which deleted content can be restored; 0 if not at all", unit="days")
    ]
    purge_protection: Annotated[bool | None, Means("nobody can delete for good before that")]


class KeyCom(InventoryCom):
    """A cryptographic key: what is known of it, never the key."""

    key_vault: Annotated[str | None, Means("reference of what holds it")]
    algorithm: Annotated[
        str | None, Means("in the provider's word: `RSA-2048`, `EC-P-256`, `GOOGLE_SYMMETRIC_ENCRYPTION`, …")
    ]
    purpose: Annotated[
        str | None, Means("what it is for, in the provider's word, lower case; null if for several things")
    ]
    hsm: Annotated[bool | None, Means("it is kept in a hardware security module")]
    enabled: Annotated[bool | None, Means("it can be used")]
    expires: Annotated[str | None, Means("when it can no longer be used; null if never", format="timestamp")]
    rotation_days: Annotated[int | None, Means("after which it is replaced by itself; null if it is not", unit="days")]
    next_rotation: Annotated[str | None, Means("when that will be", format="timestamp")]


class SecretCom(InventoryCom, Encrypted):
    """A secret: what is known of it, never its value."""

    key_vault: Annotated[str | None, Means("reference of what holds it, if that is a thing of its own")]
    enabled: Annotated[bool | None, Means("it can be read")]
    expires: Annotated[str | None, Means("when it can no longer be read; null if never", format="timestamp")]
    rotation_days: Annotated[int | None, Means("after which it shall be replaced; null if not said", unit="days")]
    next_rotation: Annotated[str | None, Means("when that will be", format="timestamp")]


class DatabaseServerCom(InventoryCom, Encrypted, Reachable):
    """A managed database server, cluster or cache."""

    engine: Annotated[
        str | None, Means("`mysql`, `postgresql`, `sqlserver`, `cosmosdb`, `mongodb`, `redis`, …, lower case")
    ]
    version: Annotated[str | None, Means("of the engine, in the provider's word")]
    state: Annotated[RunState | None, Means("whether it runs")]
    size: Annotated[str | None, Means("the provider's machine size or tier")]
    host: Annotated[str | None, Means("name it answers to")]
    private_addresses: Annotated[list[str], Means("IP addresses inside networks that it answers at")]
    public_addresses: Annotated[
        list[str], Means("IP addresses that the Internet can reach it at, if they are known here")
    ]
    require_tls: Annotated[bool | None, Means("connections without TLS are refused; null if not known here")]
    minimum_tls: Annotated[Tls | None, Means("the oldest version of TLS it accepts; null if not known here")]
    local_auth: Annotated[
        bool | None, Means("it lets in with passwords or keys of its own, besides identities of the cloud")
    ]
    directory_auth: Annotated[bool | None, Means("identities of the cloud can log in")]
    backups: Annotated[bool | None, Means("the provider backs it up by itself")]
    backup_retention_days: Annotated[int | None, Means("for which it can be restored; null if not known", unit="days")]
    high_availability: Annotated[bool | None, Means("another machine takes over if one fails")]
    replica_of: Annotated[str | None, Means("reference of the server whose content it repeats")]


class DatabaseCom(InventoryCom, Encrypted):
    """A database on such a server, or one without a server, such as a dataset."""

    server: Annotated[str | None, Means("reference of its server")]
    engine: Annotated[str | None, Means("like that of database_server")]
    state: Annotated[RunState | None, Means("whether it can be used")]
    size: Annotated[str | None, Means("the provider's tier")]


class MessagingCom(InventoryCom, Encrypted, Reachable):
    """What passes on messages: a namespace of queues, topics or event hubs, or a topic."""

    engine: Annotated[str | None, Means("the service, lower case: `service_bus`, `event_hubs`, `pubsub`, …")]
    minimum_tls: Annotated[Tls | None, Means("the oldest version of TLS it accepts; null if not known")]
    local_auth: Annotated[bool | None, Means("it lets in with keys of its own, besides identities of the cloud")]
