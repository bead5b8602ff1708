"""`GET /health` and `GET /metrics`."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mtl_core.serving import schemas
from mtl_core.serving.api_errors import json_response
from mtl_core.serving.served_run import ServedRun
from mtl_core.serving.server_metrics import ServerMetrics


def build_monitoring_routes(served_run: ServedRun, server_metrics: ServerMetrics) -> APIRouter:
    """Build the routes for health checks and Prometheus metrics."""
    router = APIRouter(tags=["server"])

    @router.get(
        "/health",
        summary="Health check",
        response_model=schemas.HealthResponse,
        responses={
            503: {"description": "The server runs, but accepts no requests.", "model": schemas.HealthResponse}
        },
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
