"""Reading lists from Azure Resource Manager: attempts, waits, paging. Knows nothing of what the items are."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError

from cloudmarker_azure._outcome import UnreadError, refused
from cloudmarker_azure._session import Session, described, login_failure, root_cause

_LOGGER = logging.getLogger(__name__)

BARREN_PAGES = 20
"""Pages in a row without a new item after which a list counts as endless. Empty pages in between are normal."""


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


class Client:
    """Reads lists through a session. Threads may share it.

    Args:
        session: sends the requests.
        retry: when they are sent again.
        stop: set when reading ends; waits end then.
    """

    def __init__(self, session: Session, retry: Retry, stop: threading.Event) -> None:
        self._session = session
        self._retry = retry
        self._stop = stop
        self._origin = _origin(urlsplit(session.access.endpoint))

    def pages(self, path: str, api_version: str) -> Iterator[list[Any]]:
        """Yield the items of each page of a list, each item once.

        Args:
            path: under the endpoint, from the slash on.
            api_version: the version of the provider's API.

        Raises:
            UnreadError: the list ends here; what was yielded is right.
        """
        url = f"{self._session.access.endpoint}{path}?api-version={api_version}"
        seen_urls: set[str] = set()
        seen_items: set[bytes] = set()
        barren = 0
        while True:
            seen_urls.add(url)
            page = self._get(url)
            new = [item for item in page["value"] if _is_new(item, seen_items)]
            if repeated := len(page["value"]) - len(new):
                _LOGGER.info("%s: %d items were sent twice", path, repeated)
            yield new
            link = page.get("nextLink")
            if link is None or link == "":
                return
            url = self._followed(url, link)
            if url in seen_urls:
                raise UnreadError("failed", "the pages go round in a circle: a nextLink was sent before")
            barren = 0 if new else barren + 1
            if barren == BARREN_PAGES:
                raise UnreadError("failed", f"the pages do not end: {barren} in a row brought nothing new")

    def _followed(self, url: str, link: Any) -> str:
        """Return the URL of the next page: the token is sent there, so it must be where this one came from."""
        if not isinstance(link, str):
            raise UnreadError("failed", "the nextLink is not text")
        try:
            following = urljoin(url, link)
            origin = _origin(urlsplit(following))
        except ValueError:
            raise UnreadError("failed", "the nextLink is not a URL") from None
        if origin != self._origin:
            raise UnreadError("failed", f"the nextLink leads to another host, {origin[1]}, and is not followed")
        return following

    def _get(self, url: str) -> dict[str, Any]:
        """Return the page at *url*, trying as often as the rules allow.

        Raises:
            UnreadError: it cannot be had.
        """
        retry = self._retry
        give_up = time.monotonic() + retry.deadline_s
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(url)
            except UnreadError as exc:
                if not exc.again or (attempt >= retry.attempts and exc.state != "throttled"):
                    raise
                wait = retry.wait_s(attempt, exc.retry_after_s)
                if time.monotonic() + wait > give_up:
                    raise
                _LOGGER.info("%s: again in %.1f s: %s", urlsplit(url).path, wait, exc)
            if self._stop.wait(wait):
                raise UnreadError("failed", "reading was stopped")

    def _attempt(self, url: str) -> dict[str, Any]:
        if self._stop.is_set():
            raise UnreadError("failed", "reading was stopped")
        try:
            response = self._session.get(url)
            status, body = response.status_code, response.content
        except ClientAuthenticationError as exc:
            raise login_failure(self._session.access, exc) from exc
        except AzureError as exc:
            raise UnreadError("failed", f"no answer: {described(root_cause(exc))}", again=True) from exc
        if status != 200:
            raise refused(status, response.headers, body)
        try:
            page = json.loads(body)
        except (ValueError, RecursionError) as exc:
            kind = response.headers.get("Content-Type", "no content type")
            raise UnreadError("failed", f"the answer is not JSON ({kind}): {exc}", again=True) from exc
        if not isinstance(page, dict) or not isinstance(page.get("value"), list):
            raise UnreadError("failed", 'the answer is JSON but no page of a list: it has no array "value"', again=True)
        return page


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    """Return what must be the same for the token to be sent: scheme, host, port."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80}.get(parts.scheme, 443)


def _is_new(item: Any, seen: set[bytes]) -> bool:
    """Return whether the *item*'s id was not seen before, and remember it; items without an id are always new.

    Digests, because a list may have a million items with ids of 200 characters.
    """
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return True
    digest = blake2b(item["id"].casefold().encode("utf-8", "surrogatepass"), digest_size=16).digest()
    if digest in seen:
        return False
    seen.add(digest)
    return True
