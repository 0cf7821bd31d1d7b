"""A server that answers as Elasticsearch does to what EsStore asks, is strict about headers, and fails on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from cloudmarker.testing.servers import Answer, LoopbackServer, Request

PRODUCT = {"X-Elastic-Product": "Elasticsearch"}
_MEDIA_TYPE = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=(\d+)")


class ElasticServer(LoopbackServer):
    """Keeps documents by index and id.

    Attributes:
        documents: JSON of each document, by id, of all indices.
        indices: the index of each id.
        templates: the index templates that were put.
        compatible: the major versions of clients that it takes.
        refuse: gives for the id of a document the status and error in place of storing it, or None.
    """

    def __init__(self, compatible: tuple[str, ...] = ("8", "9"), **options: Any) -> None:
        self.documents: dict[str, Any] = {}
        self.indices: dict[str, str] = {}
        self.templates: dict[str, Any] = {}
        self.compatible = compatible
        self.refuse: Callable[[str], tuple[int, Any] | None] = lambda name: None
        super().__init__(**options)

    def writes(self, request: Request) -> bool:
        return request.path.endswith("/_bulk")

    def answer(self, request: Request) -> Answer:
        for header in ("accept", "content-type") if request.body else ("accept",):
            match = _MEDIA_TYPE.fullmatch(request.headers.get(header, ""))
            if not match or match[2] not in self.compatible:
                return _error(400, "media_type_header_exception", f"Invalid media-type value on header [{header}]")
        path = request.path
        if path == "/":
            return Answer(200, {"version": {"number": "9.0.0"}, "tagline": "You Know, for Search"}, PRODUCT)
        if path.startswith("/_index_template/"):
            self.templates[path.rpartition("/")[2]] = request.json()
            return Answer(200, {"acknowledged": True}, PRODUCT)
        if path.endswith("/_bulk"):
            return self._bulk(path.split("/")[1], request)
        if path.endswith("/_refresh"):
            return Answer(200, {"_shards": {}}, PRODUCT)
        return _error(404, "not_found", path)

    def _bulk(self, index: str, request: Request) -> Answer:
        lines = request.body.split(b"\n")
        assert lines.pop() == b"", "a bulk request ends with a newline"
        items = []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            name = json.loads(action)["create"]["_id"]
            document = json.loads(source)
            if refused := self.refuse(name):
                status, error = refused
                items.append({"create": {"status": status, "error": error}})
            elif name in self.documents:
                items.append({"create": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}})
            else:
                self.documents[name] = document
                self.indices[name] = index
                items.append({"create": {"status": 201}})
        errors = any("error" in item["create"] for item in items)
        return Answer(200, {"errors": errors, "items": items}, PRODUCT)


def _error(status: int, kind: str, reason: str) -> Answer:
    return Answer(status, {"error": {"type": kind, "reason": reason}, "status": status}, PRODUCT)
