"""ROC-AUC and average precision of class logits."""

import torch
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision
from torchmetrics.utilities.data import dim_zero_cat


class ClassLogitsAUROC(BinaryAUROC):
    """The area under the ROC curve of the second class; NaN for labels of one class only."""

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add class logits `(n, 2)` and codes `(n,)`."""
        super().update(_compute_scores(outputs), targets)

    def compute(self) -> torch.Tensor:  # type: ignore[override]
        """Return the area."""
        return super().compute() if _has_both_classes(self) else torch.tensor(torch.nan)


class ClassLogitsAveragePrecision(BinaryAveragePrecision):
    """The average precision of the second class; NaN for labels of one class only."""

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Add class logits `(n, 2)` and codes `(n,)`."""
        super().update(_compute_scores(outputs), targets)

    def compute(self) -> torch.Tensor:  # type: ignore[override]
        """Return the average precision."""
        return super().compute() if _has_both_classes(self) else torch.tensor(torch.nan)


def _compute_scores(outputs: torch.Tensor) -> torch.Tensor:
    """Return the probability of the second class, `(n,)`, which torchmetrics uses as it is."""
    return torch.softmax(outputs.double(), dim=-1)[:, 1]


def _has_both_classes(metric: BinaryAUROC | BinaryAveragePrecision) -> bool:
    targets = dim_zero_cat(metric.target) if len(metric.target) else torch.zeros(0)
    return bool((targets > 0).any() and (targets == 0).any())
