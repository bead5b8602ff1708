"""`mtl group --affinity-only` on 100 tasks in five planted groups: the groups, and the share of a training's time."""

import tempfile
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from time import process_time

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from benchmarks.planted_groups import PlantedGroups, write_planted_groups
from mtl_core.artifacts.groups import GROUPS_FILE, TaskGroups
from mtl_core.cli.app import app

SEEDS = 3
SIZES = PlantedGroups(n_examples=6000)
EPOCHS = 40


def main() -> None:
    """Divide and train alternately with three seeds of the data, in one thread; times are CPU times of the commands."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _warm_up(root / "warm-up")
        for seed in range(SEEDS):
            data = root / str(seed)
            truth = write_planted_groups(data, SIZES, seed, EPOCHS)
            path = data / "planted.yaml"
            group_s = _run("group", path, "--affinity-only", "--networks", "5", "--out", data / "groups")
            run_s = _run("run", path, "--out", data / "run")
            groups = TaskGroups.read(data / "groups" / GROUPS_FILE)
            labels = label_tasks(groups)
            random_labels = np.random.default_rng(seed).permutation(labels)
            print(
                f"seed {seed}: adjusted Rand index {adjusted_rand_score(truth, labels):.3f} (random division "
                f"{adjusted_rand_score(truth, random_labels):.3f}); {groups.epochs} of {EPOCHS} epochs, "
                f"{group_s / run_s:.2f} of one training; at most {100 * groups.gap:.1f} % below the optimum"
            )


def label_tasks(groups: TaskGroups) -> list[int]:
    """Return the network of each task, in the order of the task names."""
    network_by_task = {task: number for number, network in enumerate(groups.networks) for task in network}
    return [network_by_task[task] for task in sorted(network_by_task)]


def _warm_up(data: Path) -> None:
    write_planted_groups(data, PlantedGroups(n_tasks=12, n_groups=2, n_examples=200), 0, 2)
    _run("group", data / "planted.yaml", "--affinity-only", "--networks", "2", "--out", data / "groups")
    _run("run", data / "planted.yaml", "--out", data / "run")


def _run(*arguments: object) -> float:
    """Run a command in this process without its output, and return its CPU time in seconds."""
    start = process_time()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        app(args=[str(argument) for argument in arguments], standalone_mode=False)
    return process_time() - start
