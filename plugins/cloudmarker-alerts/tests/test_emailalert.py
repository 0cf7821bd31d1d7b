from __future__ import annotations

import csv
import gzip
import io
import json
import logging
import subprocess
import sys
import time

import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker_alerts.emailalert import EmailAlert
from cloudmarker_simulators import SMTPFault, SMTPSimulator

RECIPIENTS = ["user1@example.com", "User Two <user2@example.com>"]


@pytest.fixture
def server():
    with SMTPSimulator() as simulator:
        yield simulator


def params(simulator, **changes):
    return {
        "from_addr": "Cloudmarker <cloudmarker@example.com>",
        "to_addrs": RECIPIENTS,
        "subject": "Cloudmarker Alert",
        "timeout_s": 10,
        **simulator.settings,
        **changes,
    }


def event(number=0, **com):
    return records.event(**{"reference": f"resource-{number}", "fingerprint": f"{number:032}", **com})


def events(count, **com):
    return records.stamped(*(event(number, **com) for number in range(count)), origin_type="event")


def send(alert, given, run=None, reason=None, batches=True):
    run = run or MemoryRun()
    run.serve(alert, given, reason, in_batches=batches)
    return run


def parts(mail):
    """Text, HTML and the attachments by name."""
    message = mail.message
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    return text, html, {part.get_filename(): part.get_payload(decode=True) for part in message.iter_attachments()}


def test_it_is_what_the_contract_asks_for(server):
    check_plugin(EmailAlert, params(server))


@pytest.mark.parametrize("batches", [True, False])
def test_all_events_of_an_audit_come_as_one_mail(server, batches):
    given = [*events(30, severity="low"), *events(2, severity="critical")]
    alert = EmailAlert(**params(server))
    run = send(alert, given, batches=batches)
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("cloudmarker@example.com", ("user1@example.com", "user2@example.com"))
    assert mail.message["Subject"] == "Cloudmarker Alert: 2 critical, 30 low: audit"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert run.confirmed == set(range(32))
    assert list(alert.outputs()) == ["mail to user1@example.com and user2@example.com"]


def test_the_summary_comes_first_and_then_the_findings_by_severity_and_account(server):
    given = records.stamped(
        event(1, severity="low", account="a-1", description="Low one."),
        event(2, severity="high", account="a-2", description="High one.", status="new"),
        event(3, severity="high", account="a-1", description="High two.", first_seen="2026-01-01T00:00:00Z"),
        event(4, severity="high", account="a-1", description="Gone one.", status="fixed"),
    )
    send(EmailAlert(**params(server)), given)
    for text in parts(server.mails[0])[:2]:
        order = ["3 findings", "1 new", "1 fixed", "Severity", "Account", "Check"]
        order += ["High two.", "resource-3", given[2]["com"]["recommendation"], "2026-01-01T00:00:00Z", "High one."]
        order += ["Low one.", "Gone one.", "findings.jsonl: all 4 events"]
        places = [text.index(words) for words in order]
        assert places == sorted(places), sorted(order, key=text.index)


def test_every_event_is_attached_as_json_and_as_a_table(server):
    given = events(40, severity="medium")
    send(EmailAlert(**params(server)), given)
    files = parts(server.mails[0])[2]
    assert [json.loads(line) for line in files["findings.jsonl"].splitlines()] == given
    rows = list(csv.DictReader(io.StringIO(files["findings.csv"].decode("utf-8-sig"))))
    assert [row["reference"] for row in rows] == [record["com"]["reference"] for record in given]
    assert rows[0]["description"] == given[0]["com"]["description"]


def test_without_events_there_is_no_mail_unless_it_is_asked_for(server):
    send(EmailAlert(**params(server)), [])
    send(EmailAlert(**params(server)), [], reason=Incomplete({"audit_cloud": "2 denied"}))
    assert (server.mails, server.connections) == ([], 0)
    send(EmailAlert(**params(server, send_empty=True)), [])
    assert server.mails[0].message["Subject"] == "Cloudmarker Alert: no findings: audit"


def test_an_incomplete_audit_is_said_to_be_so_at_the_top(server):
    send(EmailAlert(**params(server)), events(1), reason=Incomplete({"audit_cloud": "2 denied, 1 failed"}))
    assert server.mails[0].message["Subject"].endswith("(incomplete)")
    for text in parts(server.mails[0])[:2]:
        assert text.index("This audit is incomplete") < text.index("audit_cloud: 2 denied, 1 failed")
        assert text.index("audit_cloud: 2 denied") < text.index("Severity")


