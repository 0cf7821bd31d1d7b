"""The table of resource types: it agrees with what Google says of its APIs, with the documents, and with itself."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from cloudmarker.fields import RECORD_TYPES
from cloudmarker_gcp import _table
from cloudmarker_gcp._row import CLOUD_PLATFORM, Row
from cloudmarker_gcp._scopes import Scope
from cloudmarker_gcp._settings import SOURCES
from cloudmarker_gcp._words import RecordType, Source
from googledocuments import answer, method

ROWS = [
    step
    for top in (
        *_table.SCOPES,
        *_table.SEARCHED.values(),
        *_table.LISTED.values(),
        _table.SERVICES,
        *_table.TABLE,
        _table.ASSET_LIST,
    )
    for step in top.walk()
]
METHODS = {(row.api, name): row for row in ROWS for name in row.methods}
READ_WITH_POST = {"getIamPolicy", "listInstances", "listNetworkEndpoints"}


def parametrized(row: Row) -> list[object]:
    return [pytest.param(row, name, id=name) for name in sorted(row.methods)]


@pytest.mark.parametrize(("row", "method_id"), [case for row in ROWS for case in parametrized(row)])
def test_a_row_is_what_the_api_has(row, method_id):
    found, fields = method(row.api, method_id), answer(row.api, method_id)
    verb = "POST" if method_id.split(".")[-1] in READ_WITH_POST and found["httpMethod"] == "POST" else "GET"
    assert found["httpMethod"] == verb, "it may write"
    assert row.api.oauth_scope in found["scopes"]
    assert {name.replace("options_", "options.") for name in row.arguments} <= set(found["parameters"])
    if row.items is not None:
        assert row.items in fields
        unpaged = row.api.name == "container" or method_id.endswith((".keys.list", ".databases.list"))
        assert {"nextPageToken", "metadata"} & set(fields) or unpaged, "there may be a further page, and no word of it"
    for name in {"maxResults", "pageSize"} & set(row.arguments):
        most = found["parameters"][name].get("maximum")
        assert most is None or int(row.arguments[name]) <= int(most)


def test_every_list_is_asked_for_large_pages():
    sizes = {"maxResults", "pageSize"}
    unasked = {
        name
        for (api, name), row in METHODS.items()
        if row.items is not None and not sizes & set(row.arguments) and sizes & set(method(api, name)["parameters"])
    }
    assert unasked == {"dns.managedZones.list", "dns.policies.list"}  # the largest is the default


def test_the_words_of_the_types_are_those_that_are_known():
    assert typing.get_args(RecordType) == tuple(_table.record_types())
    assert typing.get_args(Source) == SOURCES


def test_record_types_are_unique_and_their_common_types_are_known_or_documented():
    names = _table.record_types()
    assert len(names) == len(set(names))
    docs = (Path(__file__).parents[3] / "docs" / "gcp.md").read_text().partition("## What is read")[2]
    documented = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", docs, re.MULTILINE))
    kinds = {row.record_type: row.kind.com_type for row in ROWS if row.kind}
    assert set(documented) == set(names)
    for name, com_type in kinds.items():
        assert documented[name] == com_type
    own = {com_type for com_type in documented.values() if com_type not in RECORD_TYPES}
    assert own == {
        "alert_policy", "api_key", "audit_config", "backend_service", "compute_project", "dns_policy", "iam_policy",
        "log_metric", "log_sink", "router", "service", "service_account_key", "ssl_policy", "target_proxy",
    }  # fmt: skip


def test_every_permission_is_documented():
    docs = (Path(__file__).parents[3] / "docs" / "gcp.md").read_text()
    needed = {row.permission_in(Scope(level, "1")) for row in ROWS for level in row.levels}
    assert {name for name in needed if f"`{name}`" not in docs} == set()


def test_the_token_is_for_no_more_than_what_is_read():
    only = _table.token_scopes
    assert [scope.rpartition("/")[2] for scope in only(_table.rows_for(["instance", "firewall_rule"]))] == [
        "cloud-platform.read-only",
        "compute.readonly",
    ]
    assert only(_table.rows_for(["bucket"])) == ["https://www.googleapis.com/auth/cloud-platform.read-only"]
    assert only(_table.rows_for(["bucket_iam_policy"])) == [CLOUD_PLATFORM]
    assert only(_table.TABLE) == [CLOUD_PLATFORM]


def test_only_what_leads_to_a_wanted_type_is_read():
    (row,) = _table.rows_for(["crypto_key_iam_binding"])
    assert [step.method for step in row.walk()] == [
        "cloudkms.projects.locations.list",
        "cloudkms.projects.locations.keyRings.list",
        "cloudkms.projects.locations.keyRings.cryptoKeys.list",
        "cloudkms.projects.locations.keyRings.cryptoKeys.getIamPolicy",
    ]
    assert row.record_types == ("crypto_key_iam_binding",)
    assert _table.rows_for([]) == ()
