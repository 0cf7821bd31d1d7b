"""The governor against quotas: what is asked for, and what is left to others."""

import threading
import time
from collections import Counter

import pytest
from cloudmarker.reading import Retry, UnreadError
from cloudmarker_azure._access import access
from cloudmarker_azure._governor import Governor, Target
from cloudmarker_azure._session import Session
from cloudmarker_azure._table import RECORD_TYPES
from cloudmarker_azure.azcloud import AzCloud
from cloudmarker_simulators import AzureSimulator, Fault, Quota

TYPES = ["resource_group", "virtual_machine", "disk", "snapshot", "image", "nic", "nsg", "lb", "public_ip", "redis"]


def states(records):
    return Counter(record["com"]["state"] for record in records if record["com"]["record_type"] == "coverage")


def holes(records):
    found = states(records)
    return found["denied"] + found["throttled"] + found["failed"]


def governor(share=1.0, **retry):
    return Governor(Retry(**retry), share, threading.Event())


def throttled(retry_after_s=None, code=""):
    return UnreadError("throttled", "HTTP 429", again=True, retry_after_s=retry_after_s, code=code)


A_NETWORK = Target("a", "microsoft.network")
A_COMPUTE = Target("a", "microsoft.compute")
B_NETWORK = Target("b", "microsoft.network")


def later():
    """Return when to give up: nothing here has to wait, so it is soon."""
    return time.monotonic() + 5


def pass_through(subject, target, headers, refusal=None):
    subject.leave(target, subject.enter(target, later()), headers, refusal)


def closed(subject, target):
    return subject.ready_at(target) > time.monotonic()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/subscriptions", ("", "microsoft.resources")),
        ("/subscriptions/AB/resourcegroups", ("ab", "microsoft.resources")),
        ("/subscriptions/AB/providers/Microsoft.Network/loadBalancers", ("ab", "microsoft.network")),
        ("/providers/Microsoft.ResourceGraph/resources", ("", "microsoft.resourcegraph")),
        (
            "/subscriptions/ab/resourceGroups/r/providers/Microsoft.KeyVault/vaults/v/providers/Microsoft.Insights/x",
            ("ab", "microsoft.insights"),
        ),
    ],
)
def test_a_request_counts_for_its_subscription_and_provider(path, target):
    assert Target.of(path) == target


def test_a_refusal_by_a_provider_closes_it_in_that_subscription_only():
    subject = governor()
    pass_through(subject, A_NETWORK, {"x-ms-ratelimit-remaining-subscription-reads": "200"}, throttled(30))
    assert closed(subject, A_NETWORK)
    assert not closed(subject, A_COMPUTE)
    assert not closed(subject, B_NETWORK)


@pytest.mark.parametrize(
    ("headers", "code"),
    [({"x-ms-ratelimit-remaining-subscription-reads": "0"}, ""), ({}, "SubscriptionRequestsThrottled")],
)
def test_a_refusal_by_the_subscription_closes_all_of_it(headers, code):
    subject = governor()
    pass_through(subject, A_NETWORK, headers, throttled(30, code))
    assert closed(subject, A_NETWORK)
    assert closed(subject, A_COMPUTE)
    assert not closed(subject, B_NETWORK)


def test_a_wait_is_never_longer_than_the_cap_nor_shorter_than_asked_for():
    subject = governor(max_wait_s=10.0)
    pass_through(subject, A_NETWORK, {}, throttled(3600))
    assert 9.5 < subject.ready_at(A_NETWORK) - time.monotonic() <= 12.5
    subject = governor()
    pass_through(subject, A_NETWORK, {}, throttled(7))
    assert 6.9 < subject.ready_at(A_NETWORK) - time.monotonic() <= 8.75


def test_after_a_refusal_one_request_tries_and_the_others_wait_for_what_becomes_of_it():
    subject = governor()
    pass_through(subject, A_NETWORK, {}, throttled(0))
    sent_at = subject.enter(A_NETWORK, later())
    assert closed(subject, A_NETWORK)
    subject.leave(A_NETWORK, sent_at, {})
    assert not closed(subject, A_NETWORK)


def test_an_answer_to_what_was_sent_before_the_refusal_does_not_open_the_gate():
    subject = governor()
    early = subject.enter(A_NETWORK, later())
    pass_through(subject, A_NETWORK, {}, throttled(30))
    subject.leave(A_NETWORK, early, {})
    assert closed(subject, A_NETWORK)


def test_an_answer_to_what_was_sent_nevertheless_opens_it():
    subject = governor(deadline_s=0.1)
    pass_through(subject, A_NETWORK, {}, throttled(30))
    pass_through(subject, A_NETWORK, {})
    assert not closed(subject, A_NETWORK)


