"""`POST /predict` and `POST /predict/batch`."""

import re
from typing import Any

from fastapi import APIRouter, Request, Response

from mtl_core.errors import MtlError
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.serving import schemas
from mtl_core.serving.disconnect import cancel_on_disconnect
from mtl_core.serving.errors import ApiError, convert_mtl_error, json_response
from mtl_core.serving.limits import Limits
from mtl_core.serving.middleware import log_internal_error
from mtl_core.serving.request_queue import PredictionResult
from mtl_core.serving.sample_texts import Samples
from mtl_core.serving.served_run import ServedRun

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body is not valid JSON."},
    413: {"description": "The body is too large."},
    422: {"description": "The body is invalid; the error contains the location."},
    500: {"description": "Internal error; the server log contains the traceback under the id."},
    503: {"description": "The queue is full; `Retry-After` contains the seconds until a retry."},
    504: {"description": "The request timed out."},
}
for _error_response in ERROR_RESPONSES.values():
    _error_response["model"] = schemas.ErrorResponse
_SURROGATE = re.compile("[\ud800-\udfff]")


def build_prediction_routes(served_run: ServedRun, samples: Samples) -> APIRouter:
    """Build the routes that return predictions.

    Args:
        served_run: The run.
        samples: The examples for the documentation.
    """
    router = APIRouter(responses=ERROR_RESPONSES, tags=["predict"])
    limits = served_run.limits

    @router.post(
        "/predict",
        summary="Predict one text",
        **_build_documentation(schemas.PredictResponse, samples.request, samples.response),
    )
    async def predict(body: schemas.PredictRequest, request: Request) -> Response:
        """Returns the same object as `mtl predict --json`."""
        _validate_data_set(served_run, body)
        prediction_input = _validate_text(body.text, body.id, 1, "body.text", limits)
        if isinstance(prediction_input, ApiError):
            raise prediction_input
        result = (
            await cancel_on_disconnect(request, served_run.predict([prediction_input], body.attention, body.data_set))
        )[0]
        if isinstance(result, Exception):
            raise _to_api_error(result, prediction_input.location)
        return json_response(result.to_record(only_present=body.omit_absent))

    @router.post(
        "/predict/batch",
        summary="Predict several texts",
        **_build_documentation(schemas.BatchPredictResponse, samples.batch_request, samples.batch_response),
    )
    async def predict_batch(body: schemas.BatchPredictRequest, request: Request) -> Response:
        """Returns predictions in the order of the texts. A text that cannot be predicted has an `error` instead."""
        _validate_data_set(served_run, body)
        if len(body.texts) > limits.max_texts:
            raise ApiError(422, "body.texts", f"{len(body.texts):,} texts", f"at most {limits.max_texts:,}")
        texts_with_ids = [(text, None) if isinstance(text, str) else (text.text, text.id) for text in body.texts]
        inputs = [
            _validate_text(text, text_id, index + 1, f"body.texts[{index}]", limits)
            for index, (text, text_id) in enumerate(texts_with_ids)
        ]
        valid_inputs = [item for item in inputs if not isinstance(item, ApiError)]
        results: list[PredictionResult] = []
        if valid_inputs:
            results = await cancel_on_disconnect(
                request, served_run.predict(valid_inputs, body.attention, body.data_set)
            )
        remaining_results = iter(results)
        entries = [
            _build_entry(
                item if isinstance(item, ApiError) else next(remaining_results),
                str(index + 1 if text_id is None else text_id),
                body,
            )
            for index, (item, (_, text_id)) in enumerate(zip(inputs, texts_with_ids, strict=True))
        ]
        return json_response({"predictions": entries})

    return router


def _build_documentation(response_model: Any, request_example: Any, response_example: Any) -> dict[str, Any]:
    """Return the OpenAPI documentation of a route, which itself returns a finished response."""
    return {
        "response_model": response_model,
        "responses": {
            200: {"description": "Predicted.", "content": {"application/json": {"example": response_example}}}
        },
        "openapi_extra": {"requestBody": {"content": {"application/json": {"example": request_example}}}},
    }


def _validate_data_set(served_run: ServedRun, body: schemas.PredictionOptions) -> None:
    if body.data_set is not None:
        try:
            served_run.saved.get_loader(body.data_set)
        except MtlError as error:
            raise convert_mtl_error(error, "body.data_set") from error


def _validate_text(
    text: str, raw_id: str | int | None, number: int, location: str, limits: Limits
) -> PredictionInput | ApiError:
    """Convert a text of a request into an input of the network, or return its validation error.

    Args:
        text: The text.
        raw_id: The id in the request.
        number: The number of the text, which is its id if the request has none.
        location: The location of the text in the request.
        limits: The limits of the server.
    """
    text_id = str(number) if raw_id is None else str(raw_id)
    if len(text) > limits.max_text_length:
        return ApiError(422, location, f"{len(text):,} characters", f"at most {limits.max_text_length:,}")
    if not text.strip():
        return ApiError(422, location, "an empty text", "at least one word")
    for item_location, value in ((f"{location} (its id)", text_id), (location, text)):
        if surrogate := _SURROGATE.search(value):
            description = f"an unpaired surrogate, U+{ord(surrogate[0]):X}, at {surrogate.start()}"
            return ApiError(422, item_location, description, "valid Unicode, in which UTF-16 surrogates are paired")
    return PredictionInput(text_id, text, location)


def _to_api_error(error: Exception, location: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    return convert_mtl_error(error, location) if isinstance(error, MtlError) else log_internal_error(error)


def _build_entry(result: Prediction | Exception, text_id: str, body: schemas.BatchPredictRequest) -> dict[str, Any]:
    """Return the entry of one text in the response: its prediction or its error."""
    if isinstance(result, Prediction):
        return result.to_record(only_present=body.omit_absent)
    return {"id": text_id, "error": _to_api_error(result, "").error}
