"""Reading lists from Google's APIs: requests, attempts, waits, paging. Knows nothing of what the items are.

google-api-python-client makes the requests. It does not send them: its ``execute`` ignores Retry-After, takes a 200
that is no JSON for a string, stumbles over error bodies of unexpected shape, logs them, and turns long GETs into POSTs.
"""

from __future__ import annotations

import copy
import http.client
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httplib2
from google.auth.credentials import DEFAULT_UNIVERSE_DOMAIN
from google.auth.exceptions import GoogleAuthError
from googleapiclient.discovery import build

from cloudmarker_gcp._outcome import UnreadError, refused
from cloudmarker_gcp._session import Session, login_failure
from cloudmarker_gcp._table import Api, Row

T = TypeVar("T")

_LOGGER = logging.getLogger(__name__)

PARSED_PAGES = 6
"""Pages that are in memory as objects at a time: one of 500 instances takes some megabytes. More threads may wait for
answers; there would be nothing to gain from more at this, as only one thread of a process runs at a time."""

NO_ANSWER = (OSError, httplib2.HttpLib2Error, http.client.HTTPException)
"""What sending raises when there is no answer: refused, reset, timed out, no such host, no TLS, cut off, no HTTP."""


@dataclass(frozen=True)
class Retry:
    """When a request is tried again.

    Attributes:
        attempts: how often a request is sent if it fails; throttling is bounded by the deadline alone.
        first_wait_s: wait after the first failure; doubled with each further one.
        max_wait_s: longest single wait, also if the server asks for more.
        deadline_s: seconds from the first attempt in which the last one must begin.
    """

    attempts: int = 5
    first_wait_s: float = 0.5
    max_wait_s: float = 60.0
    deadline_s: float = 600.0

    def wait_s(self, attempt: int, retry_after_s: float | None) -> float:
        """Return the seconds to wait after that *attempt* (from 1): never less than asked for, but for the cap.

        Up to a quarter more, at random, keeps the threads that were refused together from coming back together.
        """
        wait = retry_after_s if retry_after_s is not None else self.first_wait_s * 2 ** min(attempt - 1, 30)
        return min(wait, self.max_wait_s) * random.uniform(1.0, 1.25)  # noqa: S311  # nothing to guess here


Pages = Generator[dict[str, Any], None, None]


