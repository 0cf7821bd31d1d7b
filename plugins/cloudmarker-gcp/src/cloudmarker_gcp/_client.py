"""Reading from Google's APIs: requests, attempts, waits, paging. Knows nothing of what the items are.

When a request may be sent is for :mod:`cloudmarker_gcp._governor` to say.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass

import httplib2
from cloudmarker.reading import Retry, UnreadError
from google.auth.exceptions import GoogleAuthError

from cloudmarker_gcp._governor import Governor, Target
from cloudmarker_gcp._methods import Arguments, Methods
from cloudmarker_gcp._names import in_place
from cloudmarker_gcp._outcome import refused
from cloudmarker_gcp._pages import Page
from cloudmarker_gcp._room import Room
from cloudmarker_gcp._row import Row
from cloudmarker_gcp._scopes import Scope
from cloudmarker_gcp._session import Session, login_failure

_LOGGER = logging.getLogger(__name__)

ROOM_BYTES = 24 * 2**20
"""Bytes of answers that are in memory at a time, about: a page of 500 machines can have two megabytes."""

NO_ANSWER = (OSError, httplib2.HttpLib2Error, http.client.HTTPException)
"""What sending raises when there is no answer: refused, reset, timed out, no such host, no TLS, cut off, no HTTP."""

Pages = Generator[Page | None, None, None]
"""Pages as they come. None may come at any time: the next page will take a while."""


@dataclass(frozen=True)
class Call:
    """A question for a list, or a single object.

    Attributes:
        row: what it is of.
        scope: whose it is.
        method: its id.
        arguments: of the method.
        partial: whether what is there is wanted although some place cannot be asked.
    """

    row: Row
    scope: Scope
    method: str
    arguments: Arguments
    partial: bool = False

    @classmethod
    def of(cls, row: Row, scope: Scope, parent: str = "", zone: str = "") -> Call:
        """Return the call that reads a row.

        Args:
            row: what.
            scope: from where.
            parent: what leads to the list, where it is below another resource.
            zone: of the list, if it is that of one zone.

        Raises:
            UnreadError: what leads to the list, which an answer has said, leads somewhere else.
        """
        words = {"project": scope.id, "scope": scope.path, "parent": parent}
        collection, arguments = in_place(parent) if row.collections else ("", {})
        if not {".", ".."}.isdisjoint(parent.split("/")) or (row.collections and collection not in row.collections):
            raise UnreadError("failed", f"{parent!r} is no name of a resource")
        method = (row.zone_method if zone else row.method).format(level=scope.level, collection=collection)
        arguments |= {key: value.format_map(words) for key, value in row.arguments.items()}
        if zone:
            arguments["zone"] = zone
        return cls(row, scope, method, arguments, partial=bool(row.aggregated) and not zone)

    def __str__(self) -> str:
        """Return what is asked, for a person."""
        return f"{self.method} {self.scope.path}".rstrip()


class Client:
    """Reads through a session. Threads may share it.

    Args:
        session: logs in.
        methods: makes the requests, and sends them.
        governor: lets them through.
        retry: when they are sent again.
        stop: set when reading ends; waits end then.
    """

    def __init__(
        self, session: Session, methods: Methods, governor: Governor, retry: Retry, stop: threading.Event
    ) -> None:
        self._session = session
        self._methods = methods
        self._governor = governor
        self._retry = retry
        self._stop = stop
        self._wants_partial = True
        self._room = Room(ROOM_BYTES, stop)

    def interrupt(self) -> None:
        """End what threads are blocked in, once *stop* is set."""
        self._governor.interrupt()
        self._room.interrupt()
        self._session.interrupt()

    def login(self) -> None:
        """Get the token that all threads will use.

        Raises:
            UnreadError: it cannot be had.
        """
        give_up = time.monotonic() + self._retry.deadline_s
        failures = 0
        while True:
            try:
                self._session.login()
            except UnreadError as exc:
                failures += 1
                self._wait_after(exc, failures, give_up, "login")
            else:
                return

    def pages(self, call: Call) -> Pages:
        """Yield the pages of a list, or the one answer of a method that has no pages.

        Drop a page before asking for the next, and close this iterator when you stop early: until then the page takes
        room that others wait for. None is yielded when the next page has to wait.

        Raises:
            UnreadError: the list ends here; what was yielded is right.
        """
        arguments = call.arguments
        tokens: set[str] = set()
        roomy = not call.row.children  # what is below it may have to be read before the page is done with
        partial = call.partial and self._wants_partial
        while True:
            try:
                page, taken = yield from self._page(call, arguments, partial)
            except UnreadError as exc:
                if exc.status != 400 or not partial:
                    raise
                partial = False  # whoever refuses that parameter is not asked with it again
                page, taken = yield from self._page(call, arguments, partial)
                self._wants_partial = False
            try:
                following = page.following()
                if not roomy:
                    self._room.leave(taken)
                    taken = 0
                handed_over = [page]
                del page
                yield handed_over.pop()
            finally:
                self._room.leave(taken)
            if following is None or call.row.items is None:
                return
            name, token = following
            if token in tokens:
                raise UnreadError("failed", "the pages go round in a circle: a token for the next page was sent before")
            tokens.add(token)
            arguments = {**arguments, name: token}

    def _page(self, call: Call, arguments: Arguments, partial: bool) -> Generator[None, None, tuple[Page, int]]:
        """Return a page and the room that it takes, sending as often as the rules allow; yield while it has to wait.

        Raises:
            UnreadError: it cannot be had.
        """
        target = Target.of(call.scope, call.row.api)
        give_up = time.monotonic() + self._retry.deadline_s
        failures = 0
        while True:
            taken = self._room.enter(call.row.method)
            try:
                page, size = self._attempt(call, arguments, partial, target, give_up)
            except UnreadError as exc:
                self._room.leave(taken)
                unread = exc
            except BaseException:
                self._room.leave(taken)
                raise
            else:
                self._room.learn(call.row.method, size)
                return page, taken
            if unread.state != "throttled" or not unread.again:
                failures += 1
                self._wait_after(unread, failures, give_up, str(call))
            elif self._governor.opens_in_time(target, give_up):
                _LOGGER.info("%s: %s", call, unread)
                yield None
            else:
                raise unread

    def _wait_after(self, unread: UnreadError, failures: int, give_up: float, what: str) -> None:
        """Wait until the next attempt.

        Raises:
            UnreadError: there shall be none.
        """
        wait = self._retry.wait_s(failures, unread.retry_after_s)
        if not unread.again or failures >= self._retry.attempts or time.monotonic() + wait > give_up:
            raise unread
        _LOGGER.info("%s: again in %.1f s: %s", what, wait, unread)
        if self._stop.wait(wait):
            raise UnreadError("failed", "reading was stopped")

    def _attempt(
        self, call: Call, arguments: Arguments, partial: bool, target: Target, give_up: float
    ) -> tuple[Page, int]:
        """Send a request; return the page, and the bytes of the answer."""
        request = self._methods.request(call.row.api, call.method, arguments, call.row.posts, partial=partial)
        refusal = None
        answered = False
        passed = self._governor.enter(target, give_up)
        try:
            status, headers, body = self._methods.send(request)
            answered = True
            if not 200 <= status < 300:
                unread = refused(status, headers, body, call.row.permission_in(call.scope))
                refusal = unread if unread.state == "throttled" else None
                raise unread
        except GoogleAuthError as exc:
            raise login_failure(exc) from exc
        except NO_ANSWER as exc:
            again = not isinstance(exc, ssl.SSLCertVerificationError)
            raise UnreadError("failed", f"no answer: {exc or type(exc).__name__}", again=again) from exc
        finally:
            self._governor.leave(target, passed, refusal, answered=answered)
        return Page(body, str(headers.get("content-type") or "")), len(body)
