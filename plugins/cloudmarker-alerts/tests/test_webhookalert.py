"""WebhookAlert: posts to a server on this machine; signatures are checked as a receiver would."""

import base64
import hashlib
import hmac
import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker.testing.servers import Answer, Fault, LoopbackServer
from cloudmarker_alerts._about import About
from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._webhookbodies import card
from cloudmarker_alerts.webhookalert import WebhookAlert
from cloudmarker_simulators._keys import loopback_tls
from hypothesis import given, settings
from hypothesis import strategies as st

PATH = "/hooks/a-secret-path?sig=a-secret-signature"


class Receiver(LoopbackServer):
    """Takes posts."""

    @property
    def url(self):
        return super().url + PATH

    @property
    def bodies(self):
        return [request.json() for request in self.requests]

    def refuse(self, what):
        """Refuse what has these bytes in it."""
        self.answer = lambda request: Answer(400, "refused") if what in request.body else Answer()


@pytest.fixture
def receiver():
    with Receiver() as started:
        yield started


def events(count=3, **com):
    return records.stamped(
        *(records.event(reference=f"//example/{n}", fingerprint=f"{n:032}", **com) for n in range(count))
    )


def send(alert, written, run=None, incomplete=None):
    run = run or MemoryRun()
    run.serve(alert, written, Incomplete({"audit_event": incomplete}) if incomplete else None)
    return run


@pytest.mark.parametrize(
    "more",
    [{}, {"format": "teams"}, {"format": "pagerduty", "routing_key": "k" * 32}],
    ids=["json", "teams", "pagerduty"],
)
def test_it_conforms(receiver, more):
    check_plugin(WebhookAlert, {"webhook_url": receiver.url, **more})


def test_the_module_imports_no_http_client():
    source = "import sys, cloudmarker_alerts.webhookalert; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


# Batches


def test_events_are_posted_in_batches_as_they_are(receiver):
    written = events(5)
    alert = WebhookAlert(receiver.url, batch_records=2, headers={"X-Team": "security"})
    run = send(alert, written)
    assert run.confirmed == set(range(5))
    assert [event for body in receiver.bodies for event in body["events"]] == written
    assert [body["count"] for body in receiver.bodies] == [2, 2, 1]
    first = receiver.bodies[0]
    assert (first["type"], first["audit_key"], first["audit_version"]) == (
        "cloudmarker.events",
        "audit",
        "20260102_030405",
    )
    request = receiver.requests[0]
    assert (request.method, request.target) == ("POST", PATH)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-team"] == "security"
    assert "webhook-signature" not in request.headers
    assert list(alert.outputs()) == ["http://127.0.0.1"]


def test_no_event_no_request(receiver):
    send(WebhookAlert(receiver.url), [])
    send(WebhookAlert(receiver.url, "teams"), [])
    assert receiver.requests == []


@pytest.mark.parametrize("secret", ["a secret of many words", "whsec_" + base64.b64encode(b"k" * 32).decode()])
def test_a_request_is_signed_as_standard_webhooks_are(receiver, secret):
    send(WebhookAlert(receiver.url, signing_secret=secret), events())
    headers, body = receiver.requests[0].headers, receiver.requests[0].body
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_what_is_sent_again_has_the_same_id(receiver):
    receiver.faults = [Fault(Answer(503)), Fault(reset=True)]
    send(WebhookAlert(receiver.url), events())
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    send(WebhookAlert(receiver.url), events(2))
    assert receiver.requests[-1].headers["webhook-id"] not in ids


