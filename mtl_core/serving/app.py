"""The FastAPI application: routes, middleware and exception handlers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, FastAPI

from mtl_core import __version__
from mtl_core.contributions import Service
from mtl_core.model_card.card import Card
from mtl_core.serving.about import about
from mtl_core.serving.answering import answering
from mtl_core.serving.frame import Link, static_files
from mtl_core.serving.gate import Gate
from mtl_core.serving.meters import Meters
from mtl_core.serving.pages import model_route, page_routes
from mtl_core.serving.refusals import add_refusals
from mtl_core.serving.samples import Samples
from mtl_core.serving.served import Served


def make_app(
    served: Served, card: Card, meters: Meters, samples: Samples, services: Mapping[str, Service]
) -> FastAPI:
    """Build the application.

    Args:
        served: The run.
        card: The model card of the run.
        meters: The Prometheus metrics of the server.
        samples: The example texts.
        services: The services of plugins, by name.

    Raises:
        MtlError: If the service of a plugin cannot be loaded.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        served.worker.stop()

    app = FastAPI(
        title=f"mtl serve: {served.saved.config.name}",
        version=__version__,
        description="Predictions of a multi-task network over HTTP.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(
        partial(Gate, meters=meters, limits=served.limits, uploads=[f"/{name}" for name in services])
    )
    add_refusals(app, served)
    app.include_router(answering(served, samples))
    app.include_router(model_route(served, card))
    app.include_router(about(served, meters))
    for service in services.values():
        _add_service(app, served, service)
    app.include_router(static_files())
    app.include_router(page_routes(app, served, card, samples))
    return app


def _add_service(app: FastAPI, served: Served, service: Service) -> None:
    """Add the routes of a plugin's service; if they include `GET /NAME`, all pages link to it."""
    router: APIRouter | None = service.load()(served)
    if router is None:
        return
    if any(
        getattr(route, "path", None) == "" and "GET" in getattr(route, "methods", ()) for route in router.routes
    ):
        served.frame.links.append(Link(f"/{service.name}", service.name.capitalize(), service.help))
    app.include_router(router, prefix=f"/{service.name}", tags=[service.name])
