"""`POST /predict` and `POST /predict/batch`."""

from typing import Any

from fastapi import APIRouter, Request, Response

from mtl_core.errors import MtlError, join_names
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import get_row_columns
from mtl_core.serving import schemas
from mtl_core.serving.disconnect import cancel_on_disconnect
from mtl_core.serving.errors import ApiError, convert_mtl_error, json_response
from mtl_core.serving.limits import Limits
from mtl_core.serving.middleware import log_internal_error
from mtl_core.serving.request_inputs import RequestInput, get_input_types, validate_input
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
        """Returns the same object as `mtl predict --json`. The request has a `text`, or `inputs` with its columns."""
        _validate_data_set(served_run, body)
        prediction_input = validate_input(_get_input(served_run, body), body.id, 1, limits)
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
        """Returns predictions in the order of the texts or rows, with an `error` for those that cannot be predicted."""
        _validate_data_set(served_run, body)
        inputs_with_ids = _list_inputs(served_run, body, limits)
        inputs = [
            validate_input(item, raw_id, index + 1, limits) for index, (item, raw_id) in enumerate(inputs_with_ids)
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
            for index, (item, (_, text_id)) in enumerate(zip(inputs, inputs_with_ids, strict=True))
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


def _get_input(served_run: ServedRun, body: schemas.PredictRequest) -> RequestInput:
    """Return the text or the row of a request.

    Raises:
        ApiError: If the request has none of them, or both.
    """
    if body.inputs is not None and "text" in body.model_fields_set:
        raise ApiError(422, "body.inputs", "a text and inputs", "one of them")
    if body.inputs is not None:
        return RequestInput("", body.inputs, "body.inputs", get_input_types(served_run, body.data_set))
    if "text" not in body.model_fields_set:
        raise _build_missing_error(served_run, body, "body.inputs", "body.text")
    return RequestInput(body.text, None, "body.text", {})


def _list_inputs(
    served_run: ServedRun, body: schemas.BatchPredictRequest, limits: Limits
) -> list[tuple[RequestInput, str | int | None]]:
    """Return the texts or the rows of a request, with their ids.

    Raises:
        ApiError: If the request has none of them, both, or too many.
    """
    if body.rows and body.texts:
        raise ApiError(422, "body.rows", "texts and rows", "one of them")
    if not body.rows and not body.texts:
        raise _build_missing_error(served_run, body, "body.rows", "body.texts")
    name = "rows" if body.rows else "texts"
    count = len(body.rows or body.texts)
    if count > limits.max_texts:
        raise ApiError(422, f"body.{name}", f"{count:,} {name}", f"at most {limits.max_texts:,}")
    types = get_input_types(served_run, body.data_set)
    if body.rows:
        rows = enumerate(body.rows)
        return [(RequestInput("", row.inputs, f"body.rows[{index}].inputs", types), row.id) for index, row in rows]
    texts = [(text, None) if isinstance(text, str) else (text.text, text.id) for text in body.texts]
    return [(RequestInput(text, None, f"body.texts[{i}]", {}), raw_id) for i, (text, raw_id) in enumerate(texts)]


def _build_missing_error(
    served_run: ServedRun, body: schemas.PredictionOptions, row_location: str, text_location: str
) -> ApiError:
    columns = get_row_columns(served_run.saved.get_loader(body.data_set))
    if columns:
        return ApiError(422, row_location, "nothing", f"cells of the columns {join_names(columns)}")
    return ApiError(422, text_location, "nothing", "a value")


def _to_api_error(error: Exception, location: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    return convert_mtl_error(error, location) if isinstance(error, MtlError) else log_internal_error(error)


def _build_entry(result: Prediction | Exception, text_id: str, body: schemas.BatchPredictRequest) -> dict[str, Any]:
    """Return the entry of one text in the response: its prediction or its error."""
    if isinstance(result, Prediction):
        return result.to_record(only_present=body.omit_absent)
    return {"id": text_id, "error": _to_api_error(result, "").error}
