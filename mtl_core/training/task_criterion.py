"""The loss of one task of a custom training loop, from tensors in the shapes that such loops have."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.resolve_spec import resolve_spec
from mtl_core.plugins.specs import TaskKindSpec
from mtl_core.training.losses import GroupLoss, LossSums
from mtl_core.training.non_finite import MAX_IDS_IN_MESSAGE, NonFiniteLossError


class TaskCriterion(nn.Module):
    """The masked loss of one task.

    Args:
        name: The name of the task.
        kind: A task kind (a spec, its class, its name or its block), or a torch loss with `reduction="none"`.
        class_weights: `(classes,)`: the weight of each class; None for equal weights.

    Raises:
        MtlError: If the kind is unknown, has no loss outside of a run, or the loss is reduced.
    """

    def __init__(self, name: str, kind: object, class_weights: Sequence[float] | torch.Tensor | None = None) -> None:
        super().__init__()
        self.name = name
        self._spec: TaskKindSpec | None = None
        if isinstance(kind, nn.Module):
            _check_unreduced(name, kind)
            loss = kind
        else:
            self._spec, loss = _build_kind_loss(name, kind)
        weights = None if class_weights is None else torch.as_tensor(class_weights, dtype=torch.float32)
        self.group_loss = GroupLoss(loss, [weights])

    def forward(
        self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor | None, int]:
        """Compute the mean loss over the valid labels; see `MaskedLosses.forward` for shapes.

        Returns:
            The mean loss, a scalar, and the number of valid labels; None and 0 without any.

        Raises:
            MtlError: If shapes or dtypes do not fit.
            NonFiniteLossError: If the loss is not finite.
        """
        if self._spec is not None:
            flat_outputs, flat_targets, flat_mask = self._flatten_for_kind(outputs, targets, mask)
        else:
            flat_outputs, flat_targets, flat_mask = self._flatten_for_loss(outputs, targets, mask)
        losses = self._compute_sums(flat_outputs, flat_targets, flat_mask).compute_means()
        count = int(losses.counts)
        if not count:
            return None, 0
        if not torch.isfinite(losses.values).all():
            invalid = self.group_loss.find_non_finite(flat_outputs, flat_targets, flat_mask)[:, 0].nonzero()[:, 0]
            labels_per_example = len(flat_mask) // max(1, len(outputs))
            rows = sorted({index // labels_per_example for index in invalid.tolist()})
            error = NonFiniteLossError(self.name, rows)
            error.args = (f"{error}: look at example {join_names(map(str, rows), MAX_IDS_IN_MESSAGE)} of the batch",)
            raise error
        return losses.values[0], count

    def _compute_sums(self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor) -> LossSums:
        try:
            sums = self.group_loss.compute_sums(outputs, targets, mask)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise MtlError(
                f"task '{self.name}': the loss cannot be computed from outputs {_describe(outputs[:, 0])} and targets "
                f"{_describe(targets[:, 0])}: {error}"
            ) from error
        except MtlError as error:
            raise MtlError(f"task '{self.name}': {error}") from error
        return sums

    def _flatten_for_kind(
        self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return outputs `(labels, 1, outputs)`, targets `(labels, 1, ...)` and the mask `(labels, 1)`."""
        assert self._spec is not None  # noqa: S101  checked by the caller
        has_vectors = getattr(self._spec, "channels", 1) > 1  # several numbers per pixel
        n_dims = 1 if self._spec.level == "example" else targets.ndim - has_vectors
        label_shape = outputs.shape[:n_dims]
        if outputs.ndim == n_dims:
            outputs = outputs.unsqueeze(-1)
        if (
            outputs.ndim != n_dims + 1
            or targets.ndim not in {n_dims, n_dims + 1}
            or targets.shape[:n_dims] != label_shape
        ):
            dimensions = "(batch, outputs)" if n_dims == 1 else "(batch, ..., outputs)"
            raise MtlError(
                f"task '{self.name}': outputs {_describe(outputs)} and targets {_describe(targets)} do not fit; the "
                f"kind '{self._spec.type}' has outputs {dimensions} and one target per {self._spec.level}"
            )
        if targets.ndim > n_dims and targets.shape[-1] != outputs.shape[-1]:
            raise MtlError(
                f"task '{self.name}': {outputs.shape[-1]} outputs, but {targets.shape[-1]} numbers per label: outputs "
                f"{_describe(outputs)}, targets {_describe(targets)}"
            )
        n_labels = label_shape.numel()
        present = _find_labels(targets)
        if targets.ndim > n_dims:
            if mask is not None and mask.shape == targets.shape:
                targets, mask = _drop_labels(targets, mask), None
                present = _find_labels(targets)
            present = present.any(dim=-1)
        present = _apply_mask(self.name, present, mask)
        flat_targets = targets.reshape(n_labels, 1, *targets.shape[n_dims:])
        return outputs.reshape(n_labels, 1, outputs.shape[-1]), _as_codes(flat_targets), present.reshape(n_labels, 1)

    def _flatten_for_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return outputs `(labels, 1, ...)`, targets and mask `(labels, 1)`, from the shapes of torch's losses."""
        if outputs.ndim == targets.ndim + 1:  # classes: (batch, classes, ...) and (batch, ...)
            outputs = outputs.movedim(1, -1)
            label_shape, output_shape = outputs.shape[:-1], outputs.shape[-1:]
        else:  # one number per label
            label_shape, output_shape = outputs.shape, torch.Size([])
            if not targets.is_floating_point() and targets.dtype != torch.bool:
                raise MtlError(
                    f"task '{self.name}': {type(self.group_loss.loss).__name__} compares numbers, so targets must be "
                    f"floats, in which NaN marks a missing one; found {targets.dtype}"
                )
        if label_shape != targets.shape:
            raise MtlError(
                f"task '{self.name}': outputs {_describe(outputs)} and targets {_describe(targets)} do not fit; "
                "expected equal shapes, or outputs with one more dimension for the classes, the second"
            )
        present = _apply_mask(self.name, _find_labels(targets), mask)
        flat_outputs = outputs.reshape(-1, 1, *output_shape)
        flat_targets = targets.reshape(-1, 1)
        if targets.dtype == torch.bool:
            flat_targets = flat_targets.to(outputs.dtype)
        return flat_outputs, _as_codes(flat_targets), present.reshape(-1, 1)


