"""The Prometheus metrics of a server."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128)


class Meters:
    """The Prometheus metrics of one server, in a separate registry.

    Args:
        waiting: Returns the number of texts in the queue.
    """

    def __init__(self, waiting: Callable[[], float]) -> None:
        self._all = CollectorRegistry()
        self._requests = Counter(
            "mtl_requests", "Requests by path and status.", ("path", "status"), registry=self._all
        )
        self._latency = Histogram(
            "mtl_request_seconds", "Latency of requests.", ("path",), registry=self._all, buckets=SECONDS
        )
        self._texts = Counter("mtl_texts", "Texts predicted by the network.", registry=self._all)
        self._batch = Histogram("mtl_batch_texts", "Texts per batch.", registry=self._all, buckets=TEXTS)
        self._batch_time = Histogram(
            "mtl_batch_seconds", "Processing time per batch.", registry=self._all, buckets=SECONDS
        )
        queue = Gauge("mtl_waiting_texts", "Texts in the queue.", registry=self._all)
        queue.set_function(waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Record a request."""
        self._requests.labels(path, str(status)).inc()
        self._latency.labels(path).observe(seconds)

    def batch(self, texts: int, seconds: float) -> None:
        """Record a batch."""
        self._texts.inc(texts)
        self._batch.observe(texts)
        self._batch_time.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._all)
