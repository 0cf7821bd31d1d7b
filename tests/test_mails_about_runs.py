"""The section `email` of a configuration, with the real command and a real mail server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cloudmarker_simulators import SMTPFault, SMTPSimulator

CONFIG = """
plugins:
  filestore:
    params: {path: out}
  failing:
    plugin: cloudmarker.stores.filestore.FileStore
    params: {path: /dev/null/nowhere}
audits:
  one: {clouds: [mockcloud], events: [mockevent], stores: [filestore], alerts: [filestore]}
  two: {clouds: [mockcloud], stores: [filestore]}
  three: {clouds: [mockcloud], stores: [filestore]}
run: [one, two, three]
"""


@pytest.fixture
def command(tmp_path):
    def run(email, config=CONFIG):
        (tmp_path / "audit.yaml").write_text(f"{config}\nemail: {json.dumps(email)}\n")
        (tmp_path / "audit.yaml").chmod(0o600)
        program = [sys.executable, "-m", "cloudmarker", "-n", "-c", "audit.yaml"]
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            program, check=False, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environment
        )

    return run


def section(server, **changes):
    return {
        "from_addr": "Cloudmarker <cloudmarker@example.com>",
        "to_addrs": ["user1@example.com", "user2@example.com"],
        "subject": "Cloudmarker Alert",
        **server.settings,
        "port": int(server.settings["port"]),
        **changes,
    }


def texts(server):
    """The text of each mail by its subject, in the order they came."""
    return {str(mail.message["Subject"]): mail.message.get_body(("plain",)).get_content() for mail in server.mails}


@pytest.mark.parametrize("ssl_mode", ["starttls", "disable"])
def test_three_audits_make_eight_mails(command, ssl_mode):
    with SMTPSimulator(ssl_mode=ssl_mode, login=True) as server:
        done = command(section(server))
        assert (done.returncode, done.stderr) == (0, "")
    assert {mail.recipients for mail in server.mails} == {("user1@example.com", "user2@example.com")}
    assert {mail.user for mail in server.mails} == {"mailer"}
    mails = texts(server)
    subjects = [subject.removeprefix("Cloudmarker Alert: ") for subject in mails]
    assert len(server.mails) == 8
    assert subjects[0] == "audits begin: one, two, three"
    assert sorted(subjects[1:7]) == sorted(
        f"audit {name} {what}" for name in ("one", "two", "three") for what in ("begins", "ended: complete")
    )
    for name in ("one", "two", "three"):
        assert subjects.index(f"audit {name} begins") < subjects.index(f"audit {name} ended: complete")
    assert subjects[7] == "audits ended: 0 failed, 0 incomplete, 3 complete"


def test_the_mails_at_the_end_have_status_duration_counts_and_coverage(command):
    with SMTPSimulator() as server:
        command(section(server))
    mails = texts(server)
    ended = mails["Cloudmarker Alert: audit one ended: complete"]
    for words in ("COMPLETE in ", "Records read: 10", "Findings: 4", "Coverage", "delivered"):
        assert words in ended
    run = mails["Cloudmarker Alert: audits ended: 0 failed, 0 incomplete, 3 complete"]
    for words in ("Audit one: complete in ", "Audit two:", "Audit three:", "Records read: 10", "4 info", "Coverage:"):
        assert words in run
    begins = mails["Cloudmarker Alert: audit one begins"]
    assert "Clouds:  mockcloud" in begins
    assert "Alerts:  filestore" in begins


def test_the_mail_at_the_end_says_how_many_findings_are_suppressed(command):
    suppression = {"check": "mock_event", "reference": "*", "reason": "a test", "owner": "me", "expires": "never"}
    with SMTPSimulator() as server:
        command(section(server), f"{CONFIG}\nsuppressions: {json.dumps([suppression])}\n")
    run = texts(server)["Cloudmarker Alert: audits ended: 0 failed, 0 incomplete, 3 complete"]
    assert "Findings:     0; 4 suppressed\n" in run


def test_a_failed_audit_is_mailed_as_one(command):
    with SMTPSimulator() as server:
        done = command(section(server), CONFIG.replace("two: {clouds: [mockcloud], stores: [filestore]}",
                                                       "two: {clouds: [mockcloud], stores: [failing]}"))  # fmt: skip
        assert done.returncode == 1
    mails = texts(server)
    assert len(mails) == 8
    assert "two_failing" in mails["Cloudmarker Alert: audit two ended: failed"]
    assert "Cloudmarker Alert: audits ended: 1 failed, 0 incomplete, 2 complete" in mails


def test_a_mail_server_that_fails_is_reported_and_changes_no_audit(command):
    with SMTPSimulator(faults=[SMTPFault("MAIL", reply="554 5.7.1 not you")]) as server:
        done = command(section(server))
    assert done.returncode == 0
    assert done.stdout.count("COMPLETE") == 3
    host = f"localhost:{server.settings['port']}"
    assert f"warning: email: 8 of 8 mails could not be sent: {host}: it answered: 554 5.7.1 not you" in done.stderr


def test_a_mail_that_may_be_taken_later_is_sent_again(command):
    with SMTPSimulator(faults=[SMTPFault("DATA", reply="451 later", times=1)]) as server:
        done = command(section(server))
    assert (len(server.mails), done.returncode, "warning" in done.stderr) == (8, 0, False)


def test_a_refused_recipient_is_told(command):
    with SMTPSimulator(faults=[SMTPFault("RCPT", "user2*", "550 unknown")]) as server:
        done = command(section(server))
    assert len(server.mails) == 8
    assert done.returncode == 0
    assert "the recipient user2@example.com was refused: 550 unknown" in done.stderr


def test_the_password_is_nowhere_but_in_the_configuration(command, tmp_path):
    with SMTPSimulator(login=True, faults=[SMTPFault("AUTH", reply="535 no")]) as server:
        done = command(section(server))
        assert server.settings["password"] not in done.stdout + done.stderr
        assert "the login was refused: 535 no" in done.stderr
