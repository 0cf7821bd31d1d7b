"""Google's methods, as google-api-python-client makes them from the discovery documents that come with it.

A document says what every method of an API is called, where it is, and what it takes. That of Compute Engine has five
megabytes for a thousand methods; of each only those that will be called are handed to the client, so that they take
some kilobytes.

The client has no types: this is the one module that knows it. Import it only where something is read.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import httplib2
import msgspec
from cloudmarker.reading import UnreadError

from cloudmarker_gcp._row import Api
from cloudmarker_gcp._session import Answer, Session

with warnings.catch_warnings():
    # Newer versions say at each start that they will not be followed by others for the oldest Python.
    warnings.simplefilter("ignore", FutureWarning)
    from googleapiclient.discovery import build_from_document
    from googleapiclient.discovery_cache import get_static_doc
    from googleapiclient.http import HttpRequest

Arguments = Mapping[str, "str | Sequence[str]"]
"""Of a method. Those that may be given several times are lists."""

PARTIAL = "&returnPartialSuccess=true"
"""Asks an aggregated list for what is there although some place is down.

It is added to what the client has made: newer documents do not have the parameter, although the descriptions in them
recommend it.
"""


class Request(Protocol):
    """What the client makes of a method and its arguments."""

    uri: str

    def execute(self, http: Any, num_retries: int) -> Answer:
        """Send it, and return what :func:`_as_it_came` does of the answer."""


class _Method(NamedTuple):
    """A method that can be called.

    Attributes:
        make: makes a request of the arguments.
        paths: the arguments whose slashes stay what they are.
        takes_body: whether it takes a body. Not everything that is read with POST does.
    """

    make: Callable[..., Request]
    paths: frozenset[str]
    takes_body: bool


class Methods:
    """The methods of all APIs that are asked. Threads may share it.

    Args:
        session: sends the requests, and says where to.
        wanted: ids of the methods that will be called, by API.
    """

    def __init__(self, session: Session, wanted: Mapping[Api, Iterable[str]]) -> None:
        self._session = session
        self._http = _Http(session)
        self._wanted: dict[str, set[str]] = {}
        for api, ids in wanted.items():
            self._wanted.setdefault(api.name, set()).update(ids)
        self._built: dict[str, Mapping[str, _Method]] = {}
        self._lock = threading.Lock()

    def request(
        self, api: Api, method_id: str, arguments: Arguments, body: Mapping[str, Any] | None, *, partial: bool = False
    ) -> Request:
        """Return the request that calls a method.

        Args:
            api: whose it is.
            method_id: as in the API's document.
            arguments: of the method; a name that is not one for Python, such as ``a.b``, is spelled ``a_b``.
            body: JSON that is posted, if the method takes any.
            partial: see :data:`PARTIAL`.

        Raises:
            UnreadError: there is no such method, or it does not take these arguments.
        """
        method = self._methods(api).get(method_id)
        if method is None:
            raise UnreadError("failed", f"google-api-python-client has no method {method_id}")
        words: dict[str, Any] = {
            # What leads to a resource may come from an answer: the client would let it begin a query.
            name: quote(value, safe="/:@") if name in method.paths and isinstance(value, str) else value
            for name, value in arguments.items()
        }
        if body is not None and method.takes_body:
            words["body"] = body
        try:
            request = method.make(**words)
        except TypeError as exc:  # which is what it raises for a value of the wrong form, too
            raise UnreadError("failed", f"{method_id}: {exc}") from exc
        if partial:
            request.uri += PARTIAL
        return request

    def send(self, request: Request) -> Answer:
        """Send a request once, over the connection of the calling thread; see :meth:`Session.send`."""
        return request.execute(http=self._http, num_retries=0)

    def _methods(self, api: Api) -> Mapping[str, _Method]:
        """Return the methods of an API, made when they are first asked for."""
        built = self._built.get(api.name)
        if built is None:
            with self._lock:
                built = self._built.get(api.name)
                if built is None:
                    built = self._built[api.name] = self._build(api)
        return built

    def _build(self, api: Api) -> Mapping[str, _Method]:
        document = trimmed(get_static_doc(api.name, api.version), self._wanted.get(api.name, ()))
        universe = self._session.credentials.universe_domain
        root = self._session.access.root(api.name, universe)
        service = build_from_document(
            document,
            http=self._http,
            requestBuilder=_request,
            client_options={"api_endpoint": f"{root}/{document['servicePath']}", "universe_domain": universe},
        )
        return dict(_callable(service, document["resources"]))


class _Http:
    """What requests are executed with: the connection of whichever thread does it.

    To the client all answers look well. It would write to the log what a refusal says, and fails over the form of
    some; what they mean is for :mod:`cloudmarker_gcp._outcome` to say.
    """

    def __init__(self, session: Session) -> None:
        self.credentials = session.credentials  # the client compares their universe with that of the API
        self._session = session

    def request(
        self, uri: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httplib2.Response, Answer]:
        """Send a request; see :meth:`Session.send`."""
        headers = dict(headers or {})
        if headers.pop("x-http-method-override", "") == "GET":
            # The client posts what has a URL of more than 2048 characters. Nothing is posted here but what has to be.
            uri, method, body = f"{uri}?{body}", "GET", None
            del headers["content-type"], headers["content-length"]
        return httplib2.Response({"status": "200"}), self._session.send(uri, method, body, headers)


def _as_it_came(_: httplib2.Response, answer: Answer) -> Answer:
    """Return the answer: a page is not decoded as a whole; see :mod:`cloudmarker_gcp._pages`."""
    return answer


def _request(http: Any, postproc: Any, uri: str, **more: Any) -> Request:
    request: Request = HttpRequest(http, _as_it_came, uri, **more)
    return request


class _Resource(msgspec.Struct):
    """A resource of a document: what is not needed of it is not decoded."""

    methods: dict[str, msgspec.Raw] = {}  # msgspec copies it
    resources: dict[str, msgspec.Raw] = {}


class _Document(_Resource):
    name: str = ""
    version: str = ""
    rootUrl: str = ""  # noqa: N815  # as in the documents
    servicePath: str = ""  # noqa: N815
    parameters: dict[str, Any] = {}


def trimmed(text: str | None, wanted: Iterable[str]) -> dict[str, Any]:
    """Return a document with the *wanted* methods, as far as it has them, and without schemas.

    Args:
        text: of the document; None if there is none.
        wanted: ids of the methods.
    """
    document = msgspec.json.decode(text or "{}", type=_Document)
    kept = _kept(document, [method_id.split(".")[1:] for method_id in wanted])
    return {**msgspec.structs.asdict(document), **kept}


def _kept(resource: _Resource, paths: Iterable[list[str]]) -> dict[str, Any]:
    below: dict[str, list[list[str]]] = {}
    methods = {}
    for first, *others in paths:
        if others:
            below.setdefault(first, []).append(others)
        elif first in resource.methods:
            methods[first] = {**msgspec.json.decode(resource.methods[first]), "response": {}}
            if "request" in methods[first]:
                methods[first]["request"] = {}
    return {
        "methods": methods,
        "resources": {
            name: _kept(msgspec.json.decode(resource.resources[name], type=_Resource), inner)
            for name, inner in below.items()
            if name in resource.resources
        },
    }


def _callable(service: Any, resources: Mapping[str, Any]) -> Iterable[tuple[str, _Method]]:
    """Yield the methods of *resources*, each with its id. *service* is the client's object that they are in."""
    for name, resource in resources.items():
        collection = getattr(service, name)()  # which makes all its methods: once, and not for every call
        for method_name, method in resource["methods"].items():
            paths = frozenset(key for key in method["parameters"] if f"{{+{key}}}" in method["path"])
            yield method["id"], _Method(getattr(collection, method_name), paths, takes_body="request" in method)
        yield from _callable(collection, resource["resources"])
