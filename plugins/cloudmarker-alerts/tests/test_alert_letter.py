"""What a mail says, whatever is in the events."""

from __future__ import annotations

import json
from email import message_from_bytes, policy
from html.parser import HTMLParser

from cloudmarker.contracts import Incomplete
from cloudmarker.mail import compose
from cloudmarker.testing import MemoryRun
from cloudmarker_alerts._digest import Digest
from cloudmarker_alerts._letter import write_letter
from cloudmarker_alerts._letterhtml import as_html
from cloudmarker_alerts._lettertext import as_text
from hypothesis import example, given, settings
from hypothesis import strategies as st

EVIL = st.one_of(
    st.text(max_size=50),
    st.sampled_from([
        "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "x\r\nBcc: evil@example.com", "&lt;b&gt;",
        "\n\nFrom: x", "</title></div></table>", "\u2028\u202e", "\x1b[2J", "style=\"x\"", "-->", "]]>", "\x00",
    ]),
)  # fmt: skip
FIELDS = ("severity", "status", "cloud_type", "account", "reference", "check_id", "description", "recommendation")
COMS = st.fixed_dictionaries({}, optional=dict.fromkeys((*FIELDS, "first_seen"), EVIL))


def letter_of(coms, reason=None, run=None, files=()):
    with Digest(per_group=10, per_severity=30, max_text=400) as digest:
        for com in coms:
            digest.add(json.dumps({"com": com}).encode(), com)
        return write_letter(digest, run or MemoryRun(), reason, files)


class Shape(HTMLParser):
    """The elements of a document with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.depth, self.text = [], 0, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.depth += tag not in ("meta", "br")

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.text += data


ALLOWED = {
    "html", "head", "meta", "title", "body", "table", "tr", "td", "th", "h1", "h2", "p", "div", "span", "strong", "br",
}  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(st.lists(COMS, max_size=5))
def test_nothing_in_an_event_becomes_html(coms):
    letter = letter_of(coms, reason=Incomplete({"x": str(coms)}))
    shape = Shape(as_html(letter))
    assert {tag for tag, _ in shape.elements} <= ALLOWED
    for _, attributes in shape.elements:
        assert {*attributes} <= {
            "style",
            "lang",
            "charset",
            "name",
            "content",
            "role",
            "cellpadding",
            "cellspacing",
            "align",
        }
    assert shape.depth == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(COMS, max_size=5))
@example([{"description": "<b>\"&'"}])
def test_what_an_event_says_is_in_the_html_as_text(coms):
    letter = letter_of(coms)
    text = " ".join(Shape(as_html(letter)).text.split())
    for group in letter.groups:
        for finding in group.findings:
            assert " ".join((finding.description or finding.check_id).split()) in text


@settings(deadline=None, max_examples=50)
@given(st.lists(COMS, max_size=5), EVIL)
def test_nothing_in_an_event_becomes_a_header(coms, audit_key):
    run = MemoryRun()
    run.audit_key = audit_key
    letter = letter_of(coms, run=run)
    message = compose("a@example.com", ["b@example.com"], f"Alert: {letter.subject}", as_text(letter), as_html(letter))
    headers = message_from_bytes(message.as_bytes(), policy=policy.default).keys()
    assert sorted(headers) == ["Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"]


@settings(deadline=None, max_examples=50)
@given(st.lists(COMS, max_size=5))
def test_plain_text_is_at_most_76_columns_wide_but_for_words_that_are_longer(coms):
    for line in as_text(letter_of(coms)).splitlines():
        assert len(line) <= 76 or len(line.split()) <= 3 or "://" in line or line.startswith("    "), line


def test_prose_is_wrapped():
    com = {"severity": "high", "description": "word " * 60, "recommendation": "do " * 80, "reference": "/x" * 80}
    text = as_text(letter_of([com], reason=Incomplete({"daily_azure": "denied " * 30})))
    assert [line for line in text.splitlines() if len(line) > 76] == ["    " + "/x" * 80]


def test_the_subject_has_the_worst_two_severities_and_the_changes():
    coms = [{"severity": severity} for severity in ("low", "low", "info", "high", "critical")]
    assert letter_of(coms).subject == "1 critical, 1 high, 3 others: audit"
    coms = [{"severity": "low", "status": "new"}, {"severity": "low", "status": "fixed"}]
    assert letter_of(coms).subject == "1 low, 1 new, 1 fixed: audit"
    assert letter_of([{"severity": "low"}], reason=Incomplete({"x": "y"})).subject == "1 low: audit (incomplete)"


def test_what_is_not_shown_is_counted():
    coms = [{"severity": "high", "account": f"a-{n}", "description": f"Number {n}."} for n in range(200)] * 2
    letter = letter_of(coms)
    assert sum(group.count for group in letter.groups) == 400
    assert len(letter.groups) == 31
    for text in (as_text(letter), as_html(letter)):
        assert "In 170 other accounts: 340 findings" in text
    account = next(table for table in letter.tables if table.title == "Account")
    assert account.rows[-1] == ("190 more", 380)


def test_a_mail_has_a_bounded_length():
    coms = [
        {"severity": severity, "account": f"{n % 300}" * 50, **dict.fromkeys(FIELDS[4:], "<x> " * 5000)}
        for severity in ("critical", "high", "medium", "low", "info", "?")
        for n in range(600)
    ]
    letter = letter_of(coms, reason=Incomplete({f"audit_{n}": "denied " * 1000 for n in range(1000)}))
    assert len(as_text(letter)) < 500_000
    assert len(as_html(letter)) < 1_000_000
