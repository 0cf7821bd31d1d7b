"""Lists below resources: read from every parent that can have one, and what goes wrong with one costs no other."""

import json

import pytest
from cloudmarker.errors import ConfigError
from cloudmarker_azure._table import RECORD_TYPES
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault

ALPHA = "/subscriptions/11111111-1111-4111-8111-111111111111"
BETA = "/subscriptions/22222222-2222-4222-8222-222222222222"
GROUP = f"{ALPHA}/resourceGroups/g"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts"
VAULTS = f"{GROUP}/providers/Microsoft.KeyVault/vaults"
SQL = f"{GROUP}/providers/Microsoft.Sql/servers"
ABOVE = "/providers/Microsoft.Authorization/roleAssignments/above"

STORAGE_TYPES = ["storage_account", "blob_service", "blob_container"]
VAULT_TYPES = ["key_vault", "key_vault_key", "key_vault_secret"]
SQL_TYPES = ["sql_server", "sql_database", "sql_database_encryption"]
NOT_FOUND = json.dumps({"error": {"code": "ResourceNotFound", "message": "gone"}})
NOT_REGISTERED = json.dumps({"error": {"code": "MissingSubscriptionRegistration", "message": "not registered"}})


def item(id_, **more):
    return {"id": id_, "name": id_.rpartition("/")[2], "location": "westeurope", **more}


def under(parent, *names):
    return [{"id": f"{parent}/{name}", "name": name} for name in names]


def tenant_lists():
    subscriptions = [
        {"id": path, "subscriptionId": path.rpartition("/")[2], "displayName": name, "state": "Enabled"}
        for path, name in ((ALPHA, "alpha"), (BETA, "beta"))
    ]
    role = item(ABOVE, properties={"roleDefinitionId": "/r", "principalId": "p", "scope": "/"})
    return {
        "/subscriptions": subscriptions,
        f"{ALPHA}/resourceGroups": [item(GROUP)],
        f"{ALPHA}/providers/Microsoft.Storage/storageAccounts": [
            item(f"{STORAGE}/a", kind="StorageV2"),
            item(f"{STORAGE}/b", kind="BlobStorage"),
            item(f"{STORAGE}/files", kind="FileStorage"),
        ],
        f"{STORAGE}/a/blobServices": [item(f"{STORAGE}/a/blobServices/default")],
        f"{STORAGE}/b/blobServices": [item(f"{STORAGE}/b/blobServices/default")],
        f"{STORAGE}/a/blobServices/default/containers": under(
            f"{STORAGE}/a/blobServices/default/containers", "one", "two", "three"
        ),
        f"{STORAGE}/b/blobServices/default/containers": under(f"{STORAGE}/b/blobServices/default/containers", "four"),
        f"{ALPHA}/providers/Microsoft.KeyVault/vaults": [item(f"{VAULTS}/v1"), item(f"{VAULTS}/v2")],
        f"{VAULTS}/v1/keys": under(f"{VAULTS}/v1/keys", "k1", "k2"),
        f"{VAULTS}/v2/keys": under(f"{VAULTS}/v2/keys", "k3"),
        f"{VAULTS}/v1/secrets": under(f"{VAULTS}/v1/secrets", "s1"),
        f"{ALPHA}/providers/Microsoft.Sql/servers": [item(f"{SQL}/x"), item(f"{SQL}/y")],
        f"{SQL}/x/databases": under(f"{SQL}/x/databases", "master", "sales"),
        f"{SQL}/y/databases": under(f"{SQL}/y/databases", "master", "stock"),
        f"{ALPHA}/providers/Microsoft.Authorization/roleAssignments": [role],
        f"{BETA}/providers/Microsoft.Authorization/roleAssignments": [role],
        f"{ALPHA}/providers/Microsoft.Web/sites": [
            item(f"{GROUP}/providers/Microsoft.Web/sites/f", kind="functionapp")
        ],
    }


SINGLE = {
    f"{SQL}/x/databases/sales/transparentDataEncryption/current": {"properties": {"state": "Enabled"}},
    f"{SQL}/y/databases/stock/transparentDataEncryption/current": {"properties": {"state": "Disabled"}},
}


