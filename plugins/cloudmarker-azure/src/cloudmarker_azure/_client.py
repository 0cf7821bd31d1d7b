"""Reading from Azure Resource Manager: attempts, paging, what an answer must look like. Knows nothing of the items.

When a request may be sent is for :mod:`cloudmarker_azure._governor` to say.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec
from azure.core.exceptions import AzureError, ClientAuthenticationError
from cloudmarker.reading import Novelty, Retry, UnreadError

from cloudmarker_azure._governor import Governor, Target
from cloudmarker_azure._outcome import refused
from cloudmarker_azure._session import GRAPH_PATH, Session, described, login_failure, root_cause
from cloudmarker_azure._transport import Answer

_LOGGER = logging.getLogger(__name__)

BARREN_PAGES = 20
"""Pages in a row without a new item after which a list counts as endless. Empty pages in between are normal."""


class Client:
    """Reads through a session. Threads may share it.

    Args:
        session: sends the requests.
        governor: lets them through.
        retry: when they are sent again.
        stop: set when reading ends; waits end then.
    """

    def __init__(self, session: Session, governor: Governor, retry: Retry, stop: threading.Event) -> None:
        self._session = session
        self._governor = governor
        self._retry = retry
        self._stop = stop
        endpoint = urlsplit(session.access.endpoint)
        self._address = f"{endpoint.scheme}://{endpoint.netloc}"
        self._origin = _origin(endpoint)
        self._root = len(endpoint.path)

    def pages(self, path: str, api_version: str) -> Iterator[list[Any]]:
        """Yield the items of each page of a list, each item once.

        A page without items may be yielded at any time: the next one will have to wait for the governor, and the thread
        may have something better to do.

        Args:
            path: under the endpoint, from the slash on; it may have a query.
            api_version: the version of the provider's API.

        Raises:
            UnreadError: the list ends here; what was yielded is right.
        """
        url = self._url(path, api_version)
        seen_urls: set[str] = set()
        is_new = Novelty()
        barren = 0
        while True:
            seen_urls.add(url)
            page = yield from self._get(url, _page)
            new = [item for item in page["value"] if ((reference := _id(item)) is None or is_new(reference))]
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

    def object(self, path: str, api_version: str) -> Generator[list[Any], None, dict[str, Any]]:
        """Return a single object, yielding like :meth:`pages` while there is none.

        Args:
            path: like that of :meth:`pages`.
            api_version: the version of the provider's API.

        Raises:
            UnreadError: it cannot be had.
        """
        return self._get(self._url(path, api_version), _object)

    def query(self, body: Mapping[str, Any]) -> Generator[list[Any], None, dict[str, Any]]:
        """Return the answer to a query of Azure Resource Graph, yielding like :meth:`pages` while there is none.

        Raises:
            UnreadError: it cannot be had.
        """
        return self._answer(Target.of(GRAPH_PATH), lambda: self._session.query(body), _object)

    def _url(self, path: str, api_version: str) -> str:
        return f"{self._session.access.endpoint}{path}{'&' if '?' in path else '?'}api-version={api_version}"

    def _followed(self, url: str, link: Any) -> str:
        """Return the URL of the next page: the token is sent there, so it must be where this one came from."""
        if not isinstance(link, str):
            raise UnreadError("failed", "the nextLink is not text")
        try:
            parts = urlsplit(urljoin(url, link))
            origin = _origin(parts)
        except ValueError:
            raise UnreadError("failed", "the nextLink is not a URL") from None
        if origin != self._origin:
            raise UnreadError("failed", f"the nextLink leads to another host, {origin[1]}, and is not followed")
        # Libraries differ on where the host of an odd URL ends, so that what is sent has the host of our own address.
        return f"{self._address}{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def _get(self, url: str, parse: Callable[[Any], dict[str, Any]]) -> Generator[list[Any], None, dict[str, Any]]:
        target = Target.of(urlsplit(url).path[self._root :])
        return self._answer(target, lambda: self._session.get(url), parse)

    def _answer(
        self, target: Target, send: Callable[[], Answer], parse: Callable[[Any], dict[str, Any]]
    ) -> Generator[list[Any], None, dict[str, Any]]:
        """Return what *parse* makes of the answer, sending as often as the rules allow.

        Raises:
            UnreadError: it cannot be had.
        """
        retry = self._retry
        give_up = time.monotonic() + retry.deadline_s
        failures = 0
        while True:
            if self._governor.ready_at(target) > time.monotonic():
                yield []
            try:
                return self._attempt(target, send, parse, give_up)
            except UnreadError as exc:
                if not exc.again:
                    raise
                unread = exc
            if unread.state == "throttled":
                if not self._governor.opens_in_time(target, give_up):
                    raise unread
                _LOGGER.info("%s: %s", "/".join(target), unread)
                continue
            failures += 1
            wait = retry.wait_s(failures, unread.retry_after_s)
            if failures >= retry.attempts or time.monotonic() + wait > give_up:
                raise unread
            _LOGGER.info("%s: again in %.1f s: %s", "/".join(target), wait, unread)
            if self._stop.wait(wait):
                raise UnreadError("failed", "reading was stopped")

    def _attempt(
        self,
        target: Target,
        send: Callable[[], Answer],
        parse: Callable[[Any], dict[str, Any]],
        give_up: float,
    ) -> dict[str, Any]:
        headers: Mapping[str, str] | None = None
        refusal = None
        sent_at = self._governor.enter(target, give_up)
        try:
            response = send()
            status, headers, body = response.status_code, response.headers, response.content
            if status != 200:
                unread = refused(status, headers, body)
                refusal = unread if unread.state == "throttled" else None
                raise unread
        except ClientAuthenticationError as exc:
            raise login_failure(self._session.access, exc) from exc
        except AzureError as exc:
            raise UnreadError("failed", f"no answer: {described(root_cause(exc))}", again=True) from exc
        finally:
            self._governor.leave(target, sent_at, headers, refusal)
        try:
            return parse(_decode(body))
        except (ValueError, RecursionError) as exc:
            kind = headers.get("Content-Type", "no content type")
            raise UnreadError("failed", f"the answer is not JSON ({kind}): {exc}", again=True) from exc


def _decode(body: bytes) -> Any:
    """Return what *body* says.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(body)  # takes twice as long, and more: a byte order mark, halves of surrogate pairs


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnreadError("failed", "the answer is JSON but no object", again=True)
    return answer


def _page(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
        raise UnreadError("failed", 'the answer is JSON but no page of a list: it has no array "value"', again=True)
    return answer


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    """Return what must be the same for the token to be sent: scheme, host, port."""
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80}.get(parts.scheme, 443)


def _id(item: Any) -> str | None:
    """Return what tells the *item* from others, letter case aside; None if it has no id."""
    reference = item.get("id") if isinstance(item, dict) else None
    return reference.casefold() if isinstance(reference, str) else None
