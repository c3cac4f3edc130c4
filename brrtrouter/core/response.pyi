"""Types of response.pyx."""

from collections.abc import Iterable, Mapping
from typing import Any

from brrtrouter.errors import Fault

class Response:
    """An HTTP answer.

    body: None, bytes, text, anything that JSON can express, or an asynchronous iterator of bytes or text.
    headers: a mapping, or (name, value) pairs; a list of values repeats the field.  Raises ValueError when it is
    encoded with a malformed header, or one that the server sets itself.
    """

    status: int
    body: Any
    headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None
    media_type: str | None
    def __init__(
        self,
        status: int = 200,
        body: Any = None,
        headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        media_type: str | None = None,
    ) -> None: ...
    def add_header(self, name: str, value: Any) -> None:
        """Add a header field, keeping those of the same name."""

def sent_body(response: Response) -> tuple[str | None, bytes]:
    """(media type or None, bytes): the body of a response, which is no stream, as it goes out.

    Raises TypeError for what JSON has no place for.
    """

def problem_response(
    slug: str,
    detail: str,
    *,
    faults: Iterable[Fault] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
) -> Response:
    """The answer for a problem of `brrtrouter.errors.PROBLEMS` as application/problem+json (RFC 9457)."""
