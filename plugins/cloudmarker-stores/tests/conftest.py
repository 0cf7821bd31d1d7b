"""Servers for the tests of the stores, and what runs records through a store."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudmarker.records import encode
from cloudmarker.testing import MemoryRun, records

sys.path.insert(0, str(Path(__file__).parent / "support"))  # the servers; the names are of no other module


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="session")
def many() -> Callable[[int], list[Any]]:
    """What makes so many mock records, as an audit would hand them to a store."""
    return lambda count, **raw: records.stamped(*(records.mock(n, raw={"data": n, **raw}) for n in range(count)))


@pytest.fixture
def store_through() -> Callable[..., MemoryRun]:
    """What writes records to a store, ends it, and returns the run with what the store said of each."""

    def store(plugin: Any, written: list[Any], run: MemoryRun | None = None) -> MemoryRun:
        run = run or MemoryRun()
        run.serve(plugin, written)
        return run

    return store


@pytest.fixture(scope="session")
def line() -> Callable[[Any], bytes]:
    """What gives the JSON of a record."""
    return encode


class Certificates:
    """Certificates for this machine, of an authority that nobody else knows."""

    def __init__(self, folder: Path) -> None:
        trustme = pytest.importorskip("trustme")
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self.server)
        self.authority, self.certificate, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        authority.cert_pem.write_to_path(self.authority)
        certificate.private_key_pem.write_to_path(self.key)
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def noida(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that speaks Elasticsearch's protocol, not written by us."""
    command = Path(sysconfig.get_path("scripts")) / "noida-db"
    if not command.exists():
        pytest.skip("noida-db is not installed")
    port, folder = free_port(), tmp_path_factory.mktemp("noida")
    arguments = ["start", "--data-dir", folder, "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [command, *arguments, "--only", "elasticsearch", "--elasticsearch-port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the command starts the server and waits for it: both are to end
    )
    try:
        _wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1), process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


class MongoServer:
    """A server that speaks MongoDB's protocol, not written by us, in a process of its own; it survives its death.

    Args:
        folder: where it keeps its data.
        arguments: of its command, besides.
    """

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.command = Path(sysconfig.get_path("scripts")) / "secantusd-py"
        if not self.command.exists():
            pytest.skip("secantusdb is not installed")
        self.arguments: tuple[object, ...] = ()
        self.port = free_port()
        self.folder = folder
        self.start(*arguments)

    def start(self, *arguments: object) -> None:
        """Start it, with the arguments of the last time if there are none."""
        self.arguments = arguments = arguments or self.arguments
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.folder)]
        self.process = subprocess.Popen(
            [self.command, *where, "--enable-test-commands", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), timeout=1), self.process)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def client(self, **settings: Any) -> Any:
        pymongo = pytest.importorskip("pymongo")
        return pymongo.MongoClient("localhost", self.port, timeoutMS=10_000, **settings)

    def fail(self, mode: object, **data: object) -> None:
        """Let commands that write fail."""
        with self.client() as client:
            data = {"failCommands": ["update"], **data} if mode != "off" else {}
            client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path_factory.mktemp("mongo"))
    yield server
    server.kill()


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[MongoServer]:
    """One that a test may kill."""
    server = MongoServer(tmp_path / "mongo", "--sync-on-commit")
    yield server
    server.kill()


@pytest.fixture(scope="session")
def safe_mongo(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[MongoServer]:
    """One with TLS and the user `me`, whose password is `hunter2`."""
    server = MongoServer(tmp_path_factory.mktemp("safe-mongo"))
    with server.client() as client:
        client.admin.command("createUser", "me", pwd="hunter2", roles=["root"])
    server.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.process.wait(5)
    server.kill()
    server.start("--auth", "--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key)
    yield server
    server.kill()


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[Any]:
    """One of the three stores with its server: the parameter is `elastic`, `hec` or `mongo`."""
    import targets

    if request.param == "mongo":
        made: Any = targets.MongoTarget(request.getfixturevalue("own_mongo"))
    else:
        made = {"elastic": targets.ElasticTarget, "hec": targets.HECTarget}[request.param]()
    yield made
    made.close()


@pytest.fixture
def audits(tmp_path: Path, target: Any) -> Any:
    """The command, for audits with that store."""
    from audits import Audits

    return Audits(tmp_path, target)


def _wait_for(ready: Callable[[], Any], process: subprocess.Popen[bytes], timeout_s: float = 20) -> None:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            ready().close()
            return
        time.sleep(0.05)
    pytest.skip("the server does not start on this machine")
