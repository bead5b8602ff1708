"""`GET /health` and `GET /metrics`."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from mtl_core.serving import messages
from mtl_core.serving.meters import Meters
from mtl_core.serving.problems import json_response
from mtl_core.serving.served import Served


def about(served: Served, meters: Meters) -> APIRouter:
    """Make the routes that tell how the server is."""
    router = APIRouter(tags=["server"])

    @router.get(
        "/health",
        summary="Is it there, and does it answer?",
        response_model=messages.Health,
        responses={503: {"description": "It runs, but takes no questions now.", "model": messages.Health}},
    )
    async def health() -> Response:
        """For load balancers: 200 if it takes questions; 503 while it stops, or if the network is gone."""
        ready = served.worker.ready
        told = messages.Health(live=True, ready=ready, waiting=len(served.worker.waiting))
        return json_response(told.model_dump(), 200 if ready else 503)

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        """Requests by path and status, their times, texts, sizes and times of batches, texts that wait."""
        return Response(meters.text(), media_type=CONTENT_TYPE_LATEST)

    return router