def test_a_replay_is_said_to_be_late(server):
    run = MemoryRun()
    run.replay = True
    send(EmailAlert(**params(server)), events(1), run)
    assert "it could not be sent when the audit ended" in " ".join(parts(server.mails[0])[0].split())


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls", "disable"])
def test_it_is_sent_in_every_mode_with_a_login(ssl_mode):
    with SMTPSimulator(ssl_mode=ssl_mode, login=True) as server:
        send(EmailAlert(**params(server)), events(1))
        assert server.mails[0].user == "mailer"


@pytest.mark.parametrize("ssl_mode", ["ssl", "starttls"])
def test_a_certificate_that_is_not_trusted_ends_it_at_once(ssl_mode):
    with SMTPSimulator(ssl_mode=ssl_mode) as server:
        run = MemoryRun()
        with pytest.raises(PluginError, match="certificate cannot be trusted"):
            send(EmailAlert(**params(server, ca_cert="")), events(3), run)
        assert (server.mails, run.confirmed, run.taken, run.waits) == ([], set(), {0, 1, 2}, [])


def test_a_wrong_password_ends_it_at_once_and_is_not_told():
    with SMTPSimulator(login=True) as server:
        run = MemoryRun()
        with pytest.raises(PluginError, match="the login was refused: 535") as caught:
            send(EmailAlert(**params(server, password="wrong-word")), events(3), run)
        assert "wrong-word" not in str(caught.value)
        assert (run.confirmed, run.rejected, run.waits) == (set(), {}, [])


@pytest.mark.parametrize(
    "fault",
    [
        SMTPFault("CONNECT", reply="421 too many", times=2),
        SMTPFault("CONNECT", drop=True, times=2),
        SMTPFault("MAIL", reply="451 try later", times=2),
        SMTPFault("RCPT", reply="450 greylisted", times=4),
        SMTPFault("DATA", reply="452 disk full", times=2),
        SMTPFault("DATA", drop=True, times=2),
    ],
    ids=lambda fault: f"{fault.step} {fault.reply or 'drop'}",
)
def test_what_may_pass_is_tried_again(server, fault):
    server.faults = [fault]
    run = send(EmailAlert(**params(server)), events(3))
    assert len(server.mails) == 1
    assert server.mails[0].recipients == ("user1@example.com", "user2@example.com")
    assert run.confirmed == {0, 1, 2}
    assert len(run.waits) == 2


def test_a_mail_whose_answer_was_lost_is_the_same_when_it_comes_again(server):
    server.faults = [SMTPFault("DATA", drop=True, keep=True, times=1)]
    send(EmailAlert(**params(server)), events(3))
    first, second = server.mails
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert parts(first) == parts(second)


@pytest.mark.parametrize(
    "fault",
    [SMTPFault("MAIL", reply="550 spam"), SMTPFault("RCPT", reply="550 unknown"), SMTPFault("DATA", reply="554 no")],
)
def test_a_refusal_for_good_leaves_all_events_in_the_spool(server, fault):
    server.faults = [fault]
    run = MemoryRun()
    with pytest.raises(PluginError, match=fault.reply):
        send(EmailAlert(**params(server)), events(3), run)
    assert (run.taken, run.confirmed, run.rejected, run.waits) == ({0, 1, 2}, set(), {}, [])


def test_a_server_that_stays_away_leaves_all_events_in_the_spool():
    with SMTPSimulator() as server:
        alert = EmailAlert(**params(server))
    run = MemoryRun()
    with pytest.raises(PluginError, match="nothing could be delivered for"):
        send(alert, events(3), run)
    assert (run.confirmed, run.rejected) == (set(), {})
    assert 200 < sum(run.waits) < 400


def test_a_refused_recipient_is_reported_and_the_others_have_the_mail(server):
    server.faults = [SMTPFault("RCPT", "user2*", "550 no such user")]
    alert, run = EmailAlert(**params(server)), MemoryRun()
    with pytest.raises(PluginError, match=r"the recipient user2@example\.com was refused: 550 no such user"):
        send(alert, events(3), run)
    assert [mail.recipients for mail in server.mails] == [("user1@example.com",)]
    assert run.confirmed == {0, 1, 2}
    assert list(alert.outputs()) == ["mail to user1@example.com"]


def test_a_recipient_who_is_put_off_gets_it_later_and_the_others_not_twice(server):
    server.faults = [SMTPFault("RCPT", "user2*", "450 greylisted", times=2)]
    run = send(EmailAlert(**params(server)), events(3))
    assert [mail.recipients for mail in server.mails] == [("user1@example.com",), ("user2@example.com",)]
    assert run.confirmed == {0, 1, 2}


def test_a_recipient_who_is_put_off_for_too_long_is_reported(server):
    server.faults = [SMTPFault("RCPT", "user2*", "450 greylisted")]
    run = MemoryRun()
    with pytest.raises(PluginError, match=r"some recipients did not get the mail: .*user2@example\.com"):
        send(EmailAlert(**params(server, retry_deadline_s=3)), events(3), run)
    assert [mail.recipients for mail in server.mails] == [("user1@example.com",)]
    assert run.confirmed == {0, 1, 2}


