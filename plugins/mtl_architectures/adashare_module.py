"""The modules of AdaShare."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_architectures.backbone_stack import build_stack
from mtl_architectures.stacked_gates import select_active
from mtl_core import Features, FeatureShape, MtlError
from mtl_core.nn import Architecture, NetworkParts, TaskFeatures, validate_features


@dataclass(frozen=True)
class PolicySchedule:
    """The phases of the training of policies.

    Attributes:
        warmup: Share of the training steps before policies are trained.
        search_end: Share of the training steps after which policies are fixed.
        temperature: Temperature at the start of the search.
        final_temperature: Temperature at the end of the search.
    """

    warmup: float
    search_end: float
    temperature: float
    final_temperature: float

    def compute_search_progress(self, progress: float) -> float:
        """Return the share of the search that is done, from 0 to 1, for a share of the training."""
        if progress >= self.search_end:
            return 1.0
        return max(0.0, progress - self.warmup) / (self.search_end - self.warmup)

    def is_searching(self, progress: float) -> bool:
        """Return whether policies are trained at a share of the training."""
        return self.warmup <= progress < self.search_end

    def is_fixed(self, progress: float) -> bool:
        """Return whether policies are fixed at a share of the training."""
        return progress >= self.search_end

    def count_trained_blocks(self, progress: float, blocks: int) -> int:
        """Return the number of blocks, from the last, whose policies are trained: the curriculum."""
        if not self.is_searching(progress):
            return 0
        return min(blocks, 1 + int(self.compute_search_progress(progress) * blocks))

    def compute_temperature(self, progress: float) -> float:
        """Return the temperature, which decreases exponentially during the search."""
        decay = self.final_temperature / self.temperature
        return self.temperature * math.pow(decay, self.compute_search_progress(progress))


class SelectedBlocks(Architecture):
    """One input layer, a stem, and residual blocks that each task selects or skips.

    Args:
        parts: Builds the input layer and the backbones.
        tasks: The names of the tasks.
        blocks: Number of blocks.
        schedule: The phases of the training.
        sparsity: Factor of the sparsity regularization.
        sharing: Factor of the sharing regularization.

    Raises:
        MtlError: If the backbone does not return features of the form that it reads.
    """

    def __init__(
        self,
        parts: NetworkParts,
        tasks: Sequence[str],
        blocks: int,
        schedule: PolicySchedule,
        sparsity: float,
        sharing: float,
    ) -> None:
        super().__init__()
        self.input_layer = parts.input_layer()
        input_shape: FeatureShape = self.input_layer.output  # type: ignore[assignment]
        hint = "Choose a backbone whose output has the form of its input"
        stem, *others = build_stack(parts, input_shape, blocks + 1, "adashare", hint)
        self.output: FeatureShape = stem.output  # type: ignore[assignment]
        for block in others:
            if block.output != self.output:
                raise MtlError(
                    "architecture 'adashare': the output of a block is added to its input, but the backbone turns "
                    f"features of the form {self.output} into {block.output}. {hint}"
                )
        self.stem, self.blocks = stem, nn.ModuleList(others)
        self.policy = nn.Parameter(torch.zeros(len(tasks), blocks))
        """`(tasks, blocks)`: the logit of the probability that a task selects a block."""
        self._schedule, self._sparsity, self._sharing = schedule, sparsity, sharing
        self._progress = 0.0

    def on_step_start(self, step: int, total: int) -> None:
        """Update the phase of the training."""
        self._progress = step / total

    def get_decisions(self) -> torch.Tensor:
        """Return the decisions of inference, `(tasks, blocks)`, bool: whether a task executes a block."""
        return self.policy.detach() >= 0

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        """Run the stem once, and each block for the tasks that select it."""
        stem_features = validate_features(self.stem(self.input_layer(inputs)), self.output)
        decisions = select_active(self.sample_decisions(), active)
        values = stem_features.values.expand(len(decisions), *stem_features.values.shape)
        for index, block in enumerate(self.blocks):
            values = self._run_block(block, index == 0, values, stem_features.mask, decisions[:, index])
        return TaskFeatures(values, active, stem_features.mask)

    def sample_decisions(self) -> torch.Tensor:
        """Return the decisions of a step, `(tasks, blocks)`: 1 to execute a block, 0 to skip it.

        During the search they are numbers between 0 and 1, drawn from torch's global generator. The draws do not depend
        on which tasks are active.
        """
        n_trained = self._schedule.count_trained_blocks(self._progress, len(self.blocks)) if self.training else 0
        if not self.training or self._schedule.is_fixed(self._progress):
            return self.get_decisions().to(self.policy.dtype)
        ones = torch.ones_like(self.policy[:, n_trained:])
        if not n_trained:
            return ones
        uniform = torch.rand_like(self.policy).clamp(1e-6, 1 - 1e-6)
        noise = uniform.logit()  # the difference of two Gumbel variables has a logistic distribution
        temperature = self._schedule.compute_temperature(self._progress)
        samples = ((self.policy + noise) / temperature).sigmoid()
        return torch.cat([ones, samples[:, len(self.blocks) - n_trained :]], dim=1)

    def _run_block(
        self, block: nn.Module, is_first: bool, values: torch.Tensor, mask: torch.Tensor | None, decisions: torch.Tensor
    ) -> torch.Tensor:
        """Add the output of a block to the features of each task, times its decision, `(active tasks,)`."""
        if is_first:  # all tasks read the features of the stem
            outputs = validate_features(block(Features(values[0], mask)), self.output).values.unsqueeze(0)
            return values + outputs * decisions.view(-1, *[1] * (values.ndim - 1))
        rows = decisions.detach().nonzero()[:, 0]
        if not len(rows):
            return values
        selected = values if len(rows) == len(values) else values.index_select(0, rows)
        repeated_mask = None if mask is None else mask.repeat(len(rows), 1)
        outputs = validate_features(block(Features(selected.flatten(0, 1), repeated_mask)), self.output).values
        added = outputs.view(selected.shape) * decisions[rows].view(-1, *[1] * (values.ndim - 1))
        return values + added if len(rows) == len(values) else values.index_add(0, rows, added)

    def regularization_loss(self) -> torch.Tensor | None:
        """Return the sparsity and the sharing regularization of the policies that are trained; None without any."""
        n_trained = self._schedule.count_trained_blocks(self._progress, len(self.blocks))
        if not n_trained or not (self._sparsity or self._sharing):
            return None
        policy = self.policy[:, len(self.blocks) - n_trained :]
        loss = self._sparsity * F.logsigmoid(policy).sum(dim=1).mean()
        if self._sharing and len(policy) > 1:
            block_indices = torch.arange(len(self.blocks) - n_trained, len(self.blocks), device=policy.device)
            weights = (len(self.blocks) - block_indices) / len(self.blocks)
            first, second = torch.triu_indices(len(policy), len(policy), offset=1, device=policy.device)
            probabilities = policy.sigmoid()
            differences = (probabilities[first] - probabilities[second]).abs().mean(dim=0)
            loss = loss + self._sharing * (weights * differences).sum()
        return loss

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return the policies."""
        return [self.policy]
