"""ConsoleAlert: what it shows, alone and in the summary of a real audit on a terminal."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
import tracemalloc
from fcntl import ioctl
from pathlib import Path

import pytest
from cloudmarker.batches import RecordBatch
from cloudmarker.errors import ConfigError
from cloudmarker.records import encode
from cloudmarker.testing import check_plugin, records
from cloudmarker_alerts.consolealert import ConsoleAlert
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

CONFIG = """\
audits:
  shown:
    clouds: [mockcloud]
    stores: []
    events: [mockevent]
    alerts: [consolealert]
run: [shown]
"""


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def display(*found, **params):
    alert = ConsoleAlert(**params)
    for com in found:
        alert.write({"com": com})
    alert.done()
    return alert.display()


def a_finding(number=0, severity="high", **more):
    return {"severity": severity, "description": f"Fault {number}.", "reference": f"//example/{number}", **more}


def test_it_conforms():
    check_plugin(ConsoleAlert)


def test_findings_are_a_table_with_the_worst_first():
    shown = display(a_finding(1, "low"), a_finding(2, "critical"), a_finding(3, "high"))
    assert shown.splitlines() == [
        "severity  finding",
        "critical  Fault 2.",
        "          //example/2",
        "high      Fault 3.",
        "          //example/3",
        "low       Fault 1.",
        "          //example/1",
    ]


def test_what_is_new_is_said_where_it_is_known():
    shown = display(a_finding(1, status="open"), a_finding(2, status="new"), a_finding(3, status="fixed"))
    assert shown.splitlines()[:2] == ["severity  status    finding", "high      new       Fault 2."]
    assert "Fault 3" not in shown


def test_at_most_so_many_rows_are_shown_and_the_rest_is_counted():
    shown = display(*(a_finding(number) for number in range(1234)), rows=2).splitlines()
    assert len(shown) == 1 + 2 * 2 + 1
    assert shown[-1] == "and 1,232 more, none of them worse"


def test_no_finding_no_table():
    assert display() == ""
    assert display(a_finding(status="fixed")) == ""


def test_long_descriptions_are_wrapped_and_of_long_references_the_end_is_shown():
    reference = "/subscriptions/" + "x" * 90 + "/networkSecurityGroups/web"
    lines = display(a_finding(description="word " * 40, reference=reference)).splitlines()
    assert max(map(cell_len, lines)) == 80
    assert lines[-1].lstrip().startswith("…")
    assert lines[-1].endswith("/networkSecurityGroups/web")


def test_no_finding_takes_the_room_of_the_others():
    shown = display(a_finding(1, description="word " * 10_000), a_finding(2))
    assert len(shown.splitlines()) < 12
    assert "…" in shown


def test_it_is_as_wide_as_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert max(map(len, display(a_finding(description="word " * 40)).splitlines())) > 100
    monkeypatch.setenv("COLUMNS", "20")
    assert max(map(len, display(a_finding(description="word " * 40)).splitlines())) <= 60


def test_a_batch_is_taken_as_it_is():
    alert = ConsoleAlert()
    lines = [encode(record) for record in records.stamped(records.event(), records.event(severity="low"))]
    alert.write_batch(RecordBatch("audit_event", [("example_event", 2)], b"\n".join(lines)))
    assert alert.display().count("Something is wrong.") == 2


def test_rows_have_bounds():
    for rows in (0, 501):
        with pytest.raises(ConfigError, match="rows"):
            ConsoleAlert(rows=rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["description", "reference", "status", "severity"]), st.text())))
def test_no_text_does_anything_to_a_terminal_or_leaves_the_table(found):
    shown = display(*found)
    assert all(line.isprintable() and cell_len(line) <= 80 for line in shown.split("\n"))


def test_50_000_findings_take_no_more_memory_than_a_few():
    alert = ConsoleAlert()
    com = a_finding(text="x" * 1000)
    alert.write({"com": com})
    tracemalloc.start()
    for number in range(50_000):
        alert.write({"com": {**com, "reference": f"//example/{number}"}})
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()
    assert "49,981 more" in alert.display()


def on_a_terminal(command, folder, columns):
    """Run *command* with a terminal of so many columns, and return what it shows there."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    env |= {"HOME": str(folder), "XDG_STATE_HOME": f"{folder}/state", "TERM": "xterm"}
    with subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # how the end of a terminal is told
            pass
        os.close(ours)
    assert process.returncode == 0, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def config(folder):
    path = folder / "config.yaml"
    log = f"logger:\n  handlers:\n    file:\n      filename: {folder}/log\n"
    path.write_text(CONFIG + log)
    path.chmod(0o600)
    return [str(Path(sys.executable).parent / "cloudmarker"), "-n", "-c", str(path)]


def test_on_a_terminal_the_table_is_in_the_summary_in_colour_and_progress_does_not_garble_it(tmp_path):
    shown = on_a_terminal(config(tmp_path), tmp_path, 80)
    summary = shown[shown.rindex("Audit shown, version") :]
    assert "\x1b[" in summary
    plain = re.sub(r"\x1b\[[0-9;]*m", "", summary)
    assert plain.replace("…", "").isascii()
    table = plain[plain.index("severity  ") : plain.index("\n\nCoverage")].splitlines()
    assert len(table) == 1 + 2 * 4
    assert all(len(line) <= 80 for line in table)
    assert table[1].startswith(("low", "info", "medium", "high", "critical"))
    assert "    - " not in plain[: plain.index("severity  ")]  # the findings are listed once


def test_elsewhere_it_is_plain_text(tmp_path):
    done = subprocess.run(
        config(tmp_path),
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": f"{tmp_path}/state"},
        check=True,
        capture_output=True,
    )
    shown = done.stdout.decode()
    assert "\x1b" not in shown
    assert "severity  status    finding\ninfo      new       0 is a multiple of 3.\n" in shown
