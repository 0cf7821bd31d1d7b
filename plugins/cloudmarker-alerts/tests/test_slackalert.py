"""SlackAlert: the SDK's own requests, to a stand-in that refuses what Slack refuses."""

import gzip
import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cloudmarker.contracts import Incomplete
from cloudmarker.errors import ConfigError, PluginError
from cloudmarker.testing import MemoryRun, check_plugin, records
from cloudmarker_alerts._about import About
from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._slackmessage import blocks, escape, fallback
from cloudmarker_alerts.slackalert import SlackAlert
from cloudmarker_simulators import Fault, SlackSimulator
from hypothesis import given, settings
from hypothesis import strategies as st

SEVERITIES = ["critical", "high", "high", "medium", "low", "info"]


@pytest.fixture
def slack():
    with SlackSimulator() as simulator:
        yield simulator


def params(slack, **more):
    access = {name: slack.settings[name] for name in ("base_url", "bot_user_token")}
    return {**access, "to": ["user1@example.com"], "text": "Attention", **more}


def events(count=6, **com):
    return records.stamped(
        *(
            records.event(
                reference=f"//example/{number}", severity=SEVERITIES[number % 6], description=f"Fault {number}.", **com
            )
            for number in range(count)
        )
    )


def send(alert, written, run=None, incomplete=None):
    run = run or MemoryRun()
    run.serve(alert, written, Incomplete({"audit_event": incomplete}) if incomplete else None)
    return run


def texts(message):
    found = []
    for block in message.blocks:
        found += [block["text"]] if "text" in block else []
        found += [*block.get("fields", ()), *block.get("elements", ())]
    return [text["text"] for text in found]


def shown(message):
    return "\n".join(texts(message))


def test_it_conforms(slack):
    check_plugin(SlackAlert, params(slack))


def test_the_module_imports_no_sdk():
    source = "import sys, cloudmarker_alerts.slackalert; sys.exit('slack_sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_the_documented_parameters_can_be_given_by_position_and_no_file_is_written(slack, tmp_path):
    given = slack.settings["bot_user_token"], ["user1@example.com"], "Attention", str(tmp_path / "report.json")
    send(SlackAlert(*given, base_url=slack.settings["base_url"]), events())
    assert len(slack.messages) == 1
    assert list(tmp_path.iterdir()) == []


# What is sent


def test_an_audit_is_one_message_with_one_file_for_each_recipient(slack):
    written = events()
    alert = SlackAlert(**params(slack, to=["user1@example.com", "user2@example.com", "#security"]))
    run = send(alert, written)
    assert run.confirmed == run.taken == set(range(6))
    assert len({message.channel for message in slack.messages}) == len(slack.messages) == 3
    for message, file in zip(slack.messages, slack.files, strict=True):
        assert (file.channels, file.thread_ts) == ([message.channel], message.ts)
        assert file.name == "audit-findings.jsonl"
        assert [json.loads(line)["com"] for line in file.content.splitlines()] == [record["com"] for record in written]
    assert list(alert.outputs()) == ["Slack: user1@example.com, user2@example.com, #security"]


def test_the_message_sums_up_and_names_the_worst(slack):
    statuses = ["new", "new", "open", "open", "reopened", "fixed"]
    written = events(account="project-one")
    for record, status in zip(written, statuses, strict=True):
        record["com"]["status"] = status
    send(SlackAlert(**params(slack, findings=2, report_url="https://example.com/{audit}/{version}?a=1&b=2")), written)
    (message,) = slack.messages
    assert message.text == "Attention: 5 findings (1 critical, 2 high, 1 medium, 1 low), 1 fixed."
    text = shown(message)
    assert "*5 findings (1 critical, 2 high, 1 medium, 1 low), 1 fixed* in audit audit, version 20260102_030405" in text
    assert "2 new, 2 open, 1 reopened, 1 fixed" in text
    assert ":red_circle: *Critical* · new · example · project-one\nFault 0.\n`//example/0`\nPut it right." in text
    assert "Fault 2." not in text
    assert "And 3 more findings." in text
    assert "<https://example.com/audit/20260102_030405?a=1&amp;b=2|Report>" in text
    assert "1 fixed" in text


def test_an_incomplete_audit_is_said_to_be_so(slack):
    send(SlackAlert(**params(slack)), events(), incomplete="coverage has holes: 2 denied")
    (message,) = slack.messages
    assert message.text.endswith("The audit is incomplete.")
    assert ":warning: *The audit is incomplete*" in shown(message)
    assert "coverage has holes: 2 denied" in shown(message)


