"""Select the tasks that get a single-task network, and with it a place in the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtl_core.config.name_patterns import expand_names
from mtl_core.errors import MtlError
from mtl_core.seeding import derive_seed


@dataclass(frozen=True)
class SingleTaskSelection:
    """Which tasks get a single-task network, and how these networks are trained.

    Attributes:
        entries: Names, patterns such as `ACEA_*`, and ranges of tasks; none for all tasks.
        n_sampled: Number of tasks that are drawn at random from these; None for all of them.
        batched: Whether the networks are trained at once; None for more than 20 tasks, where possible.
    """

    entries: Sequence[str] = ()
    n_sampled: int | None = None
    batched: bool | None = None

    def select(self, tasks: Sequence[str], seed: int) -> list[str]:
        """Return the names of the selected tasks, in the order of the tasks.

        Args:
            tasks: The names of all active tasks.
            seed: The seed of the experiment.

        Raises:
            MtlError: If an entry selects no task, or the sample is larger than the number of tasks.
        """
        try:
            matches = set(expand_names(self.entries, tasks, "task")) if self.entries else set(tasks)
        except MtlError as error:
            raise MtlError(f"--single: {error}") from error
        selected = [task for task in tasks if task in matches]
        if self.n_sampled is None:
            return selected
        if self.n_sampled > len(selected):
            raise MtlError(f"--single-sample {self.n_sampled}: there are only {len(selected)} tasks to draw from")
        random = np.random.default_rng(derive_seed(seed, "single-sample"))
        indices = np.sort(random.choice(len(selected), self.n_sampled, replace=False))
        return [selected[index] for index in indices.tolist()]
