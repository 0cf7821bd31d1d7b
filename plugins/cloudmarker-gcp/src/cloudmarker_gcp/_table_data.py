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
        "storage/v1/b",
        "storage.buckets.list",
        "storage",
        storage.bucket_basics,
        storage.bucket,
        query={"project": "{project}", "maxResults": "1000"},
        assets="storage.googleapis.com/Bucket",
        children=(
            policy(
                "bucket",
                STORAGE_POLICIES,
                "storage/v1/b/{parent}/iam",
                "storage.buckets.getIamPolicy",
                asset="storage.googleapis.com/Bucket",
                version="optionsRequestedPolicyVersion",
            ),
        ),
    ),
    row(
        "sql_instance",
        SQL,
        "sql/v1beta4/projects/{project}/instances",
        "cloudsql.instances.list",
        "database_server",
        data.instance_basics,
        data.sql_instance,
        query={"maxResults": "500"},
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
                "sql/v1beta4/projects/{project}/instances/{parent}/databases",
                "cloudsql.databases.list",
                "database",
                data.database_basics,
                data.sql_database,
            ),
        ),
    ),
    Row(
        BIGQUERY,
        "bigquery/v2/projects/{project}/datasets",
        "bigquery.datasets.get",
        items="datasets",
        query={"all": "true", "maxResults": "1000"},
        leads_to=data.dataset_id,
        children=(
            row(
                "dataset",
                BIGQUERY,
                "bigquery/v2/projects/{project}/datasets/{parent}",
                "bigquery.datasets.get",
                "database",
                data.dataset_basics,
                data.dataset,
                items=None,
                query={"accessPolicyVersion": POLICY_VERSION},
                parts=(identity.dataset_access("dataset_iam_binding"),),
            ),
        ),
    ),
    row(
        "topic",
        PUBSUB,
        "v1/projects/{project}/topics",
        "pubsub.topics.list",
        "messaging",
        named("pubsub.googleapis.com"),
        storage.topic,
        items="topics",
        query={"pageSize": "1000"},
        assets="pubsub.googleapis.com/Topic",
        children=(
            policy(
                "topic",
                PUBSUB,
                "v1/{parent}:getIamPolicy",
                "pubsub.topics.getIamPolicy",
                asset="pubsub.googleapis.com/Topic",
            ),
        ),
    ),
)

KEYS_AND_SECRETS = (
    Row(
        KMS,
        "v1/projects/{project}/locations",
        "cloudkms.locations.list",
        items="locations",
        query={"pageSize": "500"},
        children=(
            row(
                "key_ring",
                KMS,
                "v1/{parent}/keyRings",
                "cloudkms.keyRings.list",
                "key_vault",
                named("cloudkms.googleapis.com"),
                storage.key_ring,
                items="keyRings",
                query={"pageSize": "1000"},
                assets="cloudkms.googleapis.com/KeyRing",
                children=(
                    policy(
                        "key_ring",
                        KMS,
                        "v1/{parent}:getIamPolicy",
                        "cloudkms.keyRings.getIamPolicy",
                        asset="cloudkms.googleapis.com/KeyRing",
                    ),
                    row(
                        "crypto_key",
                        KMS,
                        "v1/{parent}/cryptoKeys",
                        "cloudkms.cryptoKeys.list",
                        "key",
                        named("cloudkms.googleapis.com"),
                        storage.crypto_key,
                        items="cryptoKeys",
                        query={"pageSize": "1000"},
                        assets="cloudkms.googleapis.com/CryptoKey",
                        children=(
                            policy(
                                "crypto_key",
                                KMS,
                                "v1/{parent}:getIamPolicy",
                                "cloudkms.cryptoKeys.getIamPolicy",
                                asset="cloudkms.googleapis.com/CryptoKey",
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    row(
        "secret",
        SECRETS,
        "v1/projects/{project}/secrets",
        "secretmanager.secrets.list",
        "secret",
        named("secretmanager.googleapis.com"),
        storage.secret,
        items="secrets",
        query={"pageSize": "1000"},
        assets="secretmanager.googleapis.com/Secret",
        children=(
            policy(
                "secret",
                SECRETS,
                "v1/{parent}:getIamPolicy",
                "secretmanager.secrets.getIamPolicy",
                asset="secretmanager.googleapis.com/Secret",
            ),
        ),
    ),
    row(
        "api_key",
        API_KEYS,
        "v2/projects/{project}/locations/global/keys",
        "apikeys.keys.list",
        "",
        named("apikeys.googleapis.com", label_key="annotations", shown="displayName"),
        items="keys",
        query={"pageSize": "300"},
    ),
)