def test_a_stop_bounds_the_time(server):
    server.faults = [SMTPFault("DATA", delay_s=30)]
    run = MemoryRun()
    run.deadline = 0.6
    began = time.monotonic()
    with pytest.raises(PluginError, match="when the audit was stopped"):
        send(EmailAlert(**params(server)), events(1), run)
    assert time.monotonic() - began < 5
    assert run.confirmed == set()


def test_what_is_too_large_for_the_server_comes_without_attachments(server):
    server.faults = [SMTPFault("DATA", reply="552 5.3.4 too large", times=1)]
    run = send(EmailAlert(**params(server)), events(3))
    (mail,) = server.mails
    assert list(mail.message.iter_attachments()) == []
    assert "Nothing is attached" in mail.message.get_body(("plain",)).get_content()
    assert run.confirmed == {0, 1, 2}


def large_events(count, size):
    import random

    noise = random.Random(1)
    for number in range(count):
        yield event(number, severity="info" if number % 2 else "high", data=noise.randbytes(size // 2).hex())


def test_the_size_that_the_server_announces_is_kept_and_what_was_cut_is_said():
    given = records.stamped(*large_events(2000, 2000))
    with SMTPSimulator(max_bytes=1_000_000) as server:
        send(EmailAlert(**params(server)), given)
        (mail,) = server.mails
    assert len(mail.content) <= 1_000_000
    text, html, files = parts(mail)
    lines = [json.loads(line) for line in gzip.decompress(files["findings.jsonl.gz"]).splitlines()]
    assert 100 < len(lines) < 1000
    assert {record["com"]["severity"] for record in lines} == {"high"}  # the worst come first
    said = f"findings.jsonl.gz: the worst {len(lines):,} of 2,000 events; {2000 - len(lines):,} are cut"
    assert said in " ".join(text.split())
    assert said in html
    rows = list(csv.DictReader(io.StringIO(files["findings.csv"].decode("utf-8-sig"))))
    assert len(rows) == 2000


MANY = """
import json, resource, sys
from cloudmarker.testing import MemoryRun, records
from cloudmarker_alerts.emailalert import EmailAlert
alert, run = EmailAlert(**json.loads(sys.argv[1])), MemoryRun()
alert.begin(run)
given = (
    records.event(reference=f"resource-{n}", severity=("high", "low")[n % 2], account=f"account-{n % 50}",
                  fingerprint=f"{n:032}", noise="x" * 500)
    for n in range(int(sys.argv[2]))
)
for event in given:
    run.hand()
    alert.write(event)
alert.done()
assert len(run.confirmed) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_fifty_thousand_events_are_one_mail_of_a_usual_size_in_bounded_memory(server):
    def peak(count):
        command = [sys.executable, "-c", MANY, json.dumps(params(server, timeout_s=60)), str(count)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    few, many = peak(2_000), peak(50_000)
    mail = server.mails[1]
    assert len(server.mails) == 2
    assert len(mail.content) < 10_000_000
    text, _, files = parts(mail)
    assert "findings.jsonl.gz: all 50,000 events" in text
    assert gzip.decompress(files["findings.jsonl.gz"]).count(b"\n") == 50_000
    assert gzip.decompress(files["findings.csv.gz"]).count(b"\n") == 50_001
    assert many - few < 60_000_000


def test_parameters_that_cannot_be_used_are_all_named():
    with pytest.raises(ConfigError) as caught:
        EmailAlert("a@example.com", [""], "x", ssl_mode="tls", timeout_s=0, max_message_bytes=10, retry_deadline_s=0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "ssl_mode",
        "to_addrs",
        "timeout_s",
        "retry_deadline_s",
        "max_message_bytes",
    ]


@pytest.mark.parametrize("changes", [{"to_addrs": []}, {"subject": "x\nBcc: a@b"}, {"port": "many"}, {"from_addr": ""}])
def test_a_parameter_that_makes_no_message_is_refused_before_an_audit(changes):
    arguments = {"from_addr": "a@example.com", "to_addrs": ["b@example.com"], "subject": "x", **changes}
    with pytest.raises(ConfigError):
        EmailAlert(**arguments)


def test_the_password_is_in_no_log(server, caplog):
    with SMTPSimulator(login=True) as server, caplog.at_level(logging.DEBUG):
        alert = EmailAlert(**params(server))
        send(alert, events(1))
        assert server.settings["password"] not in caplog.text + repr(vars(alert))


def test_content_is_ignored(server):
    send(EmailAlert(**params(server, content="not this")), events(1))
    assert "not this" not in server.mails[0].content.decode()
