"""The authenticated connections: google-auth's credentials, one token for all threads, one connection per thread.

This module imports the SDK: import it only where something is read.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import google.auth
import google_auth_httplib2
import httplib2
from cloudmarker.errors import PluginError
from cloudmarker.reading import UnreadError
from google.auth import credentials, exceptions, impersonated_credentials
from google.oauth2 import service_account

from cloudmarker_gcp._access import Access, load_key
from cloudmarker_gcp._outcome import masked, refused, status_in
from cloudmarker_gcp._row import CLOUD_PLATFORM

TIMEOUT_S = 60.0
"""Seconds without a byte until an answer is given up. A bare httplib2.Http would wait for ever."""

FRESH_S = 5.0
"""Seconds for which a new token is not replaced, although it was refused: many threads may be told so at once."""

CONNECTIONS = 4
"""Connections that a thread keeps open, each to another host: APIs have hosts of their own."""

USER_AGENT = "cloudmarker-gcp (gzip)"
"""Google compresses answers only for those whose name has *gzip* in it."""

IMPERSONATION_PERMISSION = "iam.serviceAccounts.getAccessToken"
"""What reading as another account needs; the role Service Account Token Creator has it."""

IMPERSONATION_S = 3600
"""Seconds that a token for another account is asked for; what an organization allows by default."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that no proxy is asked for."""

HINTS = {
    "Invalid JWT Signature": "the key has been deleted or disabled, or belongs to another account",
    "account not found": "the service account does not exist, or not any more",
    "account has been disabled": "the service account is disabled",
    "short-lived token": "the clock of this machine is wrong",
    "Reauthentication": "log in again: gcloud auth application-default login",
}
"""What Google says about a login, and what it means or what to do about it."""


class Answer(NamedTuple):
    """An answer of HTTP.

    Attributes:
        status: its status.
        headers: their names in lower case.
        body: decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class SharedToken(credentials.Credentials):
    """Credentials around others, for threads to share.

    The others have no lock: every thread that finds the token expired would fetch one. And they look up, in a thread
    of their own and at a host of Google's whatever the endpoint is, where a service account may be used from. Here
    only their token is asked for, so neither happens.

    Args:
        source: makes the tokens.
    """

    def __init__(self, source: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth has no types, here and below
        self._source = source
        self._lock = threading.Lock()
        self._renewed_s: float | None = None

    @property
    def universe_domain(self) -> str:
        """Domain of the APIs that the token is for, ``googleapis.com`` as a rule."""
        return str(self._source.universe_domain)

    @property
    def quota_project_id(self) -> str | None:
        """Project that calls are counted against, if the credentials name one."""
        return getattr(self._source, "quota_project_id", None)

    def refresh(self, request: Any) -> None:
        """Get a new token, unless another thread has just got one. google-auth calls this.

        Raises:
            google.auth.exceptions.GoogleAuthError: there is none to be had.
        """
        with self._lock:
            if not self._fresh:
                self._source.refresh(request)
                self.token, self.expiry = self._source.token, self._source.expiry
                self._renewed_s = time.monotonic()

    @property
    def _fresh(self) -> bool:
        if self._renewed_s is None or time.monotonic() - self._renewed_s > FRESH_S:
            return False
        return self.expiry is None or datetime.now(timezone.utc).replace(tzinfo=None) < self.expiry


class Session:
    """Sends authenticated requests. Threads may share it: each has a connection of its own.

    A connection that threads share gives one the answer to another's question, as a success.

    Args:
        access: where, and as whom.
        scopes: what the token is asked for; never left to the libraries, which would take all there are.

    Raises:
        PluginError: there are no credentials, or they cannot be used.
    """

    def __init__(self, access: Access, scopes: Sequence[str]) -> None:
        self.access = access
        self.credentials = SharedToken(_source(access, scopes))
        self._local = threading.local()
        self._open: list[httplib2.Http] = []
        self._open_lock = threading.Lock()

    def http(self) -> google_auth_httplib2.AuthorizedHttp:
        """Return the connection of the calling thread."""
        http = getattr(self._local, "http", None)
        if http is None:
            plain = httplib2.Http(timeout=TIMEOUT_S, proxy_info=_proxy)
            plain.follow_redirects = False  # the token is for the host that was asked, and lists do not move
            http = self._local.http = google_auth_httplib2.AuthorizedHttp(self.credentials, http=plain)
            with self._open_lock:
                self._open.append(plain)
        return http

    def login(self) -> None:
        """Get a token, so that no thread has to.

        Raises:
            UnreadError: there is none to be had; the reason says what to do.
        """
        try:
            self.credentials.refresh(google_auth_httplib2.Request(self.http().http))
        except exceptions.GoogleAuthError as exc:
            raise login_failure(exc) from exc

    def send(self, url: str, method: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        """Send a request, and return the answer, whatever its status.

        The access token, should an answer repeat it, is replaced.

        Raises:
            google.auth.exceptions.GoogleAuthError: there is no token.
            OSError: there was no answer.
            httplib2.HttpLib2Error: likewise.
            http.client.HTTPException: the answer was cut off or no HTTP.
        """
        http = self.http()
        _forget_oldest(http.http, url)
        response, content = http.request(url, method=method, body=body, headers={**headers, "user-agent": USER_AGENT})
        token = self.credentials.token
        return Answer(response.status, response, content.replace(token.encode(), b"***") if token else content)

    def interrupt(self) -> None:
        """End the calls that threads are blocked in."""
        with self._open_lock:
            for http in self._open:
                for connection in list(http.connections.values()):
                    with suppress(OSError, AttributeError):  # AttributeError: it is not connected
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close all connections."""
        with self._open_lock:
            for http in self._open:
                http.close()
            self._open.clear()


