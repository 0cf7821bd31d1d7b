from __future__ import annotations

import pytest
from cloudmarker._covered import Covered
from cloudmarker.coverage import coverage


def covered(*entries, types=("firewall_rule",), together=False):
    """Return the coverage that some (state, account, record types) add up to."""
    found = Covered(types, together=together)
    for state, account, record_types in entries:
        found.add(coverage("c", "scope", "x", state, account=account, record_types=record_types)["com"])
    return found


RULES = ["firewall_rule"]


def test_an_account_is_covered_if_something_of_it_was_read_and_nothing_is_missing():
    assert covered(("ok", "one", RULES)).covers("c", "one")
    assert covered(("disabled", "one", RULES)).covers("c", "one")
    assert not covered().covers("c", "one")
    assert not covered(("ok", "two", RULES)).covers("c", "one")


@pytest.mark.parametrize("state", ["denied", "throttled", "failed", "skipped"])
@pytest.mark.parametrize("types", [RULES, None, ["disk", "firewall_rule"]])
@pytest.mark.parametrize("account", ["one", None])
def test_what_is_missing_in_an_account_or_in_all_of_them_leaves_it_uncovered(state, types, account):
    assert not covered(("ok", "one", RULES), (state, account, types)).covers("c", "one")


def test_what_the_plugin_does_not_look_at_may_be_missing():
    assert covered(("ok", "one", RULES), ("denied", "one", ["disk"])).covers("c", "one")
    assert not covered(("ok", "one", RULES), ("denied", "one", ["disk"]), types=None).covers("c", "one")
    assert not covered(("ok", "one", ["disk"])).covers("c", "one")


def test_upper_and_lower_case_make_no_other_account():
    found = covered(("ok", "one", RULES), ("ok", "two", RULES), ("denied", "ONE", RULES))
    assert not found.covers("C", "one")
    assert found.covers("C", "Two")


def test_another_account_or_another_cloud_may_be_missing():
    found = covered(("ok", "one", RULES), ("denied", "two", RULES))
    assert found.covers("c", "one")
    assert not found.covers("c", "two")
    assert not found.covers("d", "one")


def test_a_plugin_that_looks_at_accounts_together_needs_all_of_them():
    entries = [("ok", "one", RULES), ("ok", "two", RULES)]
    assert covered(*entries, together=True).covers("c", "one")
    assert not covered(*entries, ("denied", "two", RULES), together=True).covers("c", "one")


def test_a_cloud_that_says_it_of_everything_at_once_covers_all_accounts():
    assert covered(("ok", None, None)).covers("c", "one")
    assert covered(("ok", None, None)).covers("c", None)


def test_lists_above_the_accounts_do_not_say_that_an_account_was_read():
    assert not covered(("ok", None, RULES)).covers("c", "one")
    assert covered(("ok", None, RULES)).covers("c", None)


def test_what_is_in_no_account_may_be_missing_because_of_any():
    assert covered(("ok", "one", RULES)).covers("c", None)
    assert not covered(("ok", "one", RULES), ("denied", "two", RULES)).covers("c", None)
