"""Test whether independent networks can be trained at once, and measure what they cost."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices
from mtl_core.data.fitted_data import FittedData
from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.batched_networks.build import build_single_network, get_group
from mtl_core.runs.batched_networks.run import compute_network_masks
from mtl_core.runs.batched_networks.validation import NetworkValidation
from mtl_core.seeding import isolate_torch_rng
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.batched_networks.trainer import LiveTasks, NetworkTrainer

N_PROBED = 16
"""Maximum number of networks of a probe."""
N_TIMED_STEPS = 2
ACTIVATIONS_PER_EXAMPLE = 8
"""Number of values per example and hidden unit that a step stores."""
TOLERANCE = 1e-4


@dataclass(frozen=True)
class NetworkCosts:
    """What independent networks cost.

    Attributes:
        n_parameters: Number of parameters per network.
        n_bytes: Memory per network during training.
        step_s: Time of the training steps per network, in seconds, without early stopping.
        validation_s: Time of the validation after all epochs per network, in seconds; 0 without validation data.
    """

    n_parameters: int
    n_bytes: int
    step_s: float
    validation_s: float


def probe_networks(config: ExperimentConfig, data: FittedData) -> NetworkCosts:
    """Train a few networks for a few steps in this process.

    Args:
        config: The experiment.
        data: The fitted data of all networks, with one head group.

    Raises:
        MtlError: If the networks cannot be trained at once; the message is the reason.
    """
    with isolate_torch_rng():
        network = build_single_network(config, data)
        try:
            return _probe(config, data, network)
        except MtlError:
            raise
        # The modules are anyone's: what torch cannot compute for several networks at once raises one of these.
        except (RuntimeError, NotImplementedError, TypeError, ValueError, AttributeError) as error:
            raise MtlError(f"torch.vmap cannot compute a layer ({str(error).splitlines()[0]})") from error


def _probe(config: ExperimentConfig, data: FittedData, network: MultiTaskNetwork) -> NetworkCosts:
    n_networks = min(N_PROBED, len(get_group(data).tasks))
    networks = StackedNetworks(network, n_networks)
    sampler = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths)
    batches = sampler.get_batches(0)
    _check_outputs(network, networks, data, batches[0])
    _check_independent_examples(networks, data, batches[0])
    trainer = NetworkTrainer(
        config, networks, get_group(data), data.examples, sampler, compute_network_masks(data)[:, :n_networks]
    )
    trainer.start_epoch(0)
    step_s = _time_steps(lambda index: trainer.step(batches[index % len(batches)]))
    state_bytes = sum(
        value.numel() * value.element_size()
        for state in trainer.optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
    n_parameters = networks.count_parameters()
    activations = ACTIVATIONS_PER_EXAMPLE * config.training.batch_size * network.trunk.output.width
    return NetworkCosts(
        n_parameters,
        # Weights, gradients, the best weights, the state of the optimizer, and activations.
        4 * (3 * n_parameters + activations) + state_bytes // n_networks,
        step_s / n_networks * sampler.steps_per_epoch * config.training.epochs,
        _time_validation(config, data, networks, trainer.live_tasks) / n_networks * config.training.epochs,
    )


def _check_outputs(network: MultiTaskNetwork, networks: StackedNetworks, data: FittedData, rows: RowIndices) -> None:
    """Check that a stacked network computes the outputs of the network itself."""
    batch = data.examples.build_batch(rows, torch.device("cpu"))
    network.eval()
    with torch.no_grad():
        (output,) = network(batch.inputs)
    assert output is not None  # noqa: S101  all head groups are computed
    expected, stacked = output.outputs[:, 0], networks.predict(batch.inputs, len(rows))[:, 0]
    if not torch.allclose(stacked, expected, rtol=TOLERANCE, atol=TOLERANCE):
        raise MtlError("the network computes other outputs if several networks are computed at once")


def _check_independent_examples(networks: StackedNetworks, data: FittedData, rows: RowIndices) -> None:
    """Check that the outputs for an example do not depend on the other examples of a batch in training.

    A step computes examples of other networks, too. Batch normalization would mix them.
    """
    device = networks.device
    size = max(len(rows) // 2, 1)
    outputs = [
        networks.compute_without_dropout(data.examples.build_batch(selected, device).inputs, len(selected))
        for selected in (rows[:size], rows)
    ]
    if not torch.allclose(outputs[0], outputs[1][:, :size], rtol=TOLERANCE, atol=TOLERANCE):
        raise MtlError("a layer computes the examples of a batch together, as batch normalization does")


def _time_validation(
    config: ExperimentConfig, data: FittedData, networks: StackedNetworks, live_tasks: LiveTasks
) -> float:
    """Return the time of one validation of all networks, in seconds."""
    if not len(data.split.validation):
        return 0.0
    validate = NetworkValidation(config, networks, data)
    start = perf_counter()
    validate(live_tasks)
    return perf_counter() - start


def _time_steps(step: Callable[[int], None]) -> float:
    """Return the time of the fastest of a few steps, in seconds, after one that allocates memory."""
    step(0)
    seconds = []
    for index in range(1, N_TIMED_STEPS + 1):
        start = perf_counter()
        step(index)
        seconds.append(perf_counter() - start)
    return min(seconds)
