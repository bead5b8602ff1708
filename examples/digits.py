"""Multi-task learning on images: three tasks, with two thirds of each task's labels removed.

mtl run examples/digits.yaml
"""

from typing import Literal

from pydantic import Field

from mtl_core import Corpus, LoaderSpec, hookimpl


class Digits(LoaderSpec):
    """Loader of scikit-learn's 8 x 8 images of handwritten digits."""

    type: Literal["digits"] = "digits"
    label_fraction: float = Field(default=1 / 3, gt=0, le=1)
    """Share of each task's training labels that is kept, sampled independently per task."""
    label_seed: int = 0
    """Seed for the labels that are kept."""

    def load(self) -> Corpus:
        """Create three label columns: the digit, its parity, and the amount of ink."""
        import numpy as np
        from sklearn.datasets import load_digits

        images, digits = load_digits(return_X_y=True)
        ink_levels = np.digitize(images.sum(axis=1), np.quantile(images.sum(axis=1), [1 / 3, 2 / 3]))
        all_labels = {
            "digit": [str(digit) for digit in digits],
            "parity": ["odd" if digit % 2 else "even" for digit in digits],
            "ink": [("little", "some", "much")[level] for level in ink_levels],
        }
        generator = np.random.default_rng(self.label_seed)
        test_mask = generator.permutation(len(images)) < len(images) // 4
        labels = {
            task: [
                value if test_mask[i] or generator.random() < self.label_fraction else None
                for i, value in enumerate(column)
            ]
            for task, column in all_labels.items()
        }
        return Corpus(
            ids=[str(i) for i in range(len(images))],
            inputs=list(images.reshape(-1, 8, 8) / 16),
            labels=labels,
            splits=["test" if is_test else "train" for is_test in test_mask],
        )


@hookimpl
def mtl_loaders() -> list[type[LoaderSpec]]:
    return [Digits]
