"""The tutorial, followed step by step: its files are written, its commands run, and what it says comes out."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from docs_examples import Example, Terminal, examples

PAGE = Path(__file__).parent.parent / "tutorial.md"


def sections() -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for example in examples(PAGE):
        found.setdefault(example.section, []).append(example)
    return found


def follow(section: str, folder: Path) -> Terminal:
    """Do what *section* tells the reader to, in a terminal of its own."""
    terminal = Terminal(folder)
    for example in sections()[section]:
        if example.name:
            terminal.write(example.name, example.text)
        elif example.language == "console" and not example.not_run:
            terminal.run_console(example)
    return terminal


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Follow a section once, however many tests look at what it left."""
    done: dict[str, Terminal] = {}

    def terminal(section: str) -> Terminal:
        if section not in done:
            done[section] = follow(section, tmp_path_factory.mktemp("tutorial"))
        return done[section]

    return terminal


def records(terminal: Terminal, name: str) -> list[dict]:
    return json.loads((terminal.output / f"{name}.json").read_text(encoding="utf-8"))


def record_types(found: list[dict]) -> list[str]:
    return [record["com"]["record_type"] for record in found]


@pytest.mark.parametrize("section", list(sections()))
def test_every_section_gives_what_it_shows(section, followed):
    followed(section)


def test_only_installing_and_waiting_for_the_schedule_are_not_run():
    assert [e.section for e in examples(PAGE) if e.not_run] == ["install", "framework/schedule"]


def test_the_base_audit_gives_10_records_and_4_events(followed):
    terminal = followed("install")
    inventory = records(terminal, "mockaudit_mockcloud")
    assert [record["raw"]["data"] for record in inventory] == list(range(10))
    assert [record["ext"]["record_type"] for record in inventory] == ["foo", "bar"] * 5
    assert record_types(inventory) == ["mock"] * 10
    events = records(terminal, "mockaudit_mockevent")
    assert record_types(events) == ["mock_event"] * 4


def test_every_record_says_which_run_of_which_plugin_made_it(followed):
    terminal = followed("install")
    found = records(terminal, "mockaudit_mockcloud") + records(terminal, "mockaudit_mockevent")
    assert {record["com"]["audit_key"] for record in found} == {"mockaudit"}
    assert len({record["com"]["audit_version"] for record in found}) == 1
    assert {(record["com"]["origin_worker"], record["com"]["origin_type"]) for record in found} == {
        ("mockaudit_mockcloud", "cloud"),
        ("mockaudit_mockevent", "event"),
    }
    assert len({record["com"]["record_id"] for record in found}) == 14


def test_the_base_audit_accounts_for_itself(followed):
    account = records(followed("install"), "mockaudit_audit")
    assert set(record_types(account)) == {"coverage", "audit"}
    assert record_types(account)[-1] == "audit"
    assert account[-1]["com"]["status"] == "complete"


def test_the_base_audit_writes_its_log(followed):
    terminal = followed("install")
    assert Path(f"{terminal.output}.log").stat().st_size > 0


def test_what_an_audit_writes_is_private(followed):
    terminal = followed("install")
    assert terminal.output.stat().st_mode & 0o077 == 0
    written = [*terminal.output.iterdir(), Path(f"{terminal.output}.log")]
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_the_first_example_gives_5_records_and_2_events(followed):
    terminal = followed("get-started")
    inventory = records(terminal, "mymockaudit_mymockcloud")
    assert [record["ext"]["record_type"] for record in inventory] == ["apple", "ball", "cat", "apple", "ball"]
    assert len(records(terminal, "mymockaudit_mockevent")) == 2


def test_of_two_files_the_later_one_says_what_is_run(followed):
    terminal = followed("what-a-configuration-says/several-files")
    assert len(records(terminal, "baraudit_mockcloud")) == 10


@pytest.mark.parametrize(
    ("section", "audit", "cloud", "cloud_type", "types"),
    [
        ("azcloud", "myazaudit", "myazcloud", "azure", {"scope", "firewall", "firewall_rule"}),
        ("gcpcloud", "mygcpaudit", "mygcpcloud", "gcp", {"scope", "firewall", "firewall_rule", "compute"}),
    ],
)
def test_a_cloud_gives_records_of_every_type_it_reads_and_firewall_events(
    section, audit, cloud, cloud_type, types, followed
):
    terminal = followed(f"cloud-plugins/{section}")
    inventory = records(terminal, f"{audit}_{cloud}")
    assert set(record_types(inventory)) >= types
    assert {record["com"]["cloud_type"] for record in inventory} == {cloud_type}
    events = records(terminal, f"{audit}_firewallruleevent")
    assert set(record_types(events)) == {"firewall_rule_event"}
    assert {event["com"]["cloud_type"] for event in events} == {cloud_type}


