"""Compression of answers: which of them, with which coding, and where the work is done.

Source: RFC 9110 sections 8.4 (content codings), 12.5.3 (Accept-Encoding), 12.5.5 (Vary) and 8.8.3.3 (entity tags).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from brrtrouter.config import Compression as Settings
from brrtrouter.core.accept_encoding import Choice, choose_coding
from brrtrouter.core.codings import Brotli, Coding, Encoder, Gzip, Zstd
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.dispatch.pool import Pool
from brrtrouter.errors import Issue
from brrtrouter.policy.fields import Fields

if TYPE_CHECKING:
    from brrtrouter.spec import model

# An operation says with this that nothing is compressed or decoded for it.
EXTENSION: Final = "x-brrtrouter-compression"
_MODES: Final = ("on", "off")
# Answers without content, and those that are a part of something (RFC 9110 sections 15.3.5 to 15.3.7 and 15.4.5).
_UNTOUCHED: Final = frozenset({204, 205, 206, 304})
# Fields that say something of the very bytes of the body, or that it is encoded already.
_BOUND: Final = ("content-encoding", "content-range", "content-digest", "repr-digest", "digest", "content-md5")
# So many values of Accept-Encoding and Content-Type are remembered, none longer than this.
_KNOWN: Final = 256
_KNOWN_LENGTH: Final = 256
_AS_IT_IS: Final = Choice(None, False)

_MAKE: Final[dict[str, Callable[[Settings], Coding]]] = {
    "zstd": lambda settings: Zstd(settings.zstd_level),
    "br": lambda settings: Brotli(settings.brotli_quality),
    "gzip": lambda settings: Gzip(settings.gzip_level),
}


class Compressor:
    """Decides and compresses.  Raises ConfigError for a coding whose package is not installed."""

    def __init__(self, settings: Settings, off: Iterable[model.Operation]) -> None:
        self._codings = {name: _MAKE[name](settings) for name in settings.encodings}
        self._offered = tuple(self._codings)
        self._minimum = settings.minimum
        self._thread_size = settings.thread_size
        self._pool = Pool(settings.threads, settings.queue, "brrtrouter-compression")
        self._off = frozenset(id(operation) for operation in off)
        self._kept = tuple(off)  # so that no other object gets one of these ids
        self._whole = frozenset(each for each in settings.media_types if not each.startswith("+"))
        self._suffixes = tuple(each for each in settings.media_types if each.startswith("+"))
        self._choices: dict[str, Choice] = {}
        self._media_types: dict[str, bool] = {}

    def concerns(self, request: Request, response: Response, media_type: str | None, size: int) -> bool:
        """Whether the coding of an answer is a matter of Accept-Encoding; `size` is -1 for a stream."""
        if size == 0 or media_type is None or (0 < size < self._minimum and not self._choice(request).forced):
            return False
        if response.status in _UNTOUCHED or not self._fits(media_type):
            return False
        if self._off and request.operation is not None and id(request.operation.model) in self._off:
            return False
        if not response.headers:
            return True
        fields = Fields(response.headers)
        if any(fields.get(name) is not None for name in _BOUND):
            return False
        return "no-transform" not in _directives(fields.get("cache-control"))

    def coding_for(self, request: Request) -> str | None:
        """The coding that a client gets; None for the body as it is."""
        return self._choice(request).coding

    def encode(self, coding: str, body: bytes) -> bytes:
        """A body, encoded here and now."""
        return self._codings[coding].encode(body)

    def encode_elsewhere(self, coding: str, body: bytes) -> Awaitable[bytes] | None:
        """A body, encoded in a thread; None when too many wait for one."""
        return self._pool.offer(self._codings[coding].encode, body)

    def is_large(self, size: int) -> bool:
        """Whether a body of so many bytes would keep the event loop from its work."""
        return size > self._thread_size

    def stream(self, coding: str, items: Any) -> EncodedStream:
        """The items of a body, each encoded so that it can be decoded when it arrives."""
        return EncodedStream(self, self._codings[coding].encoder(), items)

    async def feed(self, encoder: Encoder, data: bytes) -> bytes:
        """One item of a stream, encoded."""
        if self.is_large(len(data)):
            pending = self._pool.offer(encoder.feed, data)
            if pending is not None:
                return await pending  # type: ignore[no-any-return]
        return encoder.feed(data)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.close()

    def _choice(self, request: Request) -> Choice:
        text = request.header("accept-encoding")
        if text is None:
            return _AS_IT_IS
        choice = self._choices.get(text)
        if choice is None:
            choice = choose_coding(text, self._offered)
            if len(self._choices) < _KNOWN and len(text) <= _KNOWN_LENGTH:
                self._choices[text] = choice
        return choice

    def _fits(self, media_type: str) -> bool:
        fits = self._media_types.get(media_type)
        if fits is None:
            essence = media_type.partition(";")[0].strip().lower()
            named = essence in self._whole or essence.partition("/")[0] + "/*" in self._whole
            fits = named or essence.endswith(self._suffixes)
            if len(self._media_types) < _KNOWN and len(media_type) <= _KNOWN_LENGTH:
                self._media_types[media_type] = fits
        return fits


class EncodedStream:
    """An asynchronous iterator over an encoded body.  Each item can be decoded when it has arrived."""

    def __init__(self, compressor: Compressor, encoder: Encoder, items: Any) -> None:
        self._compressor = compressor
        self._encoder: Encoder | None = encoder
        self._items = items
        self._iterator: Any = None

    def __aiter__(self) -> EncodedStream:
        return self

    async def __anext__(self) -> bytes:
        if self._encoder is None:
            raise StopAsyncIteration
        if self._iterator is None:
            self._iterator = aiter(self._items)
        async for item in self._iterator:
            data = item.encode() if isinstance(item, str) else bytes(memoryview(item))
            if data:
                return await self._compressor.feed(self._encoder, data)
        encoder, self._encoder = self._encoder, None
        return encoder.finish()

    async def aclose(self) -> None:
        """Free the encoder and close the source."""
        self._encoder = None
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()


def exempted(operations: Iterable[model.Operation]) -> tuple[list[model.Operation], list[Issue]]:
    """The operations that say `off`, and what is wrong with those that say something else than `on`."""
    found: list[model.Operation] = []
    issues: list[Issue] = []
    for operation in operations:
        written = operation.extensions.get(EXTENSION, "on")
        mode = _MODES[not written] if isinstance(written, bool) else written  # as YAML 1.1 reads the words
        if mode not in _MODES:
            message = f"{EXTENSION} has to be one of {', '.join(_MODES)}"
            issues.append(Issue("InvalidExtension", f"{operation.pointer}/{EXTENSION}", message))
        elif mode == "off":
            found.append(operation)
    return found, issues


def _directives(text: str | None) -> set[str]:
    return set() if text is None else {each.partition("=")[0].strip(" \t").lower() for each in text.split(",")}
