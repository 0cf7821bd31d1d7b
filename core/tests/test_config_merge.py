"""Keys are merged, values are replaced, inputs stay as they are."""

import copy
import doctest

from cloudmarker.config import merge, merge_dicts
from cloudmarker.config.merge import trace
from cloudmarker.config.model import Layer
from hypothesis import given
from hypothesis import strategies as st

leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
configs = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=8),
    max_size=4,
)


def test_doctests_hold():
    result = doctest.testmod(merge)
    assert result.attempted > 0
    assert result.failed == 0


def test_nothing_merges_to_an_empty_mapping():
    assert merge_dicts() == {}


def test_a_list_is_replaced_by_a_later_list():
    assert merge_dicts({"run": ["mockaudit", "fooaudit"]}, {"run": ["baraudit"]}) == {"run": ["baraudit"]}


def test_a_mapping_and_a_plain_value_replace_each_other():
    assert merge_dicts({"a": {"b": 1}}, {"a": None}, {"a": {"c": 2}}) == {"a": {"c": 2}}


def test_keys_keep_the_order_in_which_they_first_appear():
    assert list(merge_dicts({"b": 1, "a": 1}, {"c": 2, "a": 2})) == ["b", "a", "c"]


@given(configs)
def test_one_config_merges_to_an_equal_copy(config):
    merged = merge_dicts(config)
    assert merged == config
    assert merged is not config


@given(st.lists(configs, max_size=4))
def test_the_inputs_are_never_changed_nor_shared(dicts):
    before = copy.deepcopy(dicts)
    _scribble(merge_dicts(*dicts))
    assert dicts == before


@given(configs, configs)
def test_every_key_of_both_is_in_the_result_and_the_later_value_wins(first, second):
    _assert_merged(first, second, merge_dicts(first, second))


@given(configs, configs, configs)
def test_merging_step_by_step_is_merging_at_once(first, second, third):
    assert merge_dicts(merge_dicts(first, second), third) == merge_dicts(first, second, third)


@given(configs)
def test_merging_a_config_with_itself_changes_nothing(config):
    assert merge_dicts(config, config) == config


@given(configs, configs)
def test_the_trace_names_for_every_key_of_the_result_the_last_layer_that_has_it(first, second):
    origins = trace([Layer("first", first), Layer("second", second)])
    for path in _paths(merge_dicts(first, second)):
        assert origins[path] == ("second" if _has(second, path) else "first")


def test_the_trace_has_the_order_of_the_layers_and_of_the_keys_in_each():
    origins = trace([Layer("one", {"a": {"x": 1}, "b": 2}), Layer("two", {"b": 3, "a": {"y": 4}})])
    assert list(origins) == [("a", "x"), ("b",), ("a",), ("a", "y")]


def _assert_merged(first, second, merged):
    assert set(merged) == set(first) | set(second)
    for key, value in merged.items():
        if key not in second:
            assert value == first[key]
        elif isinstance(first.get(key), dict) and isinstance(second[key], dict):
            _assert_merged(first[key], second[key], value)
        else:
            assert value == second[key]


def _scribble(value):
    if isinstance(value, dict):
        for child in value.values():
            _scribble(child)
        value["scribbled"] = True
    elif isinstance(value, list):
        value.append("scribbled")


def _paths(data, path=()):
    for key, value in data.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from _paths(value, (*path, key))


def _has(data, path):
    for step in path:
        if not isinstance(data, dict) or step not in data:
            return False
        data = data[step]
    return True
