"""Calibration of a small network, whose outputs on the validation data are computed a second time."""

from pathlib import Path
from typing import Any

import pytest
import torch
from toy import CLASSES, task_block, toy_config, toy_network

from mtl_core.data.fitted_data import FittedData
from mtl_core.errors import MtlError
from mtl_core.evaluation.calibration import apply_calibration, calibrate, check_calibration
from mtl_core.evaluation.calibration_error import compute_expected_calibration_error
from mtl_core.evaluation.scorer import compute_scores
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.step import compute_losses

DETECTION = {"type": "detect-and-classify", "classes": CLASSES}
CLASSIFICATION = {"type": "classification", "classes": CLASSES}
ORDINAL = {"type": "ordinal", "classes": CLASSES}


def build(folder: Path, *kinds: dict[str, Any], validation: float = 0.5) -> tuple[FittedData, MultiTaskNetwork]:
    """Return data and a network that overfits, for one task per kind."""
    tasks = [
        {
            **task_block(name=f"t{index}", kind=kind),
            "mask": "exclude-labels" if kind["type"] != DETECTION["type"] else "observed",
        }
        for index, kind in enumerate(kinds)
    ]
    config = toy_config(
        folder,
        data={"type": "toy", "rows": 80, "tasks": len(kinds)},
        split={"type": "random", "validation": validation},
        tasks=tasks,
    )
    torch.manual_seed(0)
    data, network, objective = toy_network(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    batch = data.examples.build_batch(data.split.train, torch.device("cpu"))
    for _ in range(40):
        optimizer.zero_grad()
        objective.compute_total(compute_losses(network, objective, batch)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return data, network.eval()


def compute_outputs(data: FittedData, network: MultiTaskNetwork) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return outputs and targets of the validation labels per task."""
    batch = data.examples.build_batch(data.split.validation, torch.device("cpu"))
    result = {}
    with torch.no_grad():
        head_outputs = network(batch.inputs, None, {})
    for group, output, targets in zip(data.groups, head_outputs, batch.targets, strict=True):
        mask = group.mask(targets)
        for column, task in enumerate(group.tasks):
            rows = mask[:, column]
            result[task.name] = (output.outputs[rows, column], targets[rows, column])
    return result


@pytest.mark.parametrize("kind", [CLASSIFICATION, DETECTION], ids=["classification", "detection"])
def test_tasks_of_a_group_share_values_fitted_to_all_their_labels(tmp_path: Path, kind: dict[str, Any]) -> None:
    data, network = build(tmp_path, kind, kind)
    outputs, targets = (torch.cat(tables) for tables in zip(*compute_outputs(data, network).values(), strict=True))
    task_kind = data.tasks[0].kind
    before = task_kind.compute_confidences(outputs, targets)
    expected = task_kind.fit_calibration(outputs, targets)
    calibration = calibrate(network, data)
    assert set(calibration.values) == {"t0", "t1"}
    for task in data.tasks:
        assert dict(calibration.values[task.name]) == pytest.approx(dict(expected), rel=1e-3)
        assert task.kind.calibration == calibration.values[task.name]
    after = task_kind.compute_confidences(outputs, targets)
    assert list(calibration.errors) == list(before)
    for name, error in calibration.errors.items():
        assert error.n == len(before[name].is_correct)
        for value, confidences in ((error.before, before[name]), (error.after, after[name])):
            assert value == pytest.approx(
                compute_expected_calibration_error(confidences.confidence, confidences.is_correct), abs=1e-4
            )
        assert error.after != pytest.approx(error.before, abs=1e-3)


def test_groups_have_separate_values_and_one_error(tmp_path: Path) -> None:
    data, network = build(
        tmp_path, ORDINAL, CLASSIFICATION, {**CLASSIFICATION, "class_weights": "balanced", "metrics": ["accuracy"]}
    )
    assert len(data.groups) == 3
    outputs = compute_outputs(data, network)
    calibration = calibrate(network, data)
    assert list(calibration.values) == ["t1", "t2"]  # an ordinal task has no temperature
    assert calibration.values["t1"] != calibration.values["t2"]
    assert dict(data.tasks[0].kind.calibration) == {}
    assert calibration.errors["label"].n == len(outputs["t1"][1]) + len(outputs["t2"][1])


def test_values_apply_to_the_named_tasks_only(tmp_path: Path) -> None:
    data, _ = build(tmp_path, CLASSIFICATION, CLASSIFICATION)
    apply_calibration(data.groups, {"t1": {"temperature": 2.0}, "other": {"temperature": 3.0}})
    assert [dict(task.kind.calibration) for task in data.tasks] == [{}, {"temperature": 2.0}]


def test_validation_data_is_required(tmp_path: Path) -> None:
    data, _ = build(tmp_path, CLASSIFICATION, validation=0.0)
    with pytest.raises(MtlError, match=r"training\.calibrate: calibration needs a validation split; set `split\.val"):
        check_calibration(data)
    check_calibration(build(tmp_path, CLASSIFICATION)[0])


def test_scores_of_a_network(tmp_path: Path) -> None:
    data, network = build(tmp_path, CLASSIFICATION, {**CLASSIFICATION, "metrics": ["accuracy"]})
    outputs = compute_outputs(data, network)
    network.train()  # evaluation has no dropout
    scores = compute_scores(network, data.examples, data.split.validation, data.groups)
    for name, (output, targets) in outputs.items():
        assert scores.tasks[name].n == len(targets)
        expected = (output.argmax(dim=1) == targets).double().mean()
        assert scores.tasks[name].metrics["accuracy"].value == pytest.approx(float(expected))
    first = compute_scores(network, data.examples, data.split.validation, data.groups, [True, False])
    assert [first.tasks[name].n for name in ("t0", "t1")] == [len(outputs["t0"][1]), 0]
