"""The data of an extended run: that of the run, with the label columns of the added tasks, or with a further file."""

from collections.abc import Container, Sequence
from typing import Any

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import validate_input_path
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.experiments.extend.request import ExtensionRequest
from mtl_core.plugins.specs import LoaderSpec

TEXT_COLUMN = "text"
"""The column of texts in a table, for a run whose loader reads texts from files of another format."""


def build_data_blocks(
    request: ExtensionRequest,
    config: ExperimentConfig,
    columns: Sequence[str],
    uses_known_data: bool,
    known_blocks: Sequence[dict[str, Any]],
    blocks: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Build `data` and `data_sets`; the tasks are assigned to their data sets in place.

    Args:
        request: The file, and the data set whose format it has.
        config: The experiment of the run.
        columns: The label columns of the added tasks.
        uses_known_data: Whether the data of the run is part of that of the extended run.
        known_blocks: The tasks of the run.
        blocks: The added tasks.

    Raises:
        MtlError: If the file or the data set does not exist, or the loader reads no single file.
    """
    data_set = _find_data_set(request, config)
    if not request.has_new_data:
        loaders = {**config.loaders, data_set: config.loaders[data_set].add_label_columns(columns)}
        dumps = {name: loader.model_dump(mode="json") for name, loader in loaders.items()}
        if len(loaders) > 1:
            for block in blocks:
                block.setdefault("data", [data_set])
        return {"data": dumps[data_set]} if config.data is not None else {"data_sets": dumps}
    name = _find_free_name(request.names[0], config.loaders)
    known = {name: loader.model_dump(mode="json") for name, loader in config.loaders.items()} if uses_known_data else {}
    for block in known_blocks:
        block["data"] = (block["data"] or list(known)) if uses_known_data else []
    for block in blocks:
        block["data"] = [name]
    return {"data": None, "data_sets": {**known, name: _build_new_loader(request, config.loaders[data_set], columns)}}


def _build_new_loader(request: ExtensionRequest, known_loader: LoaderSpec, columns: Sequence[str]) -> dict[str, Any]:
    """Build the loader of the labels of the added tasks."""
    if request.file is None:
        return dict(request.loader or {})
    if problem := validate_input_path(request.file, must_be_file=True):
        raise MtlError(f"--data: {problem}")
    path, loader_type = request.file.resolve(), type(known_loader)
    reads_no_file = loader_type.replace_training_file is LoaderSpec.replace_training_file
    if reads_no_file and loader_type.from_text is not LoaderSpec.from_text:  # inputs are texts: any table has them
        return {"type": "table", "train": str(path), "text": TEXT_COLUMN, "labels": list(columns)}
    return known_loader.replace_training_file(path, columns).model_dump(mode="json")


def _find_data_set(request: ExtensionRequest, config: ExperimentConfig) -> str:
    names = list(config.loaders)
    if request.data_set is None and len(names) == 1:
        return names[0]
    if request.data_set is None:
        purpose = "whose format the new data has" if request.has_new_data else "that has the labels of the added tasks"
        raise MtlError(
            f"the run has several data sets; name the one {purpose} with --data-set NAME ({join_names(names)})"
        )
    if request.data_set not in names or config.data is not None:
        hint = did_you_mean(request.data_set, names)
        raise MtlError(f"--data-set {request.data_set}: no such data set{hint} (data sets: {join_names(names)})")
    return request.data_set


def _find_free_name(name: str, used: Container[str]) -> str:
    number, free_name = 2, name
    while free_name in used:
        free_name, number = f"{name}-{number}", number + 1
    return free_name
