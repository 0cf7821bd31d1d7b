"""EmailAlert with the real command and a real mail server: a run, a run without the server, and the replay."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cloudmarker_simulators import SMTPFault, SMTPSimulator


@pytest.fixture
def command(tmp_path):
    def run(server, *arguments, **changes):
        params = {
            "from_addr": "Cloudmarker <cloudmarker@example.com>",
            "to_addrs": ["user1@example.com", "user2@example.com"],
            "subject": "Cloudmarker Alert",
            "retry_deadline_s": 2,
            **server.settings,
            "port": int(server.settings["port"]),
            **changes,
        }
        config = {
            "plugins": {
                "files": {"plugin": "filestore", "params": {"path": "out"}},
                "mail": {"plugin": "cloudmarker.alerts.emailalert.EmailAlert", "params": params},
            },
            "audits": {"daily": {"clouds": ["mockcloud"], "events": ["mockevent"], "alerts": ["files", "mail"]}},
            "run": ["daily"],
            "state": {"path": "state"},
            "logger": {"handlers": {"file": {"filename": "log"}}},
        }
        (tmp_path / "audit.yaml").write_text(json.dumps(config))
        (tmp_path / "audit.yaml").chmod(0o600)
        program = [sys.executable, "-m", "cloudmarker", "-c", "audit.yaml", *arguments]
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            program, check=False, capture_output=True, text=True, timeout=100, cwd=tmp_path, env=environment
        )

    return run


def test_what_cannot_be_mailed_is_spooled_and_a_replay_mails_it(command, tmp_path):
    faults = [SMTPFault("CONNECT", reply="421 down")]
    with SMTPSimulator(faults=faults) as server:
        done = command(server, "-n")
        assert done.returncode == 1
        assert "421 down" in done.stdout
        assert "cloudmarker replay --store mail" in done.stdout
        assert (server.mails, len(json.loads((tmp_path / "out" / "daily_mockevent.json").read_text()))) == ([], 4)
        server.faults.clear()
        done = command(server, "replay")
        assert done.returncode == 0, done.stdout + done.stderr
        (mail,) = server.mails
        attached = {part.get_filename(): part for part in mail.message.iter_attachments()}
        assert len(attached["findings.jsonl"].get_payload(decode=True).splitlines()) == 4
        text = " ".join(mail.message.get_body(("plain",)).get_content().split())
        assert "it could not be sent when the audit ended" in text
        assert command(server, "replay").returncode == 0
        assert len(server.mails) == 1


def test_a_refused_recipient_is_in_the_summary_and_nothing_is_spooled(command, tmp_path):
    with SMTPSimulator(faults=[SMTPFault("RCPT", "user2*", "550 no such user")]) as server:
        done = command(server, "-n")
    assert done.returncode == 1
    assert "the recipient user2@example.com was refused: 550 no such user" in " ".join(done.stdout.split())
    assert [mail.recipients for mail in server.mails] == [("user1@example.com",)]
    assert list((tmp_path / "state").rglob("*.jsonl")) == []
