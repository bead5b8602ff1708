"""A run of independent single-task networks, from data files to one run directory."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from mtl_core.artifacts.json_files import dump_json
from mtl_core.artifacts.network_files import NetworkEpoch, get_networks_file, write_history
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_atomically, write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices, build_length_batches
from mtl_core.data.corpus import SplitName
from mtl_core.data.experiment_data import compute_label_mask
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.input_files import hash_input_files
from mtl_core.data.prepare import prepare
from mtl_core.data.stage_timer import StageTimer
from mtl_core.evaluation.scores import Scores
from mtl_core.runs.batched_networks.build import build_stacked_networks, get_group
from mtl_core.runs.batched_networks.evaluation import evaluate_networks
from mtl_core.runs.batched_networks.metrics import NetworkTiming, build_network_metrics
from mtl_core.runs.batched_networks.validation import NetworkValidation
from mtl_core.runs.measurements import BATCH_SIZE, MAX_EXAMPLES, N_REPEATS
from mtl_core.runs.provenance import check_input_files, collect_provenance, record_resumption
from mtl_core.runs.saved_run import save_state
from mtl_core.seeding import isolate_torch_rng
from mtl_core.training.accelerator import create_accelerator
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.batched_networks.loop import train_networks
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.callback import Callback, NullCallback
from mtl_core.training.loop import TrainingResult
from mtl_core.training.non_finite import TrainingFailedError


def run_networks(
    config: ExperimentConfig,
    out: Path | str,
    callback: Callback | None = None,
    evaluate_test: bool = True,
    experiment_path: Path | None = None,
) -> None:
    """Train an independent network per active task, and write all results to one directory.

    Each network equals that of a run with `active_tasks: [TASK]`, up to rounding. A directory whose training was
    interrupted is trained again from the start.

    Args:
        config: The experiment; its active tasks have equal kinds and heads.
        out: The run directory.
        callback: The callback for progress.
        evaluate_test: Whether to evaluate the test split.
        experiment_path: The experiment file, whose git revision is recorded.

    Raises:
        MtlError: If the networks cannot be trained at once, data and config do not match, or a training fails.
    """
    with isolate_torch_rng():
        timer = StageTimer()
        data = prepare(config)
        accelerator = create_accelerator(config)
        path = Path(out)
        if RunDirectory(path).config.is_file():
            run = RunDirectory.open(path)
            run.remove_temporary_files()
            check_input_files(run, config)
            record_resumption(run, config, accelerator)
        else:
            provenance = collect_provenance(config, hash_input_files(config), accelerator, experiment_path)
            run = RunDirectory.create(path, config, provenance)
        write_history(run, [])  # an interrupted training is thereby no run that `mtl resume` continues as one network
        with timer.measure("train"):
            networks = build_stacked_networks(config, data, accelerator.device)
            results = _train(config, data, networks, callback or NullCallback())
        with timer.measure("evaluate"):
            scores = _evaluate(config, data, networks, run, evaluate_test)
        save_state(run, data.encoder, data.tasks)
        tensors = {name: value.detach().cpu().contiguous() for name, value in networks.state_dict().items()}
        write_atomically(get_networks_file(run), lambda temporary: save_file(tensors, temporary))
        write_history(run, _list_epochs(data, results))
        timing = NetworkTiming(
            timer.seconds["train"], timer.seconds["evaluate"], _measure_inference_ms(config, data, networks)
        )
        metrics = build_network_metrics(config, data, results, scores, timing, networks.count_parameters())
        write_text_atomically(run.metrics, dump_json(metrics))


def compute_network_masks(data: FittedData) -> NDArray[np.bool_]:
    """Return which examples are in the batches of each network, `(examples, tasks)`, bool."""
    tasks = get_group(data).tasks
    masks = [compute_label_mask([task.config], data.labels, len(data.corpus)) for task in tasks]
    return np.stack(masks, axis=1)


def _train(
    config: ExperimentConfig, data: FittedData, networks: StackedNetworks, callback: Callback
) -> list[TrainingResult]:
    data.encoder.unload()
    try:
        return train_networks(
            config,
            networks,
            get_group(data),
            data.examples,
            build_batch_sampler(config, data.corpus, data.split, data.examples.lengths),
            compute_network_masks(data),
            NetworkValidation(config, networks, data) if len(data.split.validation) else None,
            callback,
        )
    except TrainingFailedError as error:
        raise error.to_user_error(data.corpus.ids, "Nothing is saved.") from error


def _evaluate(
    config: ExperimentConfig, data: FittedData, networks: StackedNetworks, run: RunDirectory, evaluate_test: bool
) -> dict[str, Scores]:
    """Score the splits, and write the outputs of the test split; of the validation split if there is no test split."""
    scores: dict[str, Scores] = {}
    has_test = evaluate_test and len(data.split.test) > 0
    split_names: list[SplitName] = ["validation"] if len(data.split.validation) else []
    if has_test:
        split_names.append("test")
    for split_name in split_names:
        is_last = split_name == split_names[-1]
        scores[split_name] = evaluate_networks(config, data, networks, split_name, run if is_last else None)
    return scores


def _list_epochs(data: FittedData, results: Sequence[TrainingResult]) -> list[NetworkEpoch]:
    return [
        NetworkEpoch(task.name, record.epoch, record.learning_rate, record.losses[task.name], record.score)
        for task, result in zip(get_group(data).tasks, results, strict=True)
        for record in result.history
    ]


def _measure_inference_ms(config: ExperimentConfig, data: FittedData, networks: StackedNetworks) -> float | None:
    """Measure the time of all networks per example, in one thread, in milliseconds; None without examples."""
    split = data.split
    rows: RowIndices = split.test if len(split.test) else split.validation
    if not len(rows):
        return None
    sampled = rows[np.linspace(0, len(rows) - 1, min(len(rows), MAX_EXAMPLES)).astype(np.int64)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = 0.0
    try:
        for batch_rows in build_length_batches(sampled, data.examples.lengths, BATCH_SIZE):
            batch = data.examples.build_batch(batch_rows, networks.device)
            repeats = []
            for _ in range(N_REPEATS):
                start = perf_counter()
                networks.predict(batch.inputs, len(batch_rows)).cpu()
                repeats.append(perf_counter() - start)
            seconds += min(repeats)
    finally:
        torch.set_num_threads(threads)
    return 1000 * seconds / len(sampled)
