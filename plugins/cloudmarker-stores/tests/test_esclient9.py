"""EsStore with the client 9: its tests again, where `make test` has put that client beside the client 8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import elasticsearch
import pytest

CLIENT = Path(sys.prefix) / "elasticsearch9"
TESTS = Path(__file__).with_name("test_esstore.py")
RUN = "import sys, elasticsearch, pytest; print('client', elasticsearch.__version__[0]); sys.exit(pytest.main())"


@pytest.mark.timeout(180)
@pytest.mark.skipif(elasticsearch.__version__[0] == 9, reason="all tests here have the client 9")
@pytest.mark.skipif(not CLIENT.is_dir(), reason="the client 9 is not beside the client 8; make test puts it there")
def test_what_holds_for_esstore_holds_with_the_client_9():
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = os.pathsep.join(filter(None, (str(CLIENT), os.environ.get("PYTHONPATH"))))
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(TESTS)]
    done = subprocess.run(
        [sys.executable, "-c", RUN.replace("main()", f"main({arguments!r})")],
        env={**inherited, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.startswith("client 9\n")
    assert "passed" in done.stdout
