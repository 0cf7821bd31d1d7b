import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloudmarker_simulators import AzureSimulator, Fault, GCPSimulator

PROJECTS = "/v1/projects"


@pytest.fixture
def client(google_client):
    with GCPSimulator() as simulator:
        client = google_client(simulator)
        client.log_in()
        yield client


def test_a_fault_with_a_status_answers_in_place_of_the_api(client):
    client.simulator.faults.append(Fault("/v1/projects", status=503, headers={"Retry-After": "7"}))
    status, body, headers = client.call(PROJECTS)
    assert (status, body["error"]["status"], headers["Retry-After"]) == (503, "UNAVAILABLE", "7")


def test_each_cloud_has_its_own_error_body(azure_client):
    with AzureSimulator(faults=[Fault("/subscriptions", status=429)]) as simulator:
        client = azure_client(simulator)
        client.log_in()
        status, body, _ = client.read("/subscriptions")
        assert (status, body["error"]["code"]) == (429, "TooManyRequests")


def test_a_body_can_be_given(client):
    client.simulator.faults.append(Fault("/v1/projects", status=200, body="<html>proxy</html>"))
    with pytest.raises(json.JSONDecodeError):
        client.call(PROJECTS)


def test_a_fault_counts_what_it_lets_pass_and_what_it_hits(client):
    fault = Fault(r"/projects\b", status=500, skip=1, times=2)
    client.simulator.faults.append(fault)
    assert [client.call(PROJECTS)[0] for _ in range(5)] == [200, 500, 500, 200, 200]
    assert fault.hits == 2


def test_a_fault_is_about_its_path_and_method_only(client):
    client.simulator.faults.append(Fault("^/v3/", status=500))
    client.simulator.faults.append(Fault("/v1/projects", method="DELETE", status=418))
    assert client.call(PROJECTS)[0] == 200
    assert client.call(PROJECTS, method="DELETE")[0] == 418


def test_the_first_fault_that_is_not_spent_hits(client):
    client.simulator.faults += [Fault("projects", status=500, times=1), Fault("projects", status=502)]
    assert [client.call(PROJECTS)[0] for _ in range(3)] == [500, 502, 502]


def test_a_fault_can_hit_the_token_endpoint(client):
    client.simulator.faults.append(Fault("/token", status=503))
    assert client.log_in()[0] == 503


def test_an_answer_can_come_late(client):
    client.simulator.faults.append(Fault("projects", delay_s=0.2))
    start = time.monotonic()
    assert client.call(PROJECTS)[0] == 200
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("kind", ["azure", "gcp"])
def test_the_connection_can_be_dropped(azure_client, google_client, kind):
    cloud, client_of = {"azure": (AzureSimulator, azure_client), "gcp": (GCPSimulator, google_client)}[kind]
    with cloud() as simulator:
        client = client_of(simulator)
        client.log_in()
        simulator.faults.append(Fault("subscriptions|projects", reset=True))
        with pytest.raises(OSError, match=r"reset|closed|EOF"):
            client.call("/v1/projects" if kind == "gcp" else "/subscriptions?api-version=2022-12-01")
        assert simulator.statuses[0] == 1


def test_a_body_can_be_cut(client):
    client.simulator.faults.append(Fault("projects", truncate_bytes=10))
    with pytest.raises(http.client.IncompleteRead):
        client.call(PROJECTS)


def test_a_web_page_can_come_in_place_of_the_body(client):
    client.simulator.faults.append(Fault("projects", content="html"))
    with pytest.raises(json.JSONDecodeError):
        client.call(PROJECTS)
    client.simulator.faults[-1] = Fault("projects", content="html", status=503)
    assert client.simulator.statuses[200] == 2  # the login and the page
    with pytest.raises(json.JSONDecodeError):
        client.call(PROJECTS)
    assert client.simulator.statuses[503] == 1


def test_a_body_can_be_half_of_what_it_should_be(client):
    client.simulator.faults.append(Fault("projects", content="malformed"))
    with pytest.raises(json.JSONDecodeError):
        client.call(PROJECTS)


