import pytest
from cloudmarker_simulators import AzureSimulator, Quota
from cloudmarker_simulators._quotas import Quotas

READS = "x-ms-ratelimit-remaining-subscription-reads"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_bucket_refills_one_by_one_and_never_beyond_its_size():
    clock = Clock()
    quotas = Quotas(Quota(3, per_s=2), clock)
    assert [quotas.take("a").remaining for _ in range(3)] == [2, 1, 0]
    assert quotas.take("a").wait_s == pytest.approx(0.5)
    clock.now += 0.5
    assert (quotas.take("a").wait_s, quotas.take("a").wait_s > 0) == (0, True)
    clock.now += 1000
    assert quotas.take("a").remaining == 2


def test_a_window_starts_anew_as_a_whole():
    clock = Clock()
    quotas = Quotas(Quota(2, window_s=5), clock)
    assert [quotas.take("a").remaining for _ in range(2)] == [1, 0]
    clock.now += 4
    verdict = quotas.take("a")
    assert (verdict.wait_s, verdict.resets_s) == (1, 1)
    clock.now += 1
    assert quotas.take("a").remaining == 1


def test_every_key_has_its_own_quota():
    quotas = Quotas(Quota(1, per_s=1), Clock())
    assert quotas.take("a").wait_s == quotas.take("b").wait_s == 0
    assert quotas.take("a").wait_s > 0


@pytest.mark.parametrize("text", ["", "5", "x/2", "0/1", "5/x"])
def test_a_quota_is_written_as_calls_and_rate(text):
    assert Quota.parse("250/2.5") == Quota(250, 2.5)
    with pytest.raises(ValueError, match=r".+"):
        Quota.parse(text)


def test_a_subscription_is_throttled_by_itself(azure_client):
    with AzureSimulator(subscriptions=2, quota=Quota(3, 0.001)) as simulator:
        client = azure_client(simulator)
        client.log_in()
        first, second = (item["id"] for item in client.items("/subscriptions"))
        answers = [client.read(f"{first}/resourceGroups") for _ in range(4)]
        assert [status for status, _, _ in answers] == [200, 200, 200, 429]
        assert [headers[READS] for _, _, headers in answers] == ["2", "1", "0", "0"]
        assert int(answers[3][2]["Retry-After"]) > 500
        assert answers[3][1]["error"]["code"] == "SubscriptionRequestsThrottled"
        assert client.read(f"{second}/resourceGroups")[0] == 200
        assert client.read("/subscriptions")[2]["x-ms-ratelimit-remaining-tenant-reads"] == "1"


def test_a_provider_is_throttled_by_itself(azure_client):
    with AzureSimulator(subscriptions=1, provider_quota=Quota(1, 0.001)) as simulator:
        client = azure_client(simulator)
        client.log_in()
        root = client.items("/subscriptions")[0]["id"]
        status, _, headers = client.read(f"{root}/providers/Microsoft.Compute/disks")
        assert (status, headers["x-ms-ratelimit-remaining-resource"]) == (200, "microsoft.compute/Reads;0")
        assert client.read(f"{root}/providers/Microsoft.Compute/disks")[0] == 429
        assert client.read(f"{root}/providers/Microsoft.Network/networkInterfaces")[0] == 200
        assert client.read(f"{root}/resourceGroups")[0] == 200


def test_queries_are_limited_in_windows(azure_client):
    path = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    with AzureSimulator(subscriptions=1, graph_quota=Quota(1, window_s=3600)) as simulator:
        client = azure_client(simulator)
        client.log_in()
        answers = [client.call(path, method="POST", data=b'{"query": "resources | project id"}') for _ in range(2)]
        assert [status for status, _, _ in answers] == [200, 429]
        assert answers[0][2]["x-ms-user-quota-remaining"] == "0"
        assert answers[1][2]["x-ms-user-quota-resets-after"] in ("01:00:00", "00:59:59")
