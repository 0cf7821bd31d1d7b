"""What Azure's refusals mean for coverage."""

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from cloudmarker.reading import REASON_LENGTH
from cloudmarker_azure._outcome import refused


def answer(status, code="", message="", headers=None):
    return refused(status, headers or {}, json.dumps({"error": {"code": code, "message": message}}).encode())


def test_403_is_denied_and_names_the_missing_action():
    message = "The client 'x' does not have authorization to perform action 'Microsoft.Network/a/read' over scope '/s'."
    outcome = answer(403, "AuthorizationFailed", message)
    assert outcome.state == "denied"
    assert str(outcome) == "AuthorizationFailed: no permission for Microsoft.Network/a/read"
    assert not outcome.again


def test_403_that_names_no_action_is_denied_with_what_it_says():
    assert str(answer(403, "RequestDisallowedByPolicy", "no")) == "HTTP 403: RequestDisallowedByPolicy: no"


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize("code", ["MissingSubscriptionRegistration", "SubscriptionNotRegistered"])
def test_a_provider_that_is_not_registered_is_disabled(status, code):
    assert answer(status, code, "x").state == "disabled"


def test_a_type_that_is_not_offered_is_disabled_and_one_that_is_in_other_versions_is_failed():
    message = "The resource type could not be found in the namespace 'Microsoft.X' for api version '2017-12-01'."
    assert answer(404, "InvalidResourceType", message).state == "disabled"
    versions = f"{message} The supported api-versions are '2018-01-01'."
    assert answer(404, "InvalidResourceType", versions).state == "failed"
    assert answer(400, "InvalidResourceType", message).state == "failed"


@pytest.mark.parametrize("code", ["SubscriptionNotFound", "ResourceNotFound", "NoSuchThing"])
def test_any_other_404_is_failed_as_something_may_be_there(code):
    outcome = answer(404, code, "gone")
    assert (outcome.state, outcome.again) == ("failed", False)
    assert code in str(outcome)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_server_faults_are_tried_again_then_failed(status):
    outcome = refused(status, {}, b"<html>oops</html>")
    assert (outcome.state, outcome.again, str(outcome)) == ("failed", True, f"HTTP {status}")


def test_429_is_throttled_with_the_wait_asked_for():
    outcome = answer(429, "TooManyRequests", "slow down", {"Retry-After": "17"})
    assert (outcome.state, outcome.again, outcome.retry_after_s) == ("throttled", True, 17.0)


def test_retry_after_may_be_a_date():
    then = datetime.now(timezone.utc) + timedelta(seconds=30)
    assert 25 < answer(503, headers={"Retry-After": format_datetime(then, usegmt=True)}).retry_after_s <= 30


@pytest.mark.parametrize("value", ["soon", "nan", ""])
def test_an_unreadable_retry_after_counts_as_none(value):
    assert answer(503, headers={"Retry-After": value}).retry_after_s is None


def test_a_retry_after_in_the_past_is_now():
    assert answer(503, headers={"Retry-After": "-5"}).retry_after_s == 0.0


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_failed_and_not_followed(status):
    outcome = refused(status, {"Location": "https://elsewhere.example"}, b"")
    assert (outcome.state, outcome.again) == ("failed", False)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[]", b"null", b'{"error": "text"}', b"[" * 100_000, b'{"error": {"code": 7}}']
)
def test_an_error_body_of_any_shape_is_survived(body):
    assert str(refused(400, {}, body)) == "HTTP 400"


def test_capitalised_and_bare_error_bodies_are_read():
    assert str(refused(400, {}, b'{"Code": "Bad", "Message": "m"}')) == "HTTP 400: Bad: m"


def test_a_reason_is_one_bounded_line():
    assert str(answer(400, "Bad", " a\r\n\tb ")) == "HTTP 400: Bad: a b"
    assert len(str(answer(400, "Bad", "x" * 10_000))) == REASON_LENGTH