def test_no_event_no_message_unless_asked_for(slack):
    send(SlackAlert(**params(slack)), [])
    assert slack.requests == []
    send(SlackAlert(**params(slack, send_empty=True)), [])
    assert slack.messages[0].text == "Attention: 0 findings."
    assert slack.files == []


def test_users_and_channels_are_known_by_id_too(slack):
    user, channel = slack.user_ids["user2@example.com"], slack.channel_ids["random"]
    send(SlackAlert(**params(slack, to=[user, channel, "general"])), events())
    ids = [message.channel for message in slack.messages]
    assert ids[0].startswith("D")
    assert ids[1:] == [channel, slack.channel_ids["general"]]


def test_one_recipient_can_be_given_alone(slack):
    send(SlackAlert(**params(slack, to="#general")), events())
    assert slack.messages[0].channel == slack.channel_ids["general"]


def test_a_title_that_is_markup_is_the_users_own(slack):
    send(SlackAlert(**params(slack, text="<!here> Attention")), events())
    assert slack.messages[0].blocks[0]["text"] == {"type": "mrkdwn", "text": "<!here> Attention"}


def test_events_with_nothing_in_them_are_sent_too(slack):
    written = [{"raw": {}, "ext": {}, "com": {"record_type": "bare"}}]
    send(SlackAlert(**params(slack)), written)
    assert "1 finding (1 unrated)" in slack.messages[0].text


def test_a_file_of_many_events_is_compressed_and_bounded(slack):
    written = events(3000, text="x" * 500)
    send(SlackAlert(**params(slack)), written)
    (file,) = slack.files
    assert file.name == "audit-findings.jsonl.gz"
    assert len(gzip.decompress(file.content).splitlines()) == 3000
    send(SlackAlert(**params(slack, max_file_bytes=100_000)), events(3000, text=[n * 7919 for n in range(500)]))
    assert slack.files[1].length <= 100_000
    assert re.search(r"The worst [0-9,]+ of 3,000 events; the others do not fit", shown(slack.messages[1]))


def test_50_000_events_are_one_message_and_one_file_in_bounded_memory(slack):
    code = f"""if True:
        import resource
        from cloudmarker.batches import RecordBatch
        from cloudmarker.records import encode
        from cloudmarker.testing import MemoryRun, records
        from cloudmarker_alerts.slackalert import SlackAlert
        alert = SlackAlert(**{params(slack)!r})
        run = MemoryRun()
        alert.begin(run)
        line = encode(records.stamped(records.event(text="x" * 1000, account="a" * 30))[0])
        batch = RecordBatch("audit_event", [("example_event", 500)], b"\\n".join([line] * 500))
        def megabytes():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for _ in range(2):
            run.hand(500)
            alert.write_batch(batch)
        import cloudmarker_alerts._slack
        before = megabytes()
        for _ in range(98):
            run.hand(500)
            alert.write_batch(batch)
        alert.done()
        assert len(run.confirmed) == 50_000
        assert megabytes() < before + 30, (before, megabytes())
    """
    subprocess.run([sys.executable, "-c", code], check=True)
    (message,), (file,) = slack.messages, slack.files
    assert "50,000 findings" in message.text
    assert len(gzip.decompress(file.content).splitlines()) == 50_000
    assert file.length < 20_000_000


# What goes wrong


def test_an_unknown_user_is_named_and_the_others_are_served(slack):
    alert = SlackAlert(**params(slack, to=["nobody@example.com", "#nowhere", "user1@example.com"]))
    run = MemoryRun()
    with pytest.raises(PluginError) as caught:
        send(alert, events(), run)
    assert "nobody@example.com: users.lookupByEmail: users_not_found" in str(caught.value)
    assert "#nowhere: chat.postMessage: channel_not_found" in str(caught.value)
    assert len(slack.messages) == len(slack.files) == 1
    assert run.confirmed == set(range(6))
    assert list(alert.outputs()) == ["Slack: user1@example.com"]


def test_if_nobody_is_known_the_events_stay_in_the_spool(slack):
    run = MemoryRun()
    with pytest.raises(PluginError, match="nobody could be reached"):
        send(SlackAlert(**params(slack, to=["nobody@example.com"])), events(), run)
    assert run.unanswered == set(range(6))


