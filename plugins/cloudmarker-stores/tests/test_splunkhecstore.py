"""SplunkHECStore, against a collector made of the documented protocol."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker.testing.servers import Fault
from cloudmarker_stores.splunkhecstore import SplunkHECStore
from hecserver import HECServer, code, page


@pytest.fixture
def server():
    with HECServer() as started:
        yield started


def params(server: HECServer, **more: Any) -> dict[str, Any]:
    uri = f"http://127.0.0.1:{server.port}/services/collector"
    return {"uri": uri, "token": "token123", "index": "main", "ca_cert": False, **more}


def ids(written: list[Any]) -> list[str]:
    return [record["com"]["record_id"] for record in written]


# The contract


def test_it_conforms(server):
    check_plugin(SplunkHECStore, params(server))


def test_the_module_imports_no_sdk():
    source = "import sys, cloudmarker_stores.splunkhecstore; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_an_event_is_the_record_with_com_first_and_its_metadata(server, many, store_through):
    written = many(2)
    run = store_through(SplunkHECStore(**params(server)), written)
    assert run.confirmed == {0, 1}
    event = server.events[1]
    assert event["event"] == written[1]
    assert next(iter(event["event"])) == "com"
    assert event["index"] == "main"
    assert event["sourcetype"] == "cloudmarker"
    assert event["source"] == written[1]["com"]["origin_worker"]
    assert event["fields"] == {"event_id": written[1]["com"]["record_id"]}
    assert event["host"]
    assert 1_500_000_000 < event["time"] < 5_000_000_000


def test_a_buffer_is_sent_when_full_and_the_record_that_filled_it_is_kept(server, many, store_through):
    written = many(7)
    store_through(SplunkHECStore(**params(server, buffer_size=3)), written)
    bodies = [request.body.splitlines() for request in server.written]
    first, *others = ([json.loads(line)["fields"]["event_id"] for line in body] for body in bodies)
    assert first == ids(written)[:3]
    assert sorted(others) == [ids(written)[3:6], ids(written)[6:]]  # these two may be under way at a time
    assert sorted(server.ids()) == ids(written)


def test_bodies_are_compressed_and_have_a_mebibyte_at_most(server, many, store_through):
    written = many(400, text="x" * 10_000)
    store_through(SplunkHECStore(**params(server)), written)
    assert sorted(server.ids()) == sorted(ids(written))
    assert len(server.written) >= 4
    assert all(len(request.body) <= 1024 * 1024 for request in server.written)
    assert all(request.headers["content-encoding"] == "gzip" for request in server.written)
    assert all(request.raw_length < len(request.body) / 10 for request in server.written)


def test_every_type_of_record_is_sent_as_it_is(server, store_through):
    written = records.stamped(*records.every_type())
    run = store_through(SplunkHECStore(**params(server)), written)
    assert run.rejected == {}
    assert [event["event"] for event in server.events] == written


STAMPS = {
    "audit_key": "audit",
    "audit_version": "20260102_030405",
    "origin_key": "cloud",
    "origin_class": "Cloud",
    "origin_worker": "audit_cloud",
    "origin_type": "cloud",
}
NAMED = {"record_type": "mock", **STAMPS, "record_id": "a_1"}


@pytest.mark.parametrize(
    "record",
    [
        {"raw": {"text": ',"com":{'}, "ext": {}, "com": NAMED},
        {"raw": {"a": 1, "com": {"b": 2}}, "ext": {}, "com": NAMED},
        {"raw": 1, "ext": {}, "com": {"a": 1, "com": {"b": 2}, **NAMED}},
        {"raw": 1, "ext": {}, "com": {"a": 1, "com": NAMED, **NAMED}},
        {"com": NAMED, "raw": 1, "ext": {"a": 1, "com": {}, **STAMPS, "record_id": "another"}},
        {"com": NAMED, "ext": {}, "raw": {"a": 1, "com": {"b": 2}}},
        {"raw": 1, "com": NAMED, "ext": {"a": 1, **STAMPS, "record_id": "another"}},
        {"raw": 1, "ext": {}, "com": {**NAMED, "record_id": 'a"\\_1'}},
        {"raw": 1, "ext": {}, "com": {**NAMED, "name": "last"}},
        {"raw": 1, "ext": {}, "com": {**STAMPS, "name": "between", "record_id": "a_1"}},
        {"raw": 1, "ext": {}, "com": {"a": 1, **NAMED, "more": {**STAMPS, "record_id": "another"}}},
        {"raw": 1, "ext": {}, "com": {"record_type": "mock", **STAMPS, "origin_worker": "other", "record_id": "a_1"}},
        {"com": NAMED},
    ],
)
def test_a_record_of_any_form_is_sent_as_it_is(server, store_through, record):
    usual = {"raw": 1, "ext": {}, "com": NAMED}
    store_through(SplunkHECStore(**params(server)), [usual, record, usual])
    assert [event["event"] for event in server.events] == [usual, record, usual]
    event = server.events[1]
    assert event["fields"] == {"event_id": record["com"]["record_id"]}
    assert (event["time"], event["source"]) == (1767323045, record["com"]["origin_worker"])


def test_a_cookie_of_a_load_balancer_is_sent_back(server, many, store_through):
    take = server.answer

    def answer(request: Any) -> Any:
        given = take(request)
        given.headers["Set-Cookie"] = "node=3"
        return given

    server.answer = answer
    store_through(SplunkHECStore(**params(server, buffer_size=1)), many(3))
    assert [request.headers.get("cookie") for request in server.written] == [None, "node=3", "node=3"]


def test_it_works_without_a_run_and_without_stamps(server):
    store = SplunkHECStore(**params(server))
    store.write({"raw": 1, "ext": {}, "com": {"record_type": "mock"}})
    store.write({"raw": 1})
    store.done()
    assert [event["event"] for event in server.events] == [
        {"com": {"record_type": "mock"}, "raw": 1, "ext": {}},
        {"raw": 1},
    ]


def test_done_without_records_talks_to_nobody():
    SplunkHECStore("http://127.0.0.1:1/services/collector", "t", "main", False).done()


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"uri": "splunk:8088"}, "uri"),
        ({"uri": "https://me:secret-word@splunk:8088/services/collector"}, "uri"),
        ({"token": "secret-word\n"}, "token"),
        ({"index": ""}, "index"),
        ({"buffer_size": 0}, "buffer_size"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(wrong, problem):
    good = {"uri": "https://splunk:8088/services/collector", "token": "t", "index": "main", "ca_cert": False}
    with pytest.raises(ConfigError, match=problem) as caught:
        SplunkHECStore(**{**good, **wrong})
    assert "secret-word" not in str(caught.value)


# TLS


def test_a_path_verifies_and_false_warns(certificates, many, store_through, caplog):
    with HECServer(tls=certificates.server) as server:
        uri = f"https://localhost:{server.port}/services/collector"
        store_through(SplunkHECStore(**params(server, uri=uri, ca_cert=str(certificates.authority))), many(1))
        assert not caplog.records
        with caplog.at_level(logging.WARNING):
            store_through(SplunkHECStore(**params(server, uri=uri, ca_cert=False)), many(1))
        assert "not verified" in caplog.text
        assert len(server.events) == 2
        store = SplunkHECStore(**params(server, uri=uri, ca_cert=True))
        store.write(many(1)[0])
        with pytest.raises(PluginError, match="certificate is not trusted"):
            store.done()
        assert len(server.events) == 2


def test_the_environment_does_not_switch_verification_or_the_token(
    certificates, many, store_through, monkeypatch, tmp_path
):
    with HECServer(tls=certificates.server) as server:
        (tmp_path / ".netrc").write_text("machine localhost login me password other\n")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        uri = f"https://localhost:{server.port}/services/collector"
        store_through(SplunkHECStore(**params(server, uri=uri, ca_cert=str(certificates.authority))), many(1))
        assert len(server.events) == 1


def test_tls_to_a_port_without_it_ends_it(server, many):
    store = SplunkHECStore(**params(server, uri=f"https://127.0.0.1:{server.port}/services/collector"))
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="TLS"):
        store.done()


# Answers


@pytest.mark.parametrize("number", [8, 9, 18, 19, 20, 23, 26, 27])
def test_what_may_pass_is_waited_for(server, many, store_through, number):
    server.faults = [Fault(answer=code(number, retry_after=7))]
    run = store_through(SplunkHECStore(**params(server)), many(3))
    assert run.waits == [7.0]
    assert run.confirmed == {0, 1, 2}
    assert len(server.events) == 3


@pytest.mark.parametrize("number", [24, 25])
def test_a_queue_that_is_nearly_full_has_taken_the_events_and_is_given_time(server, many, store_through, number):
    server.faults = [Fault(answer=code(number), store=True)]
    run = store_through(SplunkHECStore(**params(server, buffer_size=2)), many(4))
    assert run.waits == [1.0]
    assert len(server.events) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"token": "wrong-token"}, "code 4: Invalid token"), ({"index": "other"}, "the index is not one")],
)
def test_what_is_wrong_for_all_ends_it_and_costs_no_record(server, many, wrong, message):
    store, run = SplunkHECStore(**params(server, **wrong)), MemoryRun()
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=message) as caught:
        store.done()
    assert "wrong-token" not in str(caught.value)
    assert run.rejected == {}
    assert run.unanswered == {0}
    assert len(server.requests) == 1


@pytest.mark.parametrize("number", [1, 2, 3, 10, 11, 14, 16, 21, 22])
def test_a_token_that_is_refused_ends_it(server, many, number):
    server.always = Fault(answer=code(number))
    store = SplunkHECStore(**params(server))
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=f"code {number}"):
        store.done()
    assert len(server.requests) == 1


@pytest.mark.parametrize("number", [5, 6, 12, 13, 15])
def test_a_bad_event_is_found_and_rejected_alone(server, many, store_through, number):
    written = many(20)
    bad = ids(written)[13].encode()
    take = server.answer
    server.answer = lambda request: code(number) if bad in request.body else take(request)
    run = store_through(SplunkHECStore(**params(server)), written)
    assert list(run.rejected) == [13]
    assert sorted(server.ids()) == sorted(name for name in ids(written) if name != bad.decode())


def test_a_body_that_is_too_large_is_halved_and_later_ones_are_smaller(server, many, store_through):
    server.max_body = 20_000
    import random

    written = many(300)
    for record in written:
        record["raw"]["noise"] = random.randbytes(500).hex()
    run = store_through(SplunkHECStore(**params(server)), written)
    assert run.confirmed == set(range(300))
    assert sorted(server.ids()) == sorted(ids(written))


def test_a_record_that_is_too_large_alone_is_rejected_alone(server, many, store_through):
    import random

    server.max_body = 20_000
    written = many(5)
    written[3]["raw"]["noise"] = random.randbytes(50_000).hex()
    run = store_through(SplunkHECStore(**params(server)), written)
    assert list(run.rejected) == [3]
    assert len(server.events) == 4


def test_without_compression_if_that_is_refused(server, many, store_through):
    server.takes_gzip = False
    store_through(SplunkHECStore(**params(server, buffer_size=2)), many(6))
    assert len(server.events) == 6
    assert ["content-encoding" in request.headers for request in server.written] == [True, False, False, False]


def test_a_page_where_json_should_be_is_no_success(server, many):
    server.always = Fault(answer=page(200))
    store, run = SplunkHECStore(**params(server)), MemoryRun()
    store.begin(run)
    run.hand()
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="no event collector"):
        store.done()
    assert run.confirmed == set()


def test_a_redirection_is_not_followed(server, many):
    answer = page(302)
    answer.headers["Location"] = "http://127.0.0.1:1/elsewhere"
    server.always = Fault(answer=answer)
    store = SplunkHECStore(**params(server))
    store.write(many(1)[0])
    with pytest.raises(PluginError, match="302"):
        store.done()


# Acknowledgement


def test_records_are_delivered_when_they_are_acknowledged(server, many, store_through):
    server.use_ack, server.polls = True, 2
    run = store_through(SplunkHECStore(**params(server, ack=True)), many(3))
    assert run.confirmed == {0, 1, 2}
    assert len(server.events) == 3
    assert len(run.waits) == 2
    assert len([request for request in server.requests if "/ack?" in request.target]) == 3


def test_what_is_not_acknowledged_in_time_is_sent_again(server, many):
    server.use_ack, server.polls = True, None
    store = SplunkHECStore(**params(server, ack=True, ack_timeout_s=0.05))
    store.begin(run := MemoryRun())
    original = run.wait

    def wait(seconds: float) -> None:
        original(seconds)
        server.polls = 0

    run.wait = wait
    run.hand()
    store.write(many(1)[0])
    store.done()
    assert run.confirmed == {0}
    assert len(server.events) == 2
    assert len(set(server.ids())) == 1


@pytest.mark.parametrize(("use_ack", "hint"), [(True, "set ack: true"), (False, "no ackId")])
def test_a_token_that_is_set_otherwise_is_said_to_be_so(server, many, use_ack, hint):
    server.use_ack = use_ack
    store = SplunkHECStore(**params(server, ack=not use_ack))
    store.write(many(1)[0])
    with pytest.raises(PluginError, match=hint):
        store.done()
