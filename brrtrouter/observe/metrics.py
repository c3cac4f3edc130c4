"""`Metrics`: what an application counts, in the formats of Prometheus.

The core counts (`brrtrouter.core.meter`); here cells become samples when somebody asks.  Labels are methods and path
templates of the description, so that their number is bounded whatever clients send: requests that belong to no
operation share one pair, UNMATCHED.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from brrtrouter import config
from brrtrouter.core.meter import REASONS, STATUSES, Meter
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.dispatch.pool import Sample
from brrtrouter.errors import ConfigError
from brrtrouter.observe.board import Label, Layout, Seat, Totals

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

UNMATCHED: Final[Label] = ("*", "*")
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"
# Cells of a process and of a row, in the order of meter.pxd.
_PROCESS: Final = ("opened", "closed", "begun", "ended")
_STATUS_COLUMNS: Final = 64
_ROW: Final = ("sum_ns", "bytes_in", "bytes_out", *(f"auth_{reason}" for reason in REASONS), "invalid")
_FIXED: Final = _STATUS_COLUMNS + len(_ROW)
_CELL: Final = {name: _STATUS_COLUMNS + index for index, name in enumerate(_ROW)}
_LABELS: Final = ("method", "path")
# Counters with a label for each row: their names without `_total`, what they count, and the cell.
_COUNTERS: Final = (
    ("brrtrouter_request_bytes", "Bytes of heads and bodies of requests.", "bytes_in"),
    ("brrtrouter_response_bytes", "Bytes of heads and bodies of answers.", "bytes_out"),
    ("brrtrouter_validation_failures", "Requests whose parameters or body are not valid.", "invalid"),
)


class Metrics:
    """The counts of an application; a collector for a registry of prometheus-client.

    routes: method and path template of each operation, in the order of the service.  sources: more values, of
    this process.
    Raises ConfigError when prometheus-client is not installed.
    """

    def __init__(
        self,
        settings: config.Metrics,
        routes: Sequence[Label],
        sources: Sequence[Callable[[], Iterable[Sample]]] = (),
    ) -> None:
        try:
            import prometheus_client
        except ImportError:
            raise ConfigError(
                "metrics.enabled: the package prometheus-client is missing: pip install 'brrtrouter[metrics]'"
            ) from None
        self._client = prometheus_client
        declared = set(routes)
        heads = [method == "GET" and ("HEAD", path) not in declared for method, path in routes]
        self.meter = Meter(heads, settings.buckets)
        labels = [*routes, *(("HEAD", route[1]) for route, apart in zip(routes, heads, strict=True) if apart)]
        self._layout = Layout(len(_PROCESS), (*labels, UNMATCHED), _FIXED, settings.buckets)
        self._seat: Seat | None = None
        self._sources = tuple(sources)

    def share(self, folder: Path, worker: int) -> None:
        """Count where the other workers of a `board.Board` see it.  Raises OSError when there is no room."""
        self._seat = Seat(folder, worker, self._layout, self.meter.size)
        self.meter.attach(self._seat.cells)

    def answer(self, request: Request) -> Response:
        """The handler of the endpoint: text, or OpenMetrics for a client that accepts it."""
        media_type, text = self.render(request.header("accept") or "")
        return Response(200, text, {"Cache-Control": "no-store"}, media_type)

    def render(self, accept: str = "") -> tuple[str, bytes]:
        """(media type, text) of everything, in the format that an Accept field asks for."""
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(accept)
        return media_type, encode(self._registry())

    def totals(self) -> Totals:
        """The sums over all workers."""
        if self._seat is not None:
            return self._seat.totals(self._layout.bounds)
        totals = Totals(self._layout.bounds)
        totals.add_cells(self._layout, memoryview(self.meter.snapshot()), alive=True)
        return totals

    def collect(self) -> Iterator[Metric]:
        """The samples of the application; the protocol of collectors of prometheus-client."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        totals = self.totals()
        process = dict(zip(_PROCESS, totals.process, strict=True))
        alive = dict(zip(_PROCESS, totals.open, strict=False))
        yield _gauge(GaugeMetricFamily, "active_requests", "Requests under way.", alive, "begun", "ended")
        yield _gauge(GaugeMetricFamily, "active_connections", "Open connections.", alive, "opened", "closed")
        connections = CounterMetricFamily("brrtrouter_connections", "Connections that were opened.")
        connections.add_metric((), process["opened"])
        yield connections
        rows = sorted(totals.rows.items())
        yield self._requests(rows)
        yield self._durations(rows)
        for name, text, cell in _COUNTERS:
            family = CounterMetricFamily(name, text, labels=_LABELS)
            for label, row in rows:
                family.add_metric(label, row[_CELL[cell]])
            yield family
        yield self._auth_failures(rows)
        for sample in (each for source in self._sources for each in source()):
            if sample.kind == "counter":
                yield CounterMetricFamily(sample.name, sample.text, value=sample.value)
            else:
                yield GaugeMetricFamily(sample.name, sample.text, value=sample.value)
        if self._seat is not None:
            yield from _processes(totals)

    def _requests(self, rows: Iterable[tuple[Label, list[int]]]) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily("brrtrouter_requests", "Requests by their answer.", labels=(*_LABELS, "status"))
        for label, row in rows:
            for status, count in zip(STATUSES, row, strict=False):
                if count:
                    family.add_metric((*label, status), count)
        return family

    def _auth_failures(self, rows: Iterable[tuple[Label, list[int]]]) -> Metric:
        from prometheus_client.core import CounterMetricFamily

        text = "Requests refused by the security of their operation."
        family = CounterMetricFamily("brrtrouter_auth_failures", text, labels=(*_LABELS, "reason"))
        for label, row in rows:
            for reason in REASONS:
                count = row[_CELL[f"auth_{reason}"]]
                if count:
                    family.add_metric((*label, reason), count)
        return family

    def _durations(self, rows: Iterable[tuple[Label, list[int]]]) -> Metric:
        from prometheus_client.core import HistogramMetricFamily
        from prometheus_client.utils import floatToGoString

        text = "Seconds from a request that was read to its answer, or to the head of one that is a stream."
        family = HistogramMetricFamily("brrtrouter_request_duration_seconds", text, labels=_LABELS)
        bounds = (*self._layout.bounds, float("inf"))
        names = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
        for label, row in rows:
            total, buckets = 0, []
            for name, count in zip(names, row[_FIXED:], strict=True):
                total += count
                buckets.append((name, total))
            if total:
                family.add_metric(label, buckets, row[_CELL["sum_ns"]] / 1e9)
        return family

    def _registry(self) -> CollectorRegistry:
        """Ours, and what the application counts with prometheus-client itself, where that can be right."""
        registry = self._client.CollectorRegistry(auto_describe=False)
        registry.register(self)
        if os.environ.get(MULTIPROCESS):
            from prometheus_client.multiprocess import MultiProcessCollector

            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        elif self._seat is None:
            registry.register(self._client.REGISTRY)
        return registry


def _gauge(family: Any, name: str, text: str, alive: dict[str, int], more: str, less: str) -> Metric:
    made: Metric = family(f"brrtrouter_{name}", text, value=max(alive.get(more, 0) - alive.get(less, 0), 0))
    return made


def _processes(totals: Totals) -> Iterator[Metric]:
    """What prometheus-client tells of a process, for every worker, labelled with its number."""
    from prometheus_client import ProcessCollector
    from prometheus_client.core import GaugeMetricFamily

    yield GaugeMetricFamily("brrtrouter_workers", "Worker processes that live.", value=len(totals.workers))
    families: dict[str, Any] = {}
    for number, pid in sorted(totals.workers.items()):
        collector = ProcessCollector(pid=lambda pid=pid: pid, registry=None)  # type: ignore[misc]
        for found in collector.collect():
            kind: Any = type(found)
            family = families.setdefault(found.name, kind(found.name, found.documentation, labels=("worker",)))
            for sample in found.samples:
                family.add_metric((str(number),), sample.value)
    yield from families.values()