def test_refusals_provoked_together_count_once():
    subject = governor(first_wait_s=20.0)  # nobody waits so long: it is only said when the gate opens
    pass_through(subject, A_NETWORK, {})
    for sent_at in [subject.enter(A_NETWORK, later()) for _ in range(4)]:
        subject.leave(A_NETWORK, sent_at, {}, throttled())
    assert subject.ready_at(A_NETWORK) - time.monotonic() <= 25  # counted twice, they would make it 40


def test_what_is_given_up_is_sent_once_all_the_same():
    subject = governor(deadline_s=0.1)
    pass_through(subject, A_NETWORK, {}, throttled(30))
    began = time.monotonic()
    subject.enter(A_NETWORK, began + 0.1)
    assert 0.05 < time.monotonic() - began < 1
    assert not subject.opens_in_time(A_NETWORK, began + 0.1)


def test_those_who_wait_are_told_to_stop():
    stop = threading.Event()
    subject = Governor(Retry(), 1.0, stop)
    pass_through(subject, A_NETWORK, {}, throttled(30))
    ended = []

    def wait():
        try:
            subject.enter(A_NETWORK, later())
        except UnreadError as exc:
            ended.append(str(exc))

    thread = threading.Thread(target=wait)
    thread.start()
    stop.set()
    subject.interrupt()
    thread.join(5)
    assert ended == ["reading was stopped"]


def test_a_quota_is_kept_to_without_being_refused():
    with AzureSimulator(subscriptions=6, scale=1, quota=Quota(8, 8.0)) as simulator:
        records = list(AzCloud(**simulator.settings, record_types=TYPES, rate_limit=1).read())
        statuses = simulator.statuses
    assert holes(records) == 0
    assert statuses[429] <= 0.02 * statuses.total()
    assert len({record["com"]["reference"] for record in records if "raw" in record}) == sum(
        "raw" in record for record in records
    )


def test_the_share_of_others_is_left_to_them():
    left = []
    ended = threading.Event()
    with AzureSimulator(subscriptions=1, scale=1, quota=Quota(20, 10.0)) as simulator:
        settings = {name: simulator.settings[name] for name in ("tenant", "client", "secret")}
        addresses = {name: simulator.settings[name] for name in ("endpoint", "authority", "ca_cert")}
        others = Session(access(**settings, **addresses, cloud="public"), 1, ended)
        (subscription,) = simulator.source.rows(None, "resourcecontainers", ("subscriptionId",), None)[:1]
        path = f"/subscriptions/{subscription['subscriptionId']}/resourcegroups?api-version=2021-04-01"

        def ask():
            while not ended.wait(0.2):
                left.append(
                    int(others.get(addresses["endpoint"] + path).headers["x-ms-ratelimit-remaining-subscription-reads"])
                )

        thread = threading.Thread(target=ask)
        thread.start()
        records = list(AzCloud(**simulator.settings, record_types=RECORD_TYPES[:24], rate_limit=0.5).read())
        ended.set()
        thread.join(5)
        others.close()
        assert simulator.statuses[429] == 0
    assert holes(records) == 0
    assert len(left) > 3
    assert min(left) >= 7


def test_a_subscription_that_is_throttled_does_not_keep_the_others_waiting():
    with AzureSimulator(subscriptions=8, scale=1) as simulator:
        slow = simulator.source.rows(None, "resourcecontainers", ("id",), None)[0]["id"]
        refusal = {"Retry-After": "2", "x-ms-ratelimit-remaining-subscription-reads": "0"}
        simulator.faults.append(Fault(slow, status=429, headers=refusal, times=1))
        began = time.monotonic()
        ended = {}
        for record in AzCloud(**simulator.settings, record_types=TYPES, threads=4).read():
            if record["com"]["record_type"] == "coverage":
                ended[record["com"]["scope"]] = time.monotonic() - began
        statuses = simulator.statuses
    assert ended.pop(slow) >= 2
    assert max(ended.values()) < 2
    assert statuses[429] == 1


def test_a_storm_is_met_with_one_request_at_a_time():
    with AzureSimulator(subscriptions=1, scale=1) as simulator:
        refusal = {"Retry-After": "1", "x-ms-ratelimit-remaining-subscription-reads": "0"}
        simulator.faults.append(Fault("/subscriptions/[^?]", status=429, headers=refusal, times=2))
        records = list(AzCloud(**simulator.settings, record_types=TYPES, threads=1).read())
        assert simulator.statuses[429] == 2
    assert holes(records) == 0


def test_before_the_first_answer_only_a_few_requests_are_sent():
    subject = governor()
    sent = [subject.enter(A_NETWORK, later()) for _ in range(4)]
    assert closed(subject, A_NETWORK)
    subject.leave(A_NETWORK, sent[0], {})
    assert not closed(subject, A_NETWORK)