def write(path, lists):
    lines = [{"path": each, "body": {"value": value}} for each, value in lists.items()]
    lines += [{"path": each, "body": {**item(each), **body}} for each, body in SINGLE.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def deep_tenant(tmp_path):
    """Return the path of a tenant whose subscription alpha has resources with lists of their own; beta has none."""
    return write(tmp_path / "tenant.jsonl", tenant_lists())


class Audit:
    def __init__(self, tenant_file, *faults, page_size=100, **parameters):
        with AzureSimulator(recordings=tenant_file, faults=faults, page_size=page_size) as simulator:
            found = list(AzCloud(**simulator.settings, retry_deadline_s=0.3, **parameters).read())
        self.paths = [path for _, path in simulator.requests]
        self.records = [each for each in found if "raw" in each]
        covered = [each["com"] for each in found if "raw" not in each]
        self.tenant = {com["resource_type"]: com for com in covered if com["scope"].startswith("/tenants/")}
        of_alpha = {com["resource_type"]: com for com in covered if com["scope"] == ALPHA}
        self.states = {name: (com["state"], com["count"]) for name, com in of_alpha.items()}
        self.errors = {name: com["error"] for name, com in of_alpha.items()}
        assert len({(com["scope"], com["resource_type"]) for com in covered}) == len(covered)

    def names(self, record_type):
        return sorted(each["com"]["name"] for each in self.records if each["ext"]["record_type"] == record_type)


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("page_size", [1, 100])
def test_every_resource_is_asked_for_its_lists_and_they_count_as_one(deep_tenant, threads, page_size):
    found = Audit(deep_tenant, page_size=page_size, threads=threads)
    assert {state for state, _ in found.states.values()} == {"ok"}
    counts = {name: count for name, (_, count) in found.states.items() if count}
    assert counts == {
        "resource_group": 1,
        "storage_account": 3,
        "blob_service": 2,
        "blob_container": 4,
        "key_vault": 2,
        "key_vault_key": 3,
        "key_vault_secret": 1,
        "sql_server": 2,
        "sql_database": 4,
        "sql_database_encryption": 2,
        "role_assignment": 1,
        "function_app": 1,
    }
    assert found.names("blob_container") == ["four", "one", "three", "two"]


def test_a_child_belongs_to_its_parent_and_is_where_that_is(deep_tenant):
    found = Audit(deep_tenant, record_types=["blob_container", "sql_database_encryption"])
    (container,) = [each for each in found.records if each["com"]["name"] == "one"]
    assert container["com"]["parent"] == container["ext"]["parent"] == container["com"]["storage"] == f"{STORAGE}/a"
    assert container["com"]["location"] == "westeurope"
    assert container["ext"]["resource_group"] == "g"
    parents = {
        each["com"]["parent"] for each in found.records if each["ext"]["record_type"] == "sql_database_encryption"
    }
    assert parents == {f"{SQL}/x/databases/sales", f"{SQL}/y/databases/stock"}


def test_a_parent_that_cannot_have_the_list_is_not_asked(deep_tenant):
    found = Audit(deep_tenant)
    assert not [path for path in found.paths if "/files/" in path or "/databases/master/" in path]


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        ({"status": 500}, "failed", "HTTP 500"),
        ({"status": 403}, "denied", "HTTP 403"),
        ({"reset": True}, "failed", "no answer"),
        ({"status": 200, "body": "<html>"}, "failed", "not JSON"),
    ],
)
def test_one_bad_parent_costs_no_other_and_is_counted(deep_tenant, fault, state, words):
    found = Audit(deep_tenant, Fault(f"{VAULTS}/v1/keys", **fault), record_types=VAULT_TYPES)
    assert found.states == {"key_vault": ("ok", 2), "key_vault_key": (state, 1), "key_vault_secret": ("ok", 1)}
    assert found.names("key_vault_key") == ["k3"]
    assert found.errors["key_vault_key"].startswith("1 of 2 key_vault: ")
    assert words in found.errors["key_vault_key"]


def test_the_worst_of_several_faults_decides(deep_tenant):
    faults = (Fault(f"{VAULTS}/v1/keys", status=403), Fault(f"{VAULTS}/v2/keys", status=500))
    found = Audit(deep_tenant, *faults, record_types=["key_vault_key"])
    assert found.states == {"key_vault_key": ("failed", 0)}
    assert found.errors["key_vault_key"].startswith("1 of 2 key_vault: HTTP 500")


def test_a_list_that_breaks_off_keeps_what_was_read(deep_tenant):
    fault = Fault(rf"{STORAGE}/a/blobServices/default/containers.*skiptoken", status=500)
    found = Audit(deep_tenant, fault, page_size=1, record_types=STORAGE_TYPES)
    assert found.states["blob_container"] == ("failed", 2)
    assert found.states["storage_account"] == ("ok", 3)


def test_a_parent_that_has_gone_meanwhile_is_no_hole(deep_tenant):
    found = Audit(deep_tenant, Fault(f"{VAULTS}/v1/keys", status=404, body=NOT_FOUND), record_types=["key_vault_key"])
    assert found.states == {"key_vault_key": ("ok", 1)}


@pytest.mark.parametrize(("which", "state"), [("v1", "ok"), ("v.", "disabled")])
def test_a_provider_that_is_not_registered_is_disabled_if_no_parent_has_it(deep_tenant, which, state):
    fault = Fault(f"{VAULTS}/{which}/keys", status=409, body=NOT_REGISTERED)
    found = Audit(deep_tenant, fault, record_types=["key_vault_key"])
    assert found.states["key_vault_key"][0] == state


