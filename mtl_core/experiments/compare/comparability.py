"""Check that runs can be compared: the same data and version, and scores of the same examples, labels and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.provenance import Provenance, read_provenance
from mtl_core.artifacts.provenance_differences import describe_file, find_changed_file, iterate_version_differences
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.errors import MtlError, join_names

if TYPE_CHECKING:  # it imports torch, which `mtl compare` does not need to check that trials were scored
    from mtl_core.experiments.compare.run_outputs import ScoredOutputs


def check_has_outputs(path: Path) -> None:
    """Check that a finished run was scored.

    Raises:
        MtlError: If it has no stored outputs.
    """
    run = RunDirectory(path)
    if run.outputs.is_file():
        return
    if run.find_predictions() is not None:
        raise MtlError(
            f"{path}: the run has no {run.outputs.name}, which a comparison requires: an earlier version of "
            f"mtl-core made it; repeat it with `mtl run {run.config} --out NEW`"
        )
    raise MtlError(
        f"{path}: the run has no scores: its data has neither a test split nor validation data; add one "
        "(`split: {type: stratified, test: 0.2}`), or compare with --folds"
    )


def check_same_provenance(paths: Sequence[Path]) -> list[str]:
    """Check that runs read the same data, with the same version of mtl-core.

    Args:
        paths: The run directories.

    Returns:
        Sentences on what else may explain a difference: other versions, another machine, or unknown provenance.

    Raises:
        MtlError: If the data or the version of two runs differs; the message names both runs.
    """
    provenances = {path: read_provenance(RunDirectory(path).provenance) for path in paths}
    known = {path: provenance for path, provenance in provenances.items() if provenance is not None}
    unknown = [str(path) for path, provenance in provenances.items() if provenance is None]
    sentences = []
    if unknown:
        sentences.append(
            f"Whether all runs read the same data with the same versions is unknown: {join_names(unknown, 3)} "
            f"{'has' if len(unknown) == 1 else 'have'} no provenance.json."
        )
    if not known:
        return sentences
    first_path, first = next(iter(known.items()))
    runs_by_difference: dict[tuple[str, str, str], list[str]] = {}
    for path, provenance in known.items():
        _check_same_data(path, provenance, first_path, first)
        for difference in iterate_version_differences(first, provenance):
            runs_by_difference.setdefault(difference, []).append(path.name)
    differences = [
        f"{name} {value} in {join_names(names, 3)}, but {first_value} in {first_path.name}"
        for (name, first_value, value), names in runs_by_difference.items()
    ]
    if differences:
        sentences.append(
            f"Versions or machines differ, which may cause a part of the differences: {'; '.join(differences)}."
        )
    return sentences


def _check_same_data(path: Path, provenance: Provenance, first_path: Path, first: Provenance) -> None:
    if provenance.project_version != first.project_version:
        raise MtlError(
            f"{path}: was trained by mtl-core {provenance.project_version}, but {first_path} by mtl-core "
            f"{first.project_version}; only runs of the same version can be compared: train one of them again"
        )
    key = find_changed_file(first.data_files, provenance.data_files)
    if key is not None:
        raise MtlError(
            f"{path}: was trained on other data than {first_path}: {key} is {describe_file(provenance.files[key])} "
            f"here, and {describe_file(first.files[key])} there; only runs on the same data can be compared: train one "
            "of them again"
        )


def check_same_labels(
    first: Mapping[str, ScoredOutputs], second: Mapping[str, ScoredOutputs], names: tuple[str, str]
) -> None:
    """Check that two runs were scored on the same examples and the same labels.

    Args:
        first: Task to the outputs of the first run.
        second: Task to the outputs of the second run, for the same tasks.
        names: The names of the two runs, for messages.

    Raises:
        MtlError: If examples or labels differ; the message contains the first difference.
    """
    first_name, second_name = names
    for name, first_outputs in first.items():
        second_outputs = second[name]
        if not np.array_equal(first_outputs.ids, second_outputs.ids):
            raise MtlError(
                f"{second_name}: task '{name}' was measured on other examples than in {first_name} "
                f"({_describe_id_differences(first_outputs, second_outputs)}); "
                "only runs on the same test examples can be compared"
            )
        first_labels, second_labels = first_outputs.get_gold_labels(), second_outputs.get_gold_labels()
        label_index = _find_differing_label(first_labels, second_labels)
        if label_index is not None:
            raise MtlError(
                f"{second_name}: task '{name}' has another label for example '{first_outputs.ids[label_index]}' "
                f"than in {first_name} ({_format_label(second_outputs, second_labels[label_index])}, not "
                f"{_format_label(first_outputs, first_labels[label_index])}); only runs on the same labels can be "
                "compared"
            )


def check_same_classes(outputs: Sequence[Sequence[Mapping[str, ScoredOutputs]]]) -> None:
    """Check that all folds have the same classes; otherwise their outputs cannot be concatenated.

    Args:
        outputs: Task to outputs, per seed and fold.

    Raises:
        MtlError: If the classes of two folds differ.
    """
    for first_fold, *remaining_folds in outputs:
        for name, first_outputs in first_fold.items():
            classes = list(first_outputs.task.space.classes)
            for fold in remaining_folds:
                if (fold_classes := list(fold[name].task.space.classes)) != classes:
                    raise MtlError(
                        f"task '{name}': folds have different classes ({join_names(classes)}; "
                        f"{join_names(fold_classes)}); declare `kind.classes`, so that all folds have the same"
                    )


def _describe_id_differences(first: ScoredOutputs, second: ScoredOutputs) -> str:
    missing = sorted(set(first.ids.tolist()) - set(second.ids.tolist()))
    extra = sorted(set(second.ids.tolist()) - set(first.ids.tolist()))
    differences = [
        f"{len(ids)} {word}, such as '{ids[0]}'" for ids, word in ((missing, "missing"), (extra, "more")) if ids
    ]
    return "; ".join(differences) or f"{len(second.ids)} labels, not {len(first.ids)}"


def _find_differing_label(first: NDArray[Any], second: NDArray[Any]) -> int | None:
    """Return the index of the first label that differs, None if none does; numbers may differ by rounding."""
    if first.dtype.kind == "f":
        is_equal = np.isclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)
    else:
        is_equal = first == second
    rows = is_equal.all(axis=tuple(range(1, is_equal.ndim)))
    return None if rows.all() else int(np.argmin(rows))


def _format_label(outputs: ScoredOutputs, label: Any) -> str:
    if outputs.task.config.kind.level == "pixel":
        return f"a mask with {int(label[0])} labelled pixels"
    return f"'{label}'" if isinstance(label, str) else str(label)