PAGE = Path(__file__).parents[3] / "docs" / "alerts.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the manual is in the repository only")
def test_the_manual_says_how_a_receiver_verifies_a_request(receiver):
    (code,) = re.findall(r"^```python\n(.*?def is_genuine.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    names = {}
    exec(code, names)
    is_genuine, secret = names["is_genuine"], "a secret of many words"
    send(WebhookAlert(receiver.url, signing_secret=secret), events())
    headers, body = receiver.requests[0].headers, receiver.requests[0].body
    assert is_genuine(headers, body, secret)
    assert not is_genuine(headers, body + b" ", secret)
    assert not is_genuine(headers, body, "another secret of words")
    assert not is_genuine({**headers, "webhook-timestamp": str(int(time.time()) - 301)}, body, secret)
    send(WebhookAlert(receiver.url, signing_secret="whsec_" + base64.b64encode(b"k" * 32).decode()), events())
    last = receiver.requests[1]
    assert is_genuine(last.headers, last.body, "whsec_" + base64.b64encode(b"k" * 32).decode())


# What goes wrong


PASSING = [Fault(Answer(429, "", {"Retry-After": "7"})), *(Fault(Answer(status)) for status in (500, 503, 408))]


@pytest.mark.parametrize("fault", [*PASSING, Fault(reset=True)])
def test_what_passes_is_tried_again(receiver, fault):
    receiver.faults = [fault, fault]
    run = send(WebhookAlert(receiver.url), events())
    assert run.confirmed == set(range(3))
    assert len(run.waits) == 2
    if fault.answer and fault.answer.headers:
        assert min(run.waits) >= 7


def test_what_is_too_large_is_sent_in_halves(receiver):
    receiver.faults = [Fault(Answer(413))]
    run = send(WebhookAlert(receiver.url), events(4))
    assert run.confirmed == set(range(4))
    assert [body["count"] for body in receiver.bodies] == [4, 2, 2]


def test_an_event_that_is_refused_is_a_dead_letter_and_its_neighbours_are_delivered(receiver):
    receiver.refuse(b"//example/2")
    run = send(WebhookAlert(receiver.url), events(5))
    assert run.confirmed == {0, 1, 3, 4}
    assert run.rejected == {2: "webhook: HTTP 400: refused"}


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_webhook_that_takes_nothing_leaves_all_in_the_spool(receiver, status):
    receiver.always = Fault(Answer(status, "no"))
    run = MemoryRun()
    with pytest.raises(PluginError, match=f"webhook: HTTP {status}: no"):
        send(WebhookAlert(receiver.url), events(), run)
    assert run.unanswered == set(range(3))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("location", "shown"), [("https://elsewhere.example/x", "elsewhere.example"), ("/y", "same host")]
)
def test_redirections_are_not_followed(receiver, location, shown):
    receiver.faults = [Fault(Answer(307, "", {"Location": location}))]
    with pytest.raises(PluginError, match=shown):
        send(WebhookAlert(receiver.url, headers={"Authorization": "Bearer abcdefgh"}), events())
    assert len(receiver.requests) == 1


def test_a_server_that_is_gone_leaves_all_in_the_spool(receiver):
    run = MemoryRun()
    with pytest.raises(PluginError, match="Connection refused"):
        send(WebhookAlert("http://127.0.0.1:9/x"), events(), run)
    assert run.unanswered == set(range(3))
    assert len(run.waits) > 3


def test_certificates_are_verified(tmp_path):
    tls, authority = loopback_tls(tmp_path)
    with Receiver(tls=tls) as receiver:
        with pytest.raises(PluginError, match="its certificate is not trusted; ca_cert names"):
            send(WebhookAlert(receiver.url), events())
        assert receiver.requests == []
        send(WebhookAlert(receiver.url, ca_cert=str(authority)), events())
        assert len(receiver.requests) == 1


