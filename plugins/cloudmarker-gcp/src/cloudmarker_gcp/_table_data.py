"""Rows of the table: what data is kept in, and the keys and secrets that guard it."""

from __future__ import annotations

from cloudmarker_gcp import _com_data as data
from cloudmarker_gcp import _com_identity as identity
from cloudmarker_gcp import _com_storage as storage
from cloudmarker_gcp._apis import API_KEYS, BIGQUERY, KMS, PUBSUB, SECRETS, SQL, STORAGE, STORAGE_POLICIES
from cloudmarker_gcp._record import Kind, named
from cloudmarker_gcp._row import Row, part
from cloudmarker_gcp._rowmakers import POLICY_VERSION, policy, row

DATA = (
    row(
        "bucket",
        STORAGE,
        "storage.buckets.list",
        "storage.buckets.list",
        "storage",
        storage.bucket_basics,
        storage.bucket,
        arguments={"project": "{project}", "maxResults": "1000"},
        assets="storage.googleapis.com/Bucket",
        children=(
            policy(
                "bucket",
                STORAGE_POLICIES,
                "storage.buckets.getIamPolicy",
                "storage.buckets.getIamPolicy",
                asset="storage.googleapis.com/Bucket",
                arguments={"bucket": "{parent}", "optionsRequestedPolicyVersion": POLICY_VERSION},
            ),
        ),
    ),
    row(
        "sql_instance",
        SQL,
        "sql.instances.list",
        "cloudsql.instances.list",
        "database_server",
        data.instance_basics,
        data.sql_instance,
        arguments={"project": "{project}", "maxResults": "500"},
        assets="sqladmin.googleapis.com/Instance",
        parts=(
            part(
                Kind("sql_authorized_network", "network_rule", data.authorized_network_basics, data.authorized_network),
                data.authorized_networks,
            ),
        ),
        children=(
            row(
                "sql_database",
                SQL,
                "sql.databases.list",
                "cloudsql.databases.list",
                "database",
                data.database_basics,
                data.sql_database,
                arguments={"project": "{project}", "instance": "{parent}"},
            ),
        ),
    ),
    Row(
        BIGQUERY,
        "bigquery.datasets.list",
        "bigquery.datasets.get",
        items="datasets",
        arguments={"projectId": "{project}", "all": "true", "maxResults": "1000"},
        leads_to=data.dataset_id,
        children=(
            row(
                "dataset",
                BIGQUERY,
                "bigquery.datasets.get",
                "bigquery.datasets.get",
                "database",
                data.dataset_basics,
                data.dataset,
                items=None,
                arguments={"projectId": "{project}", "datasetId": "{parent}", "accessPolicyVersion": POLICY_VERSION},
                parts=(identity.dataset_access("dataset_iam_binding"),),
            ),
        ),
    ),
    row(
        "topic",
        PUBSUB,
        "pubsub.projects.topics.list",
        "pubsub.topics.list",
        "messaging",
        named("pubsub.googleapis.com"),
        storage.topic,
        items="topics",
        arguments={"project": "projects/{project}", "pageSize": "1000"},
        assets="pubsub.googleapis.com/Topic",
        guarded=True,
    ),
)

KEYS_AND_SECRETS = (
    Row(
        KMS,
        "cloudkms.projects.locations.list",
        "cloudkms.locations.list",
        items="locations",
        arguments={"name": "projects/{project}", "pageSize": "500"},
        children=(
            row(
                "key_ring",
                KMS,
                "cloudkms.projects.locations.keyRings.list",
                "cloudkms.keyRings.list",
                "key_vault",
                named("cloudkms.googleapis.com"),
                storage.key_ring,
                items="keyRings",
                arguments={"parent": "{parent}", "pageSize": "1000"},
                assets="cloudkms.googleapis.com/KeyRing",
                guarded=True,
                children=(
                    row(
                        "crypto_key",
                        KMS,
                        "cloudkms.projects.locations.keyRings.cryptoKeys.list",
                        "cloudkms.cryptoKeys.list",
                        "key",
                        named("cloudkms.googleapis.com"),
                        storage.crypto_key,
                        items="cryptoKeys",
                        arguments={"parent": "{parent}", "pageSize": "1000"},
                        assets="cloudkms.googleapis.com/CryptoKey",
                        guarded=True,
                    ),
                ),
            ),
        ),
    ),
    row(
        "secret",
        SECRETS,
        "secretmanager.projects.secrets.list",
        "secretmanager.secrets.list",
        "secret",
        named("secretmanager.googleapis.com"),
        storage.secret,
        items="secrets",
        arguments={"parent": "projects/{project}", "pageSize": "1000"},
        assets="secretmanager.googleapis.com/Secret",
        guarded=True,
    ),
    row(
        "api_key",
        API_KEYS,
        "apikeys.projects.locations.keys.list",
        "apikeys.keys.list",
        "",
        named("apikeys.googleapis.com", label_key="annotations", shown="displayName"),
        items="keys",
        arguments={"parent": "projects/{project}/locations/global", "pageSize": "300"},
    ),
)
