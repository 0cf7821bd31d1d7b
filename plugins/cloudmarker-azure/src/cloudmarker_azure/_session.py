"""The authenticated HTTP session: azure-identity's credentials and azure-core's pipeline, with our own policies.

The pipeline is short on purpose. The SDK's default one may register resource providers (this tool only reads),
retries in ways that can neither be bounded nor interrupted (:mod:`cloudmarker_azure._client` does that), follows
redirects, and logs requests. This module imports the SDK: import it only where something is read.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import (
    BearerTokenCredentialPolicy,
    HeadersPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from cloudmarker.reading import UnreadError

from cloudmarker_azure._access import Access
from cloudmarker_azure._transport import Answer, Connections, Transport

FAILED_LOGIN_S = 60.0
"""Seconds for which a failed login is not tried again, so that it does not cost every list of a large tenant a call."""

RENEWED_BEFORE_S = 300
"""Seconds before its end from which a token is asked for anew each time; azure-core begins to ask then, too."""

GRAPH_PATH = "/providers/Microsoft.ResourceGraph/resources"
GRAPH_API_VERSION = "2022-10-01"

_CODE = re.compile(r"AADSTS\d+")

HINTS = {
    "AADSTS7000215": "the secret is wrong: give the secret's value, not its id",
    "AADSTS7000222": "the secret has expired: create a new one",
    "AADSTS700016": "the tenant has no application with this client id: check tenant and client",
    "AADSTS90002": "there is no such tenant: check tenant, and cloud or authority",
    "AADSTS900023": "tenant is neither a tenant id nor a domain name",
    "AADSTS7000112": "the application is disabled in the tenant",
    "AADSTS53003": "a Conditional Access policy blocks the login",
}
"""Error codes of Microsoft Entra ID, and what to do about them."""


class _Credential:
    """A credential that many threads share: one of them logs in, and a token that was refused can be replaced."""

    def __init__(self, access: Access, transport: RequestsTransport) -> None:
        self._access = access
        self._transport = transport
        self._lock = threading.Lock()
        self._credential = self._make()
        self._failure: tuple[float, str] | None = None
        self._token: AccessTokenInfo | None = None
        self.generation = 0

    def _make(self) -> ClientSecretCredential | DefaultAzureCredential:
        access = self._access
        options: dict[str, Any] = {
            "authority": access.authority,
            "disable_instance_discovery": not access.discover,
            "transport": self._transport,
        }
        if access.secret:
            return ClientSecretCredential(access.tenant or "", access.client or "", access.secret, **options)
        if access.tenant:
            options |= {"workload_identity_tenant_id": access.tenant, "additionally_allowed_tenants": [access.tenant]}
        if access.client:
            options |= {"managed_identity_client_id": access.client, "workload_identity_client_id": access.client}
        with _authority_in_environment(access.authority):
            return DefaultAzureCredential(**options)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token, the same until it is about to expire. The pipeline's policy calls this."""
        options = options or {}
        if self._access.tenant and not self._access.secret:
            options["tenant_id"] = self._access.tenant
        with self._lock:
            if self._failure and self._failure[0] > time.monotonic():
                raise ClientAuthenticationError(self._failure[1])
            if self._token is not None and not options.get("claims") and _lasts(self._token):
                return self._token
            try:
                self._token = self._credential.get_token_info(*scopes, options=options)
            except ClientAuthenticationError as exc:
                self._failure = (time.monotonic() + FAILED_LOGIN_S, exc.message)
                raise
            return self._token

    def renew(self, generation: int) -> None:
        """Forget the token of that *generation*, which was refused: it is in a cache that would answer it again."""
        with self._lock:
            if generation == self.generation:
                self._credential.close()
                self._credential = self._make()
                self._token = None
                self.generation += 1

    def close(self) -> None:
        self._credential.close()

    def __enter__(self) -> _Credential:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _lasts(token: AccessTokenInfo) -> bool:
    """Return whether *token* is good for a while. Not every credential has a cache: `az` takes a second each time."""
    now = time.time()
    return token.expires_on - now > RENEWED_BEFORE_S and not (token.refresh_on and token.refresh_on <= now)


