"""The index template of EsStore, made of the table of record fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudmarker.fields import FieldType, all_fields

TEMPLATES = ("flattened", "stored", "none")
"""What EsStore can be told about its template."""

_IGNORE_ABOVE = 1024
"""Strings of more characters are in the document, and are not indexed as words: Lucene takes 32,766 bytes at most."""

_KEYWORD = {"type": "keyword", "ignore_above": _IGNORE_ABOVE}
_FLATTENED = {"type": "flattened", "ignore_above": _IGNORE_ABOVE, "depth_limit": 500}
_STORED = {"type": "object", "enabled": False}
_TYPES: Mapping[FieldType, dict[str, Any]] = {
    "string": _KEYWORD,
    "text": {"type": "text"},
    "timestamp": {"type": "date"},
    "integer": {"type": "long"},
    "number": {"type": "double"},
    "boolean": {"type": "boolean"},
    "list of string": _KEYWORD,
    "list of integer": {"type": "long"},
    "list of object": _FLATTENED,
    "map of string": _FLATTENED,
    "map of integer": _FLATTENED,
}


def template(kind: str) -> dict[str, Any]:
    """Return settings and mappings for the indices that records are written to.

    ``raw`` and ``ext`` are one field each, however many shapes there are. So their words are found, and no two records
    disagree on the type of a field. Of ``com`` each field of the record table has its type. Fields of other plugins
    are added as words; objects among them are one field each.

    Args:
        kind: ``flattened``, or ``stored`` for a ``raw`` and ``ext`` that are in the documents and not indexed.
    """
    bucket = _FLATTENED if kind == "flattened" else _STORED
    com = {name: _TYPES[field.type] for name, field in all_fields().items()}
    return {
        "settings": {"index.mapping.ignore_malformed": True},
        "mappings": {
            "dynamic": False,
            "date_detection": False,
            "dynamic_templates": [
                {"objects": {"path_match": "com.*", "match_mapping_type": "object", "mapping": _FLATTENED}},
                {"words": {"path_match": "com.*", "match_mapping_type": "string", "mapping": _KEYWORD}},
            ],
            "properties": {"raw": bucket, "ext": bucket, "com": {"dynamic": True, "properties": com}},
        },
    }
