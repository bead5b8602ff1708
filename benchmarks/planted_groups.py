"""Generated data with planted groups of tasks: the tasks of a group depend on the same hidden features."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml


@dataclass(frozen=True)
class PlantedGroups:
    """The sizes of generated data.

    Attributes:
        n_tasks: Number of tasks.
        n_groups: Number of groups.
        n_examples: Number of examples.
        n_inputs: Number of inputs, which all groups read.
        n_hidden: Number of hidden features per group.
        missing: The share of missing labels.
        noise: Standard deviation of the noise before labels are decided, relative to that of the signal.
    """

    n_tasks: int = 100
    n_groups: int = 5
    n_examples: int = 2000
    n_inputs: int = 50
    n_hidden: int = 4
    missing: float = 0.5
    noise: float = 0.3


def write_planted_groups(
    folder: Path, sizes: PlantedGroups, seed: int, epochs: int = 10, width: int = 128
) -> list[int]:
    """Write `data.csv` and the experiment `planted.yaml`, and return the group of each task.

    Each group has a random nonlinear teacher: `tanh` of random directions in the inputs. A task of the group is a
    random linear function of its features, of either sign, so labels of related tasks may be opposite. Labels are
    binary.

    Args:
        folder: The folder, which is created.
        sizes: The sizes.
        seed: The seed of the data.
        epochs: The epochs of the experiment.
        width: The width of the hidden layer of the experiment.
    """
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(sizes.n_examples, sizes.n_inputs))
    groups = rng.permutation(np.arange(sizes.n_tasks) % sizes.n_groups)
    hidden = [
        np.tanh(2 * inputs @ rng.normal(size=(sizes.n_inputs, sizes.n_hidden)) / np.sqrt(sizes.n_inputs))
        for _ in range(sizes.n_groups)
    ]
    signals = np.stack([hidden[group] @ rng.normal(size=sizes.n_hidden) for group in groups], axis=1)
    labels = signals / signals.std(axis=0) + sizes.noise * rng.normal(size=signals.shape) > 0
    is_missing = rng.random(labels.shape) < sizes.missing
    input_names = [f"x{index}" for index in range(sizes.n_inputs)]
    task_names = [f"task{index:03}" for index in range(sizes.n_tasks)]
    cells = np.where(is_missing, "", np.where(labels, "1", "0"))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "data.csv").open("w", encoding="utf-8") as file:
        file.write(",".join([*input_names, *task_names]) + "\n")
        for row, row_cells in zip(inputs, cells, strict=True):
            file.write(",".join([*(f"{value:.4f}" for value in row), *row_cells]) + "\n")
    experiment = {
        "name": "planted",
        "data": {"type": "table", "train": "data.csv", "numbers": input_names},
        "split": {"type": "random", "validation": 0.15, "test": 0.15},
        "encoder": "array",
        "backbone": {"type": "mlp", "hidden_dims": [width]},
        "tasks": [{"each": "task*", "kind": "binary", "head": "linear"}],
        "training": {"epochs": epochs},
    }
    (folder / "planted.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    return [int(group) for group in groups]
