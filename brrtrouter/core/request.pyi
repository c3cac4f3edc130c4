"""Types of request.pyx."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, final, overload

from brrtrouter.core.peer import Peer
from brrtrouter.core.response import Response
from brrtrouter.core.service import Operation
from brrtrouter.core.stream import BodyStream

class Headers(dict[str, Any]):
    """Header fields by lower-case name; look-ups ignore case (RFC 9110 5.1)."""

    @overload
    def get(self, key: str, default: None = None) -> Any | None: ...
    @overload
    def get(self, key: str, default: Any) -> Any: ...

@final
class RequestIds:
    """How requests get their ids, and whether answers tell them.

    header: the field with the id.  accept: a client may choose it, with letters, digits and `-_.~+/=:@`, at most
    `length` of them; otherwise the id is new.  echo: every answer has the field.  Raises ValueError for a header that
    is no name of a field.
    """

    def __init__(
        self, header: str = "X-Request-ID", *, accept: bool = True, echo: bool = True, length: int = 128
    ) -> None: ...
    @property
    def header(self) -> str: ...
    @property
    def accept(self) -> bool: ...
    @property
    def echo(self) -> bool: ...
    @property
    def length(self) -> int: ...

@final
class Request:
    """One HTTP request, as handlers, middleware and security providers see it."""

    body: Any
    """The decoded and validated body; None when there is none."""
    auth: Any
    """What the security providers found, by scheme name."""
    def when_gone(self, callback: Callable[[], None], at_eof: bool = False) -> None:
        """Let `callback()` be called when the connection ends before the answer does.

        at_eof: a client that sends no more is taken for gone, though it could still read.
        """

    @property
    def state(self) -> dict[Any, Any]:
        """A dict for middleware and handlers to share what they know of this request."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str:
        """The raw path of the request target, percent-encoded as sent."""

    @property
    def raw_query(self) -> str:
        """The query of the request target as sent, without '?'."""

    @property
    def template(self) -> str | None:
        """The path template that matched, with the base path; None when none did."""

    @property
    def path_params(self) -> dict[str, Any]:
        """Captures, typed by the specification."""

    @property
    def query(self) -> dict[str, Any]:
        """Query parameters, typed by the specification; undeclared ones are text, a list of texts when repeated."""

    @property
    def headers(self) -> Headers:
        """Header fields, declared ones typed by the specification."""

    @property
    def cookies(self) -> dict[str, Any]:
        """Cookies, declared ones typed by the specification."""

    @property
    def raw_body(self) -> bytes | None: ...
    def stream(self) -> BodyStream:
        """The body as an asynchronous iterator over its bytes, in pieces.

        Where the operation says `x-brrtrouter-stream: true` they come while the handler runs, else there is one.
        """
    @property
    def id(self) -> str:
        """What the client calls the request when that is sane, else a new UUID; see the settings `request_id`."""

    def add_answer_field(self, name: str, value: str) -> None:
        """Let the answer have a header field, whoever makes the answer.  Raises ValueError for what cannot be one."""

    def precondition(
        self, *, etag: str | None = None, last_modified: float | datetime | None = None, exists: bool = True
    ) -> Response | None:
        """Hold the conditions of the request against the current state (RFC 9110 section 13): None to go on.

        Otherwise the answer: 412 for a change that was based on another state, 304 for GET and HEAD when the client has
        the state already.  etag: `"x"` or `W/"x"`.  last_modified: POSIX seconds or a datetime with a time zone.
        exists: whether there is something at this place.
        """

    @property
    def client(self) -> tuple[str, int] | None:
        """(host, port) of the client, None when it has no such address.

        Of the peer of the connection, or, where that is a trusted proxy, what it says.
        """

    @property
    def client_certificate(self) -> dict[str, Any] | None:
        """What the client has proven to be, as `ssl.SSLSocket.getpeercert` gives it; None without one."""

    @property
    def base_url(self) -> str | None:
        """Scheme, host and prefix that the client has used: `https://api.example/prefix`; None without a host."""

    @property
    def scheme(self) -> str:
        """ "https" when the client speaks TLS, to us or to a trusted proxy, else "http"."""
    # None when no route matched, which only middleware that wraps everything can meet: hence no need to ask elsewhere.
    @property
    def operation(self) -> Operation | Any: ...
    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client has seen, when it comes back to an event stream; else None."""

    @property
    def keep_alive(self) -> bool: ...
    @property
    def is_head(self) -> bool: ...
    @property
    def http_minor(self) -> int: ...
    def header(self, name: str) -> str | None:
        """The text of a header field, whatever its case, repeated ones joined with ", "; None when absent."""

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """All header fields as (name in lower case, value), as bytes and in their order."""

    @property
    def peer(self) -> Peer | None:
        """The other end of the connection."""

    def query_pairs(self) -> list[tuple[str, str]]:
        """All pairs of the query as decoded text, in order."""

    def raw_cookies(self) -> dict[str, str]:
        """All cookies as text, not percent-decoded; of a repeated name the first."""

    def cookie_lines(self) -> list[str]:
        """The values of all Cookie fields."""
