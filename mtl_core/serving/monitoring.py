"""Monitoring: the Prometheus metrics of a server, `GET /health` and `GET /metrics`."""

from collections.abc import Callable

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mtl_core.serving import schemas
from mtl_core.serving.errors import json_response
from mtl_core.serving.served_run import ServedRun

SECONDS_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
BATCH_SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class ServerMetrics:
    """The Prometheus metrics of one server, in a separate registry.

    Args:
        get_queue_length: Returns the number of texts in the queue.
    """

    def __init__(self, get_queue_length: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "mtl_requests", "Requests by path and status.", ("path", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "mtl_request_seconds",
            "Latency of requests.",
            ("path",),
            registry=self._registry,
            buckets=SECONDS_BUCKETS,
        )
        self._text_count = Counter("mtl_texts", "Texts predicted by the network.", registry=self._registry)
        self._batch_size = Histogram(
            "mtl_batch_texts", "Texts per batch.", registry=self._registry, buckets=BATCH_SIZE_BUCKETS
        )
        self._batch_seconds = Histogram(
            "mtl_batch_seconds", "Processing time per batch.", registry=self._registry, buckets=SECONDS_BUCKETS
        )
        queue = Gauge("mtl_queue_length", "Texts in the queue.", registry=self._registry)
        queue.set_function(get_queue_length)

    def record_request(self, path: str, status: int, seconds: float) -> None:
        """Record a request."""
        self._requests.labels(path, str(status)).inc()
        self._latency.labels(path).observe(seconds)

    def record_batch(self, texts: int, seconds: float) -> None:
        """Record a batch."""
        self._text_count.inc(texts)
        self._batch_size.observe(texts)
        self._batch_seconds.observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)


def build_monitoring_routes(served_run: ServedRun, server_metrics: ServerMetrics) -> APIRouter:
    """Build the routes for health checks and Prometheus metrics."""
    router = APIRouter(tags=["server"])

    @router.get(
        "/health",
        summary="Health check",
        response_model=schemas.HealthResponse,
        responses={503: {"description": "The server runs, but accepts no requests.", "model": schemas.HealthResponse}},
    )
    async def health() -> Response:
        """For load balancers: 200 if the server accepts requests; 503 while it stops, or if the network failed."""
        ready = served_run.worker.is_ready
        status = schemas.HealthResponse(live=True, ready=ready, queue_length=len(served_run.worker.queue))
        return json_response(status.model_dump(), 200 if ready else 503)

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        """Requests by path and status, their latency, number of texts, batch sizes and times, queue length."""
        return Response(server_metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