@contextmanager
def _authority_in_environment(authority: str) -> Iterator[None]:
    """Name *authority* in the environment: DefaultAzureCredential does not tell it to the identity of a workload.

    That one would send its assertion to the public cloud, whichever cloud is read.
    """
    before = os.environ.get("AZURE_AUTHORITY_HOST")
    os.environ["AZURE_AUTHORITY_HOST"] = authority
    try:
        yield
    finally:
        if before is None:
            del os.environ["AZURE_AUTHORITY_HOST"]
        else:
            os.environ["AZURE_AUTHORITY_HOST"] = before


class Session:
    """Sends authenticated requests to Azure Resource Manager, and only such as read. Threads may share it.

    Args:
        access: where and as whom.
        connections: connections kept open, as many as there are threads.
        stop: set when reading ends; waits end then.
    """

    def __init__(self, access: Access, connections: int, stop: threading.Event) -> None:
        self.access = access
        self._connections = Connections(connections, access.ca_cert, stop)
        _keep_requests_out_of_the_log()
        self._credential = _Credential(access, self._connections.for_credentials())
        policies: list[Any] = [
            RequestIdPolicy(),
            HeadersPolicy({"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}),
            UserAgentPolicy(f"cloudmarker-azure/{version('cloudmarker-azure')}"),
            BearerTokenCredentialPolicy(self._credential, access.scope),
        ]
        self._pipeline: Pipeline[HttpRequest, Answer] = Pipeline(Transport(self._connections), policies)

    def login(self) -> None:
        """Get a token, so that no thread has to.

        Raises:
            UnreadError: there is none to be had; the reason says what to do.
        """
        try:
            self._credential.get_token_info(self.access.scope)
        except ClientAuthenticationError as exc:
            raise login_failure(self.access, exc) from exc

    def get(self, url: str) -> Answer:
        """Return the answer to a GET of *url*, whatever its status, its body read.

        Raises:
            azure.core.exceptions.AzureError: there was no answer, or no token.
        """
        return self._authenticated(partial(HttpRequest, "GET", url))

    def query(self, body: Mapping[str, Any]) -> Answer:
        """Return the answer to a query of Azure Resource Graph: the only request that is not a GET, but for tokens.

        Raises:
            azure.core.exceptions.AzureError: there was no answer, or no token.
        """
        url = f"{self.access.endpoint}{GRAPH_PATH}?api-version={GRAPH_API_VERSION}"
        return self._authenticated(partial(HttpRequest, "POST", url, json=dict(body)))

    def _authenticated(self, make: Callable[[], HttpRequest]) -> Answer:
        generation = self._credential.generation
        response = self._send(make())
        if response.status_code == 401:
            self._credential.renew(generation)
            response = self._send(make())
        return response

    def _send(self, request: HttpRequest) -> Answer:
        return self._pipeline.run(request, stream=False).http_response

    def interrupt(self) -> None:
        """End the requests that are under way, with an error in the threads that wait for them."""
        self._connections.interrupt()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._credential.close()
        self._connections.close()


def _keep_requests_out_of_the_log() -> None:
    """Let the SDK log warnings only, unless the configuration says something else of its loggers.

    azure-identity writes some twenty lines at level INFO for each request that it makes.
    """
    logger = logging.getLogger("azure")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)


def login_failure(access: Access, exc: ClientAuthenticationError) -> UnreadError:
    """Return what a failed login means: denied if the directory refused it, failed if it could not be asked."""
    message = access.without_secret(exc.message)
    if code := _CODE.search(message):
        # From its code on, the message is Microsoft's own; trace and correlation ids follow the sentences.
        said = message[code.start() :].partition(" Trace ID:")[0]
        hint = HINTS.get(code[0])
        return UnreadError("denied", f"login refused: {hint} ({said})" if hint else f"login refused: {said}")
    root = root_cause(exc)
    if isinstance(root, OSError):
        return UnreadError("failed", f"no login: {access.authority} cannot be reached: {described(root)}")
    if not access.secret:
        return UnreadError("failed", f"no login: give tenant, client and secret, or log in as they say: {message}")
    return UnreadError("failed", f"no login: {message}")


def root_cause(exc: BaseException) -> BaseException:
    """Return the exception that *exc* goes back to: the SDK and the libraries under it each wrap it once more."""
    seen: list[BaseException] = []
    while exc not in seen:
        seen.append(exc)
        exc = getattr(exc, "inner_exception", None) or exc.__cause__ or exc.__context__ or exc
    return exc


def described(exc: BaseException) -> str:
    """Return what an exception that came from below is called, and says."""
    name, text = type(exc).__name__, str(exc)
    return text if text.startswith(name) else f"{name}: {text}"
