"""Google's APIs, as far as they are read."""

from __future__ import annotations

from cloudmarker_gcp._row import READ_ONLY, Api

COMPUTE = Api(
    "compute",
    "https://www.googleapis.com/auth/compute.readonly",
    enabled_by=("compute.googleapis.com",),
    calls_per_minute=1500,
)
RESOURCE_MANAGER = Api("cloudresourcemanager", READ_ONLY)
SERVICE_USAGE = Api("serviceusage", READ_ONLY)
ASSETS = Api("cloudasset", calls_per_minute=100)
STORAGE = Api("storage", READ_ONLY)
STORAGE_POLICIES = Api("storage")
SQL = Api("sqladmin", enabled_by=("sqladmin.googleapis.com", "sql-component.googleapis.com"))
IAM = Api("iam")
KMS = Api("cloudkms", "https://www.googleapis.com/auth/cloudkms", ("cloudkms.googleapis.com",), calls_per_minute=300)
DNS = Api("dns", READ_ONLY, ("dns.googleapis.com",))
GKE = Api("container", "https://www.googleapis.com/auth/container.read-only", ("container.googleapis.com",))
BIGQUERY = Api("bigquery", READ_ONLY, ("bigquery.googleapis.com",))
LOGGING = Api("logging", READ_ONLY)
MONITORING = Api("monitoring", "https://www.googleapis.com/auth/monitoring.read")
FUNCTIONS = Api("cloudfunctions", enabled_by=("cloudfunctions.googleapis.com",))
RUN = Api("run", "https://www.googleapis.com/auth/run.readonly", ("run.googleapis.com",))
SECRETS = Api("secretmanager", enabled_by=("secretmanager.googleapis.com",))
PUBSUB = Api("pubsub", "https://www.googleapis.com/auth/pubsub", ("pubsub.googleapis.com",))
API_KEYS = Api("apikeys", READ_ONLY)
CONTACTS = Api("essentialcontacts", enabled_by=("essentialcontacts.googleapis.com",))
