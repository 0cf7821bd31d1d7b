"""References in values: replaced once, in values only, and never quoted with what they stand for."""

import pytest
from cloudmarker.config.interpolate import BadReferenceError, Reference, expand, has_reference, interpolate, split
from hypothesis import given
from hypothesis import strategies as st

ENV = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "_x1": "y"}
dollars = st.text(alphabet="${}:-aN_ ", max_size=12)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${NAME}", "value"),
        ("a${NAME}b${_x1}c", "avaluebyc"),
        ("${EMPTY}", ""),
        ("${NONE:-x}", "x"),
        ("${NONE:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NAME:-x}", "value"),
        ("${NONE:-a:-b $c}", "a:-b $c"),
        ("$${NAME}", "${NAME}"),
        ("$${", "${"),
        ("$NAME $$ $", "$NAME $$ $"),
        ("${NESTED}", "${NAME}"),
        ("{NAME}", "{NAME}"),
    ],
)
def test_references_are_replaced(text, expanded):
    assert expand(text, ENV) == expanded


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "${NONE}",
            "the environment variable NONE is not set; set it, or write ${NONE:-default}; "
            "a literal '${' is written '$${'",
        ),
        ("a ${NAME", "a '${' without its '}'; write '$${' for a literal '${'"),
        ("${A:-${B}}", "a '${…}' inside another, which is not supported"),
        *(
            (
                text,
                "a '${…}' that is none of ${NAME}, ${NAME:-default} and ${file:/path}; write '$${' for a literal '${'",
            )
            for text in ("${}", "${a-b}", "${1A}", "${A:b}", "${file:}", "${ A }")
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(text, fault):
    with pytest.raises(BadReferenceError) as caught:
        expand(text, ENV)
    assert str(caught.value) == fault


def test_a_file_gives_its_content_without_the_last_line_end(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("two\nlines ${NAME}\n\n")
    assert expand(f"<${{file:{secret}}}>", ENV) == "<two\nlines ${NAME}>"


def test_the_name_of_a_file_may_begin_with_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("x\r\n")
    assert expand("${file:~/secret}", {}) == "x"


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    missing, directory, binary, endless = tmp_path / "none", tmp_path, tmp_path / "binary", "/dev/zero"
    binary.write_bytes(b"\xff\xfe")
    for path, fault in (
        (missing, f"the file {missing} cannot be read: No such file or directory"),
        (directory, f"the file {directory} cannot be read: Is a directory"),
        (binary, f"the file {binary} is not UTF-8 text"),
        (endless, "the file /dev/zero is longer than 1,000,000 bytes; it should hold one secret"),
    ):
        with pytest.raises(BadReferenceError) as caught:
            expand(f"${{file:{path}}}", {})
        assert str(caught.value) == fault


def test_only_values_are_replaced_and_everything_else_is_copied():
    data = {"${NAME}": ["${NAME}", 1, None, {"x": "${NAME}"}], "n": 2.5}
    result = interpolate(data, pytest.fail, ENV)
    assert result == {"${NAME}": ["value", 1, None, {"x": "value"}], "n": 2.5}
    assert data["${NAME}"][0] == "${NAME}"


def test_all_faults_are_reported_with_their_paths_and_leave_the_value():
    faults = []
    data = {"a": {"b": "${NONE}"}, "c": ["x", "${"]}
    assert interpolate(data, lambda path, fault: faults.append(path), ENV) == data
    assert faults == [("a", "b"), ("c", 1)]


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("CLOUDMARKER_TEST_VALUE", "42")
    assert interpolate("${CLOUDMARKER_TEST_VALUE}", pytest.fail) == "42"


@given(st.text())
def test_a_text_without_a_reference_stays_as_it_is(text):
    assert expand(text.replace("${", "{"), {}) == text.replace("${", "{")


@given(dollars)
def test_any_text_can_be_escaped(text):
    assert expand(text.replace("${", "$${"), {}) == text


@given(st.text(), st.text(alphabet="ab $-", max_size=5))
def test_what_is_put_in_is_not_looked_at_again(value, around):
    assert expand(f"{around}.${{X}}.{around}", {"X": value}) == f"{around}.{value}.{around}"


@given(dollars, st.text(alphabet="secrt", min_size=8))
def test_what_cannot_be_expanded_says_no_value(text, value):
    environ = dict.fromkeys(("a", "N", "_", "aN"), value)
    try:
        said = expand(text.replace("}", " }"), environ)  # so that no reference is complete
    except BadReferenceError as exc:
        said = str(exc)
    assert value not in said


@given(dollars)
def test_the_parts_of_a_text_make_up_the_text(text):
    try:
        parts = split(text)
    except BadReferenceError:
        return
    assert "".join(str(part) if isinstance(part, Reference) else part.replace("${", "$${") for part in parts) == text
    assert has_reference(text) == any(isinstance(part, Reference) for part in parts)
