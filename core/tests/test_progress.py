"""What running audits show of themselves, on a terminal and elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from typing import Any

import pytest
from cloudmarker import progress
from cloudmarker.progress import watching
from cloudmarker.report import Snapshot
from cloudmarker.supervisor import AuditRun

EVIL = "\x1b[2J\r\n\u202e\ud800[/red]"
CONFIG = {
    "plugins": {},
    "audits": {"a": {"clouds": ["mycloud"], "stores": ["filestore"], "events": ["rules"], "alerts": ["filestore"]}},
}


@pytest.fixture
def audit() -> AuditRun:
    """An audit under way, as its workers have reported it."""
    made = AuditRun("a", "20260102_030405", CONFIG)
    latest = {
        "cloud": Snapshot("mycloud", "cloud", records_out=12345, reading="firewall_rule projects/p"),
        "event": Snapshot("rules", "event", records_in=12000, records_out=7),
        "store": Snapshot("filestore", "store", records_in=11000, accepted=10999),
        "alert": Snapshot("filestore", "alert", records_in=5, accepted=5),
    }
    for (kind, _), plugin in made.plugins.items():
        plugin.latest = latest[kind]
    return made


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time between two lines be none."""
    monkeypatch.setattr(progress, "_LINE_S", 0)


def ticked(audits: list[AuditRun], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    with watching() as watch:
        watch(audits)()
    return capsys.readouterr()


def test_without_a_terminal_there_is_a_line_an_audit_on_standard_error(audit, at_once, capsys):
    assert ticked([audit, audit], capsys) == (
        "",
        "a: read 12,345 records, 7 events, 10,999 taken by stores; last read: firewall_rule projects/p\n" * 2,
    )


def test_a_line_says_when_nothing_has_been_read(at_once, capsys):
    audit = AuditRun("a", "20260102_030405", CONFIG)
    assert ticked([audit], capsys)[1] == "a: read 0 records, 0 events, 0 taken by stores; last read: nothing yet\n"


def test_there_is_no_line_before_its_time(audit, capsys):
    assert ticked([audit], capsys) == ("", "")


def test_an_audit_that_has_ended_has_no_line(audit, at_once, capsys):
    audit.finish()
    assert ticked([audit], capsys) == ("", "")


def test_a_line_shows_what_a_cloud_answered_as_visible_text(audit, at_once, capsys):
    audit.plugins["cloud", "mycloud"].latest.reading = EVIL
    assert ticked([audit], capsys)[1].endswith("last read: \\x1b[2J\\r\\n\\u202e\\ud800[/red]\n")


# On a terminal


class Terminal:
    """A terminal of 80 columns: what a person sees, without the limit of a screen's height."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self.tables = 0

    def feed(self, text: str) -> None:
        for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|[^\x1b]|\x1b", text):
            self._escape(part) if part.startswith("\x1b") else self._character(part)

    def _escape(self, sequence: str) -> None:
        known = re.fullmatch(r"\x1b\[(\d*)([AK])|\x1b\[[\d;]*m|\x1b\[\?25[hl]", sequence)
        assert known, f"the terminal was sent {sequence!r}"
        if known[2] == "A":
            self.row = max(0, self.row - int(known[1] or 1))
        elif known[2] == "K":
            assert known[1] == "2"
            self.tables += "last read" in self.line(self.row)
            self.rows[self.row] = []

    def _character(self, char: str) -> None:
        if char == "\r":
            self.column = 0
            return
        if char == "\n" or self.column == 80:
            self.row += 1
            self.column = 0
            while len(self.rows) <= self.row:
                self.rows.append([])
            if char == "\n":
                return
        assert char.isprintable(), f"the terminal was sent {char!r}"
        row = self.rows[self.row]
        row.extend(" " * (self.column + 1 - len(row)))
        row[self.column] = char
        self.column += 1

    def line(self, number: int) -> str:
        return "".join(self.rows[number]).rstrip()

    @property
    def text(self) -> str:
        return "\n".join(map(self.line, range(len(self.rows))))


def on_terminal(command: Any, *args: str) -> tuple[int, Terminal]:
    """Run the command on a terminal; return its exit code and what is on the terminal at the end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = command.start(
        *args,
        env={"TERM": "xterm", "NO_COLOR": "", "COLUMNS": "80"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        text=False,
    )
    os.close(slave)
    found = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # every writer has closed its end
            break
        if not part:
            break
        found += part
    os.close(master)
    terminal = Terminal()
    terminal.feed(found.decode())
    return process.wait(timeout=60), terminal


def test_on_a_terminal_a_table_is_kept_up_and_cleared_and_logs_stay_readable(command):
    command.configure({"cloud": {"plugin": "faulty_plugins.Cloud", "params": {"count": 10, "delay_s": 0.08}}})
    code, terminal = on_terminal(command, "run")
    assert code == 0
    assert terminal.tables > 1
    assert "last read" not in terminal.text
    logged = [line for line in command.log.read_text().splitlines() if "INFO" in line]
    assert len(logged) > 5
    flat = re.sub(r"\s+", "", terminal.text)
    for line in logged:
        assert re.sub(r"\s+", "", line) in flat
    assert re.search(r"^Audit a, version \S+: COMPLETE in", terminal.text, re.MULTILINE)
    assert re.search(r"^  mock +10$", terminal.text, re.MULTILINE)


def test_what_a_cloud_answers_can_not_act_on_the_terminal_or_break_the_table(command):
    command.configure(
        {
            "cloud": {"plugin": "hostile_plugins.HostileCloud", "params": {"fail": True, "delay_s": 0.3}},
            "evil": {"plugin": "hostile_plugins.HostileEvent"},
        },
        audits={"a": {"events": ["evil"]}},
    )
    code, terminal = on_terminal(command, "run")  # the terminal refuses whatever could act on it
    assert code == 1
    assert terminal.tables > 1
    assert "Traceback" in terminal.text  # the plugin's own, logged
    assert terminal.text.count("\\x1b[2J") > 5
    assert re.search(r"^Audit a, version \S+: FAILED in", terminal.text, re.MULTILINE)
    assert "killed" not in terminal.text
