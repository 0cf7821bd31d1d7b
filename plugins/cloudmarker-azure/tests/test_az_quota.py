"""What the headers say, and what is learned from them."""

import pytest
from cloudmarker_azure._quota import Quota, Refill, Remaining, remaining
from hypothesis import given
from hypothesis import strategies as st


def test_headers_are_read_by_where_they_count():
    headers = {
        "X-MS-RateLimit-Remaining-Subscription-Reads": "249",
        "x-ms-ratelimit-remaining-subscription-global-reads": "3749",
        "x-ms-ratelimit-remaining-subscription-resource-requests": "17",
        "x-ms-ratelimit-remaining-resource": "Microsoft.Compute/HighCostGet3Min;159,Microsoft.Compute/GetVM30Min;2499",
        "x-ms-ratelimit-remaining-subscription-writes": "1",
        "x-ms-ratelimit-remaining-subscription-deletes": "0",
        "x-ms-request-id": "7",
    }
    assert list(remaining(headers)) == [
        Remaining("subscription-reads", False, 249),
        Remaining("subscription-global-reads", False, 3749),
        Remaining("subscription-resource-requests", True, 17),
        Remaining("Microsoft.Compute/HighCostGet3Min", True, 159),
        Remaining("Microsoft.Compute/GetVM30Min", True, 2499),
    ]


def test_the_window_of_the_graph_is_read_with_its_end():
    headers = {"x-ms-user-quota-remaining": "10", "x-ms-user-quota-resets-after": "00:01:03"}
    assert list(remaining(headers)) == [Remaining("user-quota", True, 10, 63)]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-ms-ratelimit-remaining-subscription-reads": "many"},
        {"x-ms-ratelimit-remaining-subscription-reads": "-1"},
        {"x-ms-ratelimit-remaining-subscription-reads": "²"},
        {"x-ms-ratelimit-remaining-resource": "nothing;of,use;"},
        {"x-ms-user-quota-remaining": "10"},
        {"x-ms-user-quota-remaining": "10", "x-ms-user-quota-resets-after": "soon"},
    ],
)
def test_what_cannot_be_read_is_passed_over(headers):
    assert list(remaining(headers)) == []


def test_a_call_may_be_sent_while_more_than_the_others_share_is_left():
    quota = Quota(0.0, 100)
    quota.observe(0.0, 52, in_flight=0)
    assert quota.wait_s(0.0, share=0.5) == 0
    assert quota.wait_s(0.0, share=0.5, ahead=1) == 0
    assert quota.wait_s(0.0, share=0.5, ahead=2) > 0
    assert quota.wait_s(0.0, share=0.25) > 0
    assert quota.wait_s(0.0, share=1.0, ahead=51) == 0


def test_calls_in_flight_count_as_used():
    quota = Quota(0.0, 10)
    quota.observe(0.0, 10, in_flight=9)
    assert quota.wait_s(0.0, share=1.0) == 0
    quota.spend(0.0)
    assert quota.wait_s(0.0, share=1.0) > 0


def observed(rate, per_s=20, seconds=60, capacity=250):
    """Return a quota that has watched a bucket with that refill being drained, and the time."""
    level, now = float(capacity), 0.0
    quota = Quota(now, capacity)
    for _ in range(seconds * per_s):
        now += 1 / per_s
        level = min(level + rate / per_s, capacity)
        if level >= 1:
            level -= 1
            quota.spend(now)
            quota.observe(now, int(level), in_flight=0)
    return quota, now


@pytest.mark.parametrize("rate", [1, 4, 10, 15])
def test_the_refill_is_learned_from_the_answers(rate):
    quota, _ = observed(rate)
    assert quota.refill == pytest.approx(rate, rel=0.2)


def test_what_one_bucket_taught_holds_for_the_next_of_its_kind_until_it_teaches_otherwise():
    known = Refill()
    for _ in range(100):
        known.watch(0.5, 1.0)
    quota = Quota(0.0, 10, known)
    assert quota.refill == pytest.approx(0.5, rel=0.05)
    for second in range(1, 61):
        quota.observe(float(second), 4 + second % 2, in_flight=0)
    assert quota.refill == pytest.approx(1.0, rel=0.1)


def test_a_few_refusals_are_enough_for_hundreds_of_buckets_that_were_emptied_together():
    kind = Refill()
    buckets = [Quota(0.0, 4, kind) for _ in range(500)]
    for bucket in buckets:
        for left in (3, 2, 1, 0):
            bucket.observe(0.5 * (4 - left), left, in_flight=0)
    expected = buckets[0].wait_s(2.0, share=1.0)  # too soon, if one comes back in 16 seconds
    for bucket in buckets[1:8]:
        bucket.observe(2.0 + expected, 0, in_flight=0, used=0)
    assert buckets[0].wait_s(2.0, share=1.0) >= 1.9 * expected


def test_refusals_do_not_make_buckets_wait_that_were_seen_to_gain():
    kind = Refill()
    quota, now = Quota(0.0, 10, kind), 0.0
    for _ in range(60):
        now += 1.0
        quota.observe(now, 5, in_flight=0)
    before = quota.wait_s(now, share=1.0, ahead=10)
    for _ in range(10):
        Quota(0.0, 4, kind).observe(1.0, 0, in_flight=0, used=0)
    assert quota.wait_s(now, share=1.0, ahead=10) < 1.1 * before


def test_calls_of_others_make_the_refill_look_smaller():
    alone, _ = observed(10)
    shared, _ = observed(10 - 6)
    assert shared.refill < alone.refill / 2


def test_a_window_gives_everything_back_at_its_end():
    quota = Quota(0.0, 15)
    quota.observe(1.0, 7, in_flight=0, resets_s=3.0)
    assert quota.wait_s(1.0, share=0.5) == 3.0
    assert quota.wait_s(4.0, share=0.5) == 0


def test_a_full_bucket_is_enough_however_small_the_share_of_it():
    assert Quota(0.0, 1).wait_s(0.0, share=0.1) == 0
    assert Quota(0.0, 0).wait_s(1000.0, share=0.1) == 0


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 12000), st.integers(0, 64), st.none() | st.floats(0, 60))),
    st.floats(0.01, 1),
    st.integers(0, 64),
)
def test_whatever_is_said_the_wait_is_a_number_that_is_not_negative(answers, share, ahead):
    quota, now = Quota(0.0, 100), 0.0
    for elapsed, calls, in_flight, resets_s in answers:
        now += elapsed
        quota.spend(now)
        quota.observe(now, calls, in_flight, resets_s)
        assert quota.wait_s(now, share, ahead) >= 0
