"""The table of resource types: it agrees with what Google says of its APIs, with the documents, and with itself."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import googleapiclient
import pytest
from cloudmarker.fields import RECORD_TYPES
from cloudmarker_gcp import _table
from cloudmarker_gcp._row import CLOUD_PLATFORM, Row

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
VERSIONS = {
    "compute": "v1",
    "cloudresourcemanager": "v3",
    "serviceusage": "v1",
    "storage": "v1",
    "sqladmin": "v1beta4",
    "iam": "v1",
    "cloudkms": "v1",
    "dns": "v1",
    "container": "v1",
    "bigquery": "v2",
    "logging": "v2",
    "monitoring": "v3",
    "cloudfunctions": "v2",
    "run": "v1",
    "secretmanager": "v1",
    "pubsub": "v1",
    "apikeys": "v2",
    "essentialcontacts": "v1",
    "cloudasset": "v1",
}
STANDARD = {"returnPartialSuccess"}  # not in the newest documents any more: see docs/gcp.md


@cache
def methods(api: str) -> dict[tuple[str, str], list[tuple[dict, dict]]]:
    """The methods of an API by HTTP method and path, its placeholders replaced by stars; each with its answer."""
    document = json.loads((DOCUMENTS / f"{api}.{VERSIONS[api]}.json").read_text())
    found: dict[tuple[str, str], list[tuple[dict, dict]]] = {}

    def walk(resources: dict) -> None:
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                answer = document["schemas"].get(method.get("response", {}).get("$ref"), {}).get("properties", {})
                for path in {method["path"], method.get("flatPath", method["path"])}:
                    key = (method["httpMethod"], document["servicePath"] + re.sub(r"\{[^}]*\}", "*", path))
                    found.setdefault(key, []).append((method, answer))
            walk(resource.get("resources", {}))

    walk(document["resources"])
    return found


def starred(row: Row, level: str, owner: str = "", zone: bool = False) -> str:
    """The path of a row with stars for what varies. What leads to a child is a name, or the end of the owner's path."""
    path = row.zone_path if zone else row.path
    if "{parent}" in path:
        before = path.partition("{parent}")[0]
        whole = re.fullmatch(r"v\d+/|v1/projects/\{project\}/", before) and owner
        parent = re.sub(r"^v\d+/", "", owner) + "/*" if whole else "*"
        if before.endswith("{project}/"):
            parent = parent.removeprefix("projects/*/")
        path = path.replace("{parent}", parent)
    path = path.replace("{scope}", f"{level}s/*").replace("{project}", "*").replace("{zone}", "*")
    return re.sub(r"/locations/(-|global)/(?!firewall)", "/locations/*/", path)


def cases():
    def walk(row, level, owner):
        path = starred(row, level, owner)
        yield row, level, path
        if row.zone_path:
            yield row, level, starred(row, level, zone=True)
        for child in row.children:
            yield from walk(child, level, path)

    scopes = (*_table.SCOPES, *_table.SEARCHED.values(), *_table.LISTED.values())
    for row in (*scopes, _table.SERVICES, *_table.TABLE):
        for level in row.levels:
            yield from walk(row, level, "")


@pytest.mark.parametrize(("row", "level", "path"), [pytest.param(*case, id=case[2]) for case in cases()])
def test_a_row_is_what_the_api_has(row, level, path):
    known = methods(row.api.name)
    verb = "POST" if row.posts is not None else "GET"
    found = known.get((verb, path)) or known.get((verb, path.replace("projects/*", "*/*")))
    assert found, f"{row.api.name} has no {path}"
    (method, answer) = found[0]
    assert set(row.query) - STANDARD <= set(method.get("parameters", {}))
    assert row.api.oauth_scope in method["scopes"]
    if row.items is not None:
        assert row.items in answer
        unpaged = row.api.name == "container" or path.endswith(("/keys", "/databases"))
        continued = {"nextPageToken", "metadata"} & set(answer)
        assert continued or unpaged, "there may be a further page, and no word of it"
    limits = {name: value for name, value in row.query.items() if name in ("maxResults", "pageSize")}
    for name, value in limits.items():
        most = method["parameters"][name].get("maximum")
        assert most is None or int(value) <= int(most)


def test_every_list_is_asked_for_large_pages():
    unasked = {
        path
        for row, _, path in cases()
        if row.items is not None
        and not {"maxResults", "pageSize"} & set(row.query)
        and {"maxResults", "pageSize"}
        & set(methods(row.api.name).get(("GET", path), [({}, {})])[0][0].get("parameters", {}))
    }
    assert unasked == {"dns/v1/projects/*/managedZones", "dns/v1/projects/*/policies"}  # the largest is the default


def test_record_types_are_unique_and_their_common_types_are_known_or_documented():
    names = _table.record_types()
    assert len(names) == len(set(names))
    docs = (Path(__file__).parents[3] / "docs" / "gcp.md").read_text().partition("## What is read")[2]
    documented = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", docs, re.MULTILINE))
    kinds = {row.record_type: row.kind.com_type for row, _, _ in cases() if row.kind}
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
    needed = {row.permission_in(_scope(level)) for row, level, _ in cases()}
    assert {name for name in needed if f"`{name}`" not in docs} == set()


def _scope(level):
    from cloudmarker_gcp._scopes import Scope

    return Scope(level, "1")


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
    assert [step.path for step in row.walk()] == [
        "v1/projects/{project}/locations",
        "v1/{parent}/keyRings",
        "v1/{parent}/cryptoKeys",
        "v1/{parent}:getIamPolicy",
    ]
    assert row.record_types == ("crypto_key_iam_binding",)
    assert _table.rows_for([]) == ()
