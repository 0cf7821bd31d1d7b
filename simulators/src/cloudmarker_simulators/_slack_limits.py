"""What Slack refuses in a message: the limits of its Block Kit, as its reference and its answers state them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_BLOCKS = 50
MAX_TEXT = 40_000
MAX_ALL_BLOCKS = 13_200
"""Characters of all texts of a message's blocks together. Slack does not document it; this is what others measured."""
_MAX_FIELDS = 10
_MAX_FIELD = 2000
_MAX_ELEMENTS = 10
_MAX_BLOCK_ID = 255
_TEXTS = {"plain_text", "mrkdwn"}
_LONGEST = {"header": 150, "section": 3000, "context": 2000}
_MAX_URL = 3000


def problem(text: object, blocks: object) -> tuple[str, list[str]] | None:
    """Return why a message with this text and these blocks is refused: the error's name and what is wrong where."""
    if not isinstance(text, str) or (blocks is not None and not isinstance(blocks, list)):
        return "invalid_arguments", []
    if len(text) > MAX_TEXT:
        return "msg_too_long", []
    if not blocks:
        return None if text else ("no_text", [])
    return _blocks_problem(blocks)


def _blocks_problem(blocks: list[Any]) -> tuple[str, list[str]] | None:
    if len(blocks) > MAX_BLOCKS:
        return "invalid_blocks", [f"no more than {MAX_BLOCKS} items allowed [json-pointer:/blocks]"]
    faults = [fault for number, block in enumerate(blocks) for fault in _block(block, f"/blocks/{number}")]
    if faults:
        return "invalid_blocks", [f"[ERROR] {fault}" for fault in faults]
    if sum(len(found["text"]) for block in blocks for found, _, _ in _texts(block, "")) > MAX_ALL_BLOCKS:
        return "msg_blocks_too_long", []
    return None


def _block(block: Any, place: str) -> Iterator[str]:
    """Yield what is wrong with one block."""
    if not isinstance(block, Mapping) or block.get("type") not in {*_LONGEST, "divider", "actions"}:
        yield f"unsupported type [json-pointer:{place}/type]"
        return
    if len(str(block.get("block_id", ""))) > _MAX_BLOCK_ID:
        yield f"must be less than {_MAX_BLOCK_ID + 1} characters [json-pointer:{place}/block_id]"
    kind = block["type"]
    if kind == "section" and not (block.get("text") or block.get("fields")):
        yield f"missing required field: text [json-pointer:{place}]"
    if kind == "header" and (block.get("text") or {}).get("type") != "plain_text":
        yield f"must be plain_text [json-pointer:{place}/text]"
    for name, most in (("fields", _MAX_FIELDS), ("elements", _MAX_ELEMENTS)):
        if len(block.get(name) or ()) > most:
            yield f"no more than {most} items allowed [json-pointer:{place}/{name}]"
    for found, where, longest in _texts(block, place):
        if found.get("type") not in _TEXTS or not isinstance(found.get("text"), str):
            yield f"invalid text object [json-pointer:{where}]"
        elif not found["text"]:
            yield f"must be more than 0 characters [json-pointer:{where}/text]"
        elif len(found["text"]) > longest:
            yield f"must be less than {longest + 1} characters [json-pointer:{where}/text]"
    for number, element in enumerate(block.get("elements") or ()):
        if len(str(element.get("url", ""))) > _MAX_URL:
            yield f"must be less than {_MAX_URL + 1} characters [json-pointer:{place}/elements/{number}/url]"


def _texts(block: Mapping[str, Any], place: str) -> Iterator[tuple[Mapping[str, Any], str, int]]:
    """Yield the text objects of a block, where each is, and how long it may be."""
    if block.get("text") is not None:
        yield block["text"], f"{place}/text", _LONGEST.get(block["type"], _MAX_FIELD)
    for number, found in enumerate(block.get("fields") or ()):
        yield found, f"{place}/fields/{number}", _MAX_FIELD
    if block["type"] == "context":
        for number, found in enumerate(block.get("elements") or ()):
            yield found, f"{place}/elements/{number}", _LONGEST["context"]
