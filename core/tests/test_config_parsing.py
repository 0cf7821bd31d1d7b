"""Strict YAML: whatever a person probably did not mean is one line that says where it is."""

import pytest
from cloudmarker.config.parsing import SourceError, parse

BAD = {
    "empty": ("", ["the file is empty; write at least one key, or remove the file"]),
    "only comments": ("# nothing\n", ["the file is empty; write at least one key, or remove the file"]),
    "null": ("~\n", ["the file is empty; write at least one key, or remove the file"]),
    "a list at the top": ("- a\n- b\n", ["expected a mapping such as 'plugins: …' at the top, got a list"]),
    "a text at the top": ("plugins\n", ["expected a mapping such as 'plugins: …' at the top, got text"]),
    "a number at the top": ("12\n", ["expected a mapping such as 'plugins: …' at the top, got a number"]),
    "a key twice": ("run: [a]\nx: 1\nrun: [b]\n", ["run: set twice, on line 1 and on line 3; keep one"]),
    "a nested key twice": (
        "audits:\n  daily:\n    clouds: [a]\n    clouds: [b]\n",
        ["audits.daily.clouds: set twice, on line 3 and on line 4; keep one"],
    ),
    "a key twice in a list": ("a:\n- {b: 1, b: 2}\n", ["a[0].b: set twice, on line 2 and on line 2; keep one"]),
    "two faults": (
        "a: {b: 1, b: 2}\n1: x\n",
        [
            "a.b: set twice, on line 1 and on line 1; keep one",
            "line 2: the key '1' is a number, not text; write it in quotes",
        ],
    ),
    "a number as a key": (
        "plugins:\n  12: {}\n",
        ["plugins: line 2: the key '12' is a number, not text; write it in quotes"],
    ),
    "a boolean as a key": ("on: 1\n", ["line 1: the key 'on' is true or false, not text; write it in quotes"]),
    "null as a key": ("~: 1\n", ["line 1: the key '~' is null, not text; write it in quotes"]),
    "a list as a key": ("? [a]\n: 1\n", ["line 1: a key is a list, not text; write it in quotes"]),
    "bad indentation": (
        "a: b: c\n",
        ["line 1, column 5: not valid YAML: mapping values are not allowed in this context"],
    ),
    "an alias to nothing": (
        "password: *hunter2\n",
        ["line 1, column 11: an alias to nothing; write a value that begins with '*' in quotes"],
    ),
    "an unknown tag": (
        "a:\n  password: !hunter2\n",
        ["a.password: line 2: an unknown tag; write a value that begins with '!' or '=' in quotes"],
    ),
    "an unknown tag of a mapping": (
        "a: !hunter2 {}\n",
        ["line 1, column 4: an unknown tag; write a value that begins with '!' in quotes"],
    ),
    "a python object": (
        "a: !!python/object/apply:os.system [id]\n",
        ["line 1, column 4: an unknown tag; write a value that begins with '!' in quotes"],
    ),
    "an alias of itself": (
        "a: &x\n  b: *x\n",
        ["a.b: line 1: an alias of itself; write the value out"],
    ),
    "two documents": ("a: 1\n---\nb: 2\n", ["line 2, column 1: a second document; a configuration file holds one"]),
    "a date that is none": ("a: 2020-13-45\n", ["a: line 1: looks like a date but is none; write it in quotes"]),
    "a control character": ("a: 1\nb: \x00\n", ["line 2: a control character, which YAML does not allow"]),
    "deep nesting": ("a: " + "[" * 3_000 + "]" * 3_000, ["nested too deeply"]),
    "very deep nesting": ("a: " + "[" * 50_000 + "]" * 50_000, ["nested too deeply"]),
    "very deep nesting in blocks": ("- " * 200_000 + "a", ["nested too deeply"]),
    "aliases that explode": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [{','.join(f'*{a}' for _ in range(9))}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
        ),
        ["its aliases expand to more than 1,000,000 values"],
    ),
}


@pytest.mark.parametrize(("text", "problems"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_said_in_one_line_each(text, problems):
    with pytest.raises(SourceError) as caught:
        parse(text)
    assert list(caught.value.problems) == problems


@pytest.mark.parametrize("text", ["a: [1", "a: 'x\nb: 1", "\ta: 1", "password: @hunter2", "a: |2\n x"])
def test_a_syntax_error_has_line_and_column_and_quotes_no_value(text):
    with pytest.raises(SourceError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.startswith("line ")
    assert ", column " in problem
    assert "\n" not in problem
    assert "hunter2" not in problem


def test_merge_keys_and_aliases_work_and_may_be_overridden():
    text = "base: &b {x: 1, y: 2}\nmore: &m {<<: *b, y: 3}\nall: {<<: *m, x: 4}\nboth: {<<: [*b, *m]}\n"
    parsed = parse(text)
    assert parsed["more"] == {"x": 1, "y": 3}
    assert parsed["all"] == {"x": 4, "y": 3}
    assert parsed["both"] == {"x": 1, "y": 2}


def test_quoted_keys_may_look_like_anything():
    assert parse("'on': 1\n\"12\": 2\n") == {"on": 1, "12": 2}
