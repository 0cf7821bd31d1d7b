"""What a configuration says of the plugins is checked before anything is run."""

import subprocess
import sys
import typing

import pytest
from cloudmarker_azure._access import CLOUDS
from cloudmarker_azure._settings import SOURCES
from cloudmarker_azure._table import RECORD_TYPES
from cloudmarker_azure._words import CloudName, RecordType, Source


@pytest.mark.parametrize(("words", "known"), [(RecordType, RECORD_TYPES), (CloudName, CLOUDS), (Source, SOURCES)])
def test_the_words_of_the_types_are_those_that_are_known(words, known):
    assert typing.get_args(words) == tuple(known)


def test_config_check_notices_words_that_are_none(tmp_path):
    path = tmp_path / "audit.yaml"
    path.write_text(
        "plugins:\n"
        "  all:\n"
        "    plugin: azcloud\n"
        "    params: {record_types: [disk, nsgs], cloud: publik, source: grap}\n"
        "audits: {daily: {clouds: [all], stores: [filestore], events: [], alerts: []}}\n"
        "run: [daily]\n"
    )
    command = (sys.executable, "-m", "cloudmarker", "-c", str(path), "config", "check")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert f"all.params.record_types[1]: expected one of {len(RECORD_TYPES)} words; did you mean 'nsg'?" in said
    assert "did you mean 'public'?" in said
    assert "did you mean 'graph'?" in said
