"""Event streams: what goes out, when, and when its producer ends."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import http.client
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websocket_support import port_of
from wire import TIMEOUT

from brrtrouter import App, Channel, Comment, Event, Response, SpecError
from brrtrouter.core.sequential import read_events
from brrtrouter.realtime.events import encode_event
from brrtrouter.testing import TestClient, running

EVENTS = {"200": {"description": "d", "content": {"text/event-stream": {"itemSchema": {"type": "object"}}}}}


def description(**extensions: Any) -> dict[str, Any]:
    operation = {"operationId": "ticks", "responses": EVENTS, **extensions}
    return {"openapi": "3.2.0", "info": {"title": "t", "version": "1"}, "paths": {"/ticks": {"get": operation}}}


def stream_of(handler: Any, config: Any = None, method: str = "GET", **kwargs: Any) -> Any:
    client = TestClient(App(description(), {"ticks": handler}, config))
    answer = client.request(method, "/ticks", **kwargs)
    client.close()
    return answer


class Reader:
    """A client of an event stream that reads what has come."""

    def __init__(self, port: int, fields: dict[str, str] | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        self.connection.request("GET", "/ticks", headers=fields or {})
        self.answer = self.connection.getresponse()

    def event(self) -> str:
        """The next event, comment or the rest."""
        text = b""
        while not text.endswith(b"\n\n"):
            line = self.answer.readline()
            if not line:
                break
            text += line
        return text.decode()

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("a", "data: a\n\n"),
        ("", "data: \n\n"),
        ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ("a\u2028b\x0bc", "data: a\u2028b\x0bc\n\n"),
        ({"x": [1, None]}, 'data: {"x":[1,null]}\n\n'),
        (7, "data: 7\n\n"),
        (None, "data: null\n\n"),
        (b"data: raw\n\n", "data: raw\n\n"),
        (Comment("one\ntwo"), ": one\n: two\n\n"),
        (Event("d", event="e", id="1", retry=500), "event: e\ndata: d\nid: 1\nretry: 500\n\n"),
        (Event(id=""), "id: \n\n"),
        (Event({"a": "\n"}), 'data: {"a":"\\n"}\n\n'),
    ],
)
def test_what_is_yielded_as_an_event(item: Any, text: str) -> None:
    assert encode_event(item) == text.encode()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": "a\nb"}, "the id"),
        ({"id": "a\rb"}, "the id"),
        ({"id": "a\0b"}, "the id"),
        ({"event": "a\nb"}, "the type"),
        ({"retry": -1}, "the retry"),
        ({"retry": 1.5}, "the retry"),
        ({"retry": True}, "the retry"),
    ],
)
def test_what_no_event_may_have(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Event("d", **fields)


WORDS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@given(data=st.text(st.characters(exclude_categories=["Cs"])), kind=WORDS, name=WORDS, retry=st.integers(0, 10**9))
def test_a_client_reads_what_was_meant(data: str, kind: str, name: str, retry: int) -> None:
    (found,) = read_events(encode_event(Event(data, kind, name, retry)).decode())
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert found == {"data": lines, "event": kind, "id": name, "retry": retry}


def test_the_answer_has_the_fields_of_a_stream() -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield {"n": 1}

    answer = stream_of(ticks)
    assert answer.text == 'data: {"n":1}\n\n'
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


def test_x_sse_needs_no_declared_media_type_and_has_to_be_a_boolean() -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield "a"

    responses = {"200": {"description": "d"}}
    client = TestClient(App(description(**{"x-sse": True, "responses": responses}), {"ticks": ticks}))
    assert client.get("/ticks").text == "data: a\n\n"
    client.close()
    with pytest.raises(SpecError, match="x-sse has to be a boolean"):
        App(description(**{"x-sse": 1}), {"ticks": ticks})


def test_head_and_http_1_0() -> None:
    ran = threading.Event()

    async def ticks(request: Any) -> AsyncIterator[Any]:
        ran.set()
        yield "a"

    head = stream_of(ticks, method="HEAD")
    assert (head.status, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert not ran.is_set()
    client = TestClient(App(description(), {"ticks": ticks}))
    raw = client.send(b"GET /ticks HTTP/1.0\r\n\r\n").decode()
    client.close()
    assert "chunked" not in raw
    assert raw.endswith("\r\n\r\ndata: a\n\n")


def test_every_kind_of_handler() -> None:
    async def items() -> AsyncIterator[str]:
        yield "a"

    async def coroutine(request: Any) -> Any:
        return items()

    async def response(request: Any) -> Any:
        await asyncio.sleep(0)
        return Response(200, items(), {"X-Own": "1", "Cache-Control": "private"})

    def plain(request: Any) -> Any:
        return items()

    def generator(request: Any) -> Iterator[str]:
        assert threading.current_thread().name.startswith("brrtrouter-handler")
        yield "a"

    for handler in (coroutine, response, plain, generator):
        assert stream_of(handler).text == "data: a\n\n"
    answer = stream_of(response)
    assert (answer.headers["x-own"], answer.headers["cache-control"]) == ("1", "private")
    assert stream_of(lambda request: (404, {"no": "stream"})).status == 404


def test_a_generator_runs_in_one_task_from_its_beginning_to_its_end() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    tasks = []

    async def ticks(request: Any) -> AsyncIterator[Any]:
        for _ in range(3):
            tasks.append(asyncio.current_task())
            variable.set(variable.get() + 1)
            yield variable.get()
        tasks.append(asyncio.current_task())

    assert stream_of(ticks).text == "data: 1\n\ndata: 2\n\ndata: 3\n\n"
    assert len(set(tasks)) == 1


def test_the_id_of_the_last_event() -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield {"last": request.last_event_id}

    assert stream_of(ticks).text == 'data: {"last":null}\n\n'
    assert stream_of(ticks, headers={"Last-Event-ID": "é".encode().decode("latin-1")}).text == 'data: {"last":"é"}\n\n'


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_each_event_is_sent_when_it_is_there(coding: str | None) -> None:
    go = asyncio.Event()
    loops = []

    async def ticks(request: Any) -> AsyncIterator[Any]:
        loops.append(asyncio.get_running_loop())
        yield "first"
        await go.wait()
        yield "second"

    config = {"compression": {"encodings": ["gzip"]}} if coding else None
    with running(App(description(), {"ticks": ticks}, config)) as server:
        reader = Reader(port_of(server.url), {"Accept-Encoding": "gzip"})
        assert reader.answer.headers["Content-Encoding"] == coding
        decode = zlib.decompressobj(31).decompress if coding else bytes
        text = b""
        while not text.endswith(b"\n\n"):
            text += decode(reader.answer.read1(1000))
        assert text == b"data: first\n\n"
        loops[0].call_soon_threadsafe(go.set)
        rest = reader.answer.read()
        assert decode(rest).endswith(b"data: second\n\n")
        reader.close()


def test_a_comment_keeps_a_quiet_stream_alive() -> None:
    stopped = threading.Event()

    async def ticks(request: Any) -> AsyncIterator[Any]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with running(App(description(), {"ticks": ticks}, {"sse": {"keep_alive": 0.05}})) as server:
        reader = Reader(port_of(server.url))
        assert [reader.event() for _ in range(3)] == ["data: a\n\n", ": \n\n", ": \n\n"]
        reader.close()
        assert stopped.wait(TIMEOUT)


def test_a_client_that_goes_stops_the_producer() -> None:
    stopped = threading.Event()

    async def ticks(request: Any) -> AsyncIterator[Any]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            stopped.set()

    app = App(description(), {"ticks": ticks}, {"sse": {"keep_alive": 0}})
    with running(app) as server:
        reader = Reader(port_of(server.url))
        assert reader.event() == "data: a\n\n"
        assert len(app.realtime.opened) == 1
        reader.close()
        assert stopped.wait(TIMEOUT)
    assert len(app.realtime.opened) == 0


def test_a_producer_that_fails_cuts_the_stream_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield "a"
        raise ValueError("no more")

    with running(App(description(), {"ticks": ticks})) as server:
        reader = Reader(port_of(server.url))
        assert reader.event() == "data: a\n\n"
        with pytest.raises(http.client.IncompleteRead):
            reader.answer.read()
        reader.close()
    assert caplog.text.count("ValueError: no more") == 1


def test_a_stop_ends_streams_in_good_order() -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield "a"
        await asyncio.Event().wait()

    server = App(description(), {"ticks": ticks}).start(port=0).wait_ready()
    reader = Reader(port_of(server.url))
    assert reader.event() == "data: a\n\n"
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    assert reader.answer.read() == b""  # an end of its own, not a cut
    stopping.join(TIMEOUT)
    assert not stopping.is_alive()
    reader.close()


def test_events_are_held_against_their_schema() -> None:
    async def ticks(request: Any) -> AsyncIterator[Any]:
        yield Event("1", id="1")
        yield Event("x", id="2")

    item = {"properties": {"id": {"const": "1"}}}
    spec = description(responses={"200": {"description": "d", "content": {"text/event-stream": {"itemSchema": item}}}})
    with running(App(spec, {"ticks": ticks}, response_validation="enforce")) as server:
        reader = Reader(port_of(server.url))
        assert reader.event() == "data: 1\nid: 1\n\n"
        with pytest.raises(http.client.IncompleteRead):
            reader.answer.read()
        reader.close()


# -- channels


def test_a_channel_tells_everybody_from_any_thread() -> None:
    channel = Channel()

    async def ticks(request: Any) -> AsyncIterator[Any]:
        reader = channel.subscribe()
        yield Comment("ready")
        async for item in reader:
            yield item

    with running(App(description(), {"ticks": ticks})) as server:
        readers = [Reader(port_of(server.url)) for _ in range(3)]
        assert [reader.event() for reader in readers] == [": ready\n\n"] * 3
        assert channel.send({"n": 1}) == 3
        assert [reader.event() for reader in readers] == ['data: {"n":1}\n\n'] * 3
        channel.close()
        assert [reader.event() for reader in readers] == [""] * 3
        for reader in readers:
            reader.close()


def test_a_slow_reader_loses_the_oldest_or_its_place() -> None:
    async def read() -> None:
        for slow, expected in (("oldest", [3, 4]), ("close", [])):
            channel = Channel(limit=2, slow=slow)  # type: ignore[arg-type]
            reader = channel.subscribe()
            for number in range(5):
                channel.send(number)
            assert len(channel) == (1 if slow == "oldest" else 0)
            channel.close()
            assert [item async for item in reader] == expected

    asyncio.run(read())


def test_a_reader_that_nobody_holds_is_gone() -> None:
    async def read() -> None:
        channel = Channel()
        reader = channel.subscribe()
        assert len(channel) == 1
        del reader
        gc.collect()
        assert channel.send("a") == 0

    asyncio.run(read())


@pytest.mark.parametrize(("arguments", "message"), [({"limit": 0}, "at least 1"), ({"slow": "newest"}, "one of")])
def test_what_no_channel_can_be(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Channel(**arguments)


def test_a_client_that_does_not_read_stops_the_producer_not_the_memory() -> None:
    made = []

    async def ticks(request: Any) -> AsyncIterator[Any]:
        while True:
            made.append(None)
            yield "x" * 65536

    with running(App(description(), {"ticks": ticks})) as server:
        sock = socket.create_connection(("127.0.0.1", port_of(server.url)), TIMEOUT)
        sock.sendall(b"GET /ticks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert sock.recv(10)
        other = http.client.HTTPConnection("127.0.0.1", port_of(server.url), timeout=TIMEOUT)
        before = -1
        while before != len(made) < 1000:
            before = len(made)
            for _ in range(100):  # each is a turn of the loop, in which the producer could go on
                other.request("GET", "/health")
                other.getresponse().read()
        assert len(made) < 1000
        other.close()
        sock.close()
