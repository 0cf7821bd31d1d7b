"""What counts as a secret, and what is shown of it."""

import pytest
from cloudmarker.config.masking import MASK, exposed_secrets, is_secret_key, literal_secrets, mask
from cloudmarker.config.model import Layer


@pytest.mark.parametrize(
    "key",
    [
        *(
            "secret",
            "password",
            "passwd",
            "db_password",
            "dbpassword",
            "token",
            "bot_user_token",
            "tokens",
            "secret_key",
        ),
        *("api_key", "apiKey", "clientSecret", "X-API-Key", "access_key", "account_key", "private_key", "credentials"),
        *("routing_key", "webhook", "webhook_url", "connection_string", "Authorization"),
    ],
)
def test_a_key_that_holds_a_secret_is_known_by_its_name(key):
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        *("plugin", "path", "index", "tenant", "client", "keys"),
        *("key_file_path", "token_uri", "secret_name", "password_file", "token_ttl"),
    ],
)
def test_a_key_about_a_secret_is_not_one(key):
    assert not is_secret_key(key)


def test_not_everything_of_a_plugin_named_for_its_webhook_is_secret():
    params = {"webhook_url": "https://example.com/x", "format": "teams"}
    shown = mask({"webhookalert": {"plugin": "webhookalert", "params": params}})
    assert shown == {"webhookalert": {"plugin": "webhookalert", "params": {"webhook_url": MASK, "format": "teams"}}}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("hunter2", MASK),
        (1234, MASK),
        (None, None),
        (False, False),
        ("", ""),
        ("${TOKEN}", "${TOKEN}"),
        ("${file:/run/secret}", "${file:/run/secret}"),
        ("${TOKEN:-hunter2}", "${TOKEN:-********}"),
        ("${TOKEN:-}", "${TOKEN:-}"),
        ("Bearer ${TOKEN}", "********${TOKEN}"),
        ("hun$${ter2", MASK),
        ("${hunter2", MASK),
        (["hunter2", "${TOKEN}"], [MASK, "${TOKEN}"]),
        ({"user": "hunter2"}, {"user": MASK}),
    ],
)
def test_what_stands_under_a_secret_key_is_masked(written, shown):
    assert mask({"secret": written}) == {"secret": shown}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("https://host/path", "https://host/path"),
        ("mongodb://me:hunter2@host/db", "mongodb://me:********@host/db"),
        ("mongodb://me:hunt@er2@host", "mongodb://me:********@host"),
        ("mongodb://me:${PASSWORD}@host", "mongodb://me:${PASSWORD}@host"),
        ("https://${HOST}/", "https://${HOST}/"),
        ("me@host:22", "me@host:22"),
    ],
)
def test_a_password_in_a_url_is_masked(written, shown):
    assert mask({"uri": written}) == {"uri": shown}


def test_masking_leaves_the_input_alone():
    data = {"secret": "x", "list": [{"token": "y"}]}
    assert mask(data) == {"secret": MASK, "list": [{"token": MASK}]}
    assert data == {"secret": "x", "list": [{"token": "y"}]}


def test_secrets_written_out_are_found_and_references_are_not():
    data = {
        "plugins": {
            "a": {"params": {"secret": "hunter2", "token": "${TOKEN}", "password": None, "uri": "es://u:p@host"}},
            "b": {"params": {"token": "${TOKEN:-hunter2}", "uri": "es://u:${P}@host"}},
        }
    }
    assert list(literal_secrets(data)) == [
        ("plugins", "a", "params", "secret"),
        ("plugins", "a", "params", "uri"),
        ("plugins", "b", "params", "token"),
    ]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o444])
def test_a_readable_file_with_a_secret_gets_one_warning(mode):
    layer = Layer("audit.yaml", {"secret": "hunter2", "token": 5}, mode)
    (warning,) = exposed_secrets(layer)
    assert warning == (
        f"audit.yaml: secret, token: a secret in a file that others can read (mode {mode:04o}); "
        "make it readable to its owner only (chmod 600), or write ${NAME} and set the variable"
    )


@pytest.mark.parametrize(
    ("data", "mode"),
    [({"secret": "hunter2"}, 0o600), ({"secret": "${S}"}, 0o644), ({"x": "y"}, 0o644), ({"secret": "x"}, None)],
)
def test_no_warning_without_a_reader_or_a_secret(data, mode):
    assert not list(exposed_secrets(Layer("audit.yaml", data, mode)))
