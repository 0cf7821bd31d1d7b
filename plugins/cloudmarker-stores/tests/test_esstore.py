"""EsStore, against a strict recording server, and against a server that others wrote."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from typing import Any

import elasticsearch
import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker.testing.servers import Answer
from cloudmarker_stores.esstore import EsStore
from elasticserver import PRODUCT, ElasticServer


@pytest.fixture
def server():
    with ElasticServer() as started:
        yield started


def ids(written):
    return {record["com"]["record_id"] for record in written}


def ask(port: int, path: str, method: str = "GET", body: Any = None) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", method=method)
    request.add_header("Content-Type", "application/json")
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data=data, timeout=10) as answer:
        return json.load(answer)


def run_of(version: str, key: str = "audit") -> MemoryRun:
    run = MemoryRun()
    run.audit_key, run.audit_version = key, version
    return run


def of_run(count: int, version: str, key: str = "audit") -> list[Any]:
    made = records.stamped(*(records.mock(n) for n in range(count)))
    for number, record in enumerate(made):
        record["com"].update(audit_key=key, audit_version=version, record_id=f"{key}_{version}_{number}")
    return made


# The contract


def test_it_conforms(server):
    check_plugin(EsStore, {"host": "127.0.0.1", "port": server.port})


def test_the_module_imports_no_sdk():
    code = "import sys, cloudmarker_stores.esstore; sys.exit('elasticsearch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_documents_have_the_record_id_as_their_id(server, many, store_through):
    written = many(10)
    run = store_through(EsStore("127.0.0.1", server.port), written)
    assert server.documents == {record["com"]["record_id"]: record for record in written}
    assert set(server.indices.values()) == {"cloudmarker"}
    assert run.confirmed == set(range(10))


def test_no_request_is_larger_than_buffer_size_and_the_record_that_did_not_fit_is_in_the_next(
    server, many, store_through
):
    written = many(200)
    store_through(EsStore("127.0.0.1", server.port, buffer_size=10_000), written)
    assert set(server.documents) == ids(written)
    assert len(server.written) > 5
    assert all(len(request.body) <= 10_000 for request in server.written)


def test_a_batch_is_sent_as_the_bytes_that_its_producer_made(server, many, line):
    from cloudmarker.batches import RecordBatch

    lines = [line(record) for record in many(3)]
    store, run = EsStore("127.0.0.1", server.port), MemoryRun()
    store.begin(run)
    run.hand(3)
    store.write_batch(RecordBatch("audit_cloud", [("mock", 3)], b"\n".join(lines)))
    store.done()
    assert server.written[0].body.split(b"\n")[1::2] == lines
    assert run.confirmed == {0, 1, 2}


def test_it_works_without_a_run_and_without_record_ids(server):
    store = EsStore("127.0.0.1", server.port)
    for number in range(3):
        store.write({"raw": {"n": number}, "ext": {}, "com": {"record_type": "mock"}})
    store.done()
    assert len(server.documents) == 3


def test_done_without_records_talks_to_nobody():
    EsStore("127.0.0.1", 1).done()


# What it is told


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"hosts": []}, "hosts"),
        ({"hosts": ["node:9200"]}, "hosts"),
        ({"hosts": ["https://me:secret-word@node:9200"]}, "hosts"),
        ({"hosts": ["https://a:9200", "http://b:9200"]}, "hosts"),
        ({"host": "http://localhost"}, "hosts"),
        ({"api_key": "k", "username": "u", "password": "p"}, "api_key"),
        ({"username": "u"}, "password"),
        ({"index": "Upper"}, "index"),
        ({"index": "{audit_key}"}, "index"),
        ({"index": "x-{nonsense}"}, "index"),
        ({"alias": "latest"}, "alias"),
        ({"template": "wild"}, "template"),
        ({"buffer_size": 0}, "buffer_size"),
        ({"retention_days": -1}, "retention_days"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(params, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        EsStore(**params)
    assert "secret-word" not in str(caught.value)


def test_it_logs_in_with_a_user_or_a_key(server, many, store_through):
    store_through(EsStore("127.0.0.1", server.port, username="u", password="p"), many(1))
    assert {request.headers["authorization"] for request in server.requests} == {"Basic dTpw"}
    server.requests.clear()
    store_through(EsStore("127.0.0.1", server.port, api_key="abc"), many(1))
    assert {request.headers["authorization"] for request in server.requests} == {"ApiKey abc"}


def test_a_template_is_put_before_the_first_record(server, many, store_through):
    store_through(EsStore("127.0.0.1", server.port, index="cm-{audit_key}-{date}"), many(1))
    assert [request.method for request in server.requests][:2] == ["GET", "PUT"]
    assert server.requests.index(server.written[0]) == 2
    (template,) = server.templates.values()
    assert template["index_patterns"] == ["cm-*-*"]
    properties = template["template"]["mappings"]["properties"]
    assert properties["raw"]["type"] == properties["ext"]["type"] == "flattened"
    assert properties["raw"]["ignore_above"] == properties["ext"]["ignore_above"] == 1024
    assert properties["com"]["properties"]["record_type"]["type"] == "keyword"
    assert properties["com"]["properties"]["reference"]["ignore_above"] == 1024
    assert properties["com"]["properties"]["priority"]["type"] == "long"
    assert properties["com"]["properties"]["created"]["type"] == "date"


def test_the_template_can_leave_raw_out_of_the_index_or_to_others(server, many, store_through):
    store_through(EsStore("127.0.0.1", server.port, template="stored"), many(1))
    (template,) = server.templates.values()
    assert template["template"]["mappings"]["properties"]["raw"] == {"type": "object", "enabled": False}
    server.templates.clear()
    store_through(EsStore("127.0.0.1", server.port, template="none"), many(1))
    assert server.templates == {}


def test_an_index_can_be_of_one_run(server, many, store_through):
    for version in ("20260101_000000", "20260102_000000"):
        params = {"host": "127.0.0.1", "port": server.port, "index": "cm-{audit_key}-{audit_version}"}
        store_through(EsStore(**params), of_run(3, version), run_of(version))
    names = {
        f"audit_{version}_{number}": version
        for version in ("20260101_000000", "20260102_000000")
        for number in range(3)
    }
    assert server.indices == {name: f"cm-audit-{version}" for name, version in names.items()}
    assert {tuple(template["index_patterns"]) for template in server.templates.values()} == {("cm-*-*",)}


# What is checked before anything is written


def test_a_server_without_the_product_header_gets_no_record(server, many):
    server.answer = lambda request: Answer(200, {"version": {"number": "8.0.0"}})
    store = EsStore("127.0.0.1", server.port)
    store.begin(MemoryRun())
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="not Elasticsearch"):
        store.done()
    assert server.written == []


def test_a_key_that_may_only_write_is_enough(server, many, store_through):
    answer = server.answer
    refused = Answer(403, {"error": {"type": "security_exception", "reason": "no"}, "status": 403}, PRODUCT)
    server.answer = lambda request: refused if request.path == "/" else answer(request)
    store_through(EsStore("127.0.0.1", server.port, api_key="k", template="none"), many(2))
    assert len(server.documents) == 2


def test_a_client_too_new_for_the_server_is_said_to_be_so(many):
    with ElasticServer(compatible=("7",)) as server:
        store = EsStore("127.0.0.1", server.port)
        store.write(many(1)[0])
        with pytest.raises(PluginError, match="too new for this server"):
            store.done()


@pytest.mark.parametrize("server_version", ["8", "9"])
def test_the_client_speaks_to_the_servers_that_the_page_says_it_does(many, store_through, server_version):
    client = elasticsearch.__version__[0]
    if client == 9 and server_version == "8":
        pytest.skip("the client 9 speaks to servers 9 only")
    with ElasticServer(compatible=("8", "9") if server_version == "9" else ("8",)) as server:
        store_through(EsStore("127.0.0.1", server.port), many(3))
        assert len(server.documents) == 3
        assert {request.headers["accept"][-1] for request in server.requests} == {str(client)}


@pytest.mark.skipif(
    elasticsearch.__version__[0] != 9, reason="this is the client 8; test_esclient9.py runs these tests with the other"
)
def test_the_client_9_is_said_to_be_too_new_for_a_server_8(many):
    with ElasticServer(compatible=("8",)) as server:
        store = EsStore("127.0.0.1", server.port)
        store.write(many(1)[0])
        with pytest.raises(PluginError, match="too new for this server"):
            store.done()
        assert server.written == []


def test_wrong_credentials_end_it_with_one_line_and_no_secret(server, many):
    refused = {"error": {"type": "security_exception", "reason": "unable to authenticate"}, "status": 401}
    server.answer = lambda request: Answer(401, refused, PRODUCT)
    store = EsStore("127.0.0.1", server.port, username="me", password="hunter2")
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="401") as caught:
        store.done()
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.requests) == 1


# A server that others wrote


def test_a_real_server_takes_every_type_of_record_and_nothing_twice(noida, store_through):
    written = records.stamped(*records.every_type())
    for _ in range(2):
        run = store_through(EsStore("127.0.0.1", noida, index="every-type"), written)
        assert run.rejected == {}
        assert run.confirmed == set(range(len(written)))
    assert ask(noida, "every-type/_count")["count"] == len(written)


def test_records_of_differing_shapes_do_not_conflict(noida, store_through):
    shapes: list[Any] = [{"a": 1}, {"a": {"b": 1}}, {"a": "x" * 40_000}, {"a": [1, {"c": 2}]}]
    shapes += [{f"field{n}": {f"sub{n}": n}} for n in range(1500)]
    written = records.stamped(*(records.mock(n, raw=raw) for n, raw in enumerate(shapes)))
    run = store_through(EsStore("127.0.0.1", noida, index="shapes"), written)
    assert run.rejected == {}
    found = ask(noida, "shapes/_search", "POST", {"query": {"term": {"_id": written[2]["com"]["record_id"]}}})
    assert found["hits"]["hits"][0]["_source"]["raw"] == shapes[2]


def test_the_alias_leads_to_the_latest_complete_run_only(noida, store_through):
    params = {"host": "127.0.0.1", "port": noida, "index": "al-{audit_key}", "alias": "al-{audit_key}-latest"}
    versions = []

    def latest():
        hits = ask(noida, "al-audit-latest/_search?size=100")["hits"]["hits"]
        return sorted({hit["_source"]["com"]["audit_version"] for hit in hits}), len(hits)

    for version in ("20260101_000000", "20260102_000000"):
        store_through(EsStore(**params), of_run(3, version), run_of(version))
        versions.append(latest())
    incomplete = EsStore(**params)
    incomplete.begin(run := run_of("20260103_000000"))
    for record in of_run(2, "20260103_000000"):
        run.hand()
        incomplete.write(record)
    incomplete.abort(Incomplete({"audit_cloud": "it was cut off"}))
    versions.append(latest())
    late = run_of("20260101_120000")  # what was spooled then, replayed now
    late.replay = True
    store_through(EsStore(**params), of_run(2, "20260101_120000"), late)
    versions.append(latest())
    assert versions == [(["20260101_000000"], 3), *[(["20260102_000000"], 3)] * 3]


def test_a_complete_run_without_records_leaves_nothing_behind_the_alias(noida, store_through):
    params = {"host": "127.0.0.1", "port": noida, "index": "em-{audit_key}-{audit_version}", "alias": "em-{audit_key}"}
    store_through(EsStore(**params), of_run(3, "20260101_000000"), run_of("20260101_000000"))
    store_through(EsStore(**params), [], run_of("20260102_000000"))
    assert ask(noida, "em-audit/_count")["count"] == 0


def test_an_index_for_each_day_is_deleted_when_it_is_too_old(noida, store_through):
    params = {"host": "127.0.0.1", "port": noida, "index": "rd-{audit_key}-{date}", "retention_days": 10}
    for version in ("20260101_000000", "20260109_000000", "20260112_000000"):
        store_through(EsStore(**params), of_run(1, version), run_of(version))
    store_through(EsStore(**params), of_run(1, "20250101_000000", "other"), run_of("20250101_000000", "other"))
    there = set(ask(noida, "_alias"))
    assert {name for name in there if name.startswith("rd-")} == {
        "rd-audit-2026.01.09",
        "rd-audit-2026.01.12",
        "rd-other-2025.01.01",
    }


def test_records_that_are_too_old_are_deleted_from_an_index_for_all(noida, store_through):
    params = {"host": "127.0.0.1", "port": noida, "index": "rx", "retention_days": 10}
    for version in ("20260101_000000", "20260109_000000", "20260112_000000"):
        store_through(EsStore(**params), of_run(2, version), run_of(version))
    ask(noida, "rx/_refresh", "POST")
    hits = ask(noida, "rx/_search?size=100")["hits"]["hits"]
    assert sorted({hit["_source"]["com"]["audit_version"] for hit in hits}) == ["20260109_000000", "20260112_000000"]


# TLS


def test_a_certificate_is_verified_with_the_authority_that_is_named(certificates, many, store_through):
    with ElasticServer(tls=certificates.server) as server:
        params = {"host": "localhost", "port": server.port, "scheme": "https"}
        store_through(EsStore(**params, ca_cert=str(certificates.authority)), many(1))
        store_through(EsStore(**params, verify=False), many(1))
        assert len(server.documents) == 1
        store = EsStore(**params)
        store.write(many(2)[1])
        with pytest.raises(PluginError, match="certificate is not trusted"):
            store.done()


def test_a_cloud_id_leads_to_the_server_that_is_in_it_and_its_certificate_is_verified(
    certificates, many, store_through
):
    with ElasticServer(tls=certificates.server) as server:
        # the host is `<id of the deployment>.<domain>`
        inside = base64.b64encode(f"0.0.1:{server.port}$127$kibana".encode()).decode()
        params = {"cloud_id": f"deployment:{inside}", "api_key": "secret-word"}
        store = EsStore(**params, ca_cert=str(certificates.authority))
        store_through(store, many(2))
        assert len(server.documents) == 2
        assert {request.headers["authorization"] for request in server.requests} == {"ApiKey secret-word"}
        assert store.outputs() == ["cloudmarker"]
        store = EsStore(**params)
        store.write(many(3)[2])
        with pytest.raises(PluginError, match="certificate is not trusted"):
            store.done()


def test_a_cloud_id_that_is_none_is_said_to_be_so(many):
    store = EsStore(cloud_id="nonsense", api_key="secret-word")
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="Cloud ID") as caught:
        store.done()
    assert "secret-word" not in str(caught.value)


def test_tls_to_a_port_without_it_ends_it(server, many):
    store = EsStore("127.0.0.1", server.port, scheme="https")
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="TLS"):
        store.done()


def test_a_missing_ca_file_is_named(many):
    store = EsStore(scheme="https", ca_cert="/nowhere/ca.pem")
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=r"ca_cert: /nowhere/ca\.pem"):
        store.done()


# Answers; what core does about them is tested with core


def error(kind: str) -> dict[str, str]:
    return {"type": kind, "reason": "because"}


def test_each_item_gets_the_answer_that_is_its_own(server, many, store_through):
    written = many(6)
    name = [record["com"]["record_id"] for record in written]
    server.documents[name[0]] = written[0]  # delivered earlier
    answers = {name[1]: (429, error("es_rejected_execution_exception")), name[2]: (400, error("parsing_exception"))}
    answers[name[3]] = (503, error("unavailable_shards_exception"))
    server.refuse = lambda key: answers.pop(key, None)  # once each
    run = store_through(EsStore("127.0.0.1", server.port), written)
    assert run.rejected == {2: "parsing_exception: because"}
    assert run.confirmed == {0, 1, 3, 4, 5}
    assert [request.body.count(b"\n") // 2 for request in server.written] == [6, 2]
    assert set(server.documents) == set(name) - {name[2]}


@pytest.mark.parametrize("kind", ["security_exception", "index_closed_exception"])
def test_an_item_refused_for_the_index_ends_the_store_and_costs_no_record(server, many, kind):
    store, run = EsStore("127.0.0.1", server.port), MemoryRun()
    server.refuse = lambda key: (403 if kind.startswith("sec") else 400, error(kind))
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=kind):
        store.done()
    assert run.rejected == {}
    assert run.unanswered == {0}
