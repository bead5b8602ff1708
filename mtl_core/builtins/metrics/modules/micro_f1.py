"""F1 of indicators."""

import torch
from torchmetrics.classification import BinaryF1Score


class IndicatorF1(BinaryF1Score):
    """F1 of indicators; NaN if there are neither true nor predicted labels."""

    def compute(self) -> torch.Tensor:
        """Return F1, or NaN if it is undefined."""
        value: torch.Tensor = super().compute()
        n_positives = sum(int(torch.as_tensor(state)) for state in (self.tp, self.fp, self.fn))
        return value if n_positives else torch.tensor(float("nan"))