@pytest.mark.parametrize(
    ("fault", "state"), [({"status": 403}, "denied"), ({"status": 409, "body": NOT_REGISTERED}, "disabled")]
)
def test_what_is_below_a_list_that_was_not_read_was_not_seen_either(deep_tenant, fault, state):
    found = Audit(deep_tenant, Fault(f"{ALPHA}/providers/Microsoft.Sql/servers[?]", **fault), record_types=SQL_TYPES)
    assert found.states == dict.fromkeys(SQL_TYPES, (state, 0))
    assert found.errors["sql_database"].startswith("of sql_server: HTTP 4")
    assert found.errors["sql_database_encryption"].startswith("of sql_database: of sql_server: HTTP 4")


def test_half_a_list_of_parents_leaves_their_children_and_a_hole(deep_tenant):
    fault = Fault(rf"{ALPHA}/providers/Microsoft.KeyVault/vaults\?.*skiptoken", status=500)
    found = Audit(deep_tenant, fault, page_size=1, record_types=["key_vault", "key_vault_secret"])
    assert found.states == {"key_vault": ("failed", 1), "key_vault_secret": ("failed", 1)}


def test_a_hole_in_the_middle_goes_on_below(deep_tenant):
    found = Audit(deep_tenant, Fault(f"{SQL}/x/databases[?]", status=500), record_types=SQL_TYPES)
    assert found.states == {
        "sql_server": ("ok", 2),
        "sql_database": ("failed", 2),
        "sql_database_encryption": ("failed", 1),
    }


def test_only_what_is_wanted_is_read_and_the_rest_is_said_once(deep_tenant):
    found = Audit(deep_tenant, record_types=["blob_container"])
    assert {each["ext"]["record_type"] for each in found.records} == {"blob_container"}
    assert found.states == {"blob_container": ("ok", 4)}
    assert not [path for path in found.paths if "KeyVault" in path or "blobServices?" in path]
    assert {com["state"] for name, com in found.tenant.items() if name != "subscription"} == {"skipped"}
    assert found.tenant.keys() == set(RECORD_TYPES) - {"blob_container"}
    assert found.tenant["nsg"]["error"] == "left out by the parameter record_types"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["nsgs"], "there is no 'nsgs'; did you mean 'nsg'?"),
        (["nsg", "zzz"], "there is no 'zzz'; there are "),
        ([], "at least one"),
        ("nsg", "a list"),
        ([7], "a list"),
    ],
)
def test_a_record_type_that_is_none_is_refused_with_a_suggestion(value, words):
    with pytest.raises(ConfigError, match="record_types: ") as caught:
        AzCloud(record_types=value)
    assert words in str(caught.value)


def test_max_recs_is_for_all_parents_together(deep_tenant):
    found = Audit(deep_tenant, record_types=STORAGE_TYPES, _max_recs=1, threads=1)
    assert found.states == {
        "storage_account": ("skipped", 1),
        "blob_service": ("skipped", 1),
        "blob_container": ("skipped", 1),
    }
    found = Audit(deep_tenant, record_types=["blob_container"], _max_recs=2)
    assert found.states == {"blob_container": ("skipped", 2)}


@pytest.mark.parametrize("reference", [".evil.example/x", "https://evil.example/x", "@evil.example", 7, None, ""])
def test_an_id_that_is_no_path_is_not_followed(tmp_path, reference):
    lists = tenant_lists()
    lists[f"{ALPHA}/providers/Microsoft.KeyVault/vaults"].append({"id": reference, "name": "odd"})
    found = Audit(write(tmp_path / "odd.jsonl", lists), record_types=["key_vault_key"])
    assert found.states["key_vault_key"] == ("failed", 3)
    assert "is not the id of a resource" in found.errors["key_vault_key"]
    assert not [path for path in found.paths if "evil" in path]


def test_an_id_with_odd_characters_is_asked_for_as_it_is(tmp_path):
    lists = tenant_lists()
    odd = f"{VAULTS}/v 3#?é%"
    lists[f"{ALPHA}/providers/Microsoft.KeyVault/vaults"].append(item(odd))
    found = Audit(write(tmp_path / "odd.jsonl", lists), record_types=["key_vault_key"])
    assert [path for path in found.paths if "/v%203%23%3F%C3%A9%25/keys?api-version=" in path]


def test_what_stands_above_the_subscriptions_is_one_record(deep_tenant):
    found = Audit(deep_tenant, record_types=["role_assignment"])
    (role,) = found.records
    assert role["com"]["reference"] == ABOVE
    assert role["ext"]["subscription_id"] is None
    assert found.states == {"role_assignment": ("ok", 1)}


def test_two_types_of_one_list_are_covered_each(deep_tenant):
    found = Audit(deep_tenant, Fault("Microsoft.Web/sites", status=403), record_types=["web_app", "function_app"])
    assert found.states == {"web_app": ("denied", 0), "function_app": ("denied", 0)}
    found = Audit(deep_tenant, record_types=["web_app", "function_app"])
    assert found.states == {"web_app": ("ok", 0), "function_app": ("ok", 1)}
