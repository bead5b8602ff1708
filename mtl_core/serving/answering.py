"""`POST /predict` and `POST /predict/batch`."""

from typing import Any

from fastapi import APIRouter, Request, Response

from mtl_core.errors import MtlError
from mtl_core.runs.answers import Answer
from mtl_core.serving import messages
from mtl_core.serving.checks import question
from mtl_core.serving.gate import failed
from mtl_core.serving.presence import while_present
from mtl_core.serving.problems import Problem, json_response
from mtl_core.serving.refusals import mistake
from mtl_core.serving.samples import Samples
from mtl_core.serving.served import Served
from mtl_core.serving.tickets import Said

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not valid JSON."},
    413: {"description": "The body is too large."},
    422: {"description": "The body is invalid; the error contains the location."},
    500: {"description": "Internal error; the server log contains the traceback under the id."},
    503: {"description": "The queue is full; `Retry-After` contains the seconds until a retry."},
    504: {"description": "The request timed out."},
}
for _refusal in REFUSALS.values():
    _refusal["model"] = messages.Refusal


def answering(served: Served, samples: Samples) -> APIRouter:
    """Build the routes that return predictions.

    Args:
        served: The run.
        samples: The examples for the documentation.
    """
    router = APIRouter(responses=REFUSALS, tags=["predict"])
    limits = served.limits

    @router.post(
        "/predict", summary="Predict one text", **_documented(messages.Answer, samples.asked, samples.answered)
    )
    async def predict(body: messages.Question, request: Request) -> Response:
        """Returns the same object as `mtl predict --json`."""
        _check_data_set(served, body)
        one = question(body.text, body.id, 1, "body.text", limits)
        if isinstance(one, Problem):
            raise one
        said = (await while_present(request, served.ask([one], body.attention, body.data_set)))[0]
        if isinstance(said, Exception):
            raise _told(said, one.origin)
        return json_response(said.record(only_found=body.only_found))

    @router.post(
        "/predict/batch",
        summary="Predict several texts",
        **_documented(messages.Answers, samples.batch_asked, samples.batch_answered),
    )
    async def predict_batch(body: messages.Questions, request: Request) -> Response:
        """Returns predictions in the order of the texts. A text that cannot be predicted has an `error` instead."""
        _check_data_set(served, body)
        if len(body.texts) > limits.max_texts:
            raise Problem(422, "body.texts", f"{len(body.texts):,} texts", f"at most {limits.max_texts:,}")
        given = [(text, None) if isinstance(text, str) else (text.text, text.id) for text in body.texts]
        asked = [
            question(text, name, place + 1, f"body.texts[{place}]", limits)
            for place, (text, name) in enumerate(given)
        ]
        good = [one for one in asked if not isinstance(one, Problem)]
        said: list[Said] = []
        if good:
            said = await while_present(request, served.ask(good, body.attention, body.data_set))
        answers = iter(said)
        told = [
            _entry(
                one if isinstance(one, Problem) else next(answers), str(place + 1 if name is None else name), body
            )
            for place, (one, (_, name)) in enumerate(zip(asked, given, strict=True))
        ]
        return json_response({"answers": told})

    return router


def _documented(model: Any, asked: Any, answered: Any) -> dict[str, Any]:
    """Return the OpenAPI documentation of a route, which itself returns a finished response."""
    return {
        "response_model": model,
        "responses": {200: {"description": "Predicted.", "content": {"application/json": {"example": answered}}}},
        "openapi_extra": {"requestBody": {"content": {"application/json": {"example": asked}}}},
    }


def _check_data_set(served: Served, body: messages.Asked) -> None:
    if body.data_set is not None:
        try:
            served.saved.loader(body.data_set)
        except MtlError as error:
            raise mistake(error, "body.data_set") from error


def _told(said: Exception, where: str) -> Problem:
    if isinstance(said, Problem):
        return said
    return mistake(said, where) if isinstance(said, MtlError) else failed(said)


def _entry(said: Answer | Exception, name: str, body: messages.Questions) -> dict[str, Any]:
    """Return the entry of one text in the response: its prediction or its error."""
    if isinstance(said, Answer):
        return said.record(only_found=body.only_found)
    return {"id": name, "error": _told(said, "").error}
