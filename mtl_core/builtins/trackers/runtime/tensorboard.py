"""TensorBoard event files."""

from collections.abc import Mapping
from pathlib import Path

from accelerate.tracking import TensorBoardTracker


class TensorBoardFiles(TensorBoardTracker):  # type: ignore[misc]
    """Accelerate's tracker, with hyperparameters in the same folder as the metrics.

    Accelerate writes hyperparameters to two more folders, named after the time of day. With both in one folder,
    TensorBoard's table of hyperparameters shows the metrics as well.

    Args:
        folder: The output directory.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.name, str(folder.parent))

    def store_init_configuration(self, values: Mapping[str, str | int | float | bool]) -> None:
        """Write the run's row of the table; TensorBoard infers the columns."""
        from torch.utils.tensorboard.summary import hparams

        _, session_summary, _ = hparams(dict(values), {})  # type: ignore[no-untyped-call]
        self.writer.file_writer.add_summary(session_summary)
        self.writer.flush()
