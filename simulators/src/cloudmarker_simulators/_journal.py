"""What a simulator was asked: the calls, in order, and how many of them it refused because they were not reads."""

from __future__ import annotations

import threading
from collections import Counter, deque

from cloudmarker_simulators._http import Handler, Request, Response

KEPT_REQUESTS = 100_000
"""So many of the latest calls are kept: a simulator that runs for days must not grow without end."""


class Journal:
    """A handler that notes every call and passes it on.

    Attributes:
        total: calls so far.
        refused: calls answered with 405, that is, calls that would have changed something.
        by_status: number of answers by status; dropped connections count under 0.
        by_host: number of calls by the host and port that they were sent to.
    """

    def __init__(self, inner: Handler) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._requests: deque[tuple[str, str]] = deque(maxlen=KEPT_REQUESTS)
        self.total = 0
        self.refused = 0
        self.by_status: Counter[int] = Counter()
        self.by_host: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response:
        with self._lock:
            self._requests.append((request.method, request.target))
            self.total += 1
            self.by_host[request.headers.get("host", "")] += 1
        response = self._inner(request)
        with self._lock:
            self.by_status[0 if response.reset else response.status] += 1
            self.refused += response.status == 405
        return response

    @property
    def requests(self) -> list[tuple[str, str]]:
        """The calls as ``(method, path with query)``, oldest first; a copy."""
        with self._lock:
            return list(self._requests)