def test_secrets_are_in_no_message_and_no_log(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    secret, header = "a secret of many words", "Bearer abcdefgh"
    echo = f"bad: {PATH} {header} {secret} /hooks/a-secret-path sig=a-secret-signature"
    receiver.faults = [Fault(Answer(503, echo)), Fault(reset=True), Fault(Answer(403, echo))]
    with pytest.raises(PluginError) as caught:
        send(WebhookAlert(receiver.url, signing_secret=secret, headers={"Authorization": header}), events())
    with pytest.raises(PluginError) as gone:
        send(WebhookAlert(f"http://127.0.0.1:9{PATH}", headers={"Authorization": header}), events())
    for text in (caplog.text, str(caught.value), str(gone.value)):
        for word in ("a-secret-path", "a-secret-signature", "abcdefgh", secret):
            assert word not in text
    assert "bad: ********" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"webhook_url": "http://example.com/x"}, "webhook_url: it must be https"),
        ({"webhook_url": "example.com"}, "webhook_url: it is not an address"),
        ({"webhook_url": "https://user:password@example.com"}, "webhook_url: it must not have a user"),
        ({"format": "xml"}, "format"),
        ({"signing_secret": "short"}, "signing_secret"),
        ({"signing_secret": "whsec_not-base64-not-base64"}, "signing_secret"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers: X-A"),
        ({"headers": {"X A": "a"}}, "headers: 'X A'"),
        ({"headers": {"Host": "a"}}, "headers: 'Host'"),
        ({"format": "pagerduty"}, "routing_key"),
        ({"routing_key": "k"}, "routing_key"),
        ({"batch_records": 0}, "batch_records"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"retry_deadline_s": 0}, "retry_deadline_s"),
        ({"findings": -1}, "findings"),
        ({"report_url": "x"}, "report_url"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(wrong, name):
    with pytest.raises(ConfigError) as caught:
        WebhookAlert(**{"webhook_url": "https://example.com/x", **wrong})
    assert str(caught.value).startswith(name)
    assert "password" not in str(caught.value).replace("a password", "")


def test_of_a_long_answer_only_the_beginning_is_read(receiver):
    receiver.faults = [Fault(Answer(403, b"no " * 10_000_000))]
    with pytest.raises(PluginError) as caught:
        send(WebhookAlert(receiver.url), events())
    assert len(str(caught.value)) < 300
    receiver.faults = [Fault(Answer(200, b"yes" * 10_000_000))]
    assert send(WebhookAlert(receiver.url, batch_records=1), events()).confirmed == set(range(3))


# PagerDuty


def pagerduty(receiver):
    return WebhookAlert(receiver.url, "pagerduty", routing_key="k" * 32)


def test_a_finding_opens_an_alert_known_by_its_fingerprint_and_a_fixed_one_resolves_it(receiver):
    written = events(2, severity="critical", account="project-one")
    written[1]["com"]["status"] = "fixed"
    assert send(pagerduty(receiver), written).confirmed == {0, 1}
    opened, resolved = receiver.bodies
    assert opened == {
        "routing_key": "k" * 32,
        "dedup_key": written[0]["com"]["fingerprint"],
        "event_action": "trigger",
        "client": "Cloudmarker",
        "payload": {
            "summary": "Something is wrong.",
            "source": "//example/0",
            "severity": "critical",
            "group": "project-one",
            "class": "example_check",
            "custom_details": opened["payload"]["custom_details"],
        },
    }
    assert opened["payload"]["custom_details"]["recommendation"] == "Put it right."
    assert resolved == {
        "routing_key": "k" * 32,
        "dedup_key": written[1]["com"]["fingerprint"],
        "event_action": "resolve",
    }


def test_severities_are_those_of_pagerduty(receiver):
    given = ["critical", "high", "medium", "low", "info", "odd"]
    written = events(6)
    for record, severity in zip(written, given, strict=True):
        record["com"]["severity"] = severity
    send(pagerduty(receiver), written)
    found = [body["payload"]["severity"] for body in receiver.bodies]
    assert found == ["critical", "error", "warning", "info", "info", "warning"]


def test_an_event_with_nothing_in_it_has_what_pagerduty_asks_for(receiver):
    send(
        pagerduty(receiver), [{"com": {"record_type": "x", "record_id": "r1", "description": "d" * 5000}}, {"com": {}}]
    )
    first, second = receiver.bodies
    assert first["dedup_key"] == "r1"
    assert len(first["payload"]["summary"]) == 1024
    for body in (first, second):
        assert body["payload"]["summary"]
        assert body["payload"]["source"]
        assert body["payload"]["severity"] == "warning"


def test_no_event_for_pagerduty_is_larger_than_it_takes(receiver):
    names = ("account", "check_id", "reference", "description", "recommendation", "first_seen", "fingerprint")
    send(pagerduty(receiver), [{"com": {"record_type": "x", **dict.fromkeys(names, "\0" * 200_000)}}])
    assert len(receiver.bodies) == 1
    assert len(json.dumps(receiver.bodies[0])) < 512_000


def test_a_wrong_routing_key_ends_it_and_leaves_all_in_the_spool(receiver):
    answer = {"status": "invalid event", "errors": ["Length of 'routing_key' is incorrect (should be 32 characters)"]}
    receiver.always = Fault(Answer(400, answer))
    run = MemoryRun()
    with pytest.raises(PluginError, match="routing_key"):
        send(pagerduty(receiver), events(), run)
    assert run.unanswered == {0}
    assert len(receiver.requests) == 1


def test_an_event_that_pagerduty_refuses_is_a_dead_letter(receiver):
    receiver.refuse(b"//example/1")
    run = send(pagerduty(receiver), events())
    assert run.confirmed == {0, 2}
    assert list(run.rejected) == [1]


# Teams


def test_all_events_are_one_teams_message(receiver):
    written = events(30, account="project-one", status="new")
    run = send(
        WebhookAlert(receiver.url, "teams", title="Attention", report_url="https://example.com/{audit}"), written
    )
    assert run.confirmed == set(range(30))
    (message,) = receiver.bodies
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    content = attachment["content"]
    assert (content["type"], content["version"]) == ("AdaptiveCard", "1.4")
    assert content["actions"][0]["url"] == "https://example.com/audit"
    text = json.dumps(content, ensure_ascii=False)
    for expected in (
        "Attention",
        "30 findings (30 high)",
        "30 new",
        "project-one: 30",
        "//example/0",
        "20 more findings",
    ):
        assert expected in text


def test_a_teams_message_of_an_incomplete_audit_says_so(receiver):
    send(WebhookAlert(receiver.url, "teams"), events(), incomplete="2 denied")
    assert "The audit is incomplete" in receiver.requests[0].body.decode()
    assert "2 denied" in receiver.requests[0].body.decode()


def test_a_teams_message_of_a_replay_says_that_it_is_late(receiver):
    run = MemoryRun()
    run.replay = True
    send(WebhookAlert(receiver.url, "teams"), events(), run)
    assert "This comes late" in receiver.requests[0].body.decode()


def test_a_teams_message_that_cannot_be_sent_stays_in_the_spool(receiver):
    receiver.faults = [Fault(Answer(400))]
    run = MemoryRun()
    with pytest.raises(PluginError, match="HTTP 400"):
        send(WebhookAlert(receiver.url, "teams"), events(), run)
    assert run.unanswered == set(range(3))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {name: st.text(max_size=2000) for name in ("description", "recommendation", "reference", "account")}
        ),
        max_size=40,
    )
)
def test_any_events_give_a_card_that_teams_takes_and_that_shows_texts_as_they_are(found):
    with Digest() as digest:
        for com in found:
            digest.add(b"{}", com)
        body = card(
            About(title="t" * 500, incomplete="x" * 5000, report_url="https://e.com/" + "x" * 500, findings=20), digest
        )
    assert len(body) <= 28 * 1024

    def kinds(element):
        if isinstance(element, dict):
            yield element.get("type")
            for value in element.values():
                yield from kinds(value)
        elif isinstance(element, list):
            for value in element:
                yield from kinds(value)

    assert "TextBlock" not in set(kinds(json.loads(body)))  # it would look for Markdown
