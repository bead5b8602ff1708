"""The FastAPI application: routes, middleware and exception handlers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from mtl_core import __version__
from mtl_core.plugins.contributions import Service
from mtl_core.reporting.model_card.card import Card
from mtl_core.serving.errors import add_exception_handlers
from mtl_core.serving.middleware import RequestMiddleware
from mtl_core.serving.model_card_route import build_model_card_route
from mtl_core.serving.monitoring import ServerMetrics, build_monitoring_routes
from mtl_core.serving.page_layout import Link, build_static_routes
from mtl_core.serving.pages import build_page_routes
from mtl_core.serving.prediction_routes import build_prediction_routes
from mtl_core.serving.sample_texts import Samples
from mtl_core.serving.served_run import ServedRun


def build_app(
    served_run: ServedRun,
    card: Card,
    server_metrics: ServerMetrics,
    samples: Samples,
    services: Mapping[str, Service],
) -> FastAPI:
    """Build the application.

    Args:
        served_run: The run.
        card: The model card of the run.
        server_metrics: The Prometheus metrics of the server.
        samples: The example texts.
        services: The services of plugins, by name.

    Raises:
        MtlError: If the service of a plugin cannot be loaded.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        served_run.worker.stop()

    app = FastAPI(
        title=f"mtl serve: {served_run.saved.config.name}",
        version=__version__,
        description="Predictions of a multi-task network over HTTP.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(
        partial(
            RequestMiddleware,
            server_metrics=server_metrics,
            limits=served_run.limits,
            upload_prefixes=[f"/{name}" for name in services],
        )
    )
    add_exception_handlers(app, served_run)
    app.include_router(build_prediction_routes(served_run, samples))
    app.include_router(build_model_card_route(served_run, card))
    app.include_router(build_monitoring_routes(served_run, server_metrics))
    for service in services.values():
        _add_service(app, served_run, service)
    app.include_router(build_static_routes())
    app.include_router(build_page_routes(app, served_run, card, samples))
    return app


def _add_service(app: FastAPI, served_run: ServedRun, service: Service) -> None:
    """Add the routes of a plugin's service; if they include `GET /NAME`, all pages link to it."""
    router: APIRouter | None = service.load()(served_run)
    if router is None:
        return
    if any(getattr(route, "path", None) == "" and "GET" in getattr(route, "methods", ()) for route in router.routes):
        served_run.page_layout.links.append(Link(f"/{service.name}", service.name.capitalize(), service.help))
    app.include_router(router, prefix=f"/{service.name}", tags=[service.name])