def test_a_missing_scope_is_named():
    with SlackSimulator(missing_scopes={"files.getUploadURLExternal": "files:write"}) as slack:
        run = MemoryRun()
        with pytest.raises(
            PluginError, match=r"user1@example\.com: files_upload_v2: the bot lacks the scope files:write"
        ):
            send(SlackAlert(**params(slack)), events(), run)
        assert run.unanswered == set(range(6))


@pytest.mark.parametrize("path", ["users.lookupByEmail", "chat.postMessage", "files.getUpload", "/upload/", "complete"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "headers": {"Retry-After": "9"}},
        {"status": 500},
        {"status": 503, "content": "html"},
        {"reset": True},
        {"truncate_bytes": 5},
    ],
    ids=["throttled", "error", "html", "reset", "cut"],
)
def test_what_passes_is_tried_again_and_nothing_is_sent_twice(slack, path, fault):
    slack.faults.append(Fault(path, times=2, **fault))
    run = send(SlackAlert(**params(slack)), events())
    assert run.confirmed == set(range(6))
    assert len(run.waits) == 2
    if "headers" in fault:
        assert min(run.waits) >= 9
    unknown = fault.keys() & {"truncate_bytes", "reset"}  # Slack did it, and the answer was lost
    assert len(slack.messages) == (3 if unknown and path == "chat.postMessage" else 1)
    assert len(slack.files) == (3 if unknown and path == "complete" else 1)


def test_a_long_retry_after_is_granted_up_to_a_bound(slack):
    slack.faults.append(Fault("chat.postMessage", status=429, headers={"Retry-After": "86400"}, times=1))
    run = send(SlackAlert(**params(slack)), events())
    assert run.waits == [120]


def test_if_slack_stays_down_all_is_left_in_the_spool_for_a_replay(slack):
    slack.faults.append(Fault(".", status=503))
    run = MemoryRun()
    with pytest.raises(PluginError, match="503"):
        send(SlackAlert(**params(slack)), events(), run)
    assert run.unanswered == set(range(6))
    assert sum(run.waits) <= 300
    slack.faults.clear()
    again = MemoryRun()
    again.replay = True
    send(SlackAlert(**params(slack)), events(), again)
    assert again.confirmed == set(range(6))
    assert len(slack.messages) == 1
    assert "This comes late" in shown(slack.messages[0])


def test_when_the_time_of_a_stop_is_over_no_answer_is_waited_for(slack):
    slack.faults.append(Fault("chat.postMessage", delay_s=6, times=1))
    run = MemoryRun()
    run.deadline = run.now()
    begun = time.monotonic()
    with pytest.raises(PluginError, match="still to be delivered when the audit was stopped: there was no answer yet"):
        send(SlackAlert(**params(slack)), events(), run)
    assert time.monotonic() - begun < 5
    assert run.unanswered == set(range(6))


def test_a_port_that_nobody_listens_on_is_tried_again(slack):
    given = params(slack)
    slack.stop()
    run = MemoryRun()
    with pytest.raises(PluginError, match="Connection refused"):
        send(SlackAlert(**given), events(), run)
    assert len(run.waits) > 3
    assert run.unanswered == set(range(6))


def test_a_wrong_token_ends_it_at_once_and_is_not_repeated(slack, caplog):
    caplog.set_level(logging.DEBUG)
    token = "xoxb-not-the-right-one"
    run = MemoryRun()
    with pytest.raises(PluginError, match="invalid_auth; check bot_user_token") as caught:
        send(SlackAlert(**params(slack, bot_user_token=token)), events(), run)
    assert run.waits == []
    assert run.unanswered == set(range(6))
    assert token not in str(caught.value) + caplog.text


def test_the_token_and_what_is_found_are_not_logged(slack, caplog):
    caplog.set_level(logging.DEBUG)
    slack.faults.append(Fault("chat.postMessage", status=500, times=1))
    send(SlackAlert(**params(slack)), events())
    assert slack.settings["bot_user_token"] not in caplog.text
    assert "Fault 1" not in caplog.text


def test_what_is_not_slack_is_said_so(slack):
    slack.faults.append(Fault(".", content="html"))
    with pytest.raises(PluginError, match="what answers is not Slack"):
        send(SlackAlert(**params(slack)), events())


def test_certificates_are_verified():
    with SlackSimulator(tls=True) as slack:
        with pytest.raises(PluginError, match="its certificate is not trusted; ca_cert names"):
            send(SlackAlert(**params(slack)), events())
        assert slack.messages == []
        send(SlackAlert(**params(slack, ca_cert=slack.settings["ca_cert"])), events())
        assert len(slack.messages) == 1


