"""The common fields of every type: from the provider's JSON, in any of its spellings."""

import pytest
from cloudmarker.fields import validate
from cloudmarker_azure._records import Owner, Scope, record
from cloudmarker_azure._table import TABLE

KINDS = {kind.record_type: kind for row in TABLE for kind in row.kinds}
SCOPE = Scope("t", "/subscriptions/s", "s", "S", "Enabled")
GROUP = "/subscriptions/s/resourceGroups/g"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
SUBNET = f"{NETWORK}/virtualNetworks/v/subnets/one"
NIC = f"{NETWORK}/networkInterfaces/n"
KEY = "https://vault.example/keys/k"
SERVER = f"{GROUP}/providers/Microsoft.Sql/servers/x"


def com(record_type, properties=None, owner=None, **item):
    """Return the common fields of a resource, after checking that they are those of its type."""
    item = {"id": f"{GROUP}/providers/N/t/x", "name": "x", "properties": properties, **item}
    made = record(SCOPE, KINDS[record_type], item, Owner(owner, "here") if owner else None)
    assert validate(made["com"]) == []
    return made["com"]


def some(found, *names):
    return tuple(found[name] for name in names)


# A rule, or who has which role, is never guessed; a subscription without an id is none.
STRICT = ("nsg", "security_rule", "role_assignment", "subscription")


@pytest.mark.parametrize("record_type", [record_type for record_type in KINDS if record_type not in STRICT])
@pytest.mark.parametrize("properties", [None, {}, "text", []])
def test_a_resource_that_says_nothing_gives_a_valid_record(record_type, properties):
    com(record_type, properties, owner=SERVER)


# Machines and disks.


