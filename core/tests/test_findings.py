from __future__ import annotations

from hashlib import sha256

import pytest
from cloudmarker.contracts import SEVERITIES
from cloudmarker.fields import validate
from cloudmarker.findings import finding, fingerprint

ARGUMENTS = {
    "check_id": "gadget_is_open",
    "record_type": "gadget_event",
    "severity": "high",
    "description": "The gadget is open.",
    "recommendation": "Close it.",
}
RECORD = {"com": {"cloud_type": "example", "record_type": "gadget", "reference": "Example/1", "account": "one"}}


def test_a_fingerprint_is_half_of_the_sha256_of_its_three_parts():
    assert fingerprint("check", "ref", "22") == sha256(b"check\0ref\x0022").hexdigest()[:32]


def test_a_fingerprint_does_not_depend_on_the_case_of_the_reference():
    assert fingerprint("check", "/Subscriptions/S") == fingerprint("check", "/subscriptions/s")


def test_a_fingerprint_depends_on_check_reference_and_discriminator():
    parts = [("a", "b", ""), ("a", "b", "c"), ("a", "c", ""), ("b", "b", ""), ("ab", "", ""), ("", "ab", "")]
    assert len({fingerprint(*part) for part in parts}) == len(parts)


def test_a_lone_surrogate_has_a_fingerprint():
    assert len(fingerprint("check", "\ud800")) == 32


def test_a_finding_is_a_valid_event_about_its_record():
    event = finding(RECORD, **ARGUMENTS, discriminator="22", ext={"port": 22}, extra=[1])
    assert event == {
        "ext": {"cloud_type": "example", "record_type": "gadget_event", "port": 22},
        "com": {
            "cloud_type": "example",
            "record_type": "gadget_event",
            "reference": "Example/1",
            "account": "one",
            "check_id": "gadget_is_open",
            "severity": "high",
            "fingerprint": fingerprint("gadget_is_open", "Example/1", "22"),
            "description": "The gadget is open.",
            "recommendation": "Close it.",
            "extra": [1],
        },
    }
    assert validate(event["com"], event=True) == []


@pytest.mark.parametrize("severity", SEVERITIES)
def test_every_severity_is_taken(severity):
    assert finding(RECORD, **{**ARGUMENTS, "severity": severity})["com"]["severity"] == severity


@pytest.mark.parametrize("severity", ["", "High", "fatal", None])
def test_any_other_severity_is_refused(severity):
    with pytest.raises(ValueError, match="severity"):
        finding(RECORD, **{**ARGUMENTS, "severity": severity})


@pytest.mark.parametrize("record", [{}, {"com": None}, {"com": {}}, {"com": {"reference": None}}])
def test_a_record_without_a_reference_gives_an_event_without_one(record):
    assert finding(record, **ARGUMENTS)["com"]["reference"] == ""


def test_a_reference_that_is_a_number_becomes_text():
    assert finding({"com": {"reference": 17}}, **ARGUMENTS)["com"]["reference"] == "17"
