"""What refusals mean, in the older and the newer form of Google's error bodies."""

from __future__ import annotations

import json

import pytest
from cloudmarker_gcp._outcome import masked, refused


def old(reason: str, message: str = "told") -> bytes:
    return json.dumps({"error": {"code": 403, "message": message, "errors": [{"reason": reason}]}}).encode()


def new(reason: str, message: str = "told", status: str = "PERMISSION_DENIED", **metadata: str) -> bytes:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": metadata}
    return json.dumps({"error": {"code": 403, "message": message, "status": status, "details": [info]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "state", "again"),
    [
        (403, old("forbidden"), "denied", False),
        (403, old("accessNotConfigured"), "disabled", False),
        (403, new("SERVICE_DISABLED"), "disabled", False),
        (403, old("rateLimitExceeded"), "throttled", True),
        (403, old("userRateLimitExceeded"), "throttled", True),
        (403, new("RATE_LIMIT_EXCEEDED"), "throttled", True),
        (403, old("quotaExceeded"), "throttled", False),
        (403, new("IAM_PERMISSION_DENIED"), "denied", False),
        (403, b"", "denied", False),
        (429, b"<html>", "throttled", True),
        (401, b"{}", "denied", False),
        (404, old("notFound"), "failed", False),
        (400, old("invalid"), "failed", False),
        (408, b"", "failed", True),
        (500, b"", "failed", True),
        (503, b"\xff\xfe", "failed", True),
        (302, b"", "failed", False),
    ],
)
def test_a_refusal_has_a_state_and_may_or_may_not_pass(status, body, state, again):
    error = refused(status, {}, body, "compute.firewalls.list")
    assert (error.state, error.again, error.status) == (state, again, status)
    assert str(status) in str(error)


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"1", b'{"error": null}', b'{"error": []}', b'{"error": {"message": 5, "errors": [1]}}',
             b'{"error": {"details": {"a": 1}}}', b'[{"error": {"code": 403}}]', b"[" * 100_000]
)  # fmt: skip
def test_error_bodies_of_any_shape_are_survived(body):
    assert refused(403, {}, body, "p").state == "denied"


@pytest.mark.parametrize(
    ("body", "permission"),
    [
        (old("forbidden", "Required 'compute.instances.list' permission for 'projects/p'"), "compute.instances.list"),
        (new("IAM_PERMISSION_DENIED", permission="storage.buckets.list"), "storage.buckets.list"),
        (old("forbidden", "no"), "compute.firewalls.list"),
    ],
)
def test_a_denial_names_the_permission(body, permission):
    assert f"no permission {permission}:" in str(refused(403, {}, body, "compute.firewalls.list"))


def test_the_project_that_lacks_an_api_is_known():
    assert refused(403, {}, new("SERVICE_DISABLED", consumer="projects/12"), "p").consumer == "projects/12"


@pytest.mark.parametrize(("value", "seconds"), [("3", 3.0), ("0", 0.0), ("soon", None)])
def test_the_wait_that_is_asked_for_is_known(value, seconds):
    assert refused(429, {"retry-after": value}, b"", "p").retry_after_s == seconds


def test_a_wait_may_be_asked_for_in_the_body():
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}
    body = json.dumps({"error": {"code": 429, "details": [info]}}).encode()
    assert refused(429, {}, body, "p").retry_after_s == 3.5
    assert refused(429, {"retry-after": "0"}, body, "p").retry_after_s == 0.0


@pytest.mark.parametrize(
    ("metadata", "limit"),
    [
        ({"quota_limit_value": "1500", "quota_limit": "ReadRequestsPerMinutePerProject"}, 1500),
        ({"quota_limit_value": "1500", "quota_unit": "1/min/{project}"}, 1500),
        ({"quota_limit_value": "1500", "quota_unit": "1/d/{project}"}, None),
        ({"quota_limit_value": "x", "quota_unit": "1/min/{project}"}, None),
        ({}, None),
    ],
)
def test_a_quota_that_is_told_is_known(metadata, limit):
    assert refused(429, {}, new("RATE_LIMIT_EXCEEDED", **metadata), "p").calls_per_minute == limit


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl",
        "ya29.c.b0Aaekm1K-secret",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ cut off",
    ],
)
def test_what_looks_like_a_secret_is_replaced(secret):
    assert masked(f"before {secret}") == "before ***"
    assert secret not in str(refused(500, {}, old("x", f"echo: {secret}"), "p"))