def test_a_machine_has_its_disks_interfaces_identities_and_security_settings():
    found = com(
        "virtual_machine",
        {
            "hardwareProfile": {"vmSize": "Standard_B2s"},
            "networkProfile": {"networkInterfaces": [{"id": NIC}, {"id": NIC.upper()}]},
            "osProfile": {"linuxConfiguration": {"disablePasswordAuthentication": False}},
            "storageProfile": {
                "imageReference": {"publisher": "p", "offer": "o", "sku": "s", "version": "latest"},
                "osDisk": {"osType": "LINUX", "managedDisk": {"id": "/disks/os"}},
                "dataDisks": [{"managedDisk": {"id": "/disks/data"}}, {"vhd": {"uri": "https://a/b.vhd"}}, {}],
            },
            "securityProfile": {
                "securityType": "ConfidentialVM",
                "encryptionAtHost": True,
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            },
            "virtualMachineScaleSet": {"id": "/vmss/one"},
            "instanceView": {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/deallocated"}]},
        },
        identity={"principalId": "p-1", "userAssignedIdentities": {"/identities/a": {}}},
    )
    assert some(found, "size", "os", "image", "state") == ("Standard_B2s", "linux", "p:o:s:latest", "stopped")
    assert found["disks"] == ["/disks/os", "/disks/data", "https://a/b.vhd"]
    assert found["interfaces"] == [NIC]
    assert found["identities"] == ["p-1", "/identities/a"]
    assert some(found, "host_encryption", "secure_boot", "vtpm", "confidential") == (True, True, True, True)
    assert some(found, "password_login", "compute_group") == (True, "/vmss/one")


def test_security_settings_that_are_not_there_are_off_and_windows_lets_in_by_password():
    found = com("virtual_machine", {"osProfile": {"windowsConfiguration": {}}})
    assert some(found, "host_encryption", "secure_boot", "vtpm", "confidential") == (False, False, False, False)
    assert some(found, "os", "password_login", "state") == ("windows", True, None)


@pytest.mark.parametrize(("code", "state"), [("running", "running"), ("STOPPED", "stopped"), ("starting", "other")])
def test_power_states(code, state):
    assert com("virtual_machine", {"instanceView": {"statuses": [{"code": f"PowerState/{code}"}]}})["state"] == state


def test_a_scale_set_has_the_subnets_and_firewalls_of_its_machines():
    interface = {
        "properties": {
            "networkSecurityGroup": {"id": "/nsg"},
            "ipConfigurations": [{"properties": {"subnet": {"id": SUBNET}}}],
        }
    }
    profile = {"networkProfile": {"networkInterfaceConfigurations": [interface]}}
    found = com("vm_scale_set", {"virtualMachineProfile": profile}, sku={"name": "Standard_B2s", "capacity": 3})
    assert some(found, "size", "instance_count", "subnets", "firewalls") == ("Standard_B2s", 3, [SUBNET], ["/nsg"])


@pytest.mark.parametrize(
    ("kind", "encryption"),
    [
        ("EncryptionAtRestWithPlatformKey", "provider_key"),
        ("EncryptionAtRestWithCustomerKey", "customer_key"),
        ("encryptionatrestwithplatformandcustomerkeys", "provider_and_customer_key"),
        (None, "provider_key"),
    ],
)
@pytest.mark.parametrize("record_type", ["disk", "snapshot"])
def test_how_a_disk_is_encrypted(record_type, kind, encryption):
    found = com(record_type, {"encryption": {"type": kind, "diskEncryptionSetId": "/des"} if kind else None})
    assert found["encryption"] == encryption
    assert found["encryption_key"] == (None if encryption == "provider_key" else "/des")
    assert found["guest_encryption"] is False


@pytest.mark.parametrize("key", ["encryptionSettingsCollection", "encryptionSettings"])
def test_guest_encryption_in_the_new_and_the_old_place(key):
    assert com("disk", {key: {"enabled": True}})["guest_encryption"] is True


@pytest.mark.parametrize(
    ("properties", "item", "state", "holders"),
    [
        ({"diskState": "Attached"}, {"managedBy": "/vm/a"}, "attached", ["/vm/a"]),
        (
            {"diskState": "Reserved"},
            {"managedBy": "/vm/a", "managedByExtended": ["/vm/b"]},
            "attached",
            ["/vm/a", "/vm/b"],
        ),
        ({"diskState": "Unattached"}, {}, "unattached", []),
        ({"diskState": "ActiveSAS"}, {}, "other", []),
        ({}, {"managedBy": "/vm/a"}, "attached", ["/vm/a"]),
        ({}, {}, "unattached", []),
    ],
)
def test_whether_a_disk_is_attached(properties, item, state, holders):
    assert some(com("disk", properties, **item), "state", "attached_to") == (state, holders)


@pytest.mark.parametrize(
    ("properties", "access"),
    [
        ({"networkAccessPolicy": "AllowAll", "publicNetworkAccess": "Enabled"}, "public"),
        ({"networkAccessPolicy": "AllowAll", "publicNetworkAccess": "Disabled"}, "private"),
        ({"networkAccessPolicy": "AllowPrivate"}, "private"),
        ({"networkAccessPolicy": "DenyAll"}, "private"),
        ({}, None),
    ],
)
def test_who_can_fetch_a_disk(properties, access):
    assert com("disk", properties)["network_access"] == access


def test_image_and_its_source():
    disk = {"osType": "Windows", "diskSizeGB": 127, "managedDisk": {"id": "/disk"}, "diskEncryptionSet": {"id": "/des"}}
    found = com("image", {"storageProfile": {"osDisk": disk}})
    assert some(found, "os", "size_gib", "source", "encryption") == ("windows", 127, "/disk", "customer_key")
    assert com("image", {"sourceVirtualMachine": {"id": "/vm"}})["source"] == "/vm"


# Clusters and registries.


def test_a_cluster():
    found = com(
        "aks_cluster",
        {
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.30",
            "currentKubernetesVersion": "1.30.4",
            "fqdn": "one.example",
            "enableRBAC": True,
            "disableLocalAccounts": True,
            "apiServerAccessProfile": {"authorizedIPRanges": ["198.51.100.7/24"]},
            "agentPoolProfiles": [{"name": "a", "count": 2, "vnetSubnetID": SUBNET}, {"name": "b", "count": 1}],
            "networkProfile": {"networkPolicy": "calico"},
            "securityProfile": {
                "azureKeyVaultKms": {"enabled": True, "keyId": KEY},
                "workloadIdentity": {"enabled": True},
            },
            "autoUpgradeProfile": {"upgradeChannel": "stable"},
        },
    )
    assert some(found, "state", "version", "host", "node_count") == ("running", "1.30.4", "one.example", 3)
    assert some(found, "network_access", "allowed_addresses") == ("selected", ["198.51.100.0/24"])
    assert some(found, "role_based", "local_auth", "network_policy", "workload_identity") == (True, False, True, True)
    assert some(found, "encryption", "encryption_key") == ("customer_key", KEY)
    assert some(found, "subnets", "networks") == ([SUBNET], [f"{NETWORK}/virtualNetworks/v"])
    assert some(found, "private_nodes", "auto_upgrade") == (True, True)


def test_a_cluster_that_says_nothing_of_its_api_is_public_and_a_private_one_is_not():
    assert some(com("aks_cluster", {}), "network_access", "local_auth") == ("public", True)
    assert com("aks_cluster", {"apiServerAccessProfile": {"enablePrivateCluster": True}})["network_access"] == "private"


def test_a_node_pool_has_an_id_made_from_that_of_its_cluster():
    (row,) = [row for row in TABLE if row.record_type == "aks_cluster"]
    assert row.parts[0].reference({"name": "pool1"}, "/c") == "/c/agentPools/pool1"
    found = com("aks_node_pool", owner="/c", vmSize="s", osType="Linux", count=2, enableNodePublicIP=True)
    assert some(found, "cluster", "size", "node_count", "private_nodes") == ("/c", "s", 2, False)


def test_a_registry():
    found = com(
        "container_registry",
        {
            "loginServer": "one.azurecr.io",
            "adminUserEnabled": True,
            "networkRuleSet": {"defaultAction": "Deny", "ipRules": [{"value": "198.51.100.7"}]},
            "encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": KEY}},
        },
    )
    assert some(found, "host", "local_auth", "anonymous_access_allowed") == ("one.azurecr.io", True, False)
    assert some(found, "network_access", "allowed_addresses") == ("selected", ["198.51.100.7/32"])
    assert some(found, "encryption", "encryption_key") == ("customer_key", KEY)


