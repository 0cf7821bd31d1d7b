"""The Slack stand-in, asked by the client that programs use: slack_sdk."""

import json
import signal
import ssl
import subprocess
import sys
import urllib.request

import pytest
from cloudmarker_simulators import Fault, SlackSimulator

slack_sdk = pytest.importorskip("slack_sdk")
from slack_sdk.errors import SlackApiError  # noqa: E402


@pytest.fixture
def slack():
    with SlackSimulator(channels=["general", "random", "security"], archived=["old"], page_size=2) as simulator:
        yield simulator


@pytest.fixture
def client(slack):
    return a_client(slack)


def a_client(simulator, **options):
    settings = simulator.settings
    options = {"token": settings["bot_user_token"], "base_url": settings["base_url"], "retry_handlers": [], **options}
    return slack_sdk.WebClient(**options)


def error_of(call, *args, **arguments):
    with pytest.raises(SlackApiError) as caught:
        call(*args, **arguments)
    return caught.value.response["error"]


def section(text):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_user_is_found_by_address_and_gets_a_message_and_a_file(slack, client):
    user = client.users_lookupByEmail(email="User1@Example.com")["user"]["id"]
    assert user == slack.user_ids["user1@example.com"]
    channel = client.conversations_open(users=user)["channel"]["id"]
    assert channel.startswith("D")
    sent = client.chat_postMessage(channel=channel, text="Hello", blocks=[section("*Hello*")])
    client.files_upload_v2(channel=channel, filename="a.jsonl", content=b"{}\n", title="All", thread_ts=sent["ts"])
    (message,) = slack.messages
    assert (message.channel, message.text, message.blocks) == (channel, "Hello", [section("*Hello*")])
    (file,) = slack.files
    assert (file.name, file.content, file.title, file.channels) == ("a.jsonl", b"{}\n", "All", [channel])
    assert file.thread_ts == message.ts


def test_channels_are_listed_page_by_page(slack, client):
    names = [channel["name"] for page in client.conversations_list(limit=200) for channel in page["channels"]]
    assert names == ["general", "random", "security", "old"]
    assert len(slack.requests) == 2
    assert len(client.conversations_list(exclude_archived=True, limit=1)["channels"]) == 1
    assert error_of(client.conversations_list, cursor="made up") == "invalid_cursor"


def test_messages_go_to_names_and_ids_of_channels(slack, client):
    for channel in ("#general", "general", slack.channel_ids["general"]):
        assert client.chat_postMessage(channel=channel, text="x")["channel"] == slack.channel_ids["general"]


def test_what_is_not_there_is_said(client):
    assert error_of(client.users_lookupByEmail, email="nobody@example.com") == "users_not_found"
    assert error_of(client.conversations_open, users="U0000000000") == "user_not_found"
    assert error_of(client.chat_postMessage, channel="#nowhere", text="x") == "channel_not_found"
    assert error_of(client.chat_postMessage, channel="#old", text="x") == "is_archived"
    assert error_of(client.api_call, "chat.sing") == "unknown_method"


def test_a_file_goes_to_the_id_of_a_conversation_and_not_of_a_user(slack, client):
    user = slack.user_ids["user1@example.com"]
    assert error_of(client.files_upload_v2, channel=user, filename="a", content=b"x") == "channel_not_found"


