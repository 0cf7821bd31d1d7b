import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner
from cloudmarker_simulators.cli import main

COMMAND = [sys.executable, "-c", "from cloudmarker_simulators.cli import main; main()"]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where the command keeps its keys; empty when it has tidied up."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    return directory


@pytest.fixture
def hang_up():
    """SIGHUP ends what a test starts, even if the tests run under nohup."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, inherited)


def run(*arguments, **options):
    return subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True, timeout=30, **options)


def python(code):
    return ["exec", "--", sys.executable, "-c", code]


AZURE_KEYS = ["cloud", "endpoint", "authority", "ca_cert", "tenant", "client", "secret"]
GCP_KEYS = ["cloud", "endpoint", "key_file_path"]


@pytest.mark.parametrize(
    ("cloud", "keys", "number"),
    [
        ("azure", AZURE_KEYS, signal.SIGTERM),
        ("azure", AZURE_KEYS, signal.SIGHUP),
        ("gcp", GCP_KEYS, signal.SIGINT),
    ],
)
@pytest.mark.usefixtures("hang_up")
def test_a_simulator_says_when_it_is_ready_and_stops_on_a_signal(temporary, cloud, keys, number):
    with subprocess.Popen([*COMMAND, cloud], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        assert list(ready) == keys
        assert ready["cloud"] == cloud
        assert list(temporary.iterdir())
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert not list(temporary.iterdir())


def test_exec_tells_the_command_how_to_reach_both(temporary):
    done = run(
        *python("import json, os; print(json.dumps(dict(os.environ)))"), env={**os.environ, "NO_PROXY": "example.com"}
    )
    assert done.returncode == 0
    settings = json.loads(done.stdout)
    assert settings["NO_PROXY"] == "example.com,localhost,127.0.0.1"
    assert sorted(name for name in settings if name.startswith("CLOUDMARKER_")) == [
        "CLOUDMARKER_AZURE_AUTHORITY",
        "CLOUDMARKER_AZURE_CA_CERT",
        "CLOUDMARKER_AZURE_CLIENT",
        "CLOUDMARKER_AZURE_ENDPOINT",
        "CLOUDMARKER_AZURE_SECRET",
        "CLOUDMARKER_AZURE_TENANT",
        "CLOUDMARKER_GCP_ENDPOINT",
        "CLOUDMARKER_GCP_KEY_FILE",
    ]
    assert not list(temporary.iterdir())


def test_exec_answers_while_the_command_runs():
    ask = """if True:
        import os, ssl, urllib.request
        context = ssl.create_default_context(cafile=os.environ["CLOUDMARKER_AZURE_CA_CERT"])
        url = f"{os.environ['CLOUDMARKER_AZURE_AUTHORITY']}/{os.environ['CLOUDMARKER_AZURE_TENANT']}"
        with urllib.request.urlopen(f"{url}/v2.0/.well-known/openid-configuration", context=context) as answer:
            assert answer.status == 200
        try:
            urllib.request.urlopen(os.environ["CLOUDMARKER_GCP_ENDPOINT"] + "/v1/projects")
        except urllib.error.HTTPError as error:
            assert error.code == 401
        request = urllib.request.Request(os.environ["CLOUDMARKER_GCP_ENDPOINT"] + "/v1/projects", method="DELETE")
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            assert error.code == 405
    """
    done = run(*python(ask))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "cloudmarker-simulate: gcp: refused 1 calls that were not reads\n"


@pytest.mark.parametrize("code", [0, 77])
def test_exec_ends_with_the_commands_exit_code(code):
    assert run(*python(f"raise SystemExit({code})")).returncode == code


def test_exec_tells_a_commands_end_by_a_signal(temporary):
    done = run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert done.returncode == 128 + signal.SIGKILL
    assert not list(temporary.iterdir())


def test_exec_tells_a_command_that_is_not_there_from_one_that_cannot_run(temporary, tmp_path):
    done = run("exec", "--", "no-such-command")
    assert (done.returncode, done.stderr) == (127, "cloudmarker-simulate: no-such-command: command not found\n")
    plain = tmp_path / "plain"
    plain.write_text("not a program")
    assert run("exec", "--", str(plain)).returncode == 126
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exec_hands_signals_on_and_waits_for_the_command(temporary, number):
    """The command decides what a signal means; in a session of its own no terminal sends it too."""
    code = f"""if True:
        import os, signal, sys
        def end(number, frame):
            print("got", number, flush=True)
            sys.exit(42)
        signal.signal({int(number)}, end)
        os.write(1, b"ready\\n")  # not print: it could be interrupted by the print in end, and cannot be entered twice
        signal.pause()
    """
    command = [*COMMAND, *python(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (42, f"got {int(number)}\n")
    assert not list(temporary.iterdir())


def test_exec_passes_the_commands_own_options_on():
    done = run(
        "exec", "--tenant", "holes", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--help", "--", "-x"
    )
    assert done.stdout == "['--help', '--', '-x']\n"


@pytest.mark.parametrize(
    ("arguments", "path", "number"),
    [
        (["azure", "--subscriptions", "3", "--scale", "2", "--seed", "5", "--quota", "9/1"], "subscriptions", 3),
        (["gcp", "--projects", "4", "--latency", "1", "--quota", "9/1"], "projects", 4),
    ],
)
def test_a_synthetic_tenant_of_any_size_can_be_served(monkeypatch, arguments, path, number):
    served = []
    monkeypatch.setattr("cloudmarker_simulators.cli.serve_until_stopped", lambda made, _ready: served.append(made))
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.output) == (0, "")
    source = served[0].source
    assert source.count(f"/{path}" if path == "subscriptions" else f"/v1/{path}") == number


def test_wrong_use_is_told_in_a_line(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text('[{"path": "x", "sttus": 500}]')
    for arguments, expected in (
        (["azure", "--tenant", "smaple"], "smaple"),
        (["gcp", "--recordings", "nowhere.jsonl"], "nowhere.jsonl"),
        (["gcp", "--faults", str(rules)], "unknown key 'sttus'"),
        (["gcp", "--recordings", str(rules)], "rules.json:1: not an object"),
        (["azure", "--subscriptions", "2", "--quota", "many"], "CALLS/PER_SECOND"),
        (["gcp", "--projects", "0"], "projects"),
        (["exec"], "COMMAND"),
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2
        assert expected in done.output


def test_a_port_in_use_is_told_in_a_line(temporary):
    with subprocess.Popen([*COMMAND, "gcp"], stdout=subprocess.PIPE, text=True) as process:
        port = json.loads(process.stdout.readline())["endpoint"].rpartition(":")[2]
        done = run("azure", "--port", port)
        process.terminate()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot listen on port {port}: Address already in use" in done.stderr


def test_faults_can_be_given_in_a_file(tmp_path):
    rules = tmp_path / "rules.json"
    rules.write_text('[{"path": "/v1/projects", "status": 418}]')
    with subprocess.Popen([*COMMAND, "gcp", "--faults", str(rules)], stdout=subprocess.PIPE, text=True) as process:
        endpoint = json.loads(process.stdout.readline())["endpoint"]
        done = subprocess.run(
            [sys.executable, "-c", f"import urllib.request; urllib.request.urlopen('{endpoint}/v1/projects')"],
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
        )
        process.terminate()
    assert "HTTP Error 418" in done.stderr