# Networks.


def test_an_interface_says_what_it_joins():
    part = {
        "privateIPAddress": "10.0.0.4",
        "subnet": {"id": SUBNET},
        "publicIPAddress": {"id": "/pip"},
        "applicationSecurityGroups": [{"id": "/asg"}],
        "loadBalancerBackendAddressPools": [{"id": "/pool/1"}],
        "applicationGatewayBackendAddressPools": [{"id": "/pool/2"}],
    }
    found = com(
        "nic",
        {
            "virtualMachine": {"id": "/vm"},
            "networkSecurityGroup": {"id": "/nsg"},
            "enableIPForwarding": False,
            "ipConfigurations": [{"properties": part}],
        },
    )
    assert some(found, "attached_to", "firewalls", "ip_forwarding") == (["/vm"], ["/nsg"], False)
    assert some(found, "subnets", "networks") == ([SUBNET], [f"{NETWORK}/virtualNetworks/v"])
    assert some(found, "private_addresses", "public_ips", "public_addresses") == (["10.0.0.4"], ["/pip"], [])
    assert some(found, "address_groups", "backend_pools") == (["/asg"], ["/pool/1", "/pool/2"])


def test_a_public_address_leads_to_what_has_it():
    found = com(
        "public_ip",
        {
            "ipAddress": "192.0.2.7",
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "ipConfiguration": {"id": f"{NIC}/ipConfigurations/one"},
            "dnsSettings": {"fqdn": "one.example"},
        },
    )
    assert some(found, "address", "ip_version", "static", "host") == ("192.0.2.7", "ipv4", True, "one.example")
    assert some(found, "attached_to", "scheme") == ([NIC], "external")


@pytest.mark.parametrize(("sku", "closed"), [("Standard", True), ("Basic", False), ("Later", None), (None, None)])
def test_a_public_address_of_the_standard_kind_lets_nothing_in_without_a_firewall(sku, closed):
    assert com("public_ip", {}, sku={"name": sku})["closed_by_default"] is closed


def test_a_load_balancer_says_where_it_receives_and_what_is_behind_it():
    found = com(
        "lb",
        {
            "frontendIPConfigurations": [{"properties": {"publicIPAddress": {"id": "/pip"}}}],
            "loadBalancingRules": [{"properties": {"protocol": "Tcp", "frontendPort": 443, "backendPort": 8443}}],
            "inboundNatRules": [
                {
                    "properties": {
                        "protocol": "Udp",
                        "frontendPort": 53,
                        "backendPort": 5353,
                        "backendIPConfiguration": {"id": f"{NIC}/ipConfigurations/a"},
                    }
                }
            ],
            "inboundNatPools": [
                {
                    "properties": {
                        "protocol": "Tcp",
                        "frontendPortRangeStart": 100,
                        "frontendPortRangeEnd": 110,
                        "backendPort": 22,
                    }
                }
            ],
            "backendAddressPools": [
                {"id": "/pool", "properties": {"backendIPConfigurations": [{"id": f"{NIC}2/ipConfigurations/b"}]}}
            ],
        },
    )
    assert some(found, "scheme", "layer", "public_ips") == ("external", "network", ["/pip"])
    assert some(found, "protocols", "ports") == (["tcp", "udp"], ["443", "53", "100-110"])
    assert found["backend_ports"] == ["8443", "5353", "22"]
    assert some(found, "backends", "backend_pools") == ([f"{NIC}2", NIC], ["/pool"])