def test_20_records_of_three_types(followed):
    terminal = followed("cloud-plugins/mockcloud")
    inventory = records(terminal, "mockaudit_mockcloud")
    assert [record["ext"]["record_type"] for record in inventory] == (["foo", "bar", "baz"] * 7)[:20]


def test_firewall_rule_events_for_two_ports_only(followed):
    usual = records(followed("cloud-plugins/azcloud"), "myazaudit_firewallruleevent")
    fewer = records(followed("event-plugins/firewallruleevent"), "myazaudit_firewallruleevent")
    assert {port for event in fewer for port in event["com"]["exposed_ports"]} == {22, 3389}
    assert {port for event in usual for port in event["com"]["exposed_ports"]} > {22, 3389}
    assert len(fewer) < len(usual)


def test_events_for_multiples_of_5(followed):
    assert len(records(followed("event-plugins/mockevent"), "mockaudit_mockevent")) == 2


def test_files_in_the_home_directory(followed):
    terminal = followed("store-plugins/filestore")
    assert not terminal.output.exists()
    assert len(json.loads((terminal.home / "cloudmarker" / "mockaudit_mockcloud.json").read_text())) == 10


def test_one_slack_message_for_each_recipient_and_a_file_with_the_events(followed):
    inbox = followed("alert-plugins/slackalert").cwd / "inbox"
    messages = [json.loads(line) for line in (inbox / "messages.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [message["to"] for message in messages] == ["user1@example.com", "user2@example.com", "#security"]
    assert all(message["text"].startswith("Attention - Cloudmarker Alert: 4 findings") for message in messages)
    lines = (inbox / "mockaudit-findings.jsonl").read_text(encoding="utf-8").splitlines()
    assert record_types([json.loads(line) for line in lines]) == ["mock_event"] * 4


def mails(terminal: Terminal) -> list[EmailMessage]:
    return [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted((terminal.cwd / "mail").iterdir())
    ]


def test_the_mock_events_come_as_one_mail(followed):
    terminal = followed("alert-plugins/emailalert")
    (mail,) = mails(terminal)
    assert (mail["From"], mail["To"]) == (
        "Cloudmarker <cloudmarker@example.com>",
        "user1@example.com, user2@example.com",
    )
    attached = {part.get_filename(): part for part in mail.iter_attachments()}
    lines = attached["findings.jsonl"].get_payload(decode=True).splitlines()
    assert [json.loads(line) for line in lines] == records(terminal, "mockaudit_mockevent")
    assert "3 is a multiple of 3." in mail.get_body(("plain",)).get_content()
    assert "3 is a multiple of 3." in mail.get_body(("html",)).get_content()


def test_one_audit_makes_four_mails_about_itself(followed):
    found = mails(followed("framework/email"))
    assert len(found) == 2 + 2 * 1
    ended = found[2].get_body(("plain",)).get_content()
    for words in ("Audit mockaudit", "COMPLETE in ", "Records read: 10", "Findings: 4", "Coverage"):
        assert words in ended


def test_the_log_where_the_logger_says(followed):
    terminal = followed("framework/logger")
    assert (terminal.cwd / "log" / "cloudmarker.log").stat().st_size > 0
    assert not Path(f"{terminal.output}.log").exists()


def zone_in_which_it_is(second_of_day: int) -> str:
    """A value of TZ. POSIX counts zones west of Greenwich as positive."""
    west_s = (int(time.time()) - second_of_day) % 86400
    return f"TST{west_s // 3600}:{west_s // 60 % 60:02}:{west_s % 60:02}"


def test_without_n_the_audit_runs_at_the_configured_local_time(tmp_path):
    half_past_six = 6 * 3600 + 30 * 60
    for early_s in (3, 15):  # a busy machine may take so long to start that the time has passed
        terminal = follow("framework/schedule", tmp_path / str(early_s))
        files = [terminal.output / f"mockaudit_{name}.json" for name in ("mockcloud", "mockevent", "audit")]
        process = subprocess.Popen(
            ["cloudmarker"],
            cwd=terminal.cwd,
            env={**terminal.env, "TZ": zone_in_which_it_is(half_past_six - early_s)},
            stdout=subprocess.DEVNULL,
        )
        try:
            started = time.monotonic()
            while not all(f.exists() for f in files) and time.monotonic() < started + early_s + 15:
                assert process.poll() is None, "it did not stay"
                time.sleep(0.1)
            if all(f.exists() for f in files):
                assert time.monotonic() > started + early_s - 1, "it did not wait for the scheduled time"
                assert len(records(terminal, "mockaudit_mockcloud")) == 10
                assert process.poll() is None, "it did not stay for the next day"
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail("the audit did not run")