def _forget_oldest(http: httplib2.Http, url: str) -> None:
    """Close the oldest of a thread's connections before one too many is opened: there are threads times hosts."""
    parts = urlsplit(url)
    if f"{parts.scheme}:{parts.netloc}" in http.connections:
        return
    while len(http.connections) >= CONNECTIONS:
        http.connections.pop(next(iter(http.connections))).close()


def login_failure(exc: exceptions.GoogleAuthError) -> UnreadError:
    """Return what a failed login means: denied if it was refused, failed if it was impossible."""
    text = masked(str(exc.args[0])) if exc.args else type(exc).__name__
    hint = next((f"{hint} " for said, hint in HINTS.items() if said.lower() in text.lower()), "")
    if not isinstance(exc, exceptions.RefreshError):
        return UnreadError("failed", f"no access token: {text}", again=isinstance(exc, exceptions.TransportError))
    if isinstance(body := exc.args[1] if len(exc.args) > 1 else None, str):  # what came in place of another's token
        unread = refused(status_in(body), {}, body.encode(), IMPERSONATION_PERMISSION)
        return UnreadError(unread.state, f"no access token for the other account: {unread}", again=unread.again)
    if exc.retryable:
        return UnreadError("failed", f"no access token: {text}", again=True)
    if hint or (isinstance(body, dict) and "error" in body):
        return UnreadError("denied", f"login refused: {hint}({text})")
    return UnreadError("failed", f"no access token: {text}")


def _source(access: Access, scopes: Sequence[str]) -> Any:
    """Return the credentials of the account that is read as."""
    if not access.impersonate:
        return _own(access, scopes)
    root = access.endpoints.get("iamcredentials", access.endpoint)
    path = f"/v1/projects/-/serviceAccounts/{access.impersonate}:generateAccessToken"
    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=_own(access, [CLOUD_PLATFORM]),
        target_principal=access.impersonate,
        target_scopes=list(scopes),
        lifetime=IMPERSONATION_S,
        **({"iam_endpoint_override": f"{root}{path}"} if root else {}),
    )


def _own(access: Access, scopes: Sequence[str]) -> Any:
    """Return the credentials that the user has given, or else those that the machine has."""
    if access.key_file:
        key = load_key(access.key_file)
        try:
            return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key, scopes=list(scopes)
            )
        except (ValueError, TypeError):  # what they say may quote the key
            raise PluginError(
                f"key_file_path: {access.key_file}: its private key cannot be read; give the key file as Google made it"
            ) from None
    try:
        source, _ = google.auth.default(scopes=list(scopes))
    except exceptions.GoogleAuthError as exc:
        raise PluginError(
            f"there is no key_file_path, and no default credentials can be used: {masked(str(exc))}"
        ) from exc
    return source


def _proxy(scheme: str) -> httplib2.ProxyInfo | None:
    """Return the proxy that the environment names for *scheme*; this machine is reached without it."""
    proxy = httplib2.proxy_info_from_environment(scheme)
    if proxy is not None and isinstance(proxy.bypass_hosts, (tuple, list)):
        proxy.bypass_hosts = (*proxy.bypass_hosts, *LOOPBACK)
    return proxy