def test_a_file_that_is_no_certificate_is_said_so(slack, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name, expected in (("ca.pem", "ca_cert"), ("none.pem", "No such file")):
        with pytest.raises(PluginError, match=expected):
            send(SlackAlert(**params(slack, ca_cert=str(tmp_path / name))), events())


def test_the_proxy_of_the_environment_is_not_for_this_machine(slack, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    send(SlackAlert(**params(slack)), events())
    assert len(slack.messages) == 1


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"bot_user_token": ""}, "bot_user_token"),
        ({"bot_user_token": "xoxb 1"}, "bot_user_token"),
        ({"to": []}, "to"),
        ({"to": ["two words"]}, "to"),
        ({"text": " "}, "text"),
        ({"base_url": "http://slack.com/api/"}, "base_url"),
        ({"base_url": "slack.com"}, "base_url"),
        ({"report_url": "javascript:1"}, "report_url"),
        ({"findings": 21}, "findings"),
        ({"max_file_bytes": 5}, "max_file_bytes"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"retry_deadline_s": -1}, "retry_deadline_s"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(wrong, name):
    with pytest.raises(ConfigError, match=f"^{name}: "):
        SlackAlert(**{"bot_user_token": "xoxb-1", "to": ["#general"], "text": "x", **wrong})


# Limits and markup


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.one_of(st.text(max_size=3000), st.sampled_from(["<!channel>", "&" * 5000, "@here <@U1>"]))
                for name in ("description", "recommendation", "reference", "account", "status", "cloud_type")
            }
            | {"severity": st.sampled_from([*SEVERITIES, "odd"])},
        ),
        max_size=60,
    ),
    st.text(min_size=1, max_size=200),
)
def test_any_events_give_a_message_that_slack_takes_and_that_pings_nobody(found, title):
    from cloudmarker_simulators._slack_limits import problem

    with Digest() as digest:
        for com in found:
            digest.add(b"{}", com)
        about = About(title=title, audit_key="a" * 100, incomplete="<!here>" * 300, file="f" * 300, findings=20)
        message = blocks(about, digest)
        assert problem(fallback(about, digest), message) is None
    of_records = message[1:]
    written = json.dumps(of_records, ensure_ascii=False)
    assert "<" not in written
    assert ">" not in written
    assert re.search(r"&(?!amp;|lt;|gt;)", written) is None
    for block in of_records:
        for text in [block.get("text"), *block.get("elements", ())]:
            assert text is None or text["verbatim"]


@given(st.text(), st.integers(1, 50))
def test_escaped_text_is_never_longer_than_it_may_be(text, limit):
    escaped = escape(text, limit)
    assert len(escaped) <= limit
    assert re.search(r"[<>]|&(?!amp;|lt;|gt;)", escaped) is None


# The real command

CONFIG = """\
plugins:
  slack:
    plugin: slackalert
    params:
      bot_user_token: {bot_user_token}
      base_url: {base_url}
      to: ["#general"]
      retry_deadline_s: 1
audits:
  alerted:
    clouds: [mockcloud]
    stores: []
    events: [mockevent]
    alerts: [slack]
run: [alerted]
logger:
  handlers:
    file:
      filename: {folder}/log
"""


def test_what_slack_did_not_take_is_sent_by_a_replay(slack, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(folder=tmp_path, **slack.settings))
    config.chmod(0o600)

    def cloudmarker(*arguments):
        command = [str(Path(sys.executable).parent / "cloudmarker"), *arguments]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": f"{tmp_path}/state"},
            check=False,
            capture_output=True,
            text=True,
        )

    slack.faults.append(Fault(".", status=503))
    run = cloudmarker("-n", "-c", str(config))
    assert run.returncode == 1
    assert re.search(r"slack \(alert\) +4 +0 +0 +4 +0", run.stdout), run.stdout
    slack.faults.clear()
    replay = cloudmarker("-c", str(config), "replay")
    assert replay.returncode == 0, replay.stdout + replay.stderr
    (message,), (file,) = slack.messages, slack.files
    assert "4 findings" in message.text
    assert len(file.content.splitlines()) == 4
    token = slack.settings["bot_user_token"]
    assert token not in run.stdout + run.stderr + replay.stdout + replay.stderr + (tmp_path / "log").read_text()
