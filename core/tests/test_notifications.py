"""The mails about runs, where no mail server is needed; tests/test_mails_about_runs.py has the rest."""

from __future__ import annotations

import socket
import time

from cloudmarker.notifications import Notifier
from cloudmarker.results import AuditInfo

EMAIL = {"from_addr": "a@example.com", "to_addrs": ["b@example.com"], "subject": "Audit", "host": "127.0.0.1"}
AUDIT = AuditInfo("daily", "20260102_030405", {"cloud": ("mockcloud",), "store": (), "event": (), "alert": ()})


def notify(notifier):
    notifier.run_begins([AUDIT])
    notifier.audit_begins(AUDIT)
    return notifier


def test_without_the_section_nothing_is_sent_and_nothing_told():
    for email in (None, {}):
        notifier = notify(Notifier(email))
        assert (notifier.close(), notifier.queued) == ([], 0)


def test_a_server_that_is_away_is_told_once_and_costs_nothing_before_the_end(caplog):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    began = time.monotonic()
    notifier = notify(Notifier({**EMAIL, "port": port}))
    assert time.monotonic() - began < 0.5
    assert notifier.close() == [
        f"email: 2 of 2 mails could not be sent: 127.0.0.1:{port}: Connection refused",
    ]
    assert caplog.text.count("could not be sent") == 2


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_told(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        notifier = notify(Notifier({**EMAIL, "port": silent.getsockname()[1], "ssl_mode": "disable"}))
        began = time.monotonic()
        (problem,) = notifier.close(within_s=0.5)
        assert time.monotonic() - began < 2
    assert problem.startswith("email: 2 of 2 mails could not be sent: ")
    assert "did not answer in time" in caplog.text


def test_what_is_no_port_is_told():
    assert notify(Notifier({**EMAIL, "port": "${PORT"})).close() == [
        "email: 2 of 2 mails could not be sent: email.port: '${PORT' is no number"
    ]