def test_a_load_balancer_without_public_address_is_internal_and_port_0_is_all_ports():
    frontend = {"properties": {"privateIPAddress": "10.0.0.9", "subnet": {"id": SUBNET}}}
    rules = [{"properties": {"protocol": "All", "frontendPort": 0}}]
    found = com("lb", {"frontendIPConfigurations": [frontend], "loadBalancingRules": rules})
    assert some(found, "scheme", "private_addresses", "subnets") == ("internal", ["10.0.0.9"], [SUBNET])
    assert some(found, "protocols", "ports") == (["all"], ["*"])
    assert com("lb", {})["ports"] == []


def test_an_application_gateway_counts_the_ports_that_a_listener_uses():
    found = com(
        "app_gateway",
        {
            "frontendPorts": [
                {"id": "/ports/a", "properties": {"port": 443}},
                {"id": "/ports/b", "properties": {"port": 8080}},
            ],
            "httpListeners": [{"properties": {"protocol": "Https", "frontendPort": {"id": "/PORTS/A"}}}],
            "backendAddressPools": [
                {"id": "/pool", "properties": {"backendAddresses": [{"fqdn": "a.example"}, {"ipAddress": "10.0.0.5"}]}}
            ],
            "sslPolicy": {"minProtocolVersion": "TLSv1_2"},
            "firewallPolicy": {"id": "/waf"},
        },
    )
    assert some(found, "ports", "protocols", "layer") == (["443"], ["https"], "application")
    assert some(found, "backends", "minimum_tls", "web_firewall") == (["a.example", "10.0.0.5"], "1.2", True)


def test_the_predefined_tls_policies_of_gateways_have_a_minimum():
    assert com("app_gateway", {"sslPolicy": {"policyName": "AppGwSslPolicy20170401"}})["minimum_tls"] == "1.1"


def test_a_network_knows_its_subnets_and_connected_peers():
    peer = {"properties": {"peeringState": "Connected", "remoteVirtualNetwork": {"id": "/v2"}}}
    gone = {"properties": {"peeringState": "Disconnected", "remoteVirtualNetwork": {"id": "/v3"}}}
    found = com(
        "virtual_network",
        {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"id": SUBNET}],
            "virtualNetworkPeerings": [peer, gone],
        },
    )
    assert some(found, "address_ranges", "subnets", "peers") == (["10.0.0.0/16"], [SUBNET], ["/v2"])


def test_a_subnet_has_both_forms_of_prefixes_its_firewall_and_its_routes():
    found = com(
        "subnet",
        {
            "addressPrefix": "10.0.1.0/24",
            "addressPrefixes": ["fd00::/64"],
            "networkSecurityGroup": {"id": "/nsg"},
            "routeTable": {"id": "/rt"},
            "serviceEndpoints": [{"service": "Microsoft.Storage"}],
        },
        owner="/vnet",
    )
    assert some(found, "network", "parent") == ("/vnet", "/vnet")
    assert found["address_ranges"] == ["10.0.1.0/24", "fd00::/64"]
    assert some(found, "firewalls", "route_table", "private_access") == (["/nsg"], "/rt", True)
    assert some(found, "purpose", "location") == (None, "here")


@pytest.mark.parametrize(
    ("name", "properties", "purpose"),
    [
        ("GatewaySubnet", {}, "gatewaysubnet"),
        ("AzureBastionSubnet", {}, "azurebastionsubnet"),
        (
            "apps",
            {"delegations": [{"properties": {"serviceName": "Microsoft.Web/serverFarms"}}]},
            "microsoft.web/serverfarms",
        ),
        ("my-subnet", {}, None),
    ],
)
def test_subnets_that_are_reserved_for_something_of_azures_own(name, properties, purpose):
    assert com("subnet", properties, name=name, owner="/vnet")["purpose"] == purpose


@pytest.mark.parametrize(
    ("prefix", "hop", "internet"),
    [
        ("0.0.0.0/0", "Internet", True),
        ("::/0", "internet", True),
        ("0.0.0.0/0", "VirtualAppliance", False),
        ("10.0.0.0/8", "Internet", False),
    ],
)
def test_a_route_to_the_internet(prefix, hop, internet):
    routes = [{"properties": {"addressPrefix": prefix, "nextHopType": hop}}]
    assert some(com("route_table", {"routes": routes}), "route_count", "internet_route") == (1, internet)


def test_zones_of_the_dns():
    assert some(com("dns_zone", {"zoneType": "Public"}, name="a.example"), "domain", "scheme") == (
        "a.example",
        "external",
    )
    assert com("private_dns_zone", {})["scheme"] == "internal"