def test_a_share_of_the_calls_can_be_hit_and_it_is_the_same_ones_every_time(client):
    found = []
    for _ in range(2):
        client.simulator.faults[:] = [Fault("projects", status=500, rate=0.3)]
        found.append([client.call(PROJECTS)[0] for _ in range(40)])
    assert found[0] == found[1]
    assert 5 < found[0].count(500) < 20


def test_a_token_can_expire_in_the_middle(client):
    client.simulator.faults.append(Fault("projects", expire_token=True, times=1))
    status, body, _ = client.call(PROJECTS)
    assert (status, "expired" in body["error"]["message"]) == (401, True)
    assert client.call(PROJECTS)[0] == 401
    client.log_in()
    assert client.call(PROJECTS)[0] == 200


def test_pages_can_go_round_in_a_circle(client, azure_client):
    client.simulator.faults.append(Fault("projects", next_link="loop"))
    page = client.get(PROJECTS)
    again = client.get(f"{PROJECTS}?pageToken={page['nextPageToken']}")
    assert (again["projects"], again["nextPageToken"]) == (page["projects"], page["nextPageToken"])
    with AzureSimulator(faults=[Fault("/subscriptions", next_link="loop")]) as simulator:
        azure = azure_client(simulator)
        azure.log_in()
        page = azure.get("/subscriptions?api-version=2022-12-01")
        assert azure.get(page["nextLink"]) == page


def test_a_next_link_can_lead_to_another_host_and_who_goes_there_is_seen(azure_client):
    with AzureSimulator(faults=[Fault("/subscriptions", next_link="foreign")]) as simulator:
        client = azure_client(simulator)
        client.log_in()
        link = client.get("/subscriptions?api-version=2022-12-01")["nextLink"]
        port = client.root.rpartition(":")[2]
        assert link.startswith(f"https://127.0.0.1:{port}/subscriptions?")
        assert set(simulator.hosts) == {f"localhost:{port}"}
        client.get(link)
        assert simulator.hosts[f"127.0.0.1:{port}"] == 1
        simulator.faults[:] = [Fault("/subscriptions", next_link="https://example.com/x")]
        assert client.get("/subscriptions?api-version=2022-12-01")["nextLink"] == "https://example.com/x"


def test_every_answer_can_come_late_and_none_holds_up_another(azure_client):
    with AzureSimulator(latency_s=0.2) as simulator:
        client = azure_client(simulator)
        client.log_in()
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            assert [status for status, _, _ in pool.map(client.read, ["/subscriptions"] * 8)] == [200] * 8
        assert 0.2 <= time.monotonic() - start < 1.2


def test_a_rule_with_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match="unknown key 'sttus'"):
        Fault.from_json({"path": "x", "sttus": 500})
    with pytest.raises(ValueError, match="without a path"):
        Fault.from_json({"status": 500})


def test_a_connection_is_kept_after_any_answer(client):
    """Errors and refusals must not cost the client its connection."""
    host = client.root.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    headers = {"Authorization": f"Bearer {client.token}"}
    connection.connect()
    socket = connection.sock
    for method, path in (("GET", PROJECTS), ("GET", "/x"), ("POST", PROJECTS), ("GET", PROJECTS)):
        connection.request(method, path, headers=headers)
        connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


def test_many_clients_get_their_own_answers(client):
    projects = ["tidewater-web", "tidewater-data"] * 20

    def first(project):
        return client.get(f"/compute/v1/projects/{project}/global/firewalls")["id"]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(first, projects)) == [f"projects/{project}/global/firewalls" for project in projects]


def test_stopping_ends_connections_that_clients_hold_open(google_client):
    with GCPSimulator() as simulator:
        host = simulator.settings["endpoint"].removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request("GET", PROJECTS)
        connection.getresponse().read()
        socket = connection.sock
    assert socket.recv(1) == b""
    connection.close()


def test_what_was_asked_can_be_read_after_the_end(google_client):
    with GCPSimulator() as simulator:
        google_client(simulator).call(PROJECTS)
    assert simulator.requests == [("GET", PROJECTS)]
    assert simulator.statuses == {401: 1}


def test_a_port_in_use_is_an_error_and_leaves_nothing_behind(client):
    port = int(client.root.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"), GCPSimulator(port=port):
        pass
