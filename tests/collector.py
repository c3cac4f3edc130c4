"""A collector of OpenTelemetry for tests: real OTLP over HTTP and gRPC, whose spans are kept."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wire import TIMEOUT


def plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


class Collected:
    """The spans that came, by name, each with its attributes; waits for them with a limit."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []

    def take(self, request: Any) -> None:
        with self._changed:
            for group in request.resource_spans:
                self.resources.append({each.key: plain(each.value) for each in group.resource.attributes})
                for scope in group.scope_spans:
                    self.spans += scope.spans
            self._changed.notify_all()

    def until(self, *names: str, seconds: float = TIMEOUT) -> dict[str, Any]:
        """The last span of each of these names, once all have come."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                found = {span.name: span for span in self.spans}
                if found.keys() >= set(names):
                    return found
                left = end - time.monotonic()
                assert left > 0, f"of {names} there are {sorted(found)}"
                self._changed.wait(left)


class HttpCollector(Collected):
    """OTLP over HTTP.  hold: answers wait for this event."""

    def __init__(self, hold: threading.Event | None = None) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
        )

        super().__init__()
        self.asked = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                collector.asked.set()
                if hold is not None:
                    hold.wait(TIMEOUT)
                collector.take(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class GrpcCollector(Collected):
    """OTLP over gRPC."""

    def __init__(self) -> None:
        import grpc
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

        super().__init__()
        collector = self

        class Service(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
            def Export(self, request: Any, context: Any) -> Any:
                collector.take(request)
                return trace_service_pb2.ExportTraceServiceResponse()

        self._server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), self._server)
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        self._server.stop(None).wait()