@pytest.mark.parametrize(
    ("properties", "addresses", "networks"),
    [
        ({"startIpAddress": "198.51.100.0", "endIpAddress": "198.51.100.255"}, ["198.51.100.0/24"], []),
        ({"startIP": "192.0.2.7", "endIP": "192.0.2.7"}, ["192.0.2.7/32"], []),
        ({"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"}, ["0.0.0.0/0"], []),
        ({"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}, ["AzureCloud"], []),
        ({"virtualNetworkSubnetId": SUBNET}, [], [SUBNET]),
    ],
)
def test_what_a_database_server_lets_in(properties, addresses, networks):
    found = com("sql_server_firewall_rule", properties, owner=SERVER)
    assert some(found, "target", "source_addresses", "networks") == (SERVER, addresses, networks)


# Storage and keys.


def test_a_storage_account_that_is_closed():
    found = com(
        "storage_account",
        {
            "accessTier": "Hot",
            "supportsHttpsTrafficOnly": True,
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": False,
            "publicNetworkAccess": "Enabled",
            "networkAcls": {
                "bypass": "Logging, AzureServices",
                "defaultAction": "Deny",
                "ipRules": [{"value": "198.51.100.7"}],
                "virtualNetworkRules": [{"id": SUBNET}],
            },
            "privateEndpointConnections": [
                {
                    "properties": {
                        "privateEndpoint": {"id": "/pe/1"},
                        "privateLinkServiceConnectionState": {"status": "Approved"},
                    }
                },
                {
                    "properties": {
                        "privateEndpoint": {"id": "/pe/2"},
                        "privateLinkServiceConnectionState": {"status": "Rejected"},
                    }
                },
            ],
            "encryption": {
                "keySource": "Microsoft.KeyVault",
                "requireInfrastructureEncryption": True,
                "keyvaultproperties": {"keyvaulturi": "https://vault.example/", "keyname": "k"},
            },
            "primaryEndpoints": {"blob": "https://one.blob.example/"},
            "immutableStorageWithVersioning": {
                "enabled": True,
                "immutabilityPolicy": {"immutabilityPeriodSinceCreationInDays": 30, "state": "Locked"},
            },
        },
    )
    assert some(found, "https_only", "minimum_tls", "storage_class") == (True, "1.2", "hot")
    assert some(found, "anonymous_access_allowed", "local_auth", "trusted_services") == (False, False, True)
    assert some(found, "network_access", "allowed_addresses", "allowed_networks") == (
        "selected",
        ["198.51.100.7/32"],
        [SUBNET],
    )
    assert found["private_endpoints"] == ["/pe/1"]
    assert some(found, "encryption", "encryption_key") == ("provider_and_customer_key", KEY)
    assert some(found, "retention_days", "retention_locked") == (30, True)
    assert found["hosts"] == ["one.blob.example"]


def test_an_old_storage_account_that_does_not_say_is_open():
    found = com("storage_account", {})
    assert some(found, "network_access", "anonymous_access_allowed", "local_auth") == ("public", True, True)
    assert some(found, "https_only", "minimum_tls", "encryption") == (None, None, "provider_key")


@pytest.mark.parametrize(
    ("properties", "access"),
    [
        ({"publicNetworkAccess": "Disabled", "networkAcls": {"defaultAction": "Allow"}}, "private"),
        ({"publicNetworkAccess": "SecuredByPerimeter"}, "selected"),
        ({"networkAcls": {"defaultAction": "Deny"}}, "private"),
        ({"networkAcls": {"defaultAction": "Allow", "ipRules": [{"value": "192.0.2.1"}]}}, "public"),
    ],
)
@pytest.mark.parametrize("record_type", ["storage_account", "key_vault"])
def test_who_can_reach_a_store(record_type, properties, access):
    assert com(record_type, properties)["network_access"] == access


@pytest.mark.parametrize(
    ("policy", "days"), [({"enabled": True, "days": 7}, 7), ({"enabled": False, "days": 7}, 0), (None, 0)]
)
def test_for_how_long_blobs_and_containers_can_be_restored(policy, days):
    found = com(
        "blob_service",
        {"deleteRetentionPolicy": policy, "containerDeleteRetentionPolicy": policy, "isVersioningEnabled": True},
        owner="/account",
    )
    assert some(found, "storage", "versioning") == ("/account", True)
    assert some(found, "soft_delete_days", "container_soft_delete_days") == (days, days)


@pytest.mark.parametrize(
    ("level", "access"),
    [("None", "none"), (None, "none"), ("Blob", "read"), ("container", "list_and_read"), ("Moon", None)],
)
def test_what_anyone_may_do_with_a_container(level, access):
    assert com("blob_container", {"publicAccess": level}, owner="/account")["anonymous_access"] == access


def test_a_container_that_nobody_can_change():
    policy = {"properties": {"immutabilityPeriodSinceCreationInDays": 90, "state": "Unlocked"}}
    found = com("blob_container", {"immutabilityPolicy": policy}, owner="/account")
    assert some(found, "retention_days", "retention_locked") == (90, False)


def test_a_key_vault():
    found = com(
        "key_vault",
        {
            "vaultUri": "https://one.vault.example/",
            "sku": {"name": "Premium"},
            "enableRbacAuthorization": True,
            "enablePurgeProtection": True,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
        },
    )
    assert some(found, "hosts", "hsm", "role_based") == (["one.vault.example"], True, True)
    assert some(found, "soft_delete_days", "purge_protection") == (90, True)
    assert com("key_vault", {"enableSoftDelete": False, "softDeleteRetentionInDays": 90})["soft_delete_days"] == 0


def test_a_key_with_its_expiry_and_rotation():
    found = com(
        "key_vault_key",
        {
            "kty": "RSA-HSM",
            "keySize": 3072,
            "keyOps": ["sign"],
            "attributes": {"enabled": True, "exp": 1893456000, "created": 1700000000},
            "rotationPolicy": {
                "lifetimeActions": [{"trigger": {"timeAfterCreate": "P18M"}, "action": {"type": "Rotate"}}]
            },
        },
        owner="/vault",
    )
    assert some(found, "key_vault", "algorithm", "hsm", "purpose") == ("/vault", "RSA-3072", True, "sign")
    assert some(found, "enabled", "expires", "created") == (True, "2030-01-01T00:00:00Z", "2023-11-14T22:13:20Z")
    assert found["rotation_days"] == 540


def test_a_secret_has_no_value_and_may_never_expire():
    found = com("key_vault_secret", {"attributes": {"enabled": False}, "contentType": "text"}, owner="/vault")
    assert some(found, "key_vault", "enabled", "expires") == ("/vault", False, None)


# Databases, caches, brokers.


def test_a_sql_server_with_its_administrators():
    found = com(
        "sql_server",
        {
            "version": "12.0",
            "state": "Ready",
            "fullyQualifiedDomainName": "x.example",
            "minimalTlsVersion": "1.2",
            "publicNetworkAccess": "Enabled",
            "keyId": KEY,
            "administrators": {"administratorType": "ActiveDirectory", "azureADOnlyAuthentication": True},
        },
    )
    assert some(found, "engine", "version", "state", "host") == ("sqlserver", "12.0", "running", "x.example")
    assert some(found, "require_tls", "minimum_tls") == (True, "1.2")
    assert some(found, "local_auth", "directory_auth") == (False, True)
    assert some(found, "encryption", "encryption_key", "network_access") == ("customer_key", KEY, "selected")


def test_a_sql_server_without_administrators_has_passwords_only():
    found = com("sql_server", {"minimalTlsVersion": "None", "publicNetworkAccess": "Disabled"})
    assert some(found, "local_auth", "directory_auth", "minimum_tls") == (True, False, "none")
    assert found["network_access"] == "private"


def test_a_sql_database():
    found = com("sql_database", {"status": "Paused"}, owner=SERVER, sku={"name": "S0"})
    assert some(found, "server", "engine", "state", "size", "encryption") == (
        SERVER,
        "sqlserver",
        "stopped",
        "S0",
        None,
    )


@pytest.mark.parametrize(("record_type", "engine"), [("mysql_server", "mysql"), ("postgresql_server", "postgresql")])
def test_a_single_server(record_type, engine):
    found = com(
        record_type,
        {
            "userVisibleState": "Ready",
            "sslEnforcement": "Disabled",
            "minimalTlsVersion": "TLSEnforcementDisabled",
            "byokEnforcement": "Enabled",
            "storageProfile": {"backupRetentionDays": 7},
            "masterServerId": "/primary",
        },
    )
    assert some(found, "engine", "state", "require_tls", "minimum_tls") == (engine, "running", False, "none")
    assert some(found, "encryption", "backup_retention_days", "replica_of") == ("customer_key", 7, "/primary")


@pytest.mark.parametrize("record_type", ["mysql_flexible_server", "postgresql_flexible_server"])
def test_a_flexible_server_in_a_network_of_its_own(record_type):
    found = com(
        record_type,
        {
            "state": "Stopped",
            "network": {"publicNetworkAccess": "Disabled", "delegatedSubnetResourceId": SUBNET},
            "backup": {"backupRetentionDays": 14},
            "highAvailability": {"mode": "ZoneRedundant"},
            "dataEncryption": {"type": "AzureKeyVault", "primaryKeyURI": KEY},
            "sourceServerResourceId": "/primary",
        },
    )
    assert some(found, "state", "network_access", "allowed_networks") == ("stopped", "private", [SUBNET])
    assert some(found, "backup_retention_days", "high_availability", "replica_of") == (14, True, "/primary")
    assert some(found, "encryption", "encryption_key", "require_tls") == ("customer_key", KEY, None)


def test_a_flexible_server_as_the_first_api_versions_had_it():
    properties = {
        "publicNetworkAccess": "Enabled",
        "haEnabled": "Disabled",
        "storageProfile": {"backupRetentionDays": 7},
    }
    found = com("mysql_flexible_server", properties)
    assert some(found, "network_access", "high_availability", "backup_retention_days") == ("selected", False, 7)


def test_postgresql_says_how_users_log_in():
    auth = {"passwordAuth": "Disabled", "activeDirectoryAuth": "Enabled"}
    found = com("postgresql_flexible_server", {"authConfig": auth})
    assert some(found, "local_auth", "directory_auth") == (False, True)


@pytest.mark.parametrize(
    ("properties", "access", "addresses"),
    [
        ({}, "public", []),
        ({"ipRules": [{"ipAddressOrRange": "192.0.2.1"}]}, "selected", ["192.0.2.1/32"]),
        ({"ipRangeFilter": "192.0.2.1,198.51.100.0/24"}, "selected", ["192.0.2.1/32", "198.51.100.0/24"]),
        ({"isVirtualNetworkFilterEnabled": True}, "selected", []),
        ({"publicNetworkAccess": "Disabled"}, "private", []),
    ],
)
def test_who_can_reach_a_cosmos_db_account(properties, access, addresses):
    assert some(com("cosmos_db", properties), "network_access", "allowed_addresses") == (access, addresses)


def test_a_cosmos_db_account():
    found = com(
        "cosmos_db",
        {
            "documentEndpoint": "https://x.documents.example:443/",
            "disableLocalAuth": True,
            "minimalTlsVersion": "Tls12",
            "apiProperties": {"serverVersion": "7.0"},
            "backupPolicy": {"type": "Continuous", "continuousModeProperties": {"tier": "Continuous30Days"}},
        },
        kind="MongoDB",
    )
    assert some(found, "engine", "version", "host") == ("mongodb", "7.0", "x.documents.example")
    assert some(found, "local_auth", "minimum_tls", "backup_retention_days") == (False, "1.2", 30)
    policy = {"type": "Periodic", "periodicModeProperties": {"backupRetentionIntervalInHours": 48}}
    assert com("cosmos_db", {"backupPolicy": policy})["backup_retention_days"] == 2


def test_a_redis_cache():
    found = com(
        "redis",
        {
            "redisVersion": "6.0",
            "enableNonSslPort": True,
            "minimumTlsVersion": "1.0",
            "hostName": "x.example",
            "sku": {"name": "Premium", "family": "P", "capacity": 1},
            "subnetId": SUBNET,
            "staticIP": "10.0.0.7",
            "redisConfiguration": {"aad-enabled": "True", "rdb-backup-enabled": "true"},
        },
    )
    assert some(found, "engine", "size", "require_tls", "minimum_tls") == ("redis", "Premium P1", False, "1.0")
    assert some(found, "network_access", "private_addresses") == ("private", ["10.0.0.7"])
    assert some(found, "directory_auth", "local_auth", "backups") == (True, True, True)


@pytest.mark.parametrize(
    ("record_type", "engine"), [("service_bus_namespace", "service_bus"), ("event_hub_namespace", "event_hubs")]
)
def test_a_namespace_of_messages(record_type, engine):
    keys = [{"keyVaultUri": "https://vault.example", "keyName": "k"}]
    found = com(
        record_type,
        {
            "minimumTlsVersion": "1.2",
            "disableLocalAuth": True,
            "publicNetworkAccess": "Disabled",
            "encryption": {"keySource": "Microsoft.KeyVault", "keyVaultProperties": keys},
        },
    )
    assert some(found, "engine", "minimum_tls", "local_auth") == (engine, "1.2", False)
    assert some(found, "network_access", "encryption", "encryption_key") == ("private", "customer_key", KEY)


# Applications.


@pytest.mark.parametrize(
    ("kind", "record_type", "app_type"),
    [
        ("app,linux", "web_app", "web_app"),
        ("app,linux,container", "web_app", "container"),
        ("FunctionApp,linux", "function_app", "function"),
        ("functionapp,workflowapp", "function_app", "workflow"),
        (None, "web_app", "web_app"),
    ],
)
def test_web_apps_and_functions_come_in_one_list(kind, record_type, app_type):
    (row,) = [row for row in TABLE if row.record_type == "web_app"]
    assert row.kind_of({"kind": kind}).record_type == record_type
    assert com(record_type, kind=kind)["app_type"] == app_type


def test_a_web_app():
    found = com(
        "web_app",
        {
            "state": "Running",
            "httpsOnly": True,
            "clientCertEnabled": True,
            "clientCertMode": "Required",
            "defaultHostName": "x.example",
            "hostNames": ["x.example", "www.example"],
            "virtualNetworkSubnetId": SUBNET,
            "siteConfig": {"linuxFxVersion": "PYTHON|3.13", "minTlsVersion": "1.3"},
            "publicNetworkAccess": "Disabled",
        },
    )
    assert some(found, "state", "https_only", "client_certificates") == ("running", True, True)
    assert some(found, "hosts", "runtime", "minimum_tls") == (["x.example", "www.example"], "PYTHON|3.13", "1.3")
    assert some(found, "subnets", "network_access") == ([SUBNET], "private")
    optional = com("web_app", {"clientCertEnabled": True, "clientCertMode": "Optional"})
    assert optional["client_certificates"] is False


# Who may do what.


@pytest.mark.parametrize(
    ("kind", "principal_type"),
    [
        ("User", "user"),
        ("ForeignGroup", "group"),
        ("ServicePrincipal", "service_account"),
        ("Device", "other"),
        (None, None),
    ],
)
def test_a_role_assignment(kind, principal_type):
    properties = {"roleDefinitionId": "/r", "principalId": "p", "principalType": kind, "scope": "/", "condition": "c"}
    found = com("role_assignment", properties)
    assert some(found, "scope", "role", "principal", "condition") == ("/", "/r", "p", "c")
    assert found["principal_type"] == principal_type


def test_a_role_is_called_by_its_name_and_lists_what_it_permits():
    permissions = [
        {"actions": ["*/read"], "notActions": ["a/b/read"], "dataActions": ["d/read"], "notDataActions": ["e/read"]}
    ]
    found = com(
        "role_definition",
        {
            "roleName": "Look",
            "type": "CustomRole",
            "permissions": permissions,
            "assignableScopes": ["/subscriptions/s"],
        },
    )
    assert some(found, "name", "role_type", "permissions") == ("Look", "custom", ["*/read"])
    assert some(found, "excluded_permissions", "data_permissions") == (["a/b/read", "e/read"], ["d/read"])
    assert found["assignable_scopes"] == ["/subscriptions/s"]


def test_a_policy_assignment():
    properties = {"policyDefinitionId": "/p", "scope": "/subscriptions/s", "notScopes": ["/x"]}
    found = com("policy_assignment", {**properties, "enforcementMode": "DoNotEnforce"})
    assert some(found, "policy", "scope", "enforced", "excluded_scopes") == ("/p", "/subscriptions/s", False, ["/x"])
    assert com("policy_assignment", properties)["enforced"] is True


def test_a_management_group_is_called_by_its_display_name():
    found = com("management_group", {"displayName": "All"}, id="/providers/Microsoft.Management/managementGroups/g-1")
    assert some(found, "name", "scope_type", "parent") == ("All", "management_group", None)


def test_a_managed_identity():
    assert some(com("managed_identity", {"principalId": "p"}), "principal", "enabled") == ("p", None)


@pytest.mark.parametrize(
    ("properties", "emails", "roles", "categories"),
    [
        (
            {
                "isEnabled": True,
                "emails": "a@x.example;b@x.example",
                "notificationsByRole": {"state": "On", "roles": ["Owner"]},
                "notificationsSources": [{"sourceType": "Alert", "minimalSeverity": "High"}],
            },
            ["a@x.example", "b@x.example"],
            ["owner"],
            ["alert:high"],
        ),
        (
            {"emails": "a@x.example", "alertNotifications": {"state": "On", "minimalSeverity": "Low"}},
            ["a@x.example"],
            [],
            ["alert:low"],
        ),
        ({"email": "a@x.example", "alertNotifications": "On"}, ["a@x.example"], [], ["alert"]),
        ({"notificationsByRole": {"state": "Off", "roles": ["Owner"]}}, [], [], []),
    ],
)
def test_whom_defender_tells_in_all_three_forms(properties, emails, roles, categories):
    assert some(com("security_contact", properties), "emails", "roles", "categories") == (emails, roles, categories)
