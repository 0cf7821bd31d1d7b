"""Files that hold something whole or not at all."""

from __future__ import annotations

import os
import resource
import stat

import pytest
from cloudmarker.files import replace_file, write_whole


@pytest.fixture
def limited(tmp_path):
    """A file that may have 10 bytes, open to append to."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    fd = os.open(tmp_path / "file", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    yield fd, tmp_path / "file"
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    os.close(fd)


def test_what_does_not_fit_is_not_written_in_part(limited):
    fd, path = limited
    write_whole(fd, b"12345")
    with pytest.raises(OSError, match="too large"):
        write_whole(fd, b"123456")
    assert path.read_bytes() == b"12345"
    write_whole(fd, b"67890")
    assert path.read_bytes() == b"1234567890"


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_that_is_replaced_is_for_its_owner_only_and_nothing_is_left_beside_it(tmp_path, durable):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o666)
    (tmp_path / ".file.tmp").write_bytes(b"of a run that was killed")
    replace_file(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            replace_file(path, b"much longer than that", durable=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