def _build_kind_loss(name: str, kind: object) -> tuple[TaskKindSpec, nn.Module]:
    location = f"task '{name}'"
    if kind is None:
        raise MtlError(f"{location}: expected a task kind, such as 'classification', or a torch loss; found None")
    if isinstance(kind, type) and issubclass(kind, nn.Module):
        raise MtlError(f'{location}: expected a loss module, found the class; use {kind.__name__}(reduction="none")')
    spec = resolve_spec("task_kinds", kind, location)
    assert isinstance(spec, TaskKindSpec)  # noqa: S101  the extension point's base class
    class_weights = getattr(spec, "class_weights", None)
    if class_weights is not None and class_weights.type != "none":
        raise MtlError(
            f"{location}: class weights of the type '{class_weights.type}' are computed from the labels of a data set; "
            f"in a custom training loop, use MaskedLosses(tasks, class_weights={{'{name}': [...]}})"
        )
    try:
        return spec, spec.build_loss()
    except MtlError as error:
        raise MtlError(f"{location}: {error}") from error


def _check_unreduced(name: str, loss: nn.Module) -> None:
    reduction = getattr(loss, "reduction", "none")
    if reduction != "none":
        raise MtlError(
            f"task '{name}': {type(loss).__name__} has reduction={reduction!r}, which includes missing labels; "
            'use reduction="none"'
        )


def _find_labels(targets: torch.Tensor) -> torch.Tensor:
    """Return which numbers of targets are not missing, bool."""
    if targets.is_floating_point():
        return ~targets.isnan()
    return torch.ones_like(targets) if targets.dtype == torch.bool else targets >= 0


def _drop_labels(targets: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return torch.where(mask, targets, torch.nan) if targets.is_floating_point() else torch.where(mask, targets, -1)


def _apply_mask(name: str, present: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return which labels are valid: those that are not missing and that the mask selects."""
    if mask is None:
        return present
    if mask.dtype != torch.bool or mask.shape != present.shape:
        raise MtlError(
            f"task '{name}': expected a mask of torch.bool and shape {tuple(present.shape)}, True for valid labels; "
            f"found {_describe(mask)}"
        )
    return present & mask


def _as_codes(targets: torch.Tensor) -> torch.Tensor:
    return targets if targets.is_floating_point() else targets.long()


def _describe(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} of {tensor.dtype}"
