"""Google's APIs, as far as they are read."""

from __future__ import annotations

from cloudmarker_gcp._row import READ_ONLY, Api

COMPUTE = Api(
    "compute",
    "v1",
    "https://www.googleapis.com/auth/compute.readonly",
    enabled_by=("compute.googleapis.com",),
    calls_per_minute=1500,
)
RESOURCE_MANAGER = Api("cloudresourcemanager", "v3", READ_ONLY)
SERVICE_USAGE = Api("serviceusage", "v1", READ_ONLY)
ASSETS = Api("cloudasset", "v1", calls_per_minute=100)
STORAGE = Api("storage", "v1", READ_ONLY)
STORAGE_POLICIES = Api("storage", "v1")
SQL = Api("sqladmin", "v1beta4", enabled_by=("sqladmin.googleapis.com", "sql-component.googleapis.com"))
IAM = Api("iam", "v1")
KMS = Api(
    "cloudkms", "v1", "https://www.googleapis.com/auth/cloudkms", ("cloudkms.googleapis.com",), calls_per_minute=300
)
DNS = Api("dns", "v1", READ_ONLY, ("dns.googleapis.com",))
GKE = Api("container", "v1", "https://www.googleapis.com/auth/container.read-only", ("container.googleapis.com",))
BIGQUERY = Api("bigquery", "v2", READ_ONLY, ("bigquery.googleapis.com",))
LOGGING = Api("logging", "v2", READ_ONLY)
MONITORING = Api("monitoring", "v3", "https://www.googleapis.com/auth/monitoring.read")
FUNCTIONS = Api("cloudfunctions", "v2", enabled_by=("cloudfunctions.googleapis.com",))
RUN = Api("run", "v1", "https://www.googleapis.com/auth/run.readonly", ("run.googleapis.com",))
SECRETS = Api("secretmanager", "v1", enabled_by=("secretmanager.googleapis.com",))
PUBSUB = Api("pubsub", "v1", "https://www.googleapis.com/auth/pubsub", ("pubsub.googleapis.com",))
API_KEYS = Api("apikeys", "v2", READ_ONLY)
CONTACTS = Api("essentialcontacts", "v1", enabled_by=("essentialcontacts.googleapis.com",))
