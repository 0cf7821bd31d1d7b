"""A server that answers as Splunk's HTTP Event Collector does, by the table of codes in its documentation."""

from __future__ import annotations

import json
import uuid
from typing import Any

from cloudmarker.testing.servers import Answer, LoopbackServer, Request

_TEXTS = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    8: (500, "Internal server error"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    18: (503, "Queues are full"),
    19: (503, "ACK service is unavailable"),
    20: (503, "Queues are full, ACK service is unavailable"),
    21: (400, "Invalid token"),
    22: (400, "Token disabled"),
    23: (503, "Server is shutting down"),
    24: (200, "Success: queue is approaching its limit"),
    25: (200, "Success: ACK channel is approaching its limit"),
    26: (429, "Queue is at capacity"),
    27: (429, "ACK channel is at capacity"),
}


def code(number: int, **more: Any) -> Answer:
    """Return the answer with a code."""
    status, text = _TEXTS[number]
    headers = {"Retry-After": str(more.pop("retry_after"))} if "retry_after" in more else {}
    return Answer(status, {"text": text, "code": number, **more}, headers)


def page(status: int) -> Answer:
    """Return what the web server in front of the collector says."""
    body = f"<html><head><title>{status}</title></head><body>No.</body></html>"
    return Answer(status, body, {"Content-Type": "text/html"})


class HECServer(LoopbackServer):
    """Keeps events.

    Attributes:
        events: what was indexed, with its metadata, in order; sent twice, it is there twice.
        use_ack: whether the token has acknowledgement switched on.
        polls: how often an acknowledgement is false before it is true; None for ever.
        max_body: bytes of a body, as it is on the way, at most.
        takes_gzip: whether it does.
    """

    def __init__(self, token: str = "token123", index: str = "main", **options: Any) -> None:
        self.token, self.index = token, index
        self.events: list[dict[str, Any]] = []
        self.use_ack = False
        self.polls: int | None = 0
        self.max_body = 800_000_000
        self.takes_gzip = True
        self._acks: dict[tuple[str, int], int] = {}
        super().__init__(**options)

    def writes(self, request: Request) -> bool:
        return request.target in ("/services/collector", "/services/collector/event")

    def answer(self, request: Request) -> Answer:
        if request.raw_length > self.max_body:
            return page(413)
        if request.headers.get("content-encoding") and not self.takes_gzip:
            return page(415)
        authorization = request.headers.get("authorization")
        if authorization is None:
            return code(2)
        scheme, _, token = authorization.partition(" ")
        if scheme != "Splunk":
            return code(3)
        if token != self.token:
            return code(4)
        if request.path == "/services/collector/ack":
            return self._poll(request.query.get("channel", ""), request.json())
        if not self.writes(request):
            return page(404)
        channel = request.headers.get("x-splunk-request-channel")
        if self.use_ack and channel is None:
            return code(10)
        if channel is not None and not _is_uuid(channel):
            return code(11)
        return self._take(request.body, channel or "")

    def ids(self) -> list[str]:
        return [event["fields"]["event_id"] for event in self.events]

    def _take(self, body: bytes, channel: str) -> Answer:
        decoder, text, events, place = json.JSONDecoder(), body.decode(), [], 0
        while text[place:].strip():
            place += len(text[place:]) - len(text[place:].lstrip())
            try:
                event, place = decoder.raw_decode(text, place)
            except ValueError:
                return code(6, **{"invalid-event-number": len(events)})
            number = {"invalid-event-number": len(events)}
            if "event" not in event:
                return code(12, **number)
            if event["event"] == "":
                return code(13, **number)
            if event.get("index", self.index) != self.index:
                return code(7, **number)
            if any(isinstance(value, dict) for value in event.get("fields", {}).values()):
                return code(15, **number)
            events.append(event)
        if not events:
            return code(5)
        self.events += events
        if not self.use_ack:
            return code(0)
        ack = len(self._acks)
        self._acks[channel, ack] = 0
        return code(0, ackId=ack)

    def _poll(self, channel: str, question: dict[str, Any]) -> Answer:
        if not self.use_ack:
            return code(14)
        answers = {}
        for ack in question["acks"]:
            asked = self._acks.get((channel, ack))
            answers[str(ack)] = asked is not None and self.polls is not None and asked >= self.polls
            if asked is not None:
                self._acks[channel, ack] = asked + 1
        return Answer(200, {"acks": answers})


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