class Client:
    """Reads lists through a session. Threads may share it.

    Args:
        session: sends the requests.
        endpoint: root of all APIs, no slash at its end; None: Google's own hosts.
        rows: what will be read. What it needs of the APIs is made here, once: making a collection takes 20 ms.
        retry: when requests are sent again.
        stop: set when reading ends; waits end then.
    """

    def __init__(
        self, session: Session, endpoint: str | None, rows: Iterable[Row], retry: Retry, stop: threading.Event
    ) -> None:
        self._session = session
        self._retry = retry
        self._stop = stop
        self._wants_partial = True
        self._slots = threading.BoundedSemaphore(PARSED_PAGES)
        services: dict[Api, Any] = {}
        self._collections: dict[tuple[Api, str], Any] = {}
        for row in rows:
            if row.api not in services:
                services[row.api] = _service(session, row.api, endpoint)
            collection = services[row.api]
            for name in row.collection.split("."):
                collection = getattr(collection, name)()
            self._collections[row.api, row.collection] = collection

    def login(self) -> None:
        """Get the token that all threads will use.

        Raises:
            UnreadError: it cannot be had.
        """
        self._patiently("login", self._session.login)

    def pages(self, row: Row, method: str, arguments: Mapping[str, Any]) -> Pages:
        """Yield the pages of a list, or the one answer of a method that has no pages, as answered.

        Drop a page before asking for the next, and close this iterator when you stop early: until then the page counts
        as one of :data:`PARSED_PAGES`.

        Args:
            row: the resource type.
            method: of its collection.
            arguments: of that method.

        Raises:
            UnreadError: the list ends here; what was yielded is right.
        """
        collection = self._collections[row.api, row.collection]
        try:
            request = getattr(collection, method)(**arguments)
        except TypeError as exc:  # the discovery document says that the API would refuse it
            raise UnreadError("failed", f"the request cannot be made: {exc}") from exc
        following = getattr(collection, f"{method}_next", None)
        tokens: set[Any] = set()
        partial = method == "aggregatedList"
        while request is not None:
            page, request = self._page(request, row.permission, partial)
            try:
                partial = False  # if it was asked for, it is in the URL of the further pages
                token = page.get("nextPageToken")
                request = following(request, page) if token and following else None
                handed_over = [page]
                del page
                yield handed_over.pop()
            finally:
                self._slots.release()
            if token in tokens:
                raise UnreadError("failed", "the pages go round in a circle: a nextPageToken was sent before")
            tokens.add(token)

    def _page(self, request: Any, permission: str, partial: bool) -> tuple[dict[str, Any], Any]:
        """Return the page that *request* gives, and the request as it was sent.

        With *partial*, one zone that is down must not hide the others. The newest discovery documents do not have that
        parameter any more, although the descriptions in them recommend it: who refuses it is not asked again.
        """
        if partial and self._wants_partial:
            asking = copy.copy(request)
            asking.uri += f"{'&' if urlsplit(request.uri).query else '?'}returnPartialSuccess=true"
            try:
                return self._get(asking, permission), asking
            except UnreadError as exc:
                if exc.status != 400:
                    raise
            page = self._get(request, permission)
            self._wants_partial = False
            return page, request
        return self._get(request, permission), request

    def _get(self, request: Any, permission: str) -> dict[str, Any]:
        return self._patiently(urlsplit(request.uri).path, lambda: self._attempt(request, permission))

    def _patiently(self, what: str, attempt: Callable[[], T]) -> T:
        """Return what *attempt* returns, calling it as often as the rules allow.

        Raises:
            UnreadError: the last one that it raised.
        """
        retry = self._retry
        give_up = time.monotonic() + retry.deadline_s
        attempts = 0
        while True:
            if self._stop.is_set():
                raise UnreadError("failed", "reading was stopped")
            attempts += 1
            try:
                return attempt()
            except UnreadError as exc:
                if not exc.again or (attempts >= retry.attempts and exc.state != "throttled"):
                    raise
                wait = retry.wait_s(attempts, exc.retry_after_s)
                if time.monotonic() + wait > give_up:
                    raise
                _LOGGER.info("%s: again in %.1f s: %s", what, wait, exc)
            self._stop.wait(wait)

    def _attempt(self, request: Any, permission: str) -> dict[str, Any]:
        """Return the page, one of :data:`PARSED_PAGES`."""
        try:
            status, headers, body = self._session.send(request.uri, request.headers)
        except GoogleAuthError as exc:
            raise login_failure(exc) from exc
        except NO_ANSWER as exc:
            again = not isinstance(exc, ssl.SSLCertVerificationError)
            raise UnreadError("failed", f"no answer: {exc or type(exc).__name__}", again=again) from exc
        if not 200 <= status < 300:
            raise refused(status, headers, body, permission)
        self._slots.acquire()
        try:
            return _parsed(body, headers.get("content-type", "no content type"))
        except BaseException:
            self._slots.release()
            raise


def _parsed(body: bytes, content_type: str) -> dict[str, Any]:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UnreadError("failed", f"the answer is not JSON ({content_type}): {exc}", again=True) from exc
    if not isinstance(page, dict):
        raise UnreadError("failed", "the answer is JSON but no object", again=True)
    return page


def _service(session: Session, api: Api, endpoint: str | None) -> Any:
    """Return the client of one API, made of the discovery document that comes with the library."""
    options = {}
    if endpoint:
        options["api_endpoint"] = f"{endpoint}/{api.path}"
    if session.universe_domain != DEFAULT_UNIVERSE_DOMAIN:
        options["universe_domain"] = session.universe_domain
    return build(
        api.name,
        api.version,
        http=session.http(),  # only until the first request is made; every thread sends with its own
        client_options=options,
        static_discovery=True,
        cache_discovery=False,
    )
