"""Every store of this distribution as an alert: it gets the events, and as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cloudmarker_stores.querystore import QueryStore

EVENTS = 4
"""What the mock event finds in the ten records of the mock cloud."""


class QueryTarget:
    """The query store, with the folder that it writes to as its server."""

    plugin = QueryStore
    twice = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.params = {"path": str(folder)}

    def ids(self) -> list[str]:
        tables = pytest.importorskip("cloudmarker_stores._querytables")
        from cloudmarker_stores import _queryruns

        sql = "SELECT record_id FROM records"
        with tables.connect(_queryruns.read(self.folder), sql) as database:
            return [name for (name,) in database.execute(sql).fetchall()]


@pytest.mark.parametrize("name", ["elastic", "mongo", "hec", "query"])
def test_every_store_serves_as_an_alert_too(name: str, request: Any, tmp_path: Path) -> None:
    import targets
    from audits import Audits

    if name == "query":
        target: Any = QueryTarget(tmp_path / "query")
    elif name == "mongo":
        target = targets.MongoTarget(request.getfixturevalue("own_mongo"))
    else:
        target = {"elastic": targets.ElasticTarget, "hec": targets.HECTarget}[name]()
    audits = Audits(tmp_path, target)
    audits.configure(alerts=["filestore", "server"], stores=["filestore"])
    code, result, worker = audits.run()
    assert (code, result["status"], worker["kind"]) == (0, "complete", "alert")
    assert worker["delivery"]["delivered"] == EVENTS
    (file,) = (tmp_path / "out").glob("a_mockevent*.json")
    expected = [record["com"]["record_id"] for record in json.loads(file.read_text())]
    assert sorted(target.ids()) == sorted(expected)
    assert len(expected) == EVENTS
    if name != "query":
        target.close()
