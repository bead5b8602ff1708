"""Spearman's rank correlation."""

import torch
from torchmetrics.regression import SpearmanCorrCoef
from torchmetrics.utilities.data import dim_zero_cat


class RankCorrelation(SpearmanCorrCoef):
    """Spearman's rank correlation; NaN if all outputs or all targets are equal."""

    def compute(self) -> torch.Tensor:
        """Return the correlation."""
        for values in (self.preds, self.target):
            numbers = dim_zero_cat(values) if len(values) else torch.zeros(1)
            if (numbers == numbers[0]).all():
                return torch.tensor(torch.nan)
        return super().compute()