@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "msg_too_long"),
        ({"text": "x", "blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("x" * 3001)]}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("")]}, "invalid_blocks"),
        ({"text": "x", "blocks": [section("x" * 2900)] * 5}, "msg_blocks_too_long"),
        ({"text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "x", "blocks": [{"type": "table"}]}, "invalid_blocks"),
        (
            {"text": "x", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
        (
            {"text": "x", "blocks": [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}] * 11}]},
            "invalid_blocks",
        ),
    ],
)
def test_messages_beyond_the_limits_are_refused(slack, client, arguments, error):
    assert error_of(client.chat_postMessage, channel="#general", **arguments) == error
    assert slack.messages == []


def test_messages_at_the_limits_are_taken(slack, client):
    client.chat_postMessage(channel="#general", text="x" * 40_000, blocks=[{"type": "divider"}] * 50)
    client.chat_postMessage(channel="#general", text="x", blocks=[section("x" * 3000)] * 4)
    assert [(len(message.text), len(message.blocks)) for message in slack.messages] == [(40_000, 50), (1, 4)]


def test_credentials_are_checked(slack):
    assert error_of(a_client(slack, token="xoxb-wrong").auth_test) == "invalid_auth"
    assert error_of(a_client(slack, token=None).auth_test) == "not_authed"
    client = a_client(slack)
    assert client.auth_test()["user"] == "cloudmarker"
    slack.revoke(slack.settings["bot_user_token"])
    assert error_of(client.auth_test) == "token_revoked"


def test_a_scope_that_the_bot_lacks_is_named():
    with SlackSimulator(missing_scopes={"users.lookupByEmail": "users:read.email"}) as slack:
        with pytest.raises(SlackApiError) as caught:
            a_client(slack).users_lookupByEmail(email="user1@example.com")
        assert caught.value.response["needed"] == "users:read.email"


def test_a_file_has_the_length_that_was_announced(slack, client):
    url = client.files_getUploadURLExternal(filename="a", length=5)["upload_url"]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url, b"four")
    file = slack.requests[-1][1].rpartition("/")[2]
    assert error_of(client.files_completeUploadExternal, files=[{"id": file, "title": ""}]) == "file_not_found"


def test_faults_hit_slack_too(slack, client):
    slack.faults.append(Fault("chat.postMessage", status=429, headers={"Retry-After": "7"}, times=1))
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#general", text="x")
    response = caught.value.response
    assert (response.status_code, response["error"], response.headers["Retry-After"]) == (429, "ratelimited", "7")
    slack.faults.append(Fault("conversations.list", next_link="loop"))
    assert client.conversations_list()["response_metadata"]["next_cursor"]
    client.chat_postMessage(channel="#general", text="x")


def test_it_can_be_reached_over_tls():
    with SlackSimulator(tls=True) as slack:
        context = ssl.create_default_context(cafile=slack.settings["ca_cert"])
        assert a_client(slack, ssl=context).auth_test()["ok"]
        with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
            a_client(slack, ssl=ssl.create_default_context()).auth_test()


def test_what_comes_is_kept_in_a_folder_if_asked_to(tmp_path):
    folder = tmp_path / "inbox"
    with SlackSimulator(keep=folder) as slack:
        client = a_client(slack)
        client.chat_postMessage(channel="#general", text="one")
        client.chat_postMessage(channel=slack.user_ids["user2@example.com"], text="two", blocks=[section("2")])
        client.files_upload_v2(channel=slack.channel_ids["general"], filename="all.jsonl", content=b"{}\n")
    kept = [json.loads(line) for line in (folder / "messages.jsonl").read_text().splitlines()]
    assert [(message["to"], message["text"]) for message in kept] == [("#general", "one"), ("user2@example.com", "two")]
    assert (folder / "all.jsonl").read_bytes() == b"{}\n"


def test_the_command_serves_slack_until_stopped():
    command = [sys.executable, "-m", "cloudmarker_simulators", "slack"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert list(ready) == ["cloud", "base_url", "bot_user_token"]
        client = slack_sdk.WebClient(token=ready["bot_user_token"], base_url=ready["base_url"])
        assert client.auth_test()["ok"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_command_is_run_beside_slack_if_asked_to(tmp_path):
    code = "import os; print(os.environ['CLOUDMARKER_SLACK_BASE_URL'], os.environ['CLOUDMARKER_SLACK_BOT_USER_TOKEN'])"
    command = [sys.executable, "-m", "cloudmarker_simulators", "exec", "--slack", str(tmp_path / "inbox")]
    done = subprocess.run([*command, sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("http://127.0.0.1:")
    assert "xoxb-" in done.stdout
    assert (tmp_path / "inbox").is_dir()
